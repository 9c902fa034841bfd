# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What phones expand stands in single quotes
# shellcheck disable=SC2016
# Another vendor's station, in a namespace on its own bridge: foreign.sh up WEB_SERVER | down
# dnsmasq for DHCP, TFTP and DNS, Python's http.server for HTTP and HTTPS; openssl makes certificates and seals.
set -euo pipefail

folder=/run/foreign
name=prov.example.com

down() {
    if ip netns pids foreign >/dev/null 2>&1; then
        for process in $(ip netns pids foreign); do
            kill "$process"
        done
        ip netns delete foreign
    fi
    ! ip link show foreign0 >/dev/null 2>&1 || ip link delete foreign0
    rm -rf "$folder"
}

authorize() { # name, common name
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.pem" -days 1 -subj "/CN=$2" 2>/dev/null
}

certify() { # authority, name, subject, extensions
    openssl req -new -newkey rsa:2048 -nodes -keyout "$2.key" -out "$2.csr" -subj "$3" 2>/dev/null
    openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 1 -extfile <(printf '%s\n' "$4") -out "$2.pem" 2>/dev/null
}

bootstrap() {
    printf '<flat-profile><Custom_CA_URL>http://%s/ca.pem</Custom_CA_URL><Custom_CA_Rule>http://%s/ca.pem</Custom_CA_Rule>' "$name" "$name"
    printf '<Profile_Rule>https://%s/$MA.cfg</Profile_Rule>' "$name"
    printf '<Syslog_Server>198.18.9.1</Syslog_Server></flat-profile>\n'
}

up() {
    down
    mkdir -m 0700 "$folder"
    cd "$folder"
    mkdir http tftp
    bootstrap >tftp/ata192.cfg
    cp tftp/ata192.cfg tftp/spa504G.cfg
    cp tftp/ata192.cfg tftp/8851-3PCC.xml
    authorize ca 'Foreign CA'
    cp ca.pem http/
    certify ca server "/CN=$name" "subjectAltName=DNS:$name"
    # The phones' maker, whom only the web server knows
    authorize maker 'Foreign maker'
    number=0
    for mac in 00005e005321 00005e005322 00005e005323; do
        number=$((number + 1))
        certify maker "$mac" "/OU=phone/L=FOREIGN$number/SN=$mac" 'extendedKeyUsage=clientAuth'
        key=foreign-key-of-$mac
        printf '<flat-profile><Profile_Rule>[--key %s] http://%s/%s.sealed</Profile_Rule></flat-profile>' "$key" "$name" '$MA' |
            gzip -9 >"http/$mac.cfg"
        printf '<flat-profile><Display_Name_1_>Foreign %s</Display_Name_1_></flat-profile>' "$number" | gzip -9 |
            openssl enc -aes-256-cbc -md md5 -k "$key" -out "http/$mac.sealed" 2>/dev/null
    done
    # A phone that gets no server from DHCP requests its customization here
    printf 'http://%s/$MA.cfg' "$name" >http/customization
    printf '<flat-profile><Profile_Rule>http://%s/%s.cfg</Profile_Rule><Resync_Periodic>3600</Resync_Periodic></flat-profile>' "$name" '$MA' \
        >http/00005e005324.cfg
    chmod -R go+rX .

    ip netns add foreign
    ip link add foreign0 address 02:00:00:00:09:01 type bridge
    ip link set foreign0 addrgenmode none up
    ip link add foreign1 type veth peer name eth0 netns foreign
    ip link set foreign1 addrgenmode none master foreign0 up
    ip -n foreign link set lo up
    ip -n foreign address add 198.18.9.1/24 dev eth0
    ip -n foreign link set eth0 up
    ip netns exec foreign dnsmasq --conf-file=/dev/null --interface=eth0 --bind-interfaces --user=root --pid-file --log-dhcp \
        --log-facility="$folder/dnsmasq.log" --dhcp-leasefile="$folder/leases" --no-resolv --no-hosts \
        --dhcp-range=198.18.9.100,198.18.9.199,255.255.255.0,10m --dhcp-authoritative \
        --dhcp-vendorclass='set:without-server,CISCO ATA191' --dhcp-option='tag:!without-server,66,198.18.9.1' \
        --enable-tftp --tftp-root="$folder/tftp" --address="/$name/198.18.9.1"
    setsid ip netns exec foreign python3 "$1" "$folder" >"$folder/http.log" 2>&1 </dev/null &
    for _attempt in {1..50}; do
        ! ip netns exec foreign python3 -c 'import socket; socket.create_connection(("198.18.9.1", 443), 1)' 2>/dev/null || return 0
        sleep 0.2
    done
    cat "$folder/http.log" >&2
    return 1
}

"$@"
