# shellcheck shell=bash
#
# SIGKILL of supervisors at every depth, while everything below them is busy forking.

bats_require_minimum_version 1.5.0

load ../helper
load fault

# At each of three depths: a shell that forks as fast as it can, one that lets a child escape (its
# own session, no environment), one with a daemonized redis, a module.
level() { # NAME SOCKET INDENT
    local pad
    pad=$(printf "%*s" "$3" "")
    sed "s/^/$pad/" <<LEVEL
- {name: mod, module: counter, backoff: {initial: 1ms, max: 2ms}}
- name: forks
  backoff: {initial: 1ms, max: 2ms}
  exec: [sh, -c, 'while :; do (setsid sleep 0.05 & sleep 0.02 & exec sleep 0.01) & wait; done']
- name: escapes
  backoff: {initial: 1ms, max: 2ms}
  exec: [sh, -c, 'env -i setsid sleep 90001$2 & (setsid sh -c "env -i sleep 90002$2 & exec env -i sleep 90003$2" &); exec sleep 90004$2']
- name: redis
  backoff: {initial: 1ms, max: 2ms}
  exec: [sh, -c, 'redis-server --daemonize yes --port 0 --unixsocket $DIR/redis$2 --save "" >/dev/null && exec sleep 90005$2']
LEVEL
}

below() { # NAME INDENT: opens a supervisor whose children follow
    local pad
    pad=$(printf "%*s" "$2" "")
    printf '%s- name: %s\n%s  backoff: {initial: 1ms, max: 2ms}\n%s  supervisor:\n' "$pad" "$1" "$pad" "$pad"
    printf '%s    intensity: unlimited\n%s    children:\n' "$pad" "$pad"
}

write_load() {
    {
        printf 'troupe: 1\napplication: load\nsupervisor:\n  intensity: unlimited\n  children:\n'
        below d1 4
        level d1 1 10
        below d2 10
        level d2 2 16
        below d3 16
        level d3 3 22
    } | yaml load.yaml
}

declare_tree() {
    local at=load level=0

    TREE=(load)
    for level in 1 2 3; do
        at+=/d$level
        TREE+=("$at" "$at/mod" "$at/forks" "$at/escapes" "$at/redis")
        TREE+=("=1 sleep 90001$level" "=1 sleep 90002$level" "=1 sleep 90003$level")
        TREE+=("=1 sleep 90004$level" "=1 sleep 90005$level" "=1 unixsocket:$DIR/redis$level")
    done
}

# Kills the supervisor at PATH, if it is there; what comes after is a later one.
kill_supervisor() {
    local pid

    pid=$(supervisor_pid "$1")
    [[ -n $pid ]] || return 0
    kill -KILL "$pid" 2>/dev/null || return 0
    wait_until 5 process_is_gone "$pid"
}

has_another_pid() { # ADDRESS PID
    [[ $(state_of "$1") == ready && $(pid_of "$1") != "$2" ]]
}

kill_at_every_depth() { # ROUNDS
    local round path
    local depths=(load/d1 load/d1/d2 load/d1/d2/d3)

    require redis-server
    write_load
    declare_tree
    node_up load.yaml
    wait_for_tree 10 "${TREE[@]}"
    for ((round = 0; round < $1; round++)); do
        path=${depths[round % 3]}
        kill_supervisor "$path"
        # Every other time once more while it recovers, anywhere.
        if ((round % 2)); then
            pause 0.0$((RANDOM % 6))
            path=${depths[RANDOM % 3]}
            kill_supervisor "$path"
        fi
        wait_for_tree 10 "${TREE[@]}" || {
            echo "round $round: $path"
            return 1
        }
    done
    holds_for 500 tree_is "${TREE[@]}"
    run node_down
    assert_success
    wait_for_nothing 2
}

@test "SIGKILL of a supervisor at depth 1, 2 or 3 under load, by marks: exactly the tree" {
    export TROUPE_CGROUP=off
    kill_at_every_depth "${ROUNDS:-$(rounds 100)}"
}

@test "SIGKILL of a supervisor at depth 1, 2 or 3 under load, by cgroups where they are writable" {
    kill_at_every_depth "${ROUNDS:-$(rounds 50)}"
}

@test "SIGKILL of the root: the guard leaves nothing of the node, escapees included" {
    export TROUPE_CGROUP=off
    local marks round

    write_load
    declare_tree
    for ((round = 0; round < $(rounds 3); round++)); do
        node_up load.yaml
        wait_for_tree 10 "${TREE[@]}"
        marks=$(node_marks)
        kill -KILL "$(root_pid)"
        # shellcheck disable=SC2086
        wait_for_nothing 5 $marks
    done
    node_up load.yaml # and its directory is no obstacle to the next
    wait_for_tree 10 "${TREE[@]}"
}

@test "SIGKILL of the guard: the root stops everything in order" {
    local marks

    write_load
    declare_tree
    yaml orderly.yaml <<EOF
troupe: 1
application: orderly
supervisor:
  children:
    - {name: first, exec: [sh, -c, 'trap "echo first >>$DIR/order; exit" TERM; while :; do sleep 0.01; done']}
    - {name: second, exec: [sh, -c, 'trap "echo second >>$DIR/order; exit" TERM; while :; do sleep 0.01; done']}
EOF
    node_up load.yaml orderly.yaml
    wait_for_tree 10 "${TREE[@]}" orderly orderly/first orderly/second
    marks=$(node_marks)
    kill -KILL "$(guard_pid)"
    # shellcheck disable=SC2086
    wait_for_nothing 20 $marks
    run cat "$DIR/order"
    assert_output $'second\nfirst'
    assert_not_exists "$TROUPE_RUN/.supervisor"
}

@test "SIGKILL of the root at any moment of a start: nothing is left" {
    local marks round up

    write_load
    for ((round = 0; round < $(rounds 10); round++)); do
        in_background up timeout 20 troupe up -d load.yaml
        up=$!
        wait_until 5 root_is_there
        pause 0.0$((round % 10))
        marks=$(node_marks)
        kill -KILL "$(root_pid)"
        # shellcheck disable=SC2086
        wait_for_nothing 5 $marks
        wait "$up" || true # it ends whichever of both was quicker
    done
}

@test "SIGKILL of an application: it is gone whole, the others never notice" {
    local pid

    write_load
    declare_tree
    yaml other.yaml <<EOF
troupe: 1
application: other
supervisor:
  children:
    - {name: program, exec: [sleep, 90006]}
EOF
    node_up load.yaml other.yaml
    wait_for_tree 10 "${TREE[@]}" other other/program
    pid=$(pid_of other/program)
    kill_supervisor load
    wait_for_tree 5 other other/program "=0 sleep 90001" "=1 sleep 90006" "=0 redis"
    [[ $(pid_of other/program) == "$pid" ]]
    wait_for_state load failed
}

@test "SIGKILL of an application that is permanent: the root gives up, and nothing is left" {
    local marks

    write_load
    echo 'restart: permanent' >>load.yaml
    declare_tree
    node_up load.yaml
    wait_for_tree 10 "${TREE[@]}"
    marks=$(node_marks)
    kill_supervisor load
    # shellcheck disable=SC2086
    wait_for_nothing 10 $marks
    assert_not_exists "$TROUPE_RUN"
}

@test "SIGKILL of sys: it comes back, and the applications never notice" {
    local pid sys

    write_load
    declare_tree
    node_up load.yaml
    wait_for_tree 10 "${TREE[@]}"
    pid=$(pid_of load)
    sys=$(pid_of sys)
    kill_supervisor sys
    wait_until 10 has_another_pid sys "$sys"
    wait_for_tree 10 "${TREE[@]}"
    assert_equal "$(pid_of load)" "$pid"
}
