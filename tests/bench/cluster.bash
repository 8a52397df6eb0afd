# shellcheck shell=bash
#
# Two nodes on this machine, one on each core: messages between their actors, and groups. Against a bare
# relay of the same shape, nng over TCP, and two Erlang VMs.

cluster_members=20000 # in 10,001 groups: each of 10,000 once, and one 10,000 times

# Run as clients of that node do
at_node() {
    TROUPE_RUN=$scratch/$1 TROUPE_STATE=$scratch/$1.state "${@:2}"
}

ask_at() { # NODE ACTOR MESSAGE ARG…
    at_node "$1" ask "${@:2}"
}

cluster_port() {
    python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# cluster_tree NODE LINE…: LINEs go below `node:`
cluster_tree() {
    cat <<END
troupe: 1
application: talk
supervisor:
  intensity: 1000
  children:
    - {name: driver, module: driver}
    - {name: target, module: target}
    - {name: joiner, module: joiner}
    - {name: crowd, module: joiner, replicas: 64}
node:
  name: $1
  cookie_file: $scratch/cookie
END
    printf '  %s\n' "${@:2}"
}

# cluster_node NODE CPU LINE…: all of it on that core
cluster_node() {
    cluster_tree "$1" "${@:3}" >"$scratch/$1.yaml"
    at_node "$1" taskset -c "$2" troupe up -d "$scratch/$1.yaml" >"$scratch/out" 2>&1 || {
        cat "$scratch/out" >&2
        fail "the node $1 does not start"
    }
}

cluster_sees() { # NODE PEER: is there a session? An actor there is asked.
    at_node "$1" troupe call --timeout 5s talk/driver roundtrip "talk/target@$2" 1 >/dev/null 2>&1
}

cluster_await() { # CMD…
    local try

    for ((try = 0; try < 300; try++)); do
        "$@" && return 0
        sleep 0.1
    done
    fail "in vain: $*"
}

# cluster_up SCHEME [LINE…]: east listens, west dials
cluster_up() {
    local url

    url=$1://127.0.0.1:$(cluster_port)
    cluster_node east "$first_cpu" "listen: $url" "${@:2}"
    cluster_node west "$second_cpu" "peers: ['$url']" "${@:2}"
    cluster_await cluster_sees east west
    cluster_url=$url
}

cluster_down() {
    local node

    for node in east west; do
        at_node $node timeout 60 troupe down >/dev/null 2>&1
    done
    rm -rf "$scratch"/{east,west}{,.state}
}

# ---- messages ----------------------------------------------------------------------------------

cluster_talk() { # NAME: one round of round trips and of one way
    local n took

    n=$(count 20000)
    ask_at east talk/driver roundtrip talk/target@west "$n" | keep "$1-roundtrip"
    n=$(count 1000000)
    took=$(ask_at east talk/driver flood talk/target@west "$n" 64) || exit 1
    calc '%.2f\n' "${took% *} / $n" | keep "$1-flood"
}

# What is beside it: all rounds take turns
cluster_peers() {
    local n

    n=$(count 20000)
    "$tools/relay" roundtrip "$n" "$first_cpu" "$second_cpu" | keep cluster-relay
    "$tools/relay" stream "$((n * 10))" "$first_cpu" "$second_cpu" | keep cluster-relay-stream
    "$tools/pingpong" nng "$((n / 5 + 1))" "$first_cpu" "$second_cpu" \
        "tcp://127.0.0.1:$(cluster_port)" | keep cluster-nng
    [[ $erlang ]] || return 0
    erlang_between "$first_cpu" "$second_cpu" roundtrip "$((n / 5 + 1))" | keep cluster-between
    erlang_between "$first_cpu" "$second_cpu" stream "$((n * 10))" | keep cluster-between-stream
}

cluster_talk_rows() {
    local ours relay between shown way

    ours=$(kept tcp-roundtrip) relay=$(kept cluster-relay) between=$(kept cluster-between)
    shown="nng $(us "$(kept cluster-nng)")${between:+, Erlang $(us "$between")} us"
    row "across nodes: round trip, 64 B, p50" "relay $(us "$relay") us" "$shown" "$(us "$ours") us" \
        "$(calc %.2f "$ours / $relay")${between:+, $(calc %.2f "$ours / $between") of Erlang}" 1.7 \
        "$ours <= 1.7 * $relay"
    way=$(kept tcp-flood) between=$(kept cluster-between-stream)
    row "across nodes: one way, 64 B" "relay $(millions "$(kept cluster-relay-stream)") million/s" \
        "${between:+Erlang $(millions "$between") million/s}" "$(millions "$way") million/s" \
        "${between:+$(calc '%.1f x Erlang' "$between / $way")}" "2 million/s" "$way * 2 < 1000"
    row "across nodes: round trip, TLS" "TCP $(us "$ours") us" - "$(us "$(kept tls-roundtrip)") us" \
        "$(calc %.2f "$(kept tls-roundtrip) / $ours")" -
    row "across nodes: one way, TLS" "TCP $(millions "$way") million/s" - \
        "$(millions "$(kept tls-flood)") million/s" "$(calc %.2f "$(kept tls-flood) / $way")" -
}

# ---- groups ------------------------------------------------------------------------------------

cluster_visible() {
    ask_at east talk/joiner visible seen talk/joiner@west "$(count 2000)" | keep visible
    [[ $erlang ]] || return 0
    erlang_groups "$first_cpu" "$second_cpu" visible "$(count 2000)" | keep visible-erlang
}

# Groups of names of their own, so that none is larger for what came before
cluster_crowd() {
    local actors=64 each round=$1 took

    each=$(count 157)
    took=$(ask_at east talk/joiner crowd talk/crowd $actors "crowd$round" "$each") || exit 1
    calc '%.1f\n' "$took / ($actors * $each)" | keep crowd-joins
    took=$(ask_at east talk/joiner crowd talk/crowd $actors "crowd$round" "$each") || exit 1
    calc '%.1f\n' "$took / ($actors * $each)" | keep crowd-joins-more
    [[ $erlang ]] || return 0
    took=$(erlang_groups "$first_cpu" "$second_cpu" crowd $actors "$each") || exit 1
    calc '%.1f\n' "$took / ($actors * $each)" | keep crowd-joins-erlang
}

# Of 50 actors, so that none is asked for more than it does in a moment
cluster_fill() {
    local i n=$((cluster_members / 2 / 50))

    for ((i = 1; i <= 50; i++)); do
        ask_at east "talk/crowd.$i" fill all:g $((i * n)) $n >/dev/null
        ask_at east "talk/crowd.$i" join all:all $n >/dev/null
    done
}

# cluster_order NODE VERB WORD: prints when it is said, by CLOCK_MONOTONIC
cluster_order() {
    printf 'time\nrequest\t%s\t%s\n' "$2" "$3" | at_node "$1" timeout 20 stranger sys/node |
        awk '$1 == "time" { print $2 }'
}

cluster_is_parted() {
    ! cluster_sees east west && ! cluster_sees west east
}

# West has been disconnected, and is connected again until an actor there has heard of all that east has.
# All of it on one machine has one clock.
cluster_connect() {
    local begin end

    cluster_order west disconnect east >/dev/null
    cluster_await cluster_is_parted
    ask_at west talk/joiner mark "$cluster_members" >/dev/null
    begin=$(cluster_order west connect "$cluster_url")
    end=$(ask_at west talk/joiner 'done') || exit 1
    echo $((end - begin)) | keep connect
    cluster_await cluster_sees east west
}

cluster_connects() {
    local round

    cluster_fill
    ask_at west talk/joiner watch all: >/dev/null
    for ((round = 0; round < $(rounds); round++)); do
        cluster_connect
    done
    [[ $erlang ]] || return 0
    erlang_groups "$first_cpu" "$second_cpu" connect "$(rounds)" | keep connect-erlang
}

cluster_group_rows() {
    local ours erlang_took more

    ours=$(kept visible) erlang_took=$(kept visible-erlang)
    row "across nodes: a join is seen, p50" - "${erlang_took:+Erlang $(us "$erlang_took") us}" \
        "$(us "$ours") us" "${erlang_took:+$(calc %.2f "$ours / $erlang_took")}" \
        "1.5 of Erlang" "$ours <= 1.5 * ${erlang_took:-1e18}"
    ours=$(kept crowd-joins) more=$(kept crowd-joins-more) erlang_took=$(kept crowd-joins-erlang)
    row "10,000 joins of 64 actors, each" "10,000 more $(us "$more") us" \
        "${erlang_took:+Erlang $(us "$erlang_took") us}" "$(us "$ours") us" \
        "$(calc %.2f "$more / $ours") for more" "20 us, 1.2 for more" \
        "$ours < 20000 && $more < 1.2 * $ours"
    ours=$(kept connect) erlang_took=$(kept connect-erlang)
    row "connect, until 20,000 memberships are heard of" - \
        "${erlang_took:+Erlang $(us "$erlang_took") us}" "$(us "$ours") us" \
        "${erlang_took:+$(calc %.2f "$ours / $erlang_took")}" "ahead of Erlang" \
        "$ours < ${erlang_took:-1e18}"
}

# ---- TLS ---------------------------------------------------------------------------------------

# One authority, and one certificate for this host, which both show
cluster_certificates() {
    (
        cd "$scratch" || exit 1
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=bench
        openssl req -newkey rsa:2048 -nodes -keyout node.key -out node.csr -subj /CN=127.0.0.1
        openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out node.pem
    ) 2>/dev/null
}

cluster_tls() {
    local round

    cluster_certificates || fail "no certificates"
    cluster_up tls+tcp "tls: {ca: $scratch/ca.pem, cert: $scratch/node.pem, key: $scratch/node.key}"
    for ((round = 0; round < $(rounds); round++)); do
        cluster_talk tls
    done
    cluster_down
}

bench_cluster() {
    local erlang='' first_cpu second_cpu cluster_url round

    pick_cpus
    printf 'the cookie of the benches\n' >"$scratch/cookie"
    chmod 600 "$scratch/cookie"
    if erlang_up; then
        erlang=yes
        erlang_answer_on "$second_cpu"
        erlang_groups_on "$second_cpu"
    fi
    cluster_up tcp
    ask_at west talk/joiner watch seen >/dev/null
    for ((round = 0; round < $(rounds); round++)); do
        cluster_peers
        cluster_talk tcp
        cluster_visible
        cluster_crowd "$round"
    done
    cluster_connects
    cluster_down
    cluster_tls
    cluster_talk_rows
    cluster_group_rows
    end_peers
}
