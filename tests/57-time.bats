#!/usr/bin/env bats
#
# Time, descriptors, and ends that take their time: timers, later casts, drains.

bats_require_minimum_version 1.5.0
load helper

stage() { # [MORE CHILDREN]
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 100
  period: 200s
  children:
    - {name: clock, module: clockwork, restart: temporary}
    - {name: other, module: clockwork}
$1
END
    node_up t.yaml
}

tell() { # ADDRESS MESSAGE ARG…
    timeout $((30 * TEST_SCALE)) troupe send "$@" </dev/null 3>&- 4>&-
}

push() { # ADDRESS LINE
    timeout 10 nngcat --push0 --dial "ipc://$TROUPE_RUN/$1" --data "$2" 3>&- 4>&-
}

has_heard() { # TEXT
    [[ $(ask t/clock heard) == "$1" ]]
}

assert_heard() { # TEXT
    wait_until 5 has_heard "$1" || {
        echo "heard: $(ask t/clock heard)"
        return 1
    }
}

why_says() { # ADDRESS TEXT
    timeout 5 troupe why "$1" </dev/null 3>&- 4>&- | grep -qF "$2"
}

# ---- timers ------------------------------------------------------------------------------

@test "after runs once, and not before its time" {
    local took
    stage
    took=$(ask t/clock after 200)
    ((took >= 200 && took < 200 + 1000 * TEST_SCALE))
}

@test "a timer that is taken back never runs, even when it is due already" {
    stage
    ask t/clock cancel
    assert_heard cancelled
    ask t/clock after 50 # later than all of them
    assert_heard cancelled
}

counts() {
    ask t/clock counts
}

has_periods() { # N
    local calls periods
    read -r calls periods _ < <(counts)
    ((periods >= $1))
}

@test "an interval does not drift, and says how many periods it has missed" {
    local calls periods ms late
    stage
    run ask t/clock every 0
    assert_failure 8
    ask t/clock every 10
    wait_until 10 has_periods 100
    ask t/clock hang 500
    wait_until 10 has_periods 200
    read -r calls periods ms late < <(counts)
    echo "$calls calls, $periods periods in $ms ms, one was $late ms late"
    ((periods <= ms / 10 && periods >= ms / 10 - 1 - 10 * TEST_SCALE))
    ((calls <= periods - 40)) # 500 ms came as one call
    run ask t/clock heard
    assert_output ""
    tell t/clock cancel_every
    read -r calls periods ms late < <(counts)
    ask t/clock after 100
    assert_equal "$(counts | cut -f 2)" "$periods"
}

@test "timers and descriptors are told between messages, never while a handler waits" {
    local calls periods
    stage
    ask t/clock every 10
    ask t/clock wait t/other 300
    read -r calls periods _ < <(counts)
    ((periods - calls >= 10)) # they came afterwards, as one
    run ask t/clock watch t/other
    assert_output 0
    wait_until 5 was_told 2
    run ask t/clock watch t/other
    assert_output 2
    wait_until 5 was_told 4
    run ask t/clock readiness
    assert_output $'4\tbetween'
}

was_told() { # N
    [[ $(ask t/clock readiness) == "$1"$'\t'* ]]
}

@test "a descriptor that is unwatched is told no more" {
    stage
    ask t/clock watch t/other
    wait_until 5 was_told 2
    ask t/clock unwatch
    ask t/clock after 50
    run ask t/clock readiness
    assert_output $'2\tbetween'
}

# ---- later casts and ends ----------------------------------------------------------------

@test "D.5 63: a cast that is sent after 500 ms arrives, and not before" {
    stage
    ask t/clock cast_after 500 t/clock arrived 500
    assert_heard "arrived in time 500"
}

@test "D.5 63: a cast that is sent later to a dead actor is told, and nobody crashes" {
    stage "    - {name: gone, module: echo}"
    ask t/clock cast_after 300 t/gone say 1
    troupe stop t/gone
    assert_heard "undelivered t/gone say noproc"
    ask t/clock cast_after 1 t/nobody say 1
    assert_heard "undelivered t/gone say noproc | undelivered t/nobody say noproc"
    assert_equal "$(incarnation_of t/clock)" 1
}

@test "exit_after ends in order, with its reason" {
    stage
    ask t/clock exit_after 50 "error time is up"
    wait_until 5 is_not_there t/clock
    wait_until 5 ended_with t/clock "error time is up"
}

is_not_there() { # ADDRESS
    ! pid_of "$1" >/dev/null 2>&1
}

ended_with() { # ADDRESS REASON
    timeout 5 troupe log -n 100 t </dev/null 2>/dev/null 3>&- 4>&- | grep -F "path=$1 event=child.exit" |
        grep -qF "reason=\"$2\"" || timeout 5 troupe log -n 100 t </dev/null 3>&- 4>&- |
        grep -F "path=$1 event=child.exit" | grep -qF "reason=$2"
}

@test "kill_after ends a handler that hangs; one that is taken back ends nobody" {
    stage
    ask t/clock kill_after 200
    ask t/clock spare
    ask t/clock after 300
    ask t/clock kill_after 100
    tell t/clock hang 20000
    wait_until 5 is_not_there t/clock
    wait_until 5 ended_with t/clock signal:KILL
}

# ---- stops, and what waits ---------------------------------------------------------------

INBOXES="    - {name: inbox, module: inbox, restart: temporary, shutdown: 20s}
    - {name: drained, module: drained_inbox, restart: temporary, shutdown: 20s}"

handled_by() { # ADDRESS N
    timeout 5 troupe log -n 100 "$1" </dev/null 3>&- 4>&- | grep -q "terminate.*handled=\"\?$2\"\? "
}

depth_is() { # ADDRESS N
    [[ $(column_of mbox "$1") == "$2" ]]
}

@test "D.5 61: a stop with 100 messages in the mailbox: none is handled" {
    stage "$INBOXES"
    tell t/inbox wait t/other 1000
    ask t/clock many_casts t/inbox 100 0
    wait_until 5 depth_is t/inbox 100
    timeout 10 troupe stop t/inbox
    wait_until 5 handled_by t/inbox 0
}

@test "D.5 61: an inbox that drains handles all 100, then it is stopped" {
    stage "$INBOXES"
    tell t/drained wait t/other 1000
    ask t/clock many_casts t/drained 100 1
    wait_until 5 depth_is t/drained 100
    timeout 10 troupe stop t/drained
    wait_until 5 handled_by t/drained 100
    wait_until 5 ended_with t/drained shutdown
}

@test "D.5 61: … also those that had come but were not read yet" {
    stage "$INBOXES"
    ask t/clock many_casts t/drained 1 0 # there is a connection
    ask t/drained put 0
    tell t/drained hang 1000
    ask t/clock many_casts t/drained 100 1
    wait_until 5 all_is_sent_by t/clock
    timeout 10 troupe stop t/drained
    wait_until 5 handled_by t/drained 102
}

all_is_sent_by() { # ADDRESS: it has begun the next message
    ask "$1" heard >/dev/null
}

@test "an actor that drains refuses what is new, and says so" {
    stage "$INBOXES"
    tell t/drained wait t/other 1000
    ask t/clock many_casts t/drained 1 0
    push t/drained finish # unlike `troupe send`, without asking what it understands
    ask t/clock many_casts t/drained 5 200
    wait_until 5 depth_is t/drained 7
    wait_until 5 depth_is t/drained 3 # two puts on the way
    is_refusing t/drained
    wait_until 5 handled_by t/drained 6
    wait_until 5 ended_with t/drained "shutdown no more work"
}

is_refusing() { # ADDRESS
    timeout 5 nngcat --req0 --dial "ipc://$TROUPE_RUN/$1" --data what --raw 3>&- 4>&- |
        grep -qxF "!overloaded draining"
}
