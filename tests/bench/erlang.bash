# shellcheck shell=bash
#
# Erlang as a peer: a private epmd on a free port of the loopback, one VM that answers on each core that
# is asked for, and VMs that measure. All of them are in $pids, and nothing is written outside $scratch.

erlang_dir=
erlang_cookie=bench

# Is there one? Says so if not.
erlang_up() {
    if ! command -v erlc >/dev/null; then
        say "skipped: erlang is not installed"
        return 1
    fi
    erlang_dir=$scratch/erlang
    mkdir -p "$erlang_dir"
    erlc -o "$erlang_dir" "$here/talk.erl" "$here/groups.erl" || return 1
    epmd_up || {
        say "skipped: epmd does not start"
        return 1
    }
}

epmd_answers() {
    epmd -names >/dev/null 2>&1
}

# A port at random that nobody has: if it was taken, epmd ends, and the next is tried.
epmd_up() {
    local try look

    for ((try = 0; try < 20; try++)); do
        export ERL_EPMD_PORT=$((20000 + RANDOM % 12000)) ERL_EPMD_ADDRESS=127.0.0.1
        epmd_answers && continue
        epmd >/dev/null 2>&1 &
        for ((look = 0; look < 100; look++)); do
            if ! kill -0 $! 2>/dev/null; then
                break
            elif epmd_answers; then
                pids+=($!)
                return 0
            fi
            sleep 0.05
        done
        kill $! 2>/dev/null
        wait $! 2>/dev/null
    done
    return 1
}

# erl_on CPUS ARG…: a VM with as many schedulers as it has cores
erl_on() {
    local cpus=$1 n

    n=$(awk -F, '{ print NF }' <<<"$cpus")
    shift
    HOME=$erlang_dir exec taskset -c "$cpus" erl +S "$n:$n" -noshell -noinput -pa "$erlang_dir" \
        -start_epmd false -kernel inet_dist_use_interface '{127,0,0,1}' -setcookie "$erlang_cookie" \
        "$@"
}

# The VM on this core that answers
erlang_answer_on() {
    erl_on "$1" -name "answer$1@127.0.0.1" -s talk answer >/dev/null 2>&1 &
    pids+=($!)
}

# erlang_inside CPUS WHAT N
erlang_inside() {
    (erl_on "$1" -s talk main inside "$2" "$3")
}

# erlang_between CPU PEER_CPU WHAT N
erlang_between() {
    (erl_on "$1" -name "ask$BASHPID@127.0.0.1" -s talk main between "answer$2@127.0.0.1" "$3" "$4")
}

# The VM on this core that answers, with groups
erlang_groups_on() {
    erl_on "$1" -name "groups$1@127.0.0.1" -s groups answer >/dev/null 2>&1 &
    pids+=($!)
}

# erlang_groups CPU PEER_CPU WHAT N…
erlang_groups() {
    (erl_on "$1" -name "ask$BASHPID@127.0.0.1" -s groups main "groups$2@127.0.0.1" "${@:3}")
}
