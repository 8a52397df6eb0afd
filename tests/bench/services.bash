# shellcheck shell=bash
#
# Services: first calls to actors that are not there yet, calls to a thousand that are, and ten thousand on one
# machine. Against bare processes that are forked with a bound socket, in the same run, by one that has the same
# libraries loaded as a supervisor has.

services_tree() {
    cat <<END
troupe: 1
application: bench
supervisor:
  children:
    - {name: few, service: {module: target, max: 500}}
    - {name: many, service: {module: target, max: 10000}}
    - {name: caller, module: summoner, replicas: 16}
END
}

# a call of `troupe call`, bare
summon() {
    troupe call --timeout 120s "$@" || fail "$1 does not answer: $*"
}

bench_first_calls() {
    local n round from=0

    n=$(count 400)
    for ((round = 0; round < $(rounds); round++)); do
        "$tools/births" one "$n" "$tools/target.so" | keep first-raw
        summon bench/caller.1 one bench/many/f "$from" "$n" | keep first-ours
        from=$((from + n))
    done
    row "services: first call to a new id, p50" "$(us "$(kept first-raw)") us" "Dapr 2300 us" \
        "$(us "$(kept first-ours)") us" "$(calc %.2f "$(kept first-ours) / $(kept first-raw)")" \
        "< 1200 us" "$(kept first-ours) < 1200000"
}

bench_activation_rate() {
    local n round from=0 raw ours

    n=$(count 1000)
    for ((round = 0; round < $(rounds); round++)); do
        "$tools/births" many "$n" 16 | keep rate-bare
        "$tools/births" many "$n" 16 "$tools/target.so" | keep rate-raw
        calc '%.0f\n' "$n * 1e9 / $(summon bench/caller.1 many bench/many/r "$from" "$n" 16)" | keep rate-ours
        from=$((from + n))
    done
    raw=$(kept rate-raw) ours=$(kept rate-ours)
    row "services: activations a second" "$raw/s" "without libraries $(kept rate-bare)/s" "$ours/s" "$(calc %.2f "$ours / $raw")" ">= 0.5" \
        "$ours >= 0.5 * $raw"
}

# calls_of_all IDS MS: by 16 callers at once; how many a second
calls_of_all() {
    local i callers=()

    for ((i = 1; i <= 16; i++)); do
        summon "bench/caller.$i" round bench/many/l "$1" "$2" $((i * 61)) >"$scratch/round.$i" &
        callers+=($!)
    done
    wait "${callers[@]}"
    cat "$scratch"/round.* | awk -v ms="$2" '{ n += $1 } END { printf "%.0f\n", n * 1000 / ms }'
}

bench_live_calls() {
    local n round ms=$((${QUICK:-0} ? 200 : 2000)) raw ours

    n=$(count 1000)
    calls_of_all "$n" "$ms" >/dev/null # so that all live, and all connections are made
    for ((round = 0; round < ($(rounds) + 1) / 2; round++)); do
        "$tools/births" echo "$n" "$ms" 16 | keep live-raw
        calls_of_all "$n" "$ms" | keep live-ours
    done
    raw=$(kept live-raw) ours=$(kept live-ours)
    row "services: calls to 1000 live ids, 16 callers" "$raw/s" "Dapr 9443/s" "$ours/s" \
        "$(calc %.2f "$ours / $raw")" ">= 0.7" "$ours >= 0.7 * $raw"
}

available_kb() {
    awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo
}

bench_ten_thousand() {
    local n before after took gigabytes

    n=$(count 10000)
    ((${QUICK:-0})) || node_down
    ((${QUICK:-0})) || node_up "$scratch/services.yaml"
    before=$(available_kb)
    summon bench/caller.1 many bench/many/t 0 "$((n / 2))" 16 >/dev/null
    summon bench/caller.2 many bench/many/t "$((n / 2))" "$((n - n / 2))" 16 >/dev/null
    after=$(available_kb)
    gigabytes=$(calc %.2f "($before - $after) / 1e6")
    row "services: memory of $n live ids" - - "$gigabytes GB" - "< 2.5 GB" "$gigabytes < 2.5"
    took=$(times "$(rounds)" took troupe services)
    row "services: troupe services, $n live ids" - - "$((took / 1000)) ms" - "< 300 ms" "$took < 300000"
}

# ---- an owner that is gone ------------------------------------------------------------------------

takeover_node() { # NODE LEASE LINE…
    {
        printf 'troupe: 1\napplication: bench\nsupervisor:\n  children:\n'
        echo '    - {name: many, service: {module: target, max: 100, placement: local}}'
        printf 'node:\n  name: %s\n  cookie_file: %s\n  store: "sqlite:%s"\n  lease: %s\n' "$1" "$scratch/cookie" \
            "$scratch/shared" "$2"
        printf '  %s\n' "${@:3}"
    } >"$scratch/$1.yaml"
    at_node "$1" troupe up -d "$scratch/$1.yaml" >"$scratch/out" 2>&1 || fail "the node $1 does not start"
}

takeover_calls() { # NODE
    at_node "$1" troupe call --timeout 1s bench/many/1 count >/dev/null 2>&1
}

takeover_pids() { # NODE: the guard last, without whom the root begins an orderly end
    local root

    root=$(ps -o ppid= -p "$(at_node "$1" troupe ps -o pid sys | head -n 1)" | tr -d ' ')
    echo "$root $(at_node "$1" troupe ps -o pid | tr '\n' ' ') $(ps -o ppid= -p "$root")"
}

# takeover LEASE SIGNAL: ms from the end of the node that has the actor to the next answer, which is another's
takeover() {
    local url pids began

    rm -rf "$scratch/shared"
    url=tcp://127.0.0.1:$(cluster_port)
    takeover_node east "$1" "listen: $url"
    takeover_node west "$1" "peers: ['$url']"
    cluster_await takeover_calls west
    cluster_await takeover_calls east
    pids=$(takeover_pids west)
    echo "$pids" >"$scratch/stopped"
    began=$(date +%s%N)
    # shellcheck disable=SC2086
    kill "-$2" $pids 2>/dev/null
    until takeover_calls east; do
        :
    done
    echo $((($(date +%s%N) - began) / 1000000))
    end_stopped
    at_node east timeout 60 troupe down >/dev/null 2>&1
}

# A host that is stopped is what one that is lost looks like to others: its lock is held, its beat stands still.
bench_takeover() {
    local round

    (umask 077 && head -c 32 /dev/urandom | base64 >"$scratch/cookie")
    for ((round = 0; round < ($(rounds) + 1) / 2; round++)); do
        takeover 5s KILL | keep takeover-host
        ((${QUICK:-0})) && continue
        takeover 5s STOP | keep takeover-default
        takeover 1500ms STOP | keep takeover-short
    done
    row "services: owner SIGKILLed, next answer, one host" - - "$(kept takeover-host) ms" - "< 1000 ms" \
        "$(kept takeover-host) < 1000"
    ((${QUICK:-0})) && return
    row "services: owner lost, next answer, lease 5s" - "rio 20-30 s, Orleans 15-90 s" "$(kept takeover-default) ms" - \
        "< 8000 ms" "$(kept takeover-default) < 8000"
    row "services: owner lost, next answer, lease 1500ms" - - "$(kept takeover-short) ms" - "< 3000 ms" \
        "$(kept takeover-short) < 3000"
}

bench_services() {
    services_tree >"$scratch/services.yaml"
    export TMPDIR=$scratch
    node_up "$scratch/services.yaml"
    bench_first_calls
    bench_activation_rate
    bench_live_calls
    bench_ten_thousand
    node_down
    bench_saves
    bench_takeover
}
