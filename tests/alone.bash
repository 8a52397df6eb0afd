# shellcheck shell=bash
#
# troupe-node by itself, without a tree around it, on the loopback: `load alone` after `load helper`.
#
#   cookies                       makes the files `cookie` and `other`
#   start NAME [OPTION…]          a node, listening on a free port unless it is told where; its pid is ${PIDS[NAME]},
#                                 where it listens ${URLS[NAME]}, what it prints in NAME.out. NODE_NAME, GENERATION,
#                                 and PROGRAM instead of troupe-node may be set for it
#   port_of NAME, kb_of NAME      its port; its memory
#   saw NAME EVENT [KEY=VALUE…]   is there such a line in what it printed? assert_saw waits for it
#   times NAME EVENT KEY=VALUE    how many of them; saw_times … COUNT: as many, or more?
#   authority NAME                an authority for certificates
#   certificate AUTHORITY NAME HOST [DAYS]
#   start_tls NAME CERTIFICATE AUTHORITY [OPTION…]

# shellcheck source=tests/certificates.bash
source "${BASH_SOURCE[0]%/*}/certificates.bash"

cookies() {
    declare -gA PIDS=() URLS=()
    printf 'a cookie of this test\n' >cookie
    printf 'another one of these\n' >other
    chmod 600 cookie other
}

start() {
    local name=$1 listen=(--listen tcp://127.0.0.1:0) cookie=(--cookie cookie)

    shift
    [[ " $* " == *" --listen "* ]] && listen=()
    [[ " $* " == *" --cookie "* ]] && cookie=()
    TROUPE_NODE=${NODE_NAME:-$name} TROUPE_GENERATION=${GENERATION:-} \
        in_background "$name" "${PROGRAM:-troupe-node}" "${cookie[@]}" "${listen[@]}" "$@"
    PIDS[$name]=$!
    wait_until 10 grep -q node.listen "$name.out"
    URLS[$name]=$(url_of "$name")
}

url_of() {
    sed -n 's/.*event=node.listen url=\([^ ]*\).*/\1/p' "$1.out" | head -n 1
}

port_of() {
    echo "${URLS[$1]##*:}"
}

saw() {
    local name=$1 event=$2 lines wanted

    shift 2
    lines=$(grep "event=$event " "$name.out")
    for wanted in "$@"; do
        lines=$(grep -F -- " $wanted" <<<"$lines")
    done
    [[ -n $lines ]]
}

times() {
    grep "event=$2 " "$1.out" | grep -c -F -- " $3"
}

saw_times() {
    (($(times "$1" "$2" "$3") >= $4))
}

assert_saw() {
    wait_until 15 saw "$@"
}

kb_of() {
    awk '/VmRSS/ { print $2 }' "/proc/${PIDS[$1]}/status"
}

start_tls() {
    local name=$1 certificate=$2 authority=$3

    shift 3
    start "$name" --ca "$authority.pem" --cert "$certificate.pem" \
        --listen "tls+tcp://127.0.0.1:$(free_port)" "$@"
}
