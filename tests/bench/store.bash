# shellcheck shell=bash
#
# What actors keep: saves that are on the disk before they are answered, against SQLite itself with as many
# saves in each transaction. On a real file system: on a tmpfs nothing is ever written.

store_savers=64

store_tree() {
    cat <<END
troupe: 1
application: bench
supervisor:
  children:
    - {name: saver, module: saver, state: true, replicas: $store_savers}
node: {store: "sqlite:$disk/store"}
END
}

# All of them at once for that long: saves a second.
store_saves() { # MS
    local at i sum=0 saves

    at=$(awk '{ printf "%.0f", ($1 + 0.5) * 1e9 }' /proc/uptime)
    for ((i = 1; i <= store_savers; i++)); do
        troupe call --timeout 60s "bench/saver.$i" go "$at" "$1" </dev/null >"$scratch/saves.$i" &
    done
    for ((i = 1; i <= store_savers; i++)); do
        wait -n || fail "a saver has failed"
    done
    for ((i = 1; i <= store_savers; i++)); do
        read -r saves <"$scratch/saves.$i"
        sum=$((sum + saves))
    done
    calc "%.0f\\n" "$sum / ($1 / 1000)"
}

bench_saves() {
    local round ms raw ours

    ms=$((${QUICK:-0} ? 200 : 2000))
    disk=$(mktemp -d "${TMPDIR:-/var/tmp}/trb.XXXXXX")
    store_tree >"$scratch/store.yaml"
    node_up "$scratch/store.yaml"
    for ((round = 0; round < $(rounds); round++)); do
        "$tools/rows" "$disk" "$store_savers" "$ms" | keep saves-raw
        "$tools/rows" "$disk" "$store_savers" "$ms" sockets | keep saves-sockets
        store_saves "$ms" | keep saves-ours
    done
    node_down
    rm -rf "$disk"
    raw=$(kept saves-raw) ours=$(kept saves-ours)
    row "durable save, SQLite, $store_savers savers" "SQLite $(calc %.1f "$raw / 1000") k/s" \
        "bare processes that ask one over sockets $(calc %.1f "$(kept saves-sockets) / 1000") k/s" \
        "$(calc %.1f "$ours / 1000") k/s" "$(calc %.2f "$raw / $ours")" "3, 20 k/s" \
        "$raw <= 3 * $ours && $ours >= 20000"
}
