# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Create a phone maker's CA and a server certificate that it signs: maker.sh FOLDER SERVER
set -euo pipefail
folder=$1 server=$2
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
umask 077
openssl req -x509 -newkey rsa:2048 -nodes -days 800 -subj '/O=Molecule/CN=Molecule Maker Root CA' -keyout root.key -out root.pem \
    -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=$server" -keyout server.key -out server.csr 2>/dev/null
printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:%s\nauthorityKeyIdentifier=keyid\n' "$server" >server.ext
# Longer than certificates_renew_days, by which a station refuses what expires before phones arrive
openssl x509 -req -in server.csr -CA root.pem -CAkey root.key -CAcreateserial -days 365 -extfile server.ext -out server.pem 2>/dev/null
rm server.csr server.ext
