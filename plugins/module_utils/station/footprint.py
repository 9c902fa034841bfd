# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything that each role installs on a host.

The playbooks backup, restore, teardown and offline_bundle read this table. The contract test test_footprint.py compares it with the
roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

BASELINE = "/var/lib/preprovision/baseline.json"
"""File with the host's state before the first run of site."""

EARLIER_BASELINE = "/var/lib/preprovision/before.json"
"""Its path in earlier releases."""


@dataclass(frozen=True)
class Footprint:
    """Everything that one role installs. Paths are absolute; a folder includes its content."""

    packages: tuple[str, ...] = ()
    optional_packages: tuple[str, ...] = ()
    """Packages that only some settings need."""
    removed_by_apt: tuple[str, ...] = ()
    """Packages that apt removes when it installs those."""
    units: tuple[str, ...] = ()
    """The role's own units, in the order in which they stop."""
    services: tuple[str, ...] = ()
    """Packages' units that the role changes, enables or starts."""
    paths: tuple[str, ...] = ()
    """The role's own files and folders."""
    replaced: tuple[str, ...] = ()
    """Packages' files that the role overwrites or removes."""
    purge_paths: tuple[str, ...] = ()
    """Files and folders that its packages and their services leave behind when they are purged."""
    sysctls: tuple[str, ...] = ()
    """Settings of the kernel that the role changes."""
    retired_units: tuple[str, ...] = ()
    """Earlier releases' units, in the order in which they stop."""
    retired_paths: tuple[str, ...] = ()
    """Earlier releases' files and folders."""
    users: tuple[str, ...] = ()
    """The role's own users, each with a group of the same name."""
    package_users: tuple[str, ...] = ()
    """Users and groups that its packages create."""
    secret: tuple[str, ...] = ()
    """Those of all these paths that contain keys or phones' files: they are overwritten before they are removed."""
    state: tuple[str, ...] = ()
    """Paths to back up, since they cannot be recreated."""
    stop_for_restore: tuple[str, ...] = ()
    """Units to stop while a restore replaces that state, in this order."""
    not_backed_up: Mapping[str, str] = field(default_factory=dict)
    """Paths that a backup omits, and why."""


LOGS = "logs are history and grow; archive them by other means"
INVENTORY = "site creates it from the inventory"

FOOTPRINTS: Mapping[str, Footprint] = {
    "bench": Footprint(
        packages=("iproute2",),
        optional_packages=("nftables",),
        units=(
            "preprovision-firewall-alerts.socket",
            "preprovision-firewall-alerts.service",
            "preprovision-firewall.service",
            "preprovision-bench-ports.service",
            "preprovision-bench.service",
        ),
        services=("nftables.service",),
        paths=(
            "/etc/NetworkManager/conf.d/preprovision-bench.conf",
            "/etc/preprovision-firewall.nft",
            "/etc/sysctl.d/preprovision-bench.conf",
            "/etc/systemd/system/NetworkManager.service.d/preprovision.conf",
            "/etc/systemd/system/nftables.service.d/preprovision.conf",
            "/usr/local/lib/preprovision-firewall-alerts",
        ),
        sysctls=(
            "net.ipv4.neigh.default.gc_thresh1",
            "net.ipv4.neigh.default.gc_thresh2",
            "net.ipv4.neigh.default.gc_thresh3",
        ),
        retired_units=("preprovision-fence-report.socket", "preprovision-fence-report.service", "preprovision-fence.service"),
        retired_paths=("/etc/preprovision-fence.nft",),
    ),
    "log_server": Footprint(
        packages=("logrotate", "rsyslog"),
        optional_packages=("rsyslog-openssl",),
        units=("preprovision-log-bound.timer", "preprovision-log-bound.service", "preprovision-log.service"),
        services=("rsyslog.service", "syslog.socket", "logrotate.timer"),
        paths=(
            "/etc/logrotate.d/preprovision-phones",
            "/etc/preprovision-log.conf",
            "/etc/systemd/system/logrotate.timer.d/preprovision.conf",
            "/usr/local/lib/preprovision-log",
            "/var/lib/preprovision-log",
            "/var/log/preprovision",
        ),
        purge_paths=(
            "/etc/rsyslog.d",
            "/var/lib/logrotate",
            "/var/log/auth.log",
            "/var/log/cron.log",
            "/var/log/daemon.log",
            "/var/log/debug",
            "/var/log/kern.log",
            "/var/log/mail.err",
            "/var/log/mail.log",
            "/var/log/mail.warn",
            "/var/log/messages",
            "/var/log/syslog",
            "/var/log/user.log",
            "/var/spool/rsyslog",
        ),
        users=("preprovision-log",),
        secret=("/var/log/preprovision",),
        not_backed_up={"/var/lib/preprovision-log": LOGS, "/var/log/preprovision": LOGS},
    ),
    "time_server": Footprint(
        packages=("chrony",),
        removed_by_apt=("systemd-timesyncd", "ntp", "ntpsec", "openntpd"),
        services=("chrony.service", "systemd-timesyncd.service"),
        paths=("/etc/systemd/system/chrony.service.d/preprovision.conf",),
        replaced=("/etc/chrony/chrony.conf",),
        purge_paths=("/etc/chrony", "/var/lib/chrony", "/var/log/chrony"),
        package_users=("_chrony",),
        not_backed_up={"/var/lib/chrony": "the drift of this machine's own clock"},
    ),
    "dns_server": Footprint(
        packages=("unbound",),
        services=("unbound.service", "unbound-resolvconf.service"),
        paths=("/etc/systemd/system/unbound.service.d/preprovision.conf",),
        replaced=("/etc/unbound/unbound.conf",),
        purge_paths=("/etc/unbound", "/var/lib/unbound"),
        package_users=("unbound",),
        not_backed_up={"/var/lib/unbound": "unbound fetches it again"},
    ),
    "certificates": Footprint(
        packages=("openssl", "python3-cryptography"),
        paths=("/etc/preprovision",),
        secret=("/etc/preprovision",),
        state=("/etc/preprovision/certificates",),
        stop_for_restore=("nginx.service",),
    ),
    "web_server": Footprint(
        packages=("logrotate", "nginx"),
        services=("nginx.service",),
        paths=(
            "/etc/logrotate.d/preprovision-web",
            "/etc/nginx/conf.d/preprovision.conf",
            "/etc/nginx/conf.d/preprovision.limits",
            "/etc/nginx/preprovision.passwords",
            "/etc/systemd/system/nginx.service.d/preprovision.conf",
            "/etc/tmpfiles.d/preprovision-web.conf",
            "/run/preprovision-web",
            "/var/lib/preprovision-acme",
            "/var/log/preprovision-web",
        ),
        replaced=("/etc/nginx/nginx.conf", "/etc/nginx/sites-enabled/default"),
        purge_paths=("/etc/nginx", "/var/lib/nginx", "/var/log/nginx", "/var/www/html/index.nginx-debian.html"),
        users=("preprovision-web",),
        secret=("/etc/nginx/preprovision.passwords",),
        not_backed_up={
            "/etc/nginx/preprovision.passwords": INVENTORY,
            "/run/preprovision-web": "a restart forgets blocked addresses",
            "/var/lib/nginx": "requests in progress",
            "/var/lib/preprovision-acme": "challenges live for seconds",
            "/var/log/preprovision-web": LOGS,
        },
    ),
    "profile_service": Footprint(
        packages=(
            "gunicorn",
            "python3-alembic",
            "python3-cryptography",
            "python3-flask",
            "python3-netaddr",
            "python3-sqlalchemy",
            "rsyslog",
        ),
        optional_packages=("python3-psycopg2",),
        units=(
            "preprovision-database.timer",
            "preprovision-database.service",
            "preprovision-database-heal.path",
            "preprovision-database-heal.service",
            "preprovision-events.service",
            "preprovision-service.socket",
            "preprovision-service.service",
        ),
        paths=(
            "/etc/nginx/conf.d/preprovision-service.conf",
            "/etc/nginx/conf.d/preprovision-service.locations",
            "/etc/nginx/conf.d/preprovision-service.methods",
            "/etc/nginx/conf.d/preprovision-service.private",
            "/etc/nginx/conf.d/preprovision-service.proved",
            "/etc/nginx/conf.d/preprovision-service.proxy",
            "/etc/nginx/conf.d/preprovision-service.public",
            "/etc/nginx/conf.d/preprovision-service.unverified",
            "/etc/systemd/system/nginx.service.d/preprovision-service.conf",
            "/etc/preprovision-database-ca.pem",
            "/etc/preprovision-events.conf",
            "/etc/preprovision-service.json",
            "/run/preprovision-reports",
            "/run/preprovision-service.sock",
            "/usr/local/lib/preprovision-service",
            "/var/lib/preprovision-arming",
            "/var/lib/preprovision-events",
            "/var/lib/preprovision-service",
        ),
        purge_paths=("/var/lib/ieee-data", "/var/log/gunicorn"),
        users=("preprovision-service",),
        secret=("/etc/preprovision-service.json", "/var/lib/preprovision-events", "/var/lib/preprovision-service"),
        # A backup dumps the database separately, since the inventory may place it anywhere
        state=("/var/lib/preprovision-service/secret",),
        stop_for_restore=("preprovision-events.service", "preprovision-service.socket", "preprovision-service.service"),
        not_backed_up={
            "/etc/preprovision-service.json": INVENTORY,
            "/var/lib/preprovision-arming": "the collector creates it from the database",
            "/var/lib/preprovision-events": "lines in transit, and the position in this machine's own journal",
        },
    ),
    "phone_profiles": Footprint(
        packages=("python3-cryptography",),
        paths=("/srv/preprovision",),
        secret=("/srv/preprovision/generations",),
        not_backed_up={"/srv/preprovision": INVENTORY},
    ),
    "firmware": Footprint(
        paths=("/srv/preprovision",),
        not_backed_up={"/srv/preprovision": INVENTORY},
    ),
    "provisioning_server": Footprint(
        packages=("nftables",),
        units=("preprovision-public-firewall.service",),
        services=("nftables.service",),
        paths=(
            "/etc/preprovision-drain.nft",
            "/etc/preprovision-public.nft",
            "/etc/systemd/system/nftables.service.d/preprovision-public.conf",
            "/etc/tmpfiles.d/preprovision-drain.conf",
        ),
    ),
    "zone_server": Footprint(
        packages=("nsd",),
        services=("nsd.service",),
        paths=("/etc/nsd/preprovision.zone", "/etc/systemd/system/nsd.service.d/preprovision.conf"),
        replaced=("/etc/nsd/nsd.conf",),
        purge_paths=("/etc/nsd", "/var/lib/nsd"),
        package_users=("nsd",),
        not_backed_up={"/var/lib/nsd": INVENTORY},
    ),
    "stun_server": Footprint(
        optional_packages=("coturn",),
        units=("preprovision-stun.service",),
        services=("coturn.service",),
        purge_paths=("/etc/turnserver.conf", "/var/lib/turn", "/var/log/turnserver"),
        package_users=("turnserver",),
        not_backed_up={"/var/lib/turn": "relay accounts, which are not used"},
    ),
    "tftp_server": Footprint(
        packages=("dnsmasq-base", "iproute2", "nftables"),
        units=(
            "preprovision-arming.path",
            "preprovision-arming-trigger.service",
            "preprovision-arming.service",
            "preprovision-tftp-neighbours.timer",
            "preprovision-tftp-neighbours.service",
            "preprovision-address-watch.service",
            "preprovision-tftp.service",
        ),
        services=("nftables.service",),
        paths=(
            "/etc/preprovision-tftp.conf",
            "/etc/preprovision-tftp.nft",
            "/etc/systemd/system/nftables.service.d/preprovision-tftp.conf",
            "/run/tftp",
            "/srv/preprovision",
            "/usr/local/lib/preprovision-arming",
            "/usr/local/lib/preprovision-tftp-guard",
        ),
        purge_paths=("/var/lib/misc/dnsmasq.leases",),
        users=("preprovision-tftp", "preprovision-arming"),
        package_users=("dnsmasq",),
        not_backed_up={"/srv/preprovision": INVENTORY},
    ),
    "dhcp_server": Footprint(
        optional_packages=("isc-dhcp-server", "kea-dhcp4-server"),
        units=("preprovision-dhcp-pair.service", "preprovision-dhcp-watch.service"),
        services=("isc-dhcp-server.service", "kea-dhcp4-server.service"),
        paths=(
            "/etc/kea/partner",
            "/etc/preprovision/dhcp-partner.key",
            "/etc/systemd/system/isc-dhcp-server.service",
            "/etc/systemd/system/kea-dhcp4-server.service",
            "/usr/local/lib/preprovision-dhcp-watch",
        ),
        replaced=("/etc/dhcp/dhcpd.conf", "/etc/kea/kea-dhcp4.conf"),
        retired_units=("preprovision-dhcp-stop.service",),
        purge_paths=(
            "/etc/dhcp",
            "/etc/kea",
            "/run/kea",
            "/run/preprovision-dhcp-watch",
            "/run/private/preprovision-dhcp-watch",
            "/var/lib/dhcp",
            "/var/lib/kea",
            "/var/log/kea",
        ),
        users=("preprovision-dhcp",),
        package_users=("_kea",),
        secret=("/etc/kea/partner", "/etc/preprovision/dhcp-partner.key"),
        # After a clean-up, most of Kea's leases are in files beside its lease file
        state=("/var/lib/dhcp/dhcpd.leases", "/var/lib/kea"),
        stop_for_restore=("preprovision-dhcp-watch.service", "isc-dhcp-server.service", "kea-dhcp4-server.service"),
        not_backed_up={"/etc/kea/partner": INVENTORY, "/etc/preprovision/dhcp-partner.key": INVENTORY},
    ),
    "service_health": Footprint(
        packages=("dbus",),
        units=("preprovision-health.service",),
        paths=("/usr/local/lib/preprovision-health",),
        users=("preprovision-health",),
    ),
    "packet_capture": Footprint(
        optional_packages=("ssldump", "tshark", "wireshark-common"),
        units=("preprovision-capture.service",),
        paths=("/var/lib/preprovision-capture",),
        purge_paths=("/etc/wireshark",),
        users=("preprovision-capture",),
        package_users=("wireshark",),
        secret=("/var/lib/preprovision-capture",),
        not_backed_up={"/var/lib/preprovision-capture": LOGS},
    ),
    "playbooks": Footprint(
        packages=("iproute2", "nftables", "python3-cryptography"),
        optional_packages=("postgresql-client",),
        paths=("/run/preprovision", "/var/cache/preprovision-bundle", "/var/lib/preprovision"),
        # Three roles shared this folder for their code
        retired_paths=(EARLIER_BASELINE, "/usr/local/lib/preprovision"),
        not_backed_up={"/var/lib/preprovision": "this machine's state before it became a station"},
    ),
}
"""By role, in the order in which site runs them; the playbooks themselves come last."""

ELSEWHERE = {
    "bench_clients": "installs only packages, on a machine that is not a station",
    "database_server": "runs on machines of its own, and a teardown must not remove databases",
}
"""Roles that install nothing on a station, and why."""


def across_roles(part: str) -> Iterator[str]:
    """Yield the items of *part*, an attribute of Footprint, of all roles, each once, in reverse order of installation."""
    yield from dict.fromkeys(name for footprint in reversed(list(FOOTPRINTS.values())) for name in getattr(footprint, part))


def is_of_state(path: str) -> bool:
    """Return whether *path* may be in a backup."""
    return any(path == kept or path.startswith(f"{kept}/") for kept in across_roles("state"))
