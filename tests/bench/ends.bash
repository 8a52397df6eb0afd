# shellcheck shell=bash
#
# Ends, and the notice of them: DOWN after SIGKILL, and the seventeen lines that async-backplane measures
# of its devices and lines, made of processes: a life of an actor is its start, the tie, its end, the
# notice of it if one is owed. Each against the bare system calls of the same.

ends_lookups=64

# Whoever dies has another one, still, that is watched by those that die before it.
ends_tree() {
    cat <<END
troupe: 1
application: ends
supervisor:
  intensity: 1000000
  period: 1s
  children:
    - {name: hunter, module: hunter}
    - {name: still, module: target, replicas: $ends_lookups}
    - {name: mortal, module: mortal, args: {tell: ends/hunter}}
    - {name: by-path, module: mortal, args: {tell: ends/hunter, watch: ends/still.1}}
    - {name: by-incarnation, module: mortal, args: {tell: ends/hunter, watch: "ends/still.1#1"}}
    - {name: far-off, module: mortal, args: {tell: ends/hunter, watch: "ends/far/still#1"}}
    - name: far
      supervisor:
        intensity: 1000000
        period: 1s
        children:
          - {name: still, module: target}
          - {name: mortal, module: mortal, args: {tell: ends/hunter}}
END
}

# hunt PATH HOW TIE END: nanoseconds: notice at p50 and p99, life at p50
hunt() {
    troupe call --timeout 120s ends/hunter hunt "$@" "$(count 400)" || fail "the hunt for $1 has failed"
}

bench_notice() {
    local round raw ours

    for ((round = 0; round < $(rounds); round++)); do
        "$tools/ends" notice "$(count 400)" | keep notice-raw
        hunt ends/mortal path monitor drop | keep notice-ours
    done
    raw=$(kept notice-raw) ours=$(kept notice-ours)
    row "DOWN after SIGKILL, p50" "SIGCHLD to parent $(us "$raw") us" - "$(us "$ours") us" \
        "$(calc %.2f "$ours / $raw")" 3 "$ours <= 3 * $raw"
    row "DOWN after SIGKILL, p99" "$(us "$(kept notice-raw 2)") us" - \
        "$(us "$(kept notice-ours 2)") us" "$(calc %.2f "$(kept notice-ours 2) / $(kept notice-raw 2)")" -
}

# NAME|PATH|HOW|TIE|END|the same for ends: TIE|WHERE
ends_lines() {
    cat <<'END'
create, end|ends/mortal|path|none|drop|none|near
END
    ends_family "by path" ends/mortal path ends/by-path near
    ends_family "by incarnation" ends/mortal incarnation ends/by-incarnation near
    ends_family "by incarnation, another supervisor" ends/far/mortal incarnation ends/far-off far
}

# ends_family NAME PATH HOW WATCHER WHERE
ends_family() {
    echo "monitor $1, end of the watcher|$4|path|none|drop|its|$5"
    echo "monitor $1, drop, notice|$2|$3|monitor|drop|mine|$5"
    echo "monitor $1, error, notice|$2|$3|monitor|error|mine|$5"
    echo "peer $1, drop, notice|$2|$3|peer|drop|mine|$5"
    echo "peer $1, error, notice|$2|$3|peer|error|mine|$5"
}

life_row() {
    local what=$1 raw=$2 ours=$3

    row "$what" "$(us "$raw") us" - "$(us "$ours") us" "$(calc %.2f "$ours / $raw")" -
}

bench_lookup() {
    life_row "life: look an address up" "$("$tools/ends" lookup "$(count 400)")" \
        "$(troupe call ends/hunter lookup ends/still "$ends_lookups")"
}

bench_lives() {
    local round name path how tie end bare where i

    for ((round = 0; round < ($(rounds) + 1) / 2; round++)); do
        i=0
        while IFS='|' read -r name path how tie end bare where; do
            i=$((i + 1))
            "$tools/ends" cycle "$bare" "$where" "$end" "$(count 400)" | keep "life$i-raw"
            hunt "$path" "$how" "$tie" "$end" | keep "life$i-ours"
        done < <(ends_lines)
    done
    i=0
    while IFS='|' read -r name _; do
        i=$((i + 1))
        life_row "life: $name" "$(kept "life$i-raw")" "$(kept "life$i-ours" 3)"
    done < <(ends_lines)
}

bench_ends() {
    ends_tree >"$scratch/ends.yaml"
    node_up "$scratch/ends.yaml"
    bench_lookup
    bench_notice
    bench_lives
    node_down
}
