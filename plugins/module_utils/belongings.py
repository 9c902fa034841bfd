# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each role puts on a machine: so that it can be backed up, taken away again, and collected beforehand.

The one table that the playbooks backup, restore, teardown and offline_bundle read. The contract test test_belongings.py compares
it with the roles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

BEFORE = "/var/lib/preprovision/before.json"
"""Where the first run of site writes down what the machine was."""


@dataclass(frozen=True)
class Belongings:
    """What one role puts on a machine. Paths are absolute; a folder stands for all that is in it."""

    packages: tuple[str, ...] = ()
    on_request: tuple[str, ...] = ()
    """Packages that only a setting asks for."""
    displaced: tuple[str, ...] = ()
    """Packages that Debian removes when those are installed."""
    units: tuple[str, ...] = ()
    """Units of its own, in the order in which they stop."""
    services: tuple[str, ...] = ()
    """Units of packages, which the role changes, enables or starts."""
    paths: tuple[str, ...] = ()
    """Files and folders of its own."""
    replaced: tuple[str, ...] = ()
    """Files of packages that it writes over or removes."""
    leftovers: tuple[str, ...] = ()
    """What its packages and their services leave behind when they are purged."""
    users: tuple[str, ...] = ()
    """Users of its own, each with a group of the same name."""
    package_users: tuple[str, ...] = ()
    """Users and groups that its packages make."""
    secret: tuple[str, ...] = ()
    """Of all these paths those with keys or phones' files: they are overwritten before they go."""
    state: tuple[str, ...] = ()
    """What a backup holds: nobody can make it anew."""
    holders: tuple[str, ...] = ()
    """Units that stand still while a restore replaces that state, in the order in which they stop."""
    no_state: Mapping[str, str] = field(default_factory=dict)
    """What a backup leaves out, and why."""


LOGS = "logs tell of what was, and grow; keep them by other means"
INVENTORY = "site makes it of the inventory"

BELONGINGS: Mapping[str, Belongings] = {
    "bench": Belongings(
        packages=("iproute2",),
        on_request=("nftables",),
        units=(
            "preprovision-fence-report.socket",
            "preprovision-fence-report.service",
            "preprovision-fence.service",
            "preprovision-bench-ports.service",
            "preprovision-bench.service",
        ),
        services=("nftables.service",),
        paths=(
            "/etc/NetworkManager/conf.d/preprovision-bench.conf",
            "/etc/preprovision-fence.nft",
            "/etc/systemd/system/nftables.service.d/preprovision.conf",
            "/usr/local/lib/preprovision",
        ),
    ),
    "log_server": Belongings(
        packages=("logrotate", "rsyslog"),
        units=("preprovision-log.service",),
        services=("rsyslog.service", "syslog.socket", "logrotate.timer"),
        paths=(
            "/etc/logrotate.d/preprovision-phones",
            "/etc/preprovision-log.conf",
            "/etc/systemd/system/logrotate.timer.d/preprovision.conf",
            "/usr/local/lib/preprovision",
            "/var/lib/preprovision-log",
            "/var/log/preprovision",
        ),
        leftovers=(
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
        no_state={"/var/lib/preprovision-log": LOGS, "/var/log/preprovision": LOGS},
    ),
    "time_server": Belongings(
        packages=("chrony",),
        displaced=("systemd-timesyncd", "ntp", "ntpsec", "openntpd"),
        services=("chrony.service", "systemd-timesyncd.service"),
        paths=("/etc/systemd/system/chrony.service.d/preprovision.conf",),
        replaced=("/etc/chrony/chrony.conf",),
        leftovers=("/etc/chrony", "/var/lib/chrony", "/var/log/chrony"),
        package_users=("_chrony",),
        no_state={"/var/lib/chrony": "how fast this machine's own clock goes"},
    ),
    "dns_server": Belongings(
        packages=("unbound",),
        services=("unbound.service", "unbound-resolvconf.service"),
        paths=("/etc/systemd/system/unbound.service.d/preprovision.conf",),
        replaced=("/etc/unbound/unbound.conf",),
        leftovers=("/etc/unbound", "/var/lib/unbound"),
        package_users=("unbound",),
        no_state={"/var/lib/unbound": "unbound fetches it anew"},
    ),
    "certificates": Belongings(
        packages=("openssl", "python3-cryptography"),
        paths=("/etc/preprovision",),
        secret=("/etc/preprovision",),
        state=("/etc/preprovision/certificates",),
        holders=("nginx.service",),
    ),
    "web_server": Belongings(
        packages=("logrotate", "nginx"),
        services=("nginx.service",),
        paths=(
            "/etc/logrotate.d/preprovision-web",
            "/etc/nginx/conf.d/preprovision.conf",
            "/etc/nginx/preprovision.passwords",
            "/etc/systemd/system/nginx.service.d/preprovision.conf",
            "/etc/tmpfiles.d/preprovision-web.conf",
            "/run/preprovision-web",
            "/var/log/preprovision-web",
        ),
        replaced=("/etc/nginx/sites-enabled/default",),
        leftovers=("/etc/nginx", "/var/lib/nginx", "/var/log/nginx", "/var/www/html/index.nginx-debian.html"),
        secret=("/etc/nginx/preprovision.passwords",),
        no_state={
            "/etc/nginx/preprovision.passwords": INVENTORY,
            "/run/preprovision-web": "who is caught is forgotten with a restart",
            "/var/lib/nginx": "requests under way",
            "/var/log/preprovision-web": LOGS,
        },
    ),
    "profile_service": Belongings(
        packages=(
            "gunicorn",
            "python3-alembic",
            "python3-cryptography",
            "python3-flask",
            "python3-netaddr",
            "python3-sqlalchemy",
            "rsyslog",
        ),
        on_request=("python3-psycopg2",),
        units=("preprovision-events.service", "preprovision-service.socket", "preprovision-service.service"),
        paths=(
            "/etc/nginx/conf.d/preprovision-service.conf",
            "/etc/nginx/conf.d/preprovision-service.locations",
            "/etc/nginx/conf.d/preprovision-service.methods",
            "/etc/nginx/conf.d/preprovision-service.proxy",
            "/etc/nginx/conf.d/preprovision-service.unverified",
            "/etc/preprovision-events.conf",
            "/etc/preprovision-service.json",
            "/run/preprovision-service.sock",
            "/usr/local/lib/preprovision-service",
            "/var/lib/preprovision-events",
            "/var/lib/preprovision-service",
        ),
        leftovers=("/var/lib/ieee-data", "/var/log/gunicorn"),
        users=("preprovision-service",),
        secret=("/etc/preprovision-service.json", "/var/lib/preprovision-events", "/var/lib/preprovision-service"),
        # The database, wherever the inventory has it, is the role's own part of a backup
        state=("/var/lib/preprovision-service/secret",),
        holders=("preprovision-events.service", "preprovision-service.socket", "preprovision-service.service"),
        no_state={
            "/etc/preprovision-service.json": INVENTORY,
            "/var/lib/preprovision-events": "lines on their way, and how far this machine's own journal has been read",
        },
    ),
    "phone_profiles": Belongings(
        packages=("python3-cryptography",),
        paths=("/srv/preprovision",),
        secret=("/srv/preprovision/generations",),
        no_state={"/srv/preprovision": INVENTORY},
    ),
    "firmware": Belongings(
        paths=("/srv/preprovision",),
        no_state={"/srv/preprovision": INVENTORY},
    ),
    "stun_server": Belongings(
        on_request=("coturn",),
        units=("preprovision-stun.service",),
        services=("coturn.service",),
        leftovers=("/etc/turnserver.conf", "/var/lib/turn", "/var/log/turnserver"),
        package_users=("turnserver",),
        no_state={"/var/lib/turn": "accounts of relays, of which there are none"},
    ),
    "tftp_server": Belongings(
        packages=("dnsmasq-base",),
        units=("preprovision-tftp.service",),
        paths=("/etc/preprovision-tftp.conf",),
        leftovers=("/var/lib/misc/dnsmasq.leases",),
        package_users=("dnsmasq",),
    ),
    "dhcp_server": Belongings(
        packages=("isc-dhcp-server",),
        units=("preprovision-dhcp-watch.service", "preprovision-dhcp-stop.service"),
        services=("isc-dhcp-server.service",),
        paths=("/etc/systemd/system/isc-dhcp-server.service", "/usr/local/lib/preprovision"),
        replaced=("/etc/dhcp/dhcpd.conf",),
        leftovers=("/etc/dhcp", "/var/lib/dhcp"),
        users=("preprovision-dhcp",),
        state=("/var/lib/dhcp/dhcpd.leases",),
        holders=("preprovision-dhcp-watch.service", "isc-dhcp-server.service"),
    ),
    "packet_capture": Belongings(
        on_request=("ssldump", "tshark", "wireshark-common"),
        units=("preprovision-capture.service",),
        paths=("/var/lib/preprovision-capture",),
        leftovers=("/etc/wireshark",),
        users=("preprovision-capture",),
        package_users=("wireshark",),
        secret=("/var/lib/preprovision-capture",),
        no_state={"/var/lib/preprovision-capture": LOGS},
    ),
    "playbooks": Belongings(
        packages=("iproute2", "python3-cryptography"),
        paths=("/var/cache/preprovision-bundle", "/var/lib/preprovision"),
        no_state={"/var/lib/preprovision": "what this machine was before it became a station"},
    ),
}
"""By role, in the order in which site sets them up; what is no role comes last."""

ELSEWHERE = {"bench_clients": "installs packages on a machine that is no station, and nothing else"}
"""Roles that put nothing on a station, and why."""


def each(part: str) -> Iterator[str]:
    """Yield what all roles have of *part*, an attribute of Belongings, each once; what is set up last comes first."""
    yield from dict.fromkeys(name for belongings in reversed(list(BELONGINGS.values())) for name in getattr(belongings, part))


def is_of_state(path: str) -> bool:
    """Tell whether *path* is one that a backup may hold."""
    return any(path == kept or path.startswith(f"{kept}/") for kept in each("state"))
