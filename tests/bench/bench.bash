# shellcheck shell=bash
#
# What the groups of benches share: the table and its rows, numbers, a node, and the end of all that was
# started. `run` has set $tools, $scratch, $pids and $table.

# ---- life ----------------------------------------------------------------------------------

finish() {
    local pid

    [[ -n $scratch ]] || return
    end_stopped
    end_nodes
    end_peers
    rm -rf "$scratch" ${disk:+"$disk"}
}

# Whatever nodes there still are: a bench may be ended at any moment.
end_nodes() {
    local dir

    for dir in "$scratch"/*/; do
        [[ -e $dir/.supervisor ]] && TROUPE_RUN=${dir%/} timeout 60 troupe down >/dev/null 2>&1
    done
}

# What a bench has stopped, for somebody who is gone, hears of no orderly end.
end_stopped() {
    [[ -e $scratch/stopped ]] || return 0
    # shellcheck disable=SC2046
    kill -KILL $(<"$scratch/stopped") 2>/dev/null
    rm -f "$scratch/stopped"
}

# A virtual machine of Erlang that still starts does not hear SIGTERM.
end_peers() {
    local pid try

    for pid in "${pids[@]}"; do
        kill "$pid" 2>/dev/null
    done
    for ((try = 0; try < 50; try++)); do
        kill -0 "${pids[@]}" 2>/dev/null || break # none of them is left
        sleep 0.1
    done
    for pid in "${pids[@]}"; do
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    pids=()
}

say() {
    echo "bench: $*" >&2
}

fail() {
    say "$*"
    exit 1
}

# ---- numbers ---------------------------------------------------------------------------------

now_us() {
    echo "${EPOCHREALTIME/[.,]/}"
}

median() {
    sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# calc FORMAT EXPRESSION
calc() {
    awk "BEGIN { printf \"$1\", $2 }"
}

holds() {
    awk "BEGIN { exit !($1) }"
}

# took CMD…: the microseconds that CMD takes; its output is shown only when it fails.
took() {
    local begin end

    begin=$(now_us)
    timeout 120 "$@" >"$scratch/out" 2>&1 || {
        cat "$scratch/out" >&2
        say "failed: $*"
        return 1
    }
    end=$(now_us)
    echo $((end - begin))
}

# times N CMD…: the median of N
times() {
    local n=$1 i

    shift
    for ((i = 0; i < n; i++)); do
        "$@" || return 1
    done | median
}

# Rounds of a measurement, whose parts take turns so that noise comes to all alike
rounds() {
    echo "$((${QUICK:-0} ? 1 : 5))"
}

# count N: how often something is done
count() {
    echo "$((${QUICK:-0} ? ($1 + 199) / 200 : $1))"
}

# CMD… | keep NAME: one more measurement of NAME.1, NAME.2 …, one for each word that CMD prints
keep() {
    local name=$1 i values=()

    read -r -a values || fail "no figures for $name"
    for ((i = 0; i < ${#values[@]}; i++)); do
        echo "${values[i]}" >>"$scratch/kept.$name.$((i + 1))"
    done
}

# kept NAME [I]: the median of them; nothing when there are none
kept() {
    [[ -e $scratch/kept.$1.${2:-1} ]] && median <"$scratch/kept.$1.${2:-1}"
}

# row WHAT LIMIT PEERS OURS RATIO TARGET CONDITION; without a target there is no condition
row() {
    local met=no

    if [[ $6 == - ]]; then
        met=-
    elif holds "$7"; then
        met=yes
    fi
    table+=("$1|$2|$3|$4|$5|$6|$met")
    say "$1: limit $2, peers $3, ours $4, ratio $5 (target $6: $met)"
}

print_table() {
    echo
    echo "$(nproc) processors, $(uname -sr), $(date +%F); run directories on a tmpfs ($scratch)"
    echo
    {
        echo "what|limit|peers|ours|ratio|target|met"
        printf '%s\n' "${table[@]}"
    } | awk -F'|' '
        { for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > w[i]) w[i] = length($i) } }
        END {
            for (r = 1; r <= NR; r++) {
                line = ""
                for (i = 1; i <= NF; i++) line = line sprintf("%-" w[i] "s  ", cell[r, i])
                sub(/ +$/, "", line)
                print line
                if (r == 1) { gsub(/./, "-", line); print line }
            }
        }'
}

# ---- a node ------------------------------------------------------------------------------------

node_up() {
    timeout 120 troupe up -d "$1" >"$scratch/out" 2>&1 || {
        cat "$scratch/out" >&2
        fail "the node does not start"
    }
}

node_down() {
    timeout 120 troupe down >/dev/null 2>&1
}
