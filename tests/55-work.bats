#!/usr/bin/env bats
#
# Work that may block, in helper processes (troupe_work, troupe_manage, troupe_part_manage).

bats_require_minimum_version 1.5.0
load helper

setup() {
    troupe_setup
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: e, module: errand, restart: temporary}
END
    node_up t.yaml
}

ask() { # NAME ARGUMENT…
    timeout $((30 * TEST_SCALE)) troupe call --timeout 20s t/e "$@"
}

# Processes below the actor: its helpers.
helpers() {
    pgrep -P "$1"
}

has_helpers() { # PID N
    [[ $(helpers "$1" | wc -l) == "$2" ]]
}

has_told() { # N
    [[ $(ask told) == "$1" ]]
}

why() {
    troupe why t/e
}

ended_by() { # REASON
    why | grep -q -F -e "$1"
}

@test "what a helper writes is the result" {
    run ask work say 0
    assert_output "said twice"
}

@test "a failure is told as the helper's end: its status, or its signal" {
    run ask work exit 3
    assert_output "!exit:3"
    run ask work exit -1
    assert_output "!exit:255"
    run ask work exit 256
    assert_output "!exit:255"
    run ask work raise 11
    assert_output "!signal:SEGV"
    run ask work raise 6
    assert_output "!signal:ABRT"
    run ask work say 0
    assert_output "said twice"
    run troupe why t/e
    refute_output --partial SEGV # nor does the actor's crash handler speak for it
}

@test "what a helper prints is in the log, once" {
    run ask work print 1
    assert_output "!exit:1"
    wait_until 5 sh -c 'troupe log t/e | grep -q "printed by the helper"'
    run bash -c 'troupe log t/e | grep -c "printed by the helper"'
    assert_output 1
}

@test "a result of 16 MiB arrives whole; a byte more is refused to the helper" {
    run ask work bytes $((16 * 1024 * 1024))
    assert_output "$((16 * 1024 * 1024)) bytes"
    run ask work bytes $((16 * 1024 * 1024 + 1))
    assert_output "!exit:90"
}

@test "a helper that does not stop at the bound is ended" {
    run ask work flood 0
    assert_output "!error result of more than 16 MiB"
    wait_until 5 has_helpers "$(pid_of t/e)" 0
}

@test "a helper has stdin, stdout, stderr and its result, fresh signals and no control socket" {
    run ask work descriptors 0
    assert_output 4
    run ask work signals 0
    # 32 and 33 are the C library's own, and may be ignored by whoever has started the node.
    assert_output --regexp '^SigPnd0+ SigBlk0+ SigIgn0+(18)?0+ SigCgt0+ $'
    run ask work environment 0
    assert_output clean
}

@test "messages are handled while helpers work, and results wait until a handler has returned" {
    local pid
    pid=$(pid_of t/e)

    ask begin hang 0
    run ask told
    assert_output 0
    ask begin say 0
    run ask nap 300
    assert_output 0
    wait_until 5 has_told 1
    has_helpers "$pid" 1
}

@test "who is left behind by a helper does not hold back its result" {
    run ask work leave 0
    assert_output left
}

@test "cancelled work is killed, waited for, and not told of" {
    local pid
    pid=$(pid_of t/e)

    ask begin hang 0
    has_helpers "$pid" 1
    ask cancel
    wait_until 5 has_helpers "$pid" 0 # not even a zombie
    run ask told
    assert_output 0
}

@test "two hundred helpers at once" {
    run ask many 200
    assert_output 0
    wait_until 5 has_helpers "$(pid_of t/e)" 0
}

@test "helpers end with their actor: when it is killed, and when it is stopped" {
    local pid helper
    pid=$(pid_of t/e)

    ask begin hang 0
    helper=$(helpers "$pid")
    kill -KILL "$pid"
    wait_until 5 process_is_gone "$helper"
    wait_until 5 ended_by signal:KILL

    yaml u.yaml <<END
troupe: 1
application: u
supervisor:
  children:
    - {name: e, module: errand, args: {late: 1}, shutdown: 20s}
END
    node_up u.yaml
    wait_for_state u/e ready
    pid=$(pid_of u/e)
    troupe call u/e begin hang 0
    helper=$(helpers "$pid")
    run timeout 10 troupe stop u/e
    assert_success
    process_is_gone "$helper"
    process_is_gone "$pid"
    run troupe why u/e
    refute_output --partial daemonize
}

@test "an actor that manages work ends with it" {
    ask manage exit 0
    wait_until 5 ended_by normal
    assert_equal "$(state_of t/e)" ""
}

@test "an actor whose managed work fails ends with an error that says how" {
    ask manage exit 3
    wait_until 5 ended_by "error work exit:3"
}

@test "work that is managed in part leaves its actor alive when it succeeds, and only then" {
    run ask part say 0
    assert_output "said twice"
    run ask told
    assert_output 1
    assert_equal "$(incarnation_of t/e)" 1
    ask part raise 6 || true
    wait_until 5 ended_by "error work signal:ABRT"
}

runs_out() { # of descriptors
    [[ $(troupe call u/e begin hang 0) == 0 ]]
}

@test "without descriptors for a helper there is no work, and the actor goes on" {
    yaml u.yaml <<END
troupe: 1
application: u
supervisor:
  children:
    - {name: e, module: errand, limits: {nofile: 32}}
END
    node_up u.yaml
    wait_until 20 runs_out
    run troupe call u/e told
    assert_output 0
    assert_equal "$(incarnation_of u/e)" 1
}
