# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# A switch, factory-new phones that know nothing of the station, and an operator; made of network namespaces and Debian's own programs.
#   bench.sh connect NIC              connect the machine's NIC to the switch
#   bench.sh plug NAME MAC            connect a phone
#   bench.sh boot NAME CLASS FILE     get an address, fetch FILE from the server that DHCP names, print the profile
#   bench.sh log NAME TEXT            log as the profile says
#   bench.sh resync NAME MAC ADDRESS  follow the profile's rule to the customer's server, which is at ADDRESS here; print that profile
#   bench.sh ask_board MAC ADDRESS    print what the API of the board at ADDRESS says of a phone
#   bench.sh steal NAME URL           print what the station serves at URL, unpacked; nothing if it does not answer
set -euo pipefail

folder=/run/phones

fail() {
    echo "$1" >&2
    exit 1
}

connect() {
    ip netns add switch
    ip -n switch link add lan type bridge
    ip link add "$1" type veth peer name uplink netns switch
    ip link set "$1" up
    ip -n switch link set uplink master lan up
    ip -n switch link set lan up
}

plug() {
    mkdir -p "$folder/$1"
    ip netns add "$1"
    ip -n "$1" link add eth0 address "$2" type veth peer name "$1" netns switch
    ip -n switch link set "$1" master lan up
    ip -n "$1" link set lo up
    ip -n "$1" link set eth0 up
}

inside() { # name, command
    local name=$1
    shift
    cd "$folder/$name"
    ip netns exec "$name" "$@"
}

option() { sed -n "s/^$1=//p" "$folder/$2/lease"; }

setting() { xmllint --xpath "string(//$1)" "$folder/$2/profile.xml"; }

boot() {
    cat >"$folder/script" <<'SCRIPT'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address replace "$ip/$mask" dev "$interface"
env >"lease"
SCRIPT
    chmod +x "$folder/script"
    rm -f "$folder/$1"/*
    inside "$1" udhcpc -i eth0 -f -q -n -t 5 -T 2 -V "$2" -O tftp -s "$folder/script" >&2
    inside "$1" tftp "$(option tftp "$1")" -m binary -c get "$3" profile
    # A phone unpacks what is packed
    gzip --decompress --force --stdout <"$folder/$1/profile" >"$folder/$1/profile.xml"
    cat "$folder/$1/profile.xml"
}

log() {
    inside "$1" logger --server "$(setting Syslog_Server "$1")" --port 514 --udp --rfc3164 "$2"
}

resync() {
    local rule key url host
    rule=$(setting Profile_Rule "$1")
    [[ $rule =~ ^\[--key\ ([0-9a-f]{64})\]\ (http://([^/]+)/.*)$ ]] || fail "its Profile_Rule has no key and HTTP server"
    key=${BASH_REMATCH[1]} url=${BASH_REMATCH[2]//\$MA/${2//:/}} host=${BASH_REMATCH[3]}
    inside "$1" curl --silent --show-error --fail --resolve "$host:80:$3" --output sealed "$url"
    ! gzip --test <"$folder/$1/sealed" 2>/dev/null || fail "the profile is not sealed"
    openssl enc -d -aes-256-cbc -md md5 -k "$key" -in "$folder/$1/sealed" 2>/dev/null | gunzip
}

steal() {
    inside "$1" curl --silent --max-time 5 "$2" | gzip --decompress --force --stdout
}

ask_board() {
    local name=prov.example.net password
    password=$(head -n 1 ~/.config/voip-preprovision/board_operator)
    curl --silent --show-error --fail --cacert /etc/preprovision/certificates/bench-ca.pem --resolve "$name:443:$2" \
        --user "operator:$password" "https://$name/api/phones/${1//:/}"
}

"$@"
