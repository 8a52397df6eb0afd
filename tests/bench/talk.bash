# shellcheck shell=bash
#
# Talking: round trips, one way, many senders, many calls at once, large messages. Against a bare Unix
# stream socket, nng, and Erlang inside one VM and between two.

talk_ms=$((${QUICK:-0} ? 200 : 1000)) # how long a crowd sends

# near: everything on one core; far: driver and target on a core each; free: where the kernel likes
talk_tree() {
    cat <<END
troupe: 1
application: talk
supervisor:
  children:
    - {name: near, module: target, args: {cpu: $first_cpu}}
    - {name: far, module: target, args: {cpu: $second_cpu}}
    - {name: free, module: target}
    - {name: driver, module: driver, args: {cpu: $first_cpu}}
    - {name: conductor, module: driver}
    - {name: sender, module: driver, replicas: 64}
END
}

# The first two processors that we may use; one machine has only one.
pick_cpus() {
    local cpus

    mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //' | tr , '\n' |
        awk -F- '{ for (i = $1; i <= $NF; i++) print i }')
    first_cpu=${cpus[0]}
    second_cpu=${cpus[1]:-$first_cpu}
}

# ask ACTOR MESSAGE ARG…: what it replies, bare
ask() {
    troupe call --timeout 120s "$@" || fail "$1 does not answer: $*"
}

# unique CPU PEER_CPU: as a list
unique() {
    [[ $1 == "$2" ]] && echo "$1" || echo "$1,$2"
}

# ---- round trip ------------------------------------------------------------------------------------

# roundtrips NAME TARGET CPU PEER_CPU: one round, pinned like that
roundtrips() {
    local n

    n=$(count 20000)
    "$tools/pingpong" raw "$n" "$3" "$4" | keep "$1-raw"
    ask talk/driver roundtrip "talk/$2" "$n" | keep "$1-ours"
    "$tools/pingpong" nng "$((n / 5 + 1))" "$3" "$4" "ipc://$scratch/pingpong.$1" | keep "$1-nng"
    [[ $erlang ]] || return 0
    erlang_inside "$(unique "$3" "$4")" roundtrip "$n" | keep "$1-inside"
    erlang_between "$3" "$4" roundtrip "$((n / 5 + 1))" | keep "$1-between"
}

# us NANOSECONDS
us() {
    calc %.1f "${1:-0} / 1000"
}

# peers_us NAME I: nng and Erlang, as far as there are any
peers_us() {
    local peer value shown=''

    for peer in nng inside between; do
        value=$(kept "$1-$peer" "$2") || continue
        shown+="${shown:+, }$peer $(us "$value")"
    done
    echo "${shown:--} us"
}

# roundtrip_rows NAME WHERE
roundtrip_rows() {
    local raw ours between

    raw=$(kept "$1-raw") ours=$(kept "$1-ours") between=$(kept "$1-between")
    row "round trip, 64 B, $2, p50" "raw $(us "$raw") us" "$(peers_us "$1" 1)" "$(us "$ours") us" \
        "$(calc %.2f "$ours / $raw")" "1.4, ahead of between" \
        "$ours <= 1.4 * $raw && $ours < ${between:-1e18}"
    row "round trip, 64 B, $2, p99" "raw $(us "$(kept "$1-raw" 2)") us" "$(peers_us "$1" 2)" \
        "$(us "$(kept "$1-ours" 2)") us" "$(calc %.2f "$(kept "$1-ours" 2) / $(kept "$1-raw" 2)")" -
}

bench_roundtrip() {
    local round

    for ((round = 0; round < $(rounds); round++)); do
        roundtrips one near "$first_cpu" "$first_cpu"
        roundtrips two far "$first_cpu" "$second_cpu"
    done
    roundtrip_rows one "one core"
    roundtrip_rows two "two cores"
}

# ---- one way ----------------------------------------------------------------------------------------

# cpu_us PID: processor time that it has taken, in all
cpu_us() {
    awk -v tick="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print ($12 + $13) * 1000000 / tick }' \
        "/proc/$1/stat"
}

pid_of() {
    troupe ps -o path,pid | awk -v path="$1" '$1 == path { print $2 }'
}

# flood TARGET N SIZE: nanoseconds a message
flood() {
    local took

    took=$(ask talk/driver flood "$1" "$2" "$3") || exit 1
    calc '%.2f\n' "${took% *} / $2"
}

# M NANOSECONDS: millions a second
millions() {
    calc %.2f "1000 / ${1:-1}"
}

bench_flood() {
    local n sender receiver sent received round shown=- ours inside between ahead cpu

    n=$(count 2000000)
    sender=$(pid_of talk/driver) receiver=$(pid_of talk/far)
    sent=$(cpu_us "$sender") received=$(cpu_us "$receiver")
    for ((round = 0; round < $(rounds); round++)); do
        "$tools/pingpong" stream "$((n / 10))" "$second_cpu" "$first_cpu" | keep flood-raw
        flood talk/far "$n" 64 | keep flood-ours
        [[ $erlang ]] || continue
        erlang_inside "$first_cpu,$second_cpu" stream "$((n / 4))" | keep flood-inside
        erlang_between "$first_cpu" "$second_cpu" stream "$((n / 10))" | keep flood-between
    done
    ours=$(kept flood-ours) inside=$(kept flood-inside) between=$(kept flood-between)
    cpu="sender $(calc %.0f "($(cpu_us "$sender") - $sent) * 1000 / $n / $(rounds)") ns"
    cpu+=", receiver $(calc %.0f "($(cpu_us "$receiver") - $received) * 1000 / $n / $(rounds)") ns"
    [[ $erlang ]] && shown="inside $(millions "$inside"), between $(millions "$between") million/s"
    ahead="$ours < ${inside:-1e18} && $ours * 30 < ${between:-1e18}"
    row "one way, 64 B" "one write each $(millions "$(kept flood-raw)") million/s" "$shown" \
        "$(millions "$ours") million/s" \
        "$([[ $erlang ]] && calc '%.1f x inside, ' "$inside / $ours" &&
            calc '%.0f x between' "$between / $ours" || echo -)" \
        "6 million/s, > 1 x inside, 30 x between" "$ours * 6 < 1000 && $ahead"
    row "one way, 64 B, processor time a message" - - "$cpu" - -
}

# ---- many senders --------------------------------------------------------------------------------------

bench_crowd() {
    local round one many slow fast

    for ((round = 0; round < $(rounds); round++)); do
        ask talk/conductor crowd talk/free talk/sender 1 "$talk_ms" | keep crowd-one
        ask talk/conductor crowd talk/free talk/sender 64 "$talk_ms" | keep crowd-many
    done
    one=$(kept crowd-one) many=$(kept crowd-many) slow=$(kept crowd-many 2) fast=$(kept crowd-many 3)
    row "64 senders to one, in all" "one sender $(calc %.2f "$one / 1e6") million/s" - \
        "$(calc %.2f "$many / 1e6") million/s" "$(calc %.2f "$many / $one")" "0.8" "$many >= 0.8 * $one"
    row "64 senders to one, each" "fastest $(calc %.1f "$fast / 1e3") k/s" - \
        "slowest $(calc %.1f "$slow / 1e3") k/s" "$(calc %.2f "$fast / ($slow + 0.001)")" "2" \
        "0 < $slow && $fast <= 2 * $slow"
}

# ---- many calls at once ----------------------------------------------------------------------------------

bench_window() {
    local n round took ours

    n=$(count 500000)
    for ((round = 0; round < $(rounds); round++)); do
        took=$(ask talk/driver window talk/far "$n" 1000) || exit 1
        [[ ${took#* } == 0 ]] || fail "calls have failed: ${took#* }"
        calc '%.2f\n' "${took% *} / $n" | keep window
    done
    ours=$(kept window)
    row "calls, 1,000 outstanding" - - "$(millions "$ours") million/s" - "1 million/s" "$ours < 1000"
}

# ---- large ----------------------------------------------------------------------------------------------

bench_large() {
    local n round raw ours size=$((1024 * 1024))

    n=$(count 1000)
    for ((round = 0; round < $(rounds); round++)); do
        "$tools/pingpong" stream "$n" "$second_cpu" "$first_cpu" $size | keep large-raw
        flood talk/far "$n" $size | keep large-ours
    done
    raw=$(kept large-raw) ours=$(kept large-ours)
    row "one way, 1 MiB" "raw $(calc %.2f "$size / $raw") GB/s" - "$(calc %.2f "$size / $ours") GB/s" \
        "$(calc %.2f "$raw / $ours")" "2 GB/s" "$ours * 2 < $size"
}

bench_talk() {
    local erlang='' part first_cpu second_cpu

    pick_cpus
    if erlang_up; then
        erlang=yes
        erlang_answer_on "$first_cpu"
        [[ $second_cpu == "$first_cpu" ]] || erlang_answer_on "$second_cpu"
    fi
    talk_tree >"$scratch/talk.yaml"
    node_up "$scratch/talk.yaml"
    for part in roundtrip flood crowd window large; do
        "bench_$part"
    done
    node_down
    end_peers
}
