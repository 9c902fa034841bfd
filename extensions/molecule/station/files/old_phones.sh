# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Run on a station: make certificates like the oldest phones' (1024-bit RSA, signed with SHA-1), and see which of them are accepted.
# Arguments: "make" FOLDER, or "ask" STATION FOLDER, the latter from a machine on the bench.
set -euo pipefail

own=00005e005302 other=00005e005303

# sign NAME SUBJECT ISSUER EXTENSION
sign() {
    openssl req -new -newkey rsa:1024 -nodes -sha1 -keyout "$1.key" -subj "$2" -out "$1.csr" 2>/dev/null
    openssl x509 -req -sha1 -in "$1.csr" -days 9 -CA "$3.pem" -CAkey "$3.key" -CAcreateserial -out "$1.pem" \
        -extfile <(printf 'basicConstraints=critical,%s\n' "$4") 2>/dev/null
}

# root NAME SUBJECT
root() {
    openssl req -x509 -newkey rsa:1024 -nodes -sha1 -days 9 -keyout "$1.key" -out "$1.pem" -subj "$2" \
        -addext keyUsage=critical,keyCertSign 2>/dev/null
}

make() {
    umask 077
    mkdir -p "$1" && cd "$1"
    root root "/O=Maker of old phones/CN=Root"
    sign maker "/O=Maker of old phones/CN=Signer" root CA:TRUE
    sign right "/OU=SPA-504G/L=CBT0000R002/SN=$own" maker CA:FALSE
    sign neighbour "/OU=CP-8851-3PCC/L=FCH0000D003/SN=$other" maker CA:FALSE
    root stranger "/O=Somebody else/CN=Root"
    sign other "/OU=SPA-504G/L=CBT0000R002/SN=$own" stranger CA:FALSE
    root server "/CN=prov.example.net"
    cat maker.pem stranger.pem >chain.pem
}

# status VERSION PATH [arguments for s_client]: print the server's status, and compare a delivered file with the published one
status() {
    local version=$1 path=$2 answer
    shift 2
    answer=$(mktemp)
    printf 'GET %s HTTP/1.0\r\n\r\n' "$path" |
        timeout 5 openssl s_client -connect "$station:443" "-tls$version" -cipher ALL:@SECLEVEL=0 -quiet "$@" >"$answer" 2>/dev/null || true
    sed -n '1s/HTTP[^ ]* \([0-9]*\).*/\1/p' "$answer" | grep . || printf 'no TLS\n'
    # A file is gzip; the response body is the whole file
    if grep -q "^HTTP/1.1 200" "$answer" && [[ $path == /device/* ]]; then
        tail -c "$(stat -c %s "/srv/preprovision/current$path")" "$answer" | cmp - "/srv/preprovision/current$path"
    fi
    rm "$answer"
}

ask() {
    local version who
    station=$1
    cd "$2"
    for version in 1 1_1 1_2; do
        for who in right neighbour other; do
            printf '%s %s %s\n' "$version" "$who" \
                "$(status "$version" "/device/$own.cfg" -cert "$who.pem" -key "$who.key" -cert_chain chain.pem)"
        done
        printf '%s nothing %s %s\n' "$version" "$(status "$version" "/device/$own.cfg")" "$(status "$version" /spa504G.cfg)"
    done
    printf 'bits '
    openssl s_client -connect "$station:443" -cipher ALL:@SECLEVEL=0 </dev/null 2>/dev/null | sed -n 's/^Server public key is \([0-9]*\) bit$/\1/p'
}

"$@"
