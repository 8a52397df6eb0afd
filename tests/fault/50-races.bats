# shellcheck shell=bash
#
# Things that happen at the same moment: files that change, clocks that jump, orders that cross.

bats_require_minimum_version 1.5.0

load ../helper
load fault

troupe_at() { # SECONDS ARG…: a command of the tool with a limit
    timeout "$1" troupe "${@:2}" </dev/null 3>&- 4>&- 9>&-
}

# ---- a config that is replaced while it is read ----------------------------------------------

# A valid file of N children, each with MARK in its command.
write_config() { # NAME N MARK
    {
        printf 'troupe: 1\napplication: app\nsupervisor:\n  children:\n'
        for ((i = 1; i <= $2; i++)); do
            echo "    - {name: c$i, exec: [sleep, $3]}"
        done
    } | yaml "$1"
}

@test "a config replaced by rename while it is read: the old or the new one, whole" {
    local i replacer

    write_config a.yaml 300 90051
    write_config b.yaml 300 90052
    cp a.yaml app.yaml
    # shellcheck disable=SC2016
    in_background replacer sh -c 'while :; do cp a.yaml t && mv t app.yaml; cp b.yaml t && mv t app.yaml; done'
    replacer=$!
    for ((i = 0; i < $(rounds 30); i++)); do
        run troupe_at 5 check app.yaml
        assert_success
        ((${#lines[@]} >= 300))
        [[ $output != *90051*90052* && $output != *90052*90051* ]]
    done
    kill "$replacer"
}

@test "a config rewritten in place while it is read: whole, or refused by name; no crash" {
    local i replacer

    write_config a.yaml 300 90051
    cp a.yaml app.yaml
    # shellcheck disable=SC2016
    in_background replacer sh -c 'while :; do cat a.yaml >app.yaml; done'
    replacer=$!
    for ((i = 0; i < $(rounds 30); i++)); do
        run troupe_at 5 check app.yaml
        ((status == 0 || status == 7))
        ((status == 0)) || assert_output --partial "app.yaml:"
    done
    kill "$replacer"
}

@test "a config that comes by a FIFO, slowly, is read to its end" {
    mkfifo pipe
    write_config a.yaml 3 90053
    # shellcheck disable=SC2016
    in_background writer sh -c 'exec 3<>pipe; >opened; { head -c 60 a.yaml; sleep 0.3; tail -c +61 a.yaml; } >&3'
    wait_until 5 test -e opened
    run troupe_at 5 check pipe
    assert_success
    assert_output --partial c3
}

@test "a config that is another one when the node reads it: up says so instead of waiting" {
    local i replacer

    write_config a.yaml 1 90054
    sed 's/application: app/application: other/' a.yaml >b.yaml
    cp a.yaml app.yaml
    # `up` reads it to know what it will wait for; then the node reads it, half of the time the other.
    # shellcheck disable=SC2016
    in_background replacer sh -c 'while :; do cp a.yaml t && mv t app.yaml; cp b.yaml t && mv t app.yaml; done'
    replacer=$!
    for ((i = 0; i < $(rounds 10); i++)); do
        run troupe_at 10 up -d app.yaml
        ((status == 0)) || { ((status == 1)) && assert_output --partial "was its file replaced?"; }
        wait_until 5 is_one_of_both
        run node_down
        assert_success
    done
    kill "$replacer"
}

is_one_of_both() {
    tree_is app app/c1 || tree_is other other/c1
}

# ---- a clock that jumps ----------------------------------------------------------------------

jump_to() { # SECONDS
    python3 -c 'import struct, sys
with open(sys.argv[1], "r+b") as f: f.write(struct.pack("=q", int(sys.argv[2])))' "$DIR/jump" "$1"
}

up_with_jumping_clock() {
    head -c 8 /dev/zero >"$DIR/jump"
    # A sanitizer's library would rather be the first.
    TIMEJUMP=$DIR/jump LD_PRELOAD=$BUILD/tests/helpers/timejump.so \
        ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 timeout 20 troupe up -d "$@" </dev/null 3>&- 4>&- 9>&-
}

sleeper() {
    node_procs_of | awk -v n="$1" '$6 == "sleep" && $7 == n { print $1 }'
}

is_back() { # NUMBER OLD-PID
    local now
    now=$(sleeper "$1")
    [[ -n $now && $now != "$2" ]]
}

# One end of the sleeper NUMBER, with a jump right after it; prints how long it was away.
away_ms() { # NUMBER SECONDS
    local pid began

    pid=$(sleeper "$1")
    began=$(now_ms)
    kill -KILL "$pid"
    jump_to "$2"
    wait_until 10 is_back "$1" "$pid" || return 1
    echo $(($(now_ms) - began))
}

@test "a clock that jumps: back-off is neither skipped nor drawn out" {
    local jump away

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: unlimited
  children:
    - {name: one, backoff: {initial: 400ms, factor: 1, jitter: 0, max: 400ms}, exec: [sleep, 90056]}
EOF
    up_with_jumping_clock app.yaml
    for jump in 3600 -3600 86400000 -86400000 0; do
        away=$(away_ms 90056 $jump)
        ((away >= 390 && away < 8000 * TEST_SCALE)) || {
            echo "jump by $jump s: $away ms instead of 400"
            return 1
        }
    done
    # The jumps were seen: what happened is told by the wall clock.
    run troupe_at 5 ps -o started app/one
    jump_to 86400000
    kill -KILL "$(sleeper 90056)"
    wait_until 5 started_in "$(date -u -d "@$(($(date +%s) + 86400000))" +%Y)"
}

started_in() { # YEAR
    [[ $(column_of started app/one) == "$1"-* ]]
}

@test "a clock that jumps: the window of the intensity is real time" {
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 2
  period: 30s
  children:
    - {name: one, exec: [sleep, 90057]}
EOF
    up_with_jumping_clock app.yaml
    away_ms 90057 3600
    away_ms 90057 7200
    kill -KILL "$(sleeper 90057)" # the third in 30 s, whatever the clock says
    wait_for_state app failed
}

@test "a clock that jumps: start_timeout, watchdog and shutdown time are real time" {
    local began

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 1000
  children:
    - {name: slow, ready: notify, start_timeout: 3s, exec: [sh, -c, 'sleep 0.7; echo >&\$TROUPE_READY_FD; exec sleep 90058']}
    - {name: deaf, shutdown: 700ms, exec: [sh, -c, 'trap "" TERM; while :; do sleep 0.05; done']}
    - name: beats
      watchdog: 1s
      ready: notify
      exec: [python3, $DIR/beats.py]
EOF
    cat >beats.py <<'PYTHON'
import os, socket, time
name = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + name[1:] if name[0] == "@" else name)
s.send(b"READY=1")
while True:
    s.send(b"WATCHDOG=1")
    time.sleep(0.1)
PYTHON
    up_with_jumping_clock app.yaml
    wait_for_state app/beats ready
    jump_to 3600
    kill -KILL "$(sleeper 90058)"
    pause 0.1
    jump_to -3600
    wait_until 5 is_restarted app/slow 1
    jump_to 864000
    [[ $(incarnation_of app/slow) == 2 ]] # no try was given up before its time
    holds_for 1200 state_is app/beats ready
    [[ $(incarnation_of app/beats) == 1 ]]
    began=$(now_ms)
    (
        pause 0.2
        jump_to 8640000
    ) &
    run troupe_at 10 stop app/deaf
    wait
    assert_success
    (($(now_ms) - began >= 690 && $(now_ms) - began < 3000 * TEST_SCALE))
}

# ---- orders that cross -----------------------------------------------------------------------

write_app() { # NAME NUMBER
    yaml "$1.yaml" <<EOF
troupe: 1
application: $1
supervisor:
  children:
    - {name: one, exec: [sleep, $2]}
    - {name: two, module: counter}
EOF
}

@test "two ups of one node at the same moment, same file: one wins, the other says so" {
    local round first second statuses

    write_app app 90060
    for ((round = 0; round < $(rounds 10); round++)); do
        in_background up1 timeout 20 troupe up -d app.yaml
        first=$!
        in_background up2 timeout 20 troupe up -d app.yaml
        second=$!
        statuses=
        wait "$first" && statuses+=0 || statuses+=$?
        wait "$second" && statuses+=0 || statuses+=$?
        [[ $statuses == 01 || $statuses == 10 ]] || {
            echo "round $round: $statuses"
            return 1
        }
        run cat up1.out up2.out
        assert_output --partial "app is already there"
        wait_for_tree 5 app app/one app/two "=1 sleep 90060"
        run node_down
        assert_success
        wait_for_nothing 5
    done
}

@test "two ups of one node at the same moment, two files: one starts it, the other joins" {
    local round first second

    write_app app 90061
    write_app other 90062
    for ((round = 0; round < $(rounds 10); round++)); do
        in_background up1 timeout 20 troupe up -d app.yaml
        first=$!
        in_background up2 timeout 20 troupe up -d other.yaml
        second=$!
        wait "$first"
        wait "$second"
        wait_for_tree 5 app app/one app/two other other/one other/two "=1 sleep 90061" "=1 sleep 90062"
        run node_down
        assert_success
        wait_for_nothing 5
    done
}

@test "up and down of one node at the same moment: a whole node or none, and nobody hangs" {
    local round up down

    write_app app 90063
    for ((round = 0; round < $(rounds 10); round++)); do
        node_up app.yaml
        in_background down timeout 20 troupe down
        down=$!
        pause 0.00$((RANDOM % 10))
        in_background up timeout 20 troupe up -d app.yaml
        up=$!
        wait "$down"
        if wait "$up"; then
            wait_for_tree 5 app app/one app/two "=1 sleep 90063"
            run node_down
            assert_success
        else
            [[ -s $DIR/up.out ]]
        fi
        wait_for_nothing 5
    done
}

write_slow() {
    yaml slow.yaml <<EOF
troupe: 1
application: slow
supervisor:
  children:
    - {name: early, exec: [sleep, 90064]}
    - {name: late, ready: notify, start_timeout: 60s, exec: [sh, -c, 'sleep 90065']}
    - {name: never, exec: [sleep, 90066]}
EOF
}

@test "a stop during a start: the node" {
    local up

    write_slow
    in_background up timeout 30 troupe up -d slow.yaml
    up=$!
    wait_for_tree 10 slow slow/early slow/late
    run node_down
    assert_success
    wait_for_nothing 2
    wait "$up" && return 1
    [[ -s $DIR/up.out ]]
}

@test "a stop during a start: the application, and the child itself" {
    write_slow
    yaml other.yaml <<EOF
troupe: 1
application: other
supervisor:
  children:
    - {name: one, exec: [sleep, 90067]}
EOF
    in_background up timeout 30 troupe up -d slow.yaml other.yaml
    wait_for_tree 10 slow slow/early slow/late # the next application waits its turn
    run troupe_at 10 stop slow/late
    assert_success
    wait_for_tree 5 slow slow/early slow/never other other/one # the start goes on without it
    run troupe_at 10 start slow/never
    in_background start timeout 30 troupe start slow/late
    wait_for_tree 5 slow slow/early slow/late slow/never other other/one
    run troupe_at 10 stop slow
    assert_success
    wait_for_tree 5 other other/one
    state_is slow stopped
}

@test "a start during a stop is refused by name; afterwards it works" {
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - {name: slow, shutdown: 10s, exec: [sh, -c, 'trap "sleep 0.7; exit" TERM; echo up; while :; do sleep 0.05; done'], ready: {log: up}}
EOF
    local before

    node_up app.yaml
    before=$(incarnation_of app/slow)
    in_background stop timeout 20 troupe stop app/slow
    wait_for_state app/slow stopping
    run troupe_at 5 start app/slow
    assert_failure 1
    assert_output --partial stopping
    wait_for_state app/slow stopped
    run troupe_at 5 start app/slow
    assert_success
    [[ $(incarnation_of app/slow) == $((before + 1)) ]]
    wait_for_tree 5 app app/slow
}

@test "SIGKILL of a foreground up: its node ends in order" {
    local up marks

    write_app app 90068
    in_background up troupe up app.yaml
    up=$!
    wait_for_tree 10 app app/one app/two
    marks=$(node_marks)
    kill -KILL "$up"
    # shellcheck disable=SC2086
    wait_for_nothing 10 $marks
    assert_not_exists "$TROUPE_RUN"
}

# ---- a stranger with the lock ----------------------------------------------------------------

@test "a stranger that holds a killed node's lock is named, by up and by the supervisor" {
    local stranger

    write_config a.yaml 1 90059
    run troupe_at 10 up -d a.yaml
    assert_success
    assert_equal "$(stat -c %a "$TROUPE_RUN/.lock")" 600
    kill -KILL "$(root_pid)"
    wait_for_nothing 5
    in_background stranger flock --no-fork "$TROUPE_RUN/.lock" sleep 600
    stranger=$!
    wait_until 5 lock_is_held
    run troupe_at 5 up -d a.yaml
    assert_failure 1
    assert_output --regexp "/.lock is locked by process $stranger \\(sleep\\), which is no node"
    run timeout 5 troupe-supervisord a.yaml
    assert_failure 1
    assert_output --regexp "/.lock is locked by process $stranger "
    kill "$stranger"
    wait_until 5 process_is_gone "$stranger"
    run troupe_at 10 up -d a.yaml
    assert_success
}

lock_is_held() {
    ! flock -n -s "$TROUPE_RUN/.lock" true
}
