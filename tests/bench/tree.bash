# shellcheck shell=bash
#
# The tree: kill, start, memory, ps, idle. What it takes to start, restart, hold and list children,
# against what the kernel allows and against other supervisors.

s6_ready_fd=9 # stamp.h: without it s6 takes its service for one that fails, and waits for a second

# farm SUPERVISORS MODULES: an application of so many idle modules below each of so many supervisors;
# each an entry of its own, since replicas of one entry start together
farm() {
    local i

    echo "troupe: 1"
    echo "application: farm"
    echo "supervisor:"
    echo "  children:"
    for ((i = 1; i <= $1; i++)); do
        echo "    - name: s$i"
        echo "      supervisor:"
        echo "        children:"
        seq -f "          - {name: m%.0f, module: stamper}" "$2"
    done
}

# ---- kill: from SIGKILL to the next incarnation's first instruction ------------------------------

kill_tree() {
    cat <<END
troupe: 1
application: bench
supervisor:
  intensity: 1000000
  period: 1s
  children:
    - {name: program, exec: [$tools/stamp, $scratch/ours-program]}
    - {name: module, module: stamper, args: {fifo: $scratch/ours-module}}
END
}

# service DIR: a folder as s6 and runit want it
service() {
    mkdir -p "$1"
    cp "$tools/stamp" "$1/run"
    mkfifo "$1/fifo"
}

start_peers() {
    if command -v s6-supervise >/dev/null; then
        service "$scratch/s6"
        echo "$s6_ready_fd" >"$scratch/s6/notification-fd"
        s6-supervise "$scratch/s6" 2>/dev/null &
        pids+=($!)
        peers+=("s6=$scratch/s6/fifo")
    else
        say "skipped: s6 is not installed"
    fi
    if command -v runsv >/dev/null; then
        service "$scratch/runit"
        runsv "$scratch/runit" 2>/dev/null &
        pids+=($!)
        peers+=("runit=$scratch/runit/fifo")
    else
        say "skipped: runit is not installed"
    fi
    if command -v supervisord >/dev/null; then
        mkfifo "$scratch/supervisord"
        printf '[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile=%s\n' \
            "$scratch/supervisord.pid" >"$scratch/supervisord.conf"
        printf '[program:x]\ncommand=%s\nautorestart=true\nstartsecs=0\n' \
            "$tools/stamp $scratch/supervisord" >>"$scratch/supervisord.conf"
        supervisord -n -c "$scratch/supervisord.conf" >/dev/null 2>&1 &
        pids+=($!)
        peers+=("supervisord=$scratch/supervisord")
    else
        say "skipped: supervisord is not installed"
    fi
}

# result NAME: its median of the last race
result() {
    awk -v name="$1" '$1 == name { print $2 }' "$scratch/race"
}

run_race() {
    "$tools/race" kill "$@" >"$scratch/race" || fail "the race was not finished"
}

# runit and supervisord hold back what ended within a second: peers run in a slow race of their own,
# together with ours, so that all are equally cold. supervisord looks once a second only.
bench_kill() {
    local peers=() peer shown='' best

    mkfifo "$scratch"/{limit,ours}-{program,module}
    "$tools/limit" respawn "$tools/stamp" "$scratch/limit-program" &
    pids+=($!)
    "$tools/limit" reloop "$scratch/limit-module" &
    pids+=($!)
    kill_tree >"$scratch/kill.yaml"
    timeout 20 troupe up -d "$scratch/kill.yaml" >/dev/null 2>&1 &
    run_race 300 10 limit="$scratch/limit-program" program="$scratch/ours-program" \
        loop="$scratch/limit-module" module="$scratch/ours-module"
    wait $!
    ratio_row "SIGKILL to first instruction, program" - limit program
    ratio_row "SIGKILL to first instruction, module" - loop module

    # Each has written its stamp long ago: one kill by hand makes the next.
    end_peers
    start_peers
    if [[ ${#peers[@]} -gt 0 ]]; then
        kill -KILL "$(troupe ps -o json bench/program | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*$')"
        run_race 8 1100 ours="$scratch/ours-program" "${peers[@]}"
        best=$(result s6)
        for peer in "${peers[@]}"; do
            shown+="${shown:+, }${peer%%=*} $(calc %.1f "$(result "${peer%%=*}") / 1000") ms"
        done
        row "the same, once a second, against peers" - "$shown" \
            "$(calc %.2f "$(result ours) / 1000") ms" \
            "$([[ $best ]] && calc %.2f "$(result ours) / $best")" "ahead of s6" \
            "$(result ours) < ${best:-1e9}"
    fi
    node_down
    end_peers
}

# ratio_row WHAT PEERS LIMIT OURS: by the names in the last race
ratio_row() {
    local limit ours

    limit=$(result "$3")
    ours=$(result "$4")
    row "$1" "$limit us" "$2" "$ours us" "$(calc %.2f "$ours / $limit")" "1.5" "$ours <= 1.5 * $limit"
}

# ---- start: one after another, each ready ----------------------------------------------------------

limit_start() {
    "$tools/limit" start "$1"
}

# The application is started anew by a node that stands: what is measured is the supervisor and its
# children, not the node.
restart_farm() {
    took troupe stop farm >/dev/null && took troupe start farm
}

# farm_per_child SUPERVISORS MODULES ROUNDS: the microseconds that each takes
farm_per_child() {
    local total

    farm "$1" "$2" >"$scratch/farm.yaml"
    node_up "$scratch/farm.yaml"
    total=$(times "$3" restart_farm)
    node_down
    calc %.0f "${total:-0} / ($1 * $2)"
}

s6_thousand() {
    local i

    rm -rf "$scratch/scan"
    mkdir "$scratch/scan"
    mkfifo "$scratch/scan.fifo" 2>/dev/null
    for ((i = 1; i <= 1000; i++)); do
        mkdir "$scratch/scan/$i"
        cp "$tools/stamp" "$scratch/scan/$i/run"
        ln -s "$scratch/scan.fifo" "$scratch/scan/$i/fifo"
    done
    "$tools/race" arrive 1000 "$scratch/scan.fifo" s6-svscan -c 2100 "$scratch/scan" 2>/dev/null
}

bench_start() {
    local limit ours few many s6=-

    limit=$(calc %.0f "$(times 5 limit_start 1000) / 1000")
    ours=$(farm_per_child 1 1000 5)
    if command -v s6-svscan >/dev/null; then
        s6="s6 $(calc %.0f "$(times 3 s6_thousand) / 1000") us"
        rm -rf "$scratch/scan"
    else
        say "skipped: s6 is not installed"
    fi
    row "start of 1,000 modules, each" "$limit us" "$s6" "$ours us" "$(calc %.2f "$ours / $limit")" \
        "1.5" "$ours <= 1.5 * $limit"
    few=$(farm_per_child 1 100 9)
    many=$(farm_per_child 10 1000 2)
    row "start of 10,000 modules, each, to that of 100" "-" "100: $few us" "$many us" \
        "$(calc %.2f "$many / $few")" "1.5" "$many <= 1.5 * $few"
}

# ---- memory: system-wide ---------------------------------------------------------------------------

available_kb() {
    awk '/^MemAvailable:/ { print $2 }' /proc/meminfo
}

limit_memory() {
    local before after

    before=$(available_kb)
    coproc HOLD { exec "$tools/limit" hold "$1"; }
    # shellcheck disable=SC2153 # the name is made by coproc
    read -r -u "${HOLD[0]}" _
    after=$(available_kb)
    # shellcheck disable=SC1083,SC2093 # bash closes the descriptor that the element names
    exec {HOLD[1]}>&-
    wait "$HOLD_PID"
    calc '%.1f\n' "($before - $after) / $1"
}

# farm_memory SUPERVISORS MODULES
farm_memory() {
    local before after

    before=$(available_kb)
    node_up "$scratch/farm.yaml"
    after=$(available_kb)
    node_down
    calc '%.1f\n' "($before - $after) / ($1 * $2)"
}

# What a supervisor that has one child has written to itself
peer_memory() {
    awk '/^Private_Dirty:/ { kb += $2 } END { print kb + 0 }' "/proc/$1/smaps_rollup" 2>/dev/null
}

bench_memory() {
    local peers=() shown='' limit ours i=0 peer

    farm 2 1000 >"$scratch/farm.yaml"
    limit=$(times 3 limit_memory 2000)
    ours=$(times 3 farm_memory 2 1000)
    start_peers 2>/dev/null
    [[ ${#peers[@]} -gt 0 ]] && "$tools/race" kill 1 1200 "${peers[@]}" >/dev/null
    for peer in "${peers[@]}"; do
        shown+="${shown:+, }${peer%%=*} $(peer_memory "${pids[i]}") kB"
        i=$((i + 1))
    done
    end_peers
    row "memory of an idle module (MemAvailable)" "$limit kB" "${shown:+private: }${shown:--}" "$ours kB" \
        "$(calc %.2f "$ours / $limit")" "200 kB" "$ours < 200"
}

# ---- ps: 10,000 modules ------------------------------------------------------------------------------

bench_ps() {
    local ps down begin

    farm 10 1000 >"$scratch/farm.yaml"
    begin=$(now_us)
    node_up "$scratch/farm.yaml"
    say "10,000 modules are up after $(calc %.1f "($(now_us) - $begin) / 1e6") s"
    ps=$(times 5 took troupe ps)
    [[ $(troupe ps | wc -l) -ge 10000 ]] || fail "ps does not show 10,000 modules"
    down=$(took troupe down)
    row "ps of 10,000 modules" - - "$(calc %.2f "$ps / 1e6") s" - "0.3 s" "$ps < 300000"
    row "down of 10,000 modules" - - "$(calc %.2f "$down / 1e6") s" - "10 s" "$down < 10000000"
}

# ---- idle: no wake-ups ---------------------------------------------------------------------------------

idle_tree() {
    cat <<END
troupe: 1
application: idle
supervisor:
  children:
    - {name: m, module: counter, replicas: 20}
    - {name: p, exec: [$tools/stamp, $scratch/idle], replicas: 5}
    - name: nested
      supervisor:
        children:
          - {name: m, module: counter, replicas: 20}
END
}

# Counts the system calls of ten seconds; those by which a process comes to know its tracer, in the
# first two, are not its own.
bench_idle() {
    local begin args=() pid calls

    if ! command -v strace >/dev/null; then
        say "skipped: strace is not installed"
        return
    fi
    mkfifo "$scratch/idle"
    exec {idle}<>"$scratch/idle"
    idle_tree >"$scratch/idle.yaml"
    node_up "$scratch/idle.yaml"
    for pid in $(node_procs "$TROUPE_RUN" --pids); do
        args+=(-p "$pid")
    done
    sleep 1
    begin=$EPOCHREALTIME
    timeout -s INT 12 strace -f -q -ttt -o "$scratch/trace" "${args[@]}" 2>/dev/null
    calls=$(awk -v from="$begin" '$2 > from + 2 && $2 < from + 12 && !/resumed|exited|detached/ { n++ }
                                  END { print n + 0 }' "$scratch/trace")
    grep -q . "$scratch/trace" || fail "strace has seen nothing"
    exec {idle}>&-
    node_down
    row "system calls of an idle node, $((${#args[@]} / 2)) processes, 10 s" - - "$calls" - "0" \
        "$calls == 0"
}
