# shellcheck shell=bash
#
# Services: first calls to actors that are not there yet, calls to a thousand that are, and ten thousand on one
# machine. Against bare processes that are forked with a bound socket, in the same run.

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
        "$tools/births" one "$n" | keep first-raw
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
        "$tools/births" many "$n" 16 | keep rate-raw
        calc '%.0f\n' "$n * 1e9 / $(summon bench/caller.1 many bench/many/r "$from" "$n" 16)" | keep rate-ours
        from=$((from + n))
    done
    raw=$(kept rate-raw) ours=$(kept rate-ours)
    row "services: activations a second" "$raw/s" - "$ours/s" "$(calc %.2f "$ours / $raw")" ">= 0.5" \
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
}
