# shellcheck shell=bash
#
# Certificates that tests make: `load certificates`.
#
#   authority NAME                          NAME.pem, NAME.key
#   certificate AUTHORITY NAME HOST [DAYS]  NAME.crt, NAME.key, and both in NAME.pem

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" -days 2 \
        -subj "/CN=$1" 2>/dev/null
}

certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$2.key" \
        -out "$2.csr" -subj "/CN=$3" 2>/dev/null
    openssl x509 -req -in "$2.csr" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days "${4:-2}" \
        -out "$2.crt" 2>/dev/null
    cat "$2.crt" "$2.key" >"$2.pem"
}
