#!/usr/bin/env bats
#
# Publishing, subscriptions, resources that are shared and waited for.

bats_require_minimum_version 1.5.0
load helper

LAST=1 # TROUPE_LAST

stage() { # [MORE CHILDREN]
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 100
  period: 200s
  children:
    - {name: publisher, module: publisher, restart: temporary}
    - {name: listener, module: listener, restart: temporary, shutdown: 20s}
$1
END
    node_up t.yaml
}

subscribe() { # TOPIC [FLAGS]
    ask t/listener subscribe t/publisher "$1" "${2:-0}"
}

has_heard() { # TEXT
    [[ $(ask t/listener heard) == "$1" ]]
}

# Asserts that the listener hears exactly this in the end.
assert_heard() { # TEXT
    wait_until 5 has_heard "$1" || {
        echo "heard: $(ask t/listener heard)"
        return 1
    }
}

# ---- events ------------------------------------------------------------------------------

@test "a subscriber hears what begins with its topic, numbered from 1, and nothing else" {
    stage
    subscribe news.
    run ask t/publisher say news.sport 1
    assert_output 1
    run ask t/publisher say weather 2
    assert_output 0
    ask t/publisher say news.arts 3
    ask t/publisher say news 4
    assert_heard "news.sport#1=1 | news.arts#2=3"
}

@test "D.4 41: who comes late hears the last values first, then what is new; others do not" {
    stage
    ask t/publisher share a 1
    ask t/publisher share b 2
    ask t/publisher share a 3
    ask t/publisher say c 4
    subscribe "" "$LAST"
    ask t/publisher say a 5
    assert_heard "b#1=2 | a#2=3 | a#3=5"
    subscribe ""
    ask t/publisher say d 6
    assert_heard "b#1=2 | a#2=3 | a#3=5 | d#4=6 | d#1=6"
}

@test "after unsubscribing nothing is heard, and the publisher knows" {
    local number
    stage
    number=$(subscribe "")
    ask t/publisher say x 1
    assert_heard "x#1=1"
    ask t/listener unsubscribe "$number"
    wait_until 5 says_to_nobody
    assert_heard "x#1=1"
}

says_to_nobody() {
    [[ $(ask t/publisher say x 2) == 0 ]]
}

@test "a subscription may be ended by its first event, and before it stands" {
    stage
    ask t/publisher share x 1
    ask t/publisher share y 2
    ask t/listener once t/publisher ""
    assert_heard "x#1=1"
    ask t/listener change_of_mind t/publisher
    wait_until 5 says_to_nobody
    ask t/publisher share x 3
    assert_heard "x#1=1"
}

@test "last words are heard, then the end with its reason, once" {
    stage
    subscribe ""
    subscribe nothing
    ask t/publisher quit "error out of paper"
    assert_heard "last words#1=error out of paper | ended down error out of paper | ended down error out of paper"
}

@test "a subscription to nobody, to another life, or to another node ends with the reason" {
    stage
    ask t/listener subscribe t/nobody "" 0
    assert_heard "ended noproc"
    ask t/listener subscribe "t/publisher#7" "" 0
    wait_until 5 listener_says "ended noproc this is t/publisher"
    ask t/listener subscribe "t/publisher@elsewhere" "" 0
    wait_until 5 listener_says "ended noconnection"
    run ask t/listener subscribe "a b" "" 0
    assert_failure 8
}

listener_says() { # PART
    [[ $(ask t/listener heard) == *"$1"* ]]
}

@test "a publisher that is killed is an end with signal:KILL" {
    stage
    subscribe ""
    ask t/publisher say x 1
    assert_heard "x#1=1"
    kill -KILL "$(pid_of t/publisher)"
    assert_heard "x#1=1 | ended down signal:KILL"
}

# ---- who is too slow ---------------------------------------------------------------------

counts() {
    ask t/listener counts
}

# accounts_for N: every number up to N was heard or told as lost, in order.
accounts_for() {
    local events gaps lost disorder last

    read -r events gaps lost disorder last < <(counts)
    ((events + lost == $1 && last == $1 && disorder == 0 && gaps > 0 && lost > 0 && events > 0))
}

high_water_kb() {
    awk '/^VmHWM/ { print $2 }' "/proc/$(pid_of "$1")/status"
}

# The address sanitizer keeps up to 256 MB of what was freed: that is no growth of the actor's.
small_quarantine() {
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1:thread_local_quarantine_size_kb=64
}

@test "a subscriber that does not read hears of the gap when it reads again, and nobody's memory grows" {
    local pid
    small_quarantine
    stage
    subscribe n
    ask t/publisher say n 0
    assert_heard "n#1=0"
    pid=$(pid_of t/listener)
    kill -STOP "$pid"
    ask t/publisher burst n 20000 5000 >sent
    (($(<sent) < 20000))
    (($(high_water_kb t/publisher) < 40000))
    kill -CONT "$pid" # nothing more is published
    wait_until 10 accounts_for 20001
    ask t/publisher say n 1
    wait_until 5 accounts_for_last 20002
}

accounts_for_last() {
    [[ $(counts) == *$'\t0\t'"$1" ]]
}

@test "a subscriber whose handler hangs hears the gap, and the others miss nothing" {
    stage "    - {name: quick, module: listener}"
    subscribe n
    ask t/quick subscribe t/publisher n 0
    troupe send t/listener hang 2000
    ask t/publisher burst n 2000 10000 # 20 MB: more than lies on the way
    wait_until 10 accounts_for 2000
    wait_until 5 quick_has_all 2000
}

quick_has_all() { # N
    local events gaps lost disorder last

    read -r events gaps lost disorder last < <(ask t/quick counts)
    ((events + lost == $1 && disorder == 0))
}

@test "while a handler waits in a call, events wait too: bounded, then a gap; the answer is read" {
    stage
    subscribe n
    run ask t/listener burst t/publisher 30000 10
    assert_output "30000 0" # all were sent, none was handled meanwhile
    wait_until 5 accounts_for 30000
    run counts
    assert_output $'10000\t1\t20000\t0\t30000'
    run ask t/listener burst t/publisher 60000 2000 # by their size, too
    assert_success
    wait_until 10 accounts_for 90000
}

@test "an event that is larger than a message may be is refused, and nothing is kept of it" {
    stage
    subscribe "" "$LAST"
    run ask t/publisher large 17000000
    assert_output -- -1
    run ask t/publisher large 1000000
    assert_output 1
}

# ---- nng ---------------------------------------------------------------------------------

@test "nngcat subscribes to an actor, which others do at the same time" {
    stage "    - {name: ticker, module: ticker, args: {every: 20}}"
    ask t/listener subscribe t/ticker tick 0
    run timeout 10 nngcat --sub0 --dial "ipc://$TROUPE_RUN/t/ticker" --subscribe tick --count 3 --raw
    assert_success
    assert_output --regexp $'^tick\t[0-9]+tick\t[0-9]+tick\t[0-9]+$'
    wait_until 5 listener_says "tick#3="
}

# ---- names of the runtime's own ----------------------------------------------------------

@test "names that begin with a dot are the runtime's: refused to authors, and to raw lines" {
    stage
    run ask t/listener cast t/publisher .unsubscribe
    assert_output refused
    run ask t/listener call t/publisher 1000 .subscribe
    assert_output --partial "bad_message"
    run ask t/publisher say .gap 1
    assert_output -- -1
    printf '.subscribe\tx\t0' >line
    run timeout 10 nngcat --req0 --dial "ipc://$TROUPE_RUN/t/publisher" --file line --raw
    assert_output "!unknown_message .subscribe"
    yaml bad.yaml <<'END'
troupe: 1
application: bad
supervisor:
  children: [{name: dotted, module: dotted}]
END
    use_node other
    run node_up bad.yaml
    assert_failure
    assert_output --partial "error message .subscribe: no name begins with a dot"
}

# ---- resources ---------------------------------------------------------------------------

@test "D.4 41: a consumer that starts after its provider has the resource when it is ready" {
    stage "    - {name: provider, module: publisher, args: {share: storage, value: 12}}
    - {name: consumer, module: listener, args: {of: t/provider, topic: storage}}"
    run column_of status t/consumer
    assert_output "has 12"
}

@test "D.4 41: a consumer that starts before its provider shares waits for exactly that topic" {
    stage
    in_background consumer ask t/listener depend t/publisher storage 20000
    wait_until 5 is_being_handled t/listener
    ask t/publisher share storage.old 1
    ask t/publisher share storage 2
    wait_until 5 grep -qx 2 consumer.out
    run ask t/listener depend t/publisher storage 100 # and it has unsubscribed
    assert_output 2
    run ask t/publisher say storage 3
    assert_output 0
}

is_being_handled() { # ADDRESS: a message of it
    ! timeout 1 troupe call --timeout 200ms "$1" heard </dev/null >/dev/null 2>&1 3>&- 4>&-
}

@test "D.5 50: a consumer without a provider does not start" {
    yaml t.yaml <<'END'
troupe: 1
application: t
supervisor:
  children:
    - {name: consumer, module: listener, args: {of: t/provider, topic: storage}}
END
    run node_up t.yaml
    assert_failure
    assert_output --partial "noproc"
}

@test "D.5 50: depend and link: the provider's failure is the consumer's; a new life shares again" {
    local before
    stage "    - {name: provider, module: publisher, args: {share: gauge, value: 7}}
    - {name: consumer, module: listener, args: {of: t/provider, topic: gauge, link: hard}}"
    before=$(incarnation_of t/consumer)
    ask t/provider quit "error broken"
    wait_until 10 is_restarted t/consumer "$before"
    run troupe why t/consumer
    assert_output --partial "cascade t/provider error broken"
    run column_of status t/consumer
    assert_output "has 7"
}

@test "D.4 42: a linked consumer is stopped right after its provider ended, and gracefully" {
    stage "    - {name: provider, module: publisher, restart: temporary, args: {share: gauge}}
    - {name: consumer, module: listener, restart: temporary, args: {of: t/provider, topic: gauge, link: hard}}"
    ask t/provider quit "error gone"
    wait_until 2 consumer_has_said_goodbye
}

consumer_has_said_goodbye() {
    timeout 5 troupe log t/consumer 2>/dev/null | grep -q "terminate.*cascade t/provider error gone"
}

@test "D.5 59: a provider that ends before it shares is an error at once" {
    stage
    in_background consumer ask t/listener depend t/publisher storage 0
    wait_until 5 is_being_handled t/listener
    ask t/publisher quit "error out of paper"
    wait_until 2 grep -qxF '!down error out of paper' consumer.out
}

@test "D.5 59: a waiter that is stopped while it waits is told at once" {
    stage
    in_background consumer ask t/listener depend t/publisher storage 0
    wait_until 5 is_being_handled t/listener
    timeout 3 troupe stop t/listener # its shutdown time is 20 s
    wait_until 2 grep -q "error ending" consumer.out
}

@test "D.5 59: who waits in init for what never comes is stopped at once" {
    stage
    in_background add troupe add t \
        '{name: waiter, module: listener, shutdown: 20s, args: {of: t/publisher, topic: never}}'
    wait_until 5 state_is t/waiter starting
    timeout 3 troupe stop t/waiter
}

@test "D.5 59: a provider that is not there is an error at once; one that says nothing, when time is up" {
    local start
    stage
    start=$(now_ms)
    run ask t/listener depend t/nobody storage 20000
    assert_output "!noproc"
    (($(now_ms) - start < 5000))
    run ask t/listener depend t/publisher storage 100
    assert_output "!timeout"
}

@test "waiting for what the caller itself would have to share is a deadlock, and so is oneself" {
    stage
    run ask t/publisher call t/listener depend_on_publisher
    assert_output "!deadlock"
    run ask t/listener depend t/listener storage 0
    assert_output "!deadlock"
}
