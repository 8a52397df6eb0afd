#!/usr/bin/env bats
#
# Processes that no supervisor started take part (troupe_attach).

bats_require_minimum_version 1.5.0
load helper
load attached

setup() {
    troupe_setup
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: counter, module: counter, args: {start: 10}}
END
    node_up t.yaml
}

served_and_heard() { # NAME LINE
    [[ $(tell "$1" serve 0) == served ]] && heard "$1" "$2"
}

why() {
    troupe why "$1"
}

ended_by() { # ADDRESS REASON
    why "$1" | grep -q -F -e "$2"
}

@test "an attached process has a path of its own, and ps, status and why show it" {
    local pid

    actor_starts a --run
    pid=$(actor_pid a)
    assert_equal "$(tell a address)" "run/$pid#1 local"
    assert_equal "$(column_of pid "run/$pid" .)" "$pid"
    assert_equal "$(column_of kind "run/$pid" .)" attached
    assert_equal "$(tell a status busy)" said
    run troupe status "run/$pid"
    assert_success
    assert_output --partial busy
    assert_equal "$(tell a detach shutdown enough)" detached
    wait_until 5 ended_by "run/$pid" "shutdown enough"
    heard a "terminate shutdown enough"
}

@test "below a supervisor it has the name that it asks for" {
    actor_starts a
    assert_equal "$(tell a address)" "t/a#1 local"
    actor_starts b --path top
    assert_equal "$(tell b address)" "top#1 local"
}

@test "a name that is taken, a supervisor that is not there and what is no path are refused" {
    run actor --path t/counter
    assert_failure
    assert_output --partial "the name is taken"
    run actor --path t/nowhere/a
    assert_failure
    assert_output "= t/nowhere: noproc"
    run actor --path t//a
    assert_failure
    assert_output --partial "expected a path"
    TROUPE_RUN=$DIR/elsewhere run actor
    assert_failure
    assert_output --partial "noproc"
}

@test "it is called, and calls" {
    actor_starts a
    actor_starts b
    begin a serve
    run troupe call t/a hello world
    assert_output t/a
    heard a "hello world"
    assert_equal "$(tell b call t/a you)" t/a
    run troupe describe t/a
    assert_line --partial hello
    assert_equal "$(tell b call t/counter x)" "unknown_message hello"
}

@test "what waits for it is handled when it serves for no time" {
    actor_starts a
    assert_equal "$(tell a serve 0)" served
    in_background call troupe call --timeout 20s t/a hello early
    wait_until 10 served_and_heard a "hello early"
    wait_until 5 grep -q t/a "$DIR/call.out"
}

@test "without an actor it has no mailbox" {
    actor_starts a --plain
    run troupe call t/a hello world
    assert_failure
    assert_output --partial no_mailbox
    assert_equal "$(tell a monitor t/counter)" 1
    assert_equal "$(tell a call t/counter x)" "unknown_message hello"
}

@test "what init says is why it is not attached" {
    run actor --path t/a --init error
    assert_failure
    assert_line "= error disk full"
    assert_line "terminate error disk full"
    wait_until 5 ended_by t/a "error disk full"
    run actor --path t/a --init ignore
    assert_failure
    assert_line "= ignore"
    wait_until 5 ended_by t/a normal
}

@test "a process is attached once at a time, and never under the same incarnation" {
    actor_starts a
    assert_equal "$(tell a again)" "this process is attached already"
    assert_equal "$(tell a return)" attached
    assert_equal "$(tell a address)" "t/a#2 local"
    begin a serve
    run troupe call t/a hello again
    assert_output t/a
}

@test "without a goodbye it has dropped" {
    actor_starts a
    kill -KILL "$(actor_pid a)"
    wait_until 5 ended_by t/a dropped
    is_gone t/a
    assert_file_not_exist "$TROUPE_RUN/t/a"
}

@test "a stop is an order that it carries out itself" {
    actor_starts a
    begin a serve
    in_background stop troupe stop t/a
    assert_equal "$(result a)" "ended shutdown"
    assert_equal "$(column_of state t/a)" stopping
    tell a detach
    wait_until 5 ended_by t/a shutdown
    wait_until 5 process_is_gone "$(actor_pid a)"
}

@test "when its supervisor dies it is to end by noconnection" {
    actor_starts a
    begin a serve
    kill -KILL "$(pid_of t)"
    assert_equal "$(result a)" "ended noconnection"
    assert_equal "$(tell a link peer t/counter)" "refused no supervisor to ask"
    assert_equal "$(tell a monitor t/counter)" ENOTCONN
    assert_equal "$(tell a detach)" detached
}

@test "when the node goes down it is told to stop" {
    actor_starts a
    begin a serve
    node_down
    result a
    heard a "= ended shutdown" || heard a "= ended noconnection"
}

@test "watched work is done, fails, or is overtaken by a message or a stop" {
    local helper

    actor_starts a
    assert_equal "$(tell a watch ok)" "done"
    heard a "completed done"
    assert_equal "$(tell a watch fail)" "done"
    heard a "failed exit:1"

    begin a watch hang
    wait_until 5 pgrep -P "$(actor_pid a)"
    helper=$(pgrep -P "$(actor_pid a)")
    run troupe call t/a hello world
    assert_output t/a
    assert_equal "$(result a)" message
    wait_until 5 process_is_gone "$helper"

    begin a watch hang
    in_background stop troupe stop t/a
    assert_equal "$(result a)" ended
    assert_equal "$(tell a serve)" "ended shutdown"
    assert_equal "$(tell a watch ok)" ended
    tell a detach
    assert_heard_only a "completed done" "failed exit:1" "hello world"
}

@test "watching ends with the first message, and leaves the others" {
    actor_starts a
    actor_starts b
    actor_starts c
    assert_equal "$(tell a monitor t/b)" 1
    assert_equal "$(tell a monitor t/c)" 2
    ends b success
    ends c success
    assert_equal "$(tell a watch ok)" message
    assert_heard_only a "down 1 $(address_of b) normal"
    assert_equal "$(tell a watch ok)" message
    assert_heard_only a "down 1 $(address_of b) normal" "down 2 $(address_of c) normal"
    assert_equal "$(tell a watch ok)" "done"
}
