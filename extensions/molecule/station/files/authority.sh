# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Make a certificate authority like a phone vendor's, and its right and wrong answers to a request. Arguments: folder, signing request, name.
set -euo pipefail
cd "$1"
request=$2 name=$3

cat >authority.cnf <<'CNF'
[req]
distinguished_name = any
[any]
organizationName = optional
commonName = optional
[ca]
default_ca = authority
[authority]
new_certs_dir = .
database = index
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
copy_extensions = copy
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
CNF
: >index

root() { # FILE CN
    openssl req -x509 -newkey rsa:2048 -noenc -keyout "$1.key" -out "$1.pem" -days 3650 -subj "/O=Phones Inc./CN=$2" \
        -config authority.cnf -extensions root 2>/dev/null
}
signed() { # REQUEST FILE EXTENSIONS SIGNER OPTION...
    openssl ca -batch -notext -config authority.cnf -in "$1" -out "$2" -extensions "$3" -cert "$4.pem" -keyfile "$4.key" "${@:5}" 2>/dev/null
}
request() { # FILE SUBJECT ALTERNATIVE-NAME
    openssl req -new -newkey rsa:2048 -noenc -keyout "$1.key" -out "$1.csr" -subj "$2" -addext "subjectAltName=DNS:$3" 2>/dev/null
}

root root 'Phones root'
root stranger 'Another root'
request between '/O=Phones Inc./CN=Phones signer' none.example.net
signed between.csr between.pem root root -days 3000
cat between.pem root.pem >chain.pem

signed "$request" signed.pem server between -days 365
signed "$request" expired.pem server between -startdate 20200101000000Z -enddate 20210101000000Z
signed "$request" soon.pem server between -days 10
request neighbour "/CN=$name" "$name"
signed neighbour.csr neighbour.pem server between -days 365
request www /CN=www.example.net www.example.net
signed www.csr www.pem server between -days 365
cat root.pem between.pem signed.pem >upside-down.pem
sed 's/$/\r/' signed.pem >windows.pem
head -c 500 signed.pem >half.pem
cat signed.pem neighbour.key >with-key.pem
openssl pkey -in neighbour.key -aes256 -passout pass:secret -out locked.key
chmod go= ./*.key
