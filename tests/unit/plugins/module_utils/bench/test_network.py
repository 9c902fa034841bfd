# SPDX-License-Identifier: GPL-3.0-or-later
"""The bench LAN: its address, pool, reservations and ports; every error names what is wrong and what would be right."""

from __future__ import annotations

import ipaddress
import itertools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.voip.preprovision.plugins.module_utils.bench.network import (
    MAX_POOL_SIZE,
    AddressRange,
    BenchError,
    Interface,
    check_addresses,
    check_open_ports,
    check_overlap,
    check_ports,
    check_servers,
    interface_settings,
    neighbour_limits,
    parse_bench_address,
    plan_pool,
    plan_records,
    plan_reservations,
    split_pool,
    whole_number,
)

BENCH = parse_bench_address("192.0.2.1/24")
POOL = plan_pool(BENCH, 100)


@pytest.mark.parametrize(
    ("text", "network", "netmask", "room"),
    [
        ("192.0.2.1/24", "192.0.2.0", "255.255.255.0", 253),
        ("192.0.2.254/24", "192.0.2.0", "255.255.255.0", 253),
        ("192.0.2.129/30", "192.0.2.128", "255.255.255.252", 1),
        ("10.1.2.255/8", "10.0.0.0", "255.0.0.0", 2**24 - 3),
    ],
)
def test_bench_address(text, network, netmask, room):
    bench = parse_bench_address(text)
    assert (str(bench), bench.network, bench.netmask, bench.room) == (text, network, netmask, room)
    assert bench.cidr == f"{network}/{text.partition('/')[2]}"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("192.0.2.1", "without the prefix length; write it as 192.0.2.1/24"),
        ("192.0.2.0/24", "the network address of its network, which no host can have; the first host address is 192.0.2.1/24"),
        ("192.0.2.255/24", "the broadcast address of its network, which no host can have; the first host address is 192.0.2.1/24"),
        ("192.0.2.1/31", "a prefix from /8 to /30, such as 192.0.2.1/24"),
        ("192.0.2.1/32", "a prefix from /8 to /30, such as 192.0.2.1/24"),
        ("10.0.0.1/7", "a prefix from /8 to /30, such as 10.0.0.1/24"),
        ("192.0.2.1/255.255.255.0", "not an IPv4 address with prefix; write it as 192.0.2.1/24"),
        ("192.0.2.1/24/24", "not an IPv4 address with prefix"),
        ("192.0.2.1/ 24", "not an IPv4 address with prefix"),
        ("192.0.2.1/-1", "not an IPv4 address with prefix"),
        ("2001:db8::1/64", "not an IPv4 address with prefix"),
        ("bench", "not an IPv4 address with prefix"),
        ("", "not an IPv4 address with prefix"),
        (None, "not an IPv4 address with prefix"),
        ("127.0.0.1/8", "no station can have; use a private network"),
        ("224.0.0.1/24", "no station can have"),
        ("0.0.0.1/8", "no station can have"),
        ("255.255.255.1/24", "no station can have"),
    ],
)
def test_rejects_invalid_bench_addresses(text, sentence):
    with pytest.raises(BenchError) as raised:
        parse_bench_address(text, "some_address")
    assert str(raised.value).startswith(f"some_address is {text!r}")
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("address", "size", "ranges"),
    [
        ("192.0.2.1/24", 100, [("192.0.2.155", "192.0.2.254")]),
        ("192.0.2.1/24", "100", [("192.0.2.155", "192.0.2.254")]),
        ("192.0.2.1/24", 253, [("192.0.2.2", "192.0.2.254")]),
        ("192.0.2.254/24", 100, [("192.0.2.154", "192.0.2.253")]),
        ("192.0.2.200/24", 100, [("192.0.2.154", "192.0.2.199"), ("192.0.2.201", "192.0.2.254")]),
        ("192.0.2.154/24", 100, [("192.0.2.155", "192.0.2.254")]),
        ("192.0.2.155/24", 100, [("192.0.2.154", "192.0.2.154"), ("192.0.2.156", "192.0.2.254")]),
        ("192.0.2.129/30", 1, [("192.0.2.130", "192.0.2.130")]),
        ("192.0.2.130/30", 1, [("192.0.2.129", "192.0.2.129")]),
        ("10.0.0.1/16", 1024, [("10.0.251.255", "10.0.255.254")]),
        ("10.0.0.1/16", 1025, [("10.0.251.254", "10.0.255.253"), ("10.0.255.254", "10.0.255.254")]),
    ],
)
def test_pool(address, size, ranges):
    assert [(part.first, part.last) for part in plan_pool(parse_bench_address(address), size)] == ranges


@given(st.integers(8, 30), st.data())
def test_pools_have_their_size_and_exclude_the_station_and_routers(prefix, data):
    network = ipaddress.ip_network((0x0A000000, prefix))
    station = network[data.draw(st.integers(1, network.num_addresses - 2))]
    bench = parse_bench_address(f"{station}/{prefix}")
    hosts = st.integers(1, network.num_addresses - 2) | st.integers(max(1, network.num_addresses - 9), network.num_addresses - 2)
    routers = [str(network[host]) for host in data.draw(st.lists(hosts, max_size=3))]
    room = bench.room - len({*routers} - {str(station)})
    assume(room > 0)
    size = data.draw(st.integers(1, min(room, 5 * MAX_POOL_SIZE)))
    pool = plan_pool(bench, size, routers=routers)
    parts = [(ipaddress.ip_address(part.first), ipaddress.ip_address(part.last)) for part in pool]
    assert not any(first <= ipaddress.ip_address(router) <= last for router in routers for first, last in parts)
    # Of the last addresses, none is left out but these
    left_out = {int(station), *(int(ipaddress.ip_address(router)) for router in routers)}
    assert int(parts[0][0]) == int(network[-1]) - size - sum(number > int(parts[0][0]) for number in left_out)
    assert sum(int(last) - int(first) + 1 for first, last in parts) == size
    assert all(int(last) - int(first) < MAX_POOL_SIZE and first <= last for first, last in parts)
    assert all(network[0] < first and last < network[-1] and not first <= station <= last for first, last in parts)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(parts))


@pytest.mark.parametrize(
    ("address", "size", "sentence"),
    [
        (
            "192.0.2.1/24",
            254,
            "size is 254, but 192.0.2.0/24 has room for 253 phones beside the station;"
            " lower it to 253 or give bench_address a shorter prefix than /24",
        ),
        ("192.0.2.129/30", 2, "size is 2, but 192.0.2.128/30 has room for 1 phones beside the station"),
        ("192.0.2.1/24", 0, "size is 0; it must be a whole number between 1 and "),
        ("192.0.2.1/24", -5, "size is -5; it must be a whole number between 1 and "),
        ("192.0.2.1/24", "many", "size is 'many'; it must be a whole number between 1 and "),
        ("192.0.2.1/24", True, "size is True; it must be a whole number between 1 and "),
    ],
)
def test_rejects_impossible_pools(address, size, sentence):
    with pytest.raises(BenchError) as raised:
        plan_pool(parse_bench_address(address), size, "size")
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize("value", [1.5, "", None, "1e3", "٣", "1 ", [1], 61, -1])
def test_rejects_invalid_numbers(value):
    with pytest.raises(BenchError, match=r"^lease is .*; it must be a whole number between 0 and 60$"):
        whole_number(value, "lease", 0, 60)


def row(name="a", mac="00:00:5e:00:53:01", **more):
    return {"name": name, "mac": mac, **more}


def test_reservations():
    planned = plan_reservations(
        [
            row("ata192-1", "00005E005301", address="192.0.2.21"),
            row("8851.desk_1", "0000.5e00.5302", address=None),
            row("p", "00-00-5e-00-53-03", address=""),
        ],
        BENCH,
        POOL,
    )
    assert [(phone.name, phone.mac.colon, phone.address) for phone in planned] == [
        ("ata192-1", "00:00:5e:00:53:01", "192.0.2.21"),
        ("8851.desk_1", "00:00:5e:00:53:02", None),
        ("p", "00:00:5e:00:53:03", None),
    ]


NOT_A_HOST = "which is not a host address of 192.0.2.0/24"
FREE = "use one from the free addresses that begin at 192.0.2.2"


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row(mac="00:00:5e:00:53")], "phones: phone 'a': '00:00:5e:00:53' is not a MAC address"),
        ([row(mac=None)], "phones: phone 'a': the MAC address None is not text"),
        ([row(mac="01:00:5e:00:53:01")], "phones: phone 'a': '01:00:5e:00:53:01' is a group (multicast) address"),
        ([{"mac": "00:00:5e:00:53:01"}], "phones: entry 1 has the name None; use letters"),
        ([row("a b")], "phones: entry 1 has the name 'a b'; use letters"),
        ([row("a"), row("x;}", "00:00:5e:00:53:02")], "phones: entry 2 has the name 'x;}'; use letters"),
        ([row("a\n")], "phones: entry 1 has the name 'a\\n'; use letters"),
        (
            [row("a"), row("b", "00005E005301")],
            "phones: phone 'b' has the MAC address 00:00:5e:00:53:01, which phone 'a' already has",
        ),
        ([row("a"), row("A", "00:00:5e:00:53:02")], "phones: phone 'A' has the name a, which phone 'a' already has"),
        ([row("a"), row("a", "00:00:5e:00:53:02")], "phones: phone 'a' has the name a, which phone 'a' already has"),
        (
            [row("a", address="192.0.2.9"), row("b", "00:00:5e:00:53:02", address="192.0.2.9")],
            "phones: phone 'b' has the address 192.0.2.9, which phone 'a' already has; give each its own",
        ),
        ([row(address="192.0.2.1")], f"phones: phone 'a' has the address 192.0.2.1, which is the station's own; {FREE}"),
        (
            [row(address="192.0.2.0")],
            f"phones: phone 'a' has the address 192.0.2.0, {NOT_A_HOST}; {FREE}",
        ),
        (
            [row(address="192.0.2.255")],
            f"phones: phone 'a' has the address 192.0.2.255, {NOT_A_HOST}; {FREE}",
        ),
        (
            [row(address="192.0.3.9")],
            f"phones: phone 'a' has the address 192.0.3.9, {NOT_A_HOST}; {FREE}",
        ),
        ([row(address="192.0.2")], f"phones: phone 'a' has the address '192.0.2', which is not an IPv4 address; {FREE}"),
        (
            [row(address="192.0.2.200")],
            f"phones: phone 'a' has the address 192.0.2.200 inside the pool 192.0.2.155 to 192.0.2.254; {FREE}",
        ),
    ],
)
def test_rejects_invalid_reservations(rows, sentence):
    with pytest.raises(BenchError) as raised:
        plan_reservations(rows, BENCH, POOL, "phones")
    assert str(raised.value).startswith(sentence)


def test_rejects_reservations_beside_a_full_pool():
    with pytest.raises(BenchError, match=r"inside the pool 192.0.2.2 to 192.0.2.254; lower dhcp_server_pool_size to make room"):
        plan_reservations([row(address="192.0.2.9")], BENCH, [AddressRange("192.0.2.2", "192.0.2.254")])


INTERFACES = {
    "lo": Interface("", ("127.0.0.1/8",)),
    "enp1s0": Interface("00:00:5e:00:53:10", ("198.51.100.7/24",)),
    "enp2s0": Interface("00:00:5e:00:53:11"),
    "enp3s0": Interface("00:00:5e:00:53:12", ("203.0.113.4/24",)),
    "bench0": Interface("00:00:5e:00:53:11", ("192.0.2.1/24",)),
}


@pytest.mark.parametrize("ports", [[], ["enp2s0"], ["enp3s0", "enp2s0"]])
def test_ports(ports):
    assert check_ports(ports, INTERFACES, ["enp1s0", ""], "198.51.100.7") == tuple(ports)


@pytest.mark.parametrize(
    ("ports", "sentence"),
    [
        (["enp9s0"], "the network interface 'enp9s0' does not exist on this machine; usable here: enp2s0, enp3s0"),
        ([""], "the network interface '' does not exist on this machine; usable here: enp2s0, enp3s0"),
        ([7], "the network interface 7 does not exist on this machine; usable here: enp2s0, enp3s0"),
        (
            ["enp1s0"],
            "'enp1s0' carries the default route, and a bench must never serve the office LAN; usable here: enp2s0, enp3s0",
        ),
        (["bench0"], "'bench0' cannot be a port of the bridge bench0; usable here: enp2s0, enp3s0"),
        (["lo"], "'lo' cannot be a port of the bridge bench0; usable here: enp2s0, enp3s0"),
        (["enp2s0", "enp2s0"], "'enp2s0' is listed twice; keep one"),
        (["enp3s0"], "'enp3s0' has the address 203.0.113.4 of the connection that this play runs over"),
    ],
)
def test_rejects_invalid_ports(ports, sentence):
    with pytest.raises(BenchError) as raised:
        check_ports(ports, INTERFACES, ["enp1s0"], "203.0.113.4")
    assert str(raised.value).startswith(f"bench_ports: {sentence}")


@pytest.mark.parametrize(
    ("bench", "size", "known", "own", "shared"),
    [
        ("192.0.2.1/24", 100, 0, [], ["192.0.2.155 to 192.0.2.254"]),
        ("192.0.2.1/24", 100, 3, ["192.0.2.155 to 192.0.2.157"], ["192.0.2.158 to 192.0.2.254"]),
        ("192.0.2.1/24", 100, 500, ["192.0.2.155 to 192.0.2.229"], ["192.0.2.230 to 192.0.2.254"]),
        ("192.0.2.1/24", 1, 9, [], ["192.0.2.254 to 192.0.2.254"]),
        (
            "192.0.2.250/24",
            8,
            5,
            ["192.0.2.246 to 192.0.2.249", "192.0.2.251 to 192.0.2.251"],
            ["192.0.2.252 to 192.0.2.254"],
        ),
    ],
)
def test_known_phones_have_addresses_of_their_own(bench, size, known, own, shared):
    parts = split_pool(plan_pool(parse_bench_address(bench), size), known)
    assert [[str(part) for part in ranges] for ranges in parts] == [own, shared]


def test_takes_nothing_from_the_bridge_and_its_ports():
    settings = interface_settings(["enp2s0", "eth0.7"])
    assert {path.split("/")[3] for path in settings} == {"bench0", "enp2s0", "eth0.7"}
    assert settings["net/ipv6/conf/eth0.7/disable_ipv6"] == settings["net/ipv4/conf/bench0/arp_ignore"] == 1


@pytest.mark.parametrize("port", [0, 65536, "ssh", True])
def test_rejects_an_invalid_open_port(port):
    with pytest.raises(BenchError, match=r"^bench_open_ports is .*; it must be a whole number between 1 and 65535$"):
        check_open_ports([22, port], BENCH, ("", 22))


def test_suggests_a_virtual_bench_for_one_interface():
    with pytest.raises(BenchError, match="no other interface is here; leave the list empty"):
        check_ports(["eth0"], {"lo": Interface(""), "eth0": Interface("")}, ["eth0"])


@pytest.mark.parametrize(
    ("bench", "ports", "owner"),
    [
        ("192.0.2.9/24", [], None),
        ("203.0.113.1/24", ["enp3s0"], None),
        ("203.0.113.1/24", [], "'enp3s0' (203.0.113.4/24)"),
        ("203.0.113.129/26", [], "'enp3s0' (203.0.113.4/24)"),
        ("203.0.0.1/16", [], "'enp3s0' (203.0.113.4/24)"),
        ("198.51.100.1/24", ["enp3s0"], "'enp1s0' (198.51.100.7/24)"),
    ],
)
def test_overlap(bench, ports, owner):
    parsed = parse_bench_address(bench)
    if owner is None:
        check_overlap(parsed, INTERFACES, ports)
        return
    with pytest.raises(BenchError) as raised:
        check_overlap(parsed, INTERFACES, ports)
    assert str(raised.value).startswith(f"bench_address is '{bench}', which overlaps the network of {owner}; give the bench")


def test_records():
    assert plan_records({"Prov.example.net": ["192.0.2.2", "192.0.2.1"], "x": ["192.0.2.3"]}) == (
        ("prov.example.net", ("192.0.2.2", "192.0.2.1")),
        ("x", ("192.0.2.3",)),
    )


@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        ({"prov_x.example": ["192.0.2.1"]}, "dns_server_records: 'prov_x.example' is not a DNS name; write it as prov.example.net"),
        ({'x" static': ["192.0.2.1"]}, "dns_server_records: 'x\" static' is not a DNS name"),
        ({"x": []}, "dns_server_records: 'x' has []; it must be a list of IPv4 addresses"),
        ({"x": "192.0.2.1"}, "dns_server_records: 'x' has '192.0.2.1'; it must be a list of IPv4 addresses"),
        ({"x": ["192.0.2.1", "::1"]}, "dns_server_records: 'x' has ['192.0.2.1', '::1']; it must be a list of IPv4 addresses"),
        ({"x": ["192.0.2.1"], "X": ["192.0.2.2"]}, "dns_server_records: 'X' occurs twice, since DNS ignores case"),
    ],
)
def test_rejects_invalid_records(records, sentence):
    with pytest.raises(BenchError) as raised:
        plan_records(records)
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize(
    ("check", "values", "good"),
    [
        (check_addresses, [], True),
        (check_addresses, ["192.0.2.53"], True),
        (check_addresses, ["dns.example.net"], False),
        (check_addresses, "192.0.2.53\nx", False),
        (check_servers, [], True),
        (check_servers, ["192.0.2.53", "ntp.example.net"], True),
        (check_servers, ["ntp.example.net iburst\nallow all"], False),
        (check_servers, [None], False),
    ],
)
def test_validates_lists_of_servers(check, values, good):
    if good:
        assert check(values, "servers") == tuple(values)
    else:
        with pytest.raises(BenchError, match=r"^servers contains .*, which is (not|neither) .*; write it as \["):
            check(values, "servers")


@pytest.mark.parametrize(
    ("address", "limits"),
    [
        ("192.0.2.1/30", [128, 512, 1024]),
        ("192.0.2.1/24", [254, 512, 1024]),
        ("198.18.0.1/22", [1022, 2044, 4088]),
        # Bounded
        ("10.0.0.1/8", [65536, 131072, 262144]),
    ],
)
def test_the_neighbour_table_has_room_for_every_address(address, limits):
    names = ["gc_thresh1", "gc_thresh2", "gc_thresh3"]
    assert neighbour_limits(parse_bench_address(address)) == dict(zip(names, limits, strict=True))
