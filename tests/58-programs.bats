#!/usr/bin/env bats
#
# Programs in C that link the library and are no actors (troupe_notify_*), and signs of life.

bats_require_minimum_version 1.5.0
load helper

# program NAME KEYS WORD…: a child that does as its words say (tests/helpers/program.c).
program() {
    local name=$1 keys=$2 words
    shift 2
    words=$(printf ', "%s"' "$@")
    echo "    - {name: $name, exec: [\"$BUILD/tests/helpers/program\"$words]${keys:+, $keys}}"
}

stage() { # CHILDREN
    printf 'troupe: 1\napplication: t\nsupervisor:\n  intensity: 100\n  children:\n%s\n' "$1" | yaml t.yaml
    node_up t.yaml
}

status_is() { # ADDRESS TEXT
    [[ $(column_of status "$1") == "$2" ]]
}

last_is() { # ADDRESS REASON
    [[ $(column_of last "$1") == "$2" ]]
}

incarnation_is() { # ADDRESS N
    [[ $(column_of incarnation "$1") == "$2" ]]
}

@test "a program tells that it is ready, and what it does" {
    stage "$(program first 'ready: notify' status 'warming up' wait "$DIR/go" ready 'warm now' wait "$DIR/on" status idle
        program second '' status here)" 2>/dev/null &
    register_pid $!
    wait_until 10 status_is t/first 'warming up'
    [[ $(state_of t/first) == starting ]]
    run column_of pid t/second
    [[ $status != 0 || $output == - ]] # it waits for the first
    touch go
    wait_until 10 status_is t/second here
    [[ $(state_of t/first) == ready ]]
    touch on
    wait_until 10 status_is t/first idle
}

@test "what a program says of its end counts, and so does its need" {
    stage "$(program a 'restart: permanent' wait "$DIR/go" say 'restart_after 60s' 'error disk full' end 1
        program b '' wait "$DIR/go" say finish 'shutdown done' end 0)"
    touch go
    wait_until 10 last_is t/a 'error disk full'
    wait_until 10 last_is t/b 'shutdown done'
    [[ $(state_of t/a) == backoff ]]
    [[ $(state_of t/b) == exited ]]
}

@test "a program without a supervisor is told so" {
    run env -u TROUPE_CONTROL "$BUILD/tests/helpers/program" ready '' end 0
    assert_failure 1
    assert_output unheard
}

@test "a program that gives signs of life lives, and one that gives no more is ended" {
    stage "$(program a "watchdog: $((700 * TEST_SCALE))ms" beat $((1500 * TEST_SCALE)) wait "$DIR/go" end 0)"
    wait_until 10 last_is t/a timeout:watchdog
    (($(column_of incarnation t/a) > 1))
}

@test "a module gives signs of life by itself, but a handler that is long at work must" {
    stage "    - {name: teller, module: teller, watchdog: $((700 * TEST_SCALE))ms}"
    ask t/teller toil $((1500 * TEST_SCALE)) 1
    incarnation_is t/teller 1
    run ask t/teller toil 15000 0
    assert_failure 1
    assert_output --partial 'down timeout:watchdog'
    wait_until 5 incarnation_is t/teller 2
}

@test "a caller whose message is given up is told so" {
    stage "    - {name: teller, module: teller}"
    run ask t/teller drop
    assert_failure 8
    assert_output --partial 'error dropped'
}
