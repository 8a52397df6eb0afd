#!/usr/bin/env bats
#
# Actors that talk to each other: calls, casts, forwards, many at once, and the name of each failure.

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
    - {name: counter, module: counter, args: {start: 10}}
    - {name: a, module: talker}
    - {name: b, module: talker}
$1
END
    node_up t.yaml
}

answers() { # ANSWER ADDRESS MESSAGE ARG…
    local wanted=$1
    shift
    assert_equal "$(ask "$@")" "$wanted"
}

@test "an actor calls another, waiting or not" {
    stage
    answers 10 t/a call t/counter 2000 value
    answers 15 t/a plus t/counter 5
    answers 15 t/a ask t/counter 2000 value
}

@test "casts and calls of one sender arrive in their order" {
    local i
    stage
    for i in 1 2 3 4 5; do
        answers cast t/a cast t/counter add "$i"
    done
    answers 25 t/a call t/counter 2000 value
}

@test "a forwarded call is answered by the other, through the forwarder" {
    stage
    answers 13 t/a add 3
    answers 16 t/b plus t/a 3
}

@test "the answers of many come in the order asked, each failure in its place" {
    stage
    answers "10 !noproc 10" t/a many t/counter t/nobody t/counter
}

@test "each failure has its name" {
    local long
    long=$(printf 'n%.0s' {1..300})
    stage "    - {name: deaf, exec: [sleep, 90052], mailbox: {messages: 5}}"
    answers '!noproc' t/a call t/nobody 2000 value
    run ask t/a call 't/counter#99' 2000 value
    assert_output --partial '!noproc this is t/counter@'
    answers '!noconnection' t/a call t/counter@elsewhere 2000 value
    answers '!unknown_message nonsense' t/a call t/counter 2000 nonsense
    answers '!bad_message add: expected a typed payload of format "I"' t/a call t/counter 2000 add
    answers '!timeout' t/a call t/deaf 200 value
    run ask t/a call "no address" 2000 value
    assert_output --partial '!bad_message'
    run ask t/a call t/counter 2000 "$long"
    assert_output --partial '!bad_message'
    run ask t/a call t/counter 2000 .stop
    assert_output --partial '!bad_message'
}

@test "an actor that calls itself, or whom its callee calls, is told of the deadlock at once" {
    stage
    answers '!deadlock' t/a call t/a 20000 heard
    answers deadlock t/a chain t/b t/a
}

@test "an actor that is called back while it calls in its init is told of the deadlock at once, and starts" {
    stage "    - {name: early, module: caller, args: {to: t/b, with: t/early, name: answer}}"
    answers '!deadlock' t/early answer
    answers 1 t/early hear
}

heard_is() { # ADDRESS N
    [[ $(ask "$1" heard) == "$2" ]]
}

# t/early is killed, and calls t/a in its next init, which hangs meanwhile; sockets of others are in its mailbox.
calls_in_its_init() {
    local before
    before=$(pid_of t/early)
    in_background hang timeout 20 troupe call --timeout 15s t/a hang $((1500 * TEST_SCALE))
    wait_until 5 hangs t/a
    kill -KILL "$before"
    wait_until 5 is_another t/early "$before"
    in_background called timeout 30 troupe call --timeout 20s t/early hear
    in_background asked timeout 30 troupe call --timeout 25s t/b call t/early 20000 hear
}

is_another() { # ADDRESS PID
    local pid
    pid=$(pid_of "$1") && [[ $pid != "-" && $pid != "$2" ]]
}

have_answers() { # NAME…
    for name; do
        [[ -s $DIR/$name.out ]] || return 1
    done
}

@test "what comes while an actor calls in its init waits, from whomever" {
    stage "    - {name: early, module: caller, args: {to: t/a, with: t/early, name: answer}}"
    calls_in_its_init
    in_background pushed nngcat --push --dial "ipc://$TROUPE_RUN/t/early" --data hear
    in_background requested nngcat --req --dial "ipc://$TROUPE_RUN/t/early" --data hear --ascii
    hangs t/a
    run -1 have_answers called
    run -1 have_answers requested
    wait_until 10 have_answers called asked requested
    wait_until 10 heard_is t/early 4
    assert_equal "$(cat called.out asked.out requested.out | tr -d '+\n' | wc -c)" 3
    answers '!deadlock' t/early answer
}

@test "what comes while an actor calls in its init is for its next life when that fails" {
    touch once
    stage "    - {name: early, module: caller, args: {to: t/a, with: t/early, name: answer, once: $DIR/once}}"
    rm once
    calls_in_its_init
    wait_until 10 have_answers called asked
    test -e once
    assert_equal "$(cat called.out asked.out | sort | xargs)" "1 2"
    assert_equal "$(column_of incarnation t/early)" 3
}

# part LETTER COUNT: a part of a path, of so many letters.
part() {
    printf "$1%.0s" $(seq "$2")
}

# The longest path that a config may have, 511 characters, of an actor called KIND; BELOW is what it is under.
deep() { # KIND
    echo "$BELOW/$1$(part x $((56 - ${#1})))"
}

# An application, six supervisors below each other, and at the bottom two talkers and a counter.
deep_stage() {
    local level indent='  ' name
    name=$(part d 64)
    BELOW=$name
    {
        printf 'troupe: 1\napplication: %s\nsupervisor:\n' "$name"
        for level in 1 2 3 4 5 6; do
            printf '%schildren:\n%s  - name: %s\n%s    supervisor:\n' "$indent" "$indent" "$name" "$indent"
            indent+='      '
            BELOW+=/$name
        done
        printf '%schildren:\n' "$indent"
        printf "$indent  - {name: %s, module: %s, restart: temporary}\n" "$(basename "$(deep one)")" talker \
            "$(basename "$(deep two)")" talker "$(basename "$(deep counter)")" counter
    } >deep.yaml
    node_up deep.yaml
}

@test "an actor of the longest path is called, answers, links and watches like any other" {
    local one two counter
    deep_stage
    one=$(deep one) two=$(deep two) counter=$(deep counter)
    assert_equal "${#one}" 511
    answers 0 "$one" call "$counter" 2000 value
    answers 0 "$one" call "$counter@local#1" 2000 value
    answers 5 "$counter@local#1" add 5
    answers 5 "$one" ask "$counter" 2000 value
    answers cast "$two" cast "$counter" add 1
    answers 6 "$two" call "$counter" 2000 value
    answers watched "$two" monitor "$one"
    answers linked "$two" link "$counter"
    kill -KILL "$(pid_of "$one")"
    wait_until 5 has_heard "$two" "down $one#1 signal:KILL"
    kill -KILL "$(pid_of "$counter")"
    # a reason has 255 bytes: of the path the middle is left out, and not its cause
    wait_until 5 has_cascaded "$two" "cascade ${counter%%/*}/.../${counter#"${counter%/*/*}/"} signal:KILL"
}

has_heard() { # ADDRESS TEXT
    [[ $(ask "$1" heard) == "$2" ]]
}

has_cascaded() { # ADDRESS REASON
    troupe why "$1" | grep -qF "$2"
}

@test "who waits no more, but in another call, is called by the first without a deadlock" {
    stage "    - {name: c, module: talker}"
    answers $'timeout\tanswered' t/a two t/b t/c 500
    wait_until 10 has_heard t/b answered
}

@test "a call that comes back by a forward is a deadlock" {
    yaml d.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: counter, module: talker}
    - {name: b, module: talker}
END
    node_up d.yaml
    # t/b forwards what is added to t/counter, who waits for it
    answers '!deadlock' t/counter plus t/b 5
}

hangs() { # ADDRESS
    [[ $(column_of busy "$1") -gt 0 ]]
}

@test "a call whose time is up before its turn is never handled" {
    stage
    in_background hang timeout 20 troupe call --timeout 15s t/a hang $((1500 * TEST_SCALE))
    wait_until 5 hangs t/a
    run troupe call --timeout 300ms t/a cast t/counter add 1
    assert_failure 6
    # answered in its turn, behind the one that was dropped
    answers '!unknown_message nonsense' t/b call t/a 20000 nonsense
    answers 10 t/b call t/counter 2000 value
    # both were counted
    assert_equal "$(column_of expired t/a) $(column_of dropped t/a)" "1 1"
    assert_equal "$(troupe status -o expired,dropped t/a)" $'1\t1'
    run troupe ps -o json t/a
    assert_output --regexp '"expired": ?1[,}]'
}

@test "who sends to one that never reads is told when enough waits" {
    local sent
    stage "    - {name: deaf, exec: [sleep, 90052], mailbox: {messages: 5}}"
    run ask t/a flood t/deaf 65536
    assert_success
    assert_output --partial 'Resource temporarily unavailable'
    sent=${output%%[!0-9]*}
    ((sent > 64 && sent < 400)) # 8 MiB, and what the kernel takes
}

questions_are() { # COUNT
    [[ $(grep -c '^asked ended .* other/x#1$' oracle.out) == "$1" ]]
}

all_were_told() { # COUNT ANSWER
    [[ $(cat call.*.out | grep -c -x -e "$2") == "$1" ]]
}

@test "how somebody elsewhere ended is asked once, however many want to know" {
    local i
    stage "    - {name: many, module: talker, replicas: 20}"
    in_background oracle oracle 20 exit:7
    wait_until 5 grep -q ready oracle.out
    for i in {1..20}; do
        in_background "call.$i" timeout 20 troupe call --timeout 15s "t/many.$i" call other/x 10000 value
    done
    wait_until 10 all_were_told 20 '!down exit:7'
    questions_are 1
    # and whoever learns of it later has its answer from memory
    answers '!down exit:7' t/a call other/x 10000 value
    questions_are 1
}
