#!/usr/bin/env bats
#
# The backplane of the seeds (seeds D.1 and D.2) with attached processes: a Device is one, a Line its
# address, with or without the incarnation. `w` watches, `t` is watched, `m` is who looks on.
# SEMANTICS 7 differs from the seed in this: a cascade names the first cause; a stop is always obeyed.

bats_require_minimum_version 1.5.0
load ../helper
load ../attached

setup() {
    troupe_setup
    node "{name: counter, module: counter}"
}

# node CHILD…: an application t of these children.
node() {
    {
        printf 'troupe: 1\napplication: t\nsupervisor:\n  intensity: 1000\n  max_children: 2000\n  children:\n'
        printf '    - %s\n' "$@"
    } >"$DIR/t.yaml"
    node_up t.yaml
}

# An actor's address: path, or incarnation.
who() { # NAME HOW
    if [[ $2 == incarnation ]]; then
        address_of "$1"
    else
        echo "t/$1"
    fi
}

has_zombie() { # PID: a child that has ended and is not waited for
    ps -o stat= --ppid "$1" | grep -q ^Z
}

is_stopping() { # NAME: the order is on its way to it
    [[ $(column_of state "t/$1") == stopping ]]
}

# ---- 1, 2: watch -------------------------------------------------------------------------

# w is linked to t, and t ends before w looks, whose own work is done at once: what has come is first.
watched_after() { # MODE HOW END
    actor_starts w --traps
    actor_starts t
    assert_equal "$(tell w link "$1" "$(who t "$2")")" linked
    ends t "$3"
    assert_equal "$(tell w watch ok)" message
    assert_heard_only w "exited $(address_of t) $(reason_of_end "$3")"
    assert_equal "$(tell w watch ok)" "done" # told once
    heard w "completed done"
}

@test "seed 01 watch, alone: work that is done is the result" {
    actor_starts w
    assert_equal "$(tell w watch ok)" "done"
    assert_equal "$(tell w detach)" detached
    assert_heard_only w "completed done"
    wait_until 5 process_is_gone "$(actor_pid w)"
    run troupe why t/w
    assert_output --partial normal
}

@test "seed 02 watch, monitor by path, success: the message goes before the work" {
    watched_after monitor path success
}

@test "seed 02 watch, monitor by path, error: the message goes before the work" {
    watched_after monitor path error
}

@test "seed 02 watch, monitor by path, drop: the message goes before the work" {
    watched_after monitor path drop
}

@test "seed 02 watch, monitor by incarnation, success: the message goes before the work" {
    watched_after monitor incarnation success
}

@test "seed 02 watch, monitor by incarnation, error: the message goes before the work" {
    watched_after monitor incarnation error
}

@test "seed 02 watch, monitor by incarnation, drop: the message goes before the work" {
    watched_after monitor incarnation drop
}

@test "seed 02 watch, peer by path, success: the message goes before the work" {
    watched_after peer path success
}

@test "seed 02 watch, peer by path, error: the message goes before the work" {
    watched_after peer path error
}

@test "seed 02 watch, peer by path, drop: the message goes before the work" {
    watched_after peer path drop
}

@test "seed 02 watch, peer by incarnation, success: the message goes before the work" {
    watched_after peer incarnation success
}

@test "seed 02 watch, peer by incarnation, error: the message goes before the work" {
    watched_after peer incarnation error
}

@test "seed 02 watch, peer by incarnation, drop: the message goes before the work" {
    watched_after peer incarnation drop
}

@test "seed 02 watch, of one that does not trap exits: a success is nothing, a fault its end" {
    actor_starts w
    actor_starts t
    actor_starts u
    assert_equal "$(tell w link peer t/t)" linked
    assert_equal "$(tell w link peer t/u)" linked
    ends t success
    assert_equal "$(tell w watch ok)" "done"
    ends u error
    assert_equal "$(tell w watch ok)" ended
    assert_equal "$(tell w serve)" "ended cascade t/u error boom"
    assert_heard_only w "completed done"
}

# ---- 3 to 8: manage and part-manage ------------------------------------------------------

# m watches w, which is linked to t.
chained() { # MODE HOW
    actor_starts t
    actor_starts w
    actor_starts m
    assert_equal "$(tell w link "$1" "$(who t "$2")")" linked
    assert_equal "$(tell m monitor "$(who w "$2")")" 1
}

# w ended for this reason, by itself or by a link: m hears that, and nothing of t.
ended_for() { # REASON
    assert_equal "$(result w)" "ended $1"
    tell w detach
    begin m serve 20000
    wait_heard m "down 1 $(address_of w) $1"
    assert_heard_only m "down 1 $(address_of w) $1"
}

managed_success() { # MODE HOW
    chained "$@"
    ends t success
    assert_equal "$(tell w manage ok)" 0
    begin w serve
    ended_for normal
}

# WORD is manage or part.
managed_fault() { # WORD MODE HOW END
    chained "$2" "$3"
    assert_equal "$(tell w "$1" hang)" 0
    begin w serve
    ends t "$4"
    ended_for "cascade t/t $(reason_of_end "$4")"
    wait_until 5 process_is_gone "$(actor_pid w)"
}

part_managed_success() { # MODE HOW
    chained "$@"
    ends t success
    assert_equal "$(tell w part ok)" 0
    begin w serve 20000
    wait_heard w "completed done"
    assert_equal "$(tell m serve 300)" served
    assert_heard_only m
    assert_equal "$(column_of incarnation t/w)" "$(address_of w | sed 's/.*#//')"
    assert_equal "$(pid_of t/w)" "$(actor_pid w)"
}

@test "seed 03 manage, alone: work that is done is the actor's end" {
    actor_starts w
    assert_equal "$(tell w manage ok)" 0
    assert_equal "$(tell w serve)" "ended normal"
    assert_equal "$(tell w detach)" detached
    run troupe why t/w
    assert_output --partial normal
}

@test "seed 04 manage, monitor by path, success: who looks on hears of the success, once" {
    managed_success monitor path
}

@test "seed 05 manage, monitor by path, error: the fault cascades" {
    managed_fault manage monitor path error
}

@test "seed 06 manage, monitor by path, drop: ours: the cascade names the first cause" {
    managed_fault manage monitor path drop
}

@test "seed 07 part-manage, monitor by path, success: nobody hears, and the actor lives on" {
    part_managed_success monitor path
}

@test "seed 08 part-manage, monitor by path, error: the fault cascades" {
    managed_fault part monitor path error
}

@test "seed 08 part-manage, monitor by path, drop: the fault cascades" {
    managed_fault part monitor path drop
}

@test "seed 04 manage, monitor by incarnation, success: who looks on hears of the success, once" {
    managed_success monitor incarnation
}

@test "seed 05 manage, monitor by incarnation, error: the fault cascades" {
    managed_fault manage monitor incarnation error
}

@test "seed 06 manage, monitor by incarnation, drop: ours: the cascade names the first cause" {
    managed_fault manage monitor incarnation drop
}

@test "seed 07 part-manage, monitor by incarnation, success: nobody hears, and the actor lives on" {
    part_managed_success monitor incarnation
}

@test "seed 08 part-manage, monitor by incarnation, error: the fault cascades" {
    managed_fault part monitor incarnation error
}

@test "seed 08 part-manage, monitor by incarnation, drop: the fault cascades" {
    managed_fault part monitor incarnation drop
}

@test "seed 04 manage, peer by path, success: who looks on hears of the success, once" {
    managed_success peer path
}

@test "seed 05 manage, peer by path, error: the fault cascades" {
    managed_fault manage peer path error
}

@test "seed 06 manage, peer by path, drop: ours: the cascade names the first cause" {
    managed_fault manage peer path drop
}

@test "seed 07 part-manage, peer by path, success: nobody hears, and the actor lives on" {
    part_managed_success peer path
}

@test "seed 08 part-manage, peer by path, error: the fault cascades" {
    managed_fault part peer path error
}

@test "seed 08 part-manage, peer by path, drop: the fault cascades" {
    managed_fault part peer path drop
}

@test "seed 04 manage, peer by incarnation, success: who looks on hears of the success, once" {
    managed_success peer incarnation
}

@test "seed 05 manage, peer by incarnation, error: the fault cascades" {
    managed_fault manage peer incarnation error
}

@test "seed 06 manage, peer by incarnation, drop: ours: the cascade names the first cause" {
    managed_fault manage peer incarnation drop
}

@test "seed 07 part-manage, peer by incarnation, success: nobody hears, and the actor lives on" {
    part_managed_success peer incarnation
}

@test "seed 08 part-manage, peer by incarnation, error: the fault cascades" {
    managed_fault part peer incarnation error
}

@test "seed 08 part-manage, peer by incarnation, drop: the fault cascades" {
    managed_fault part peer incarnation drop
}

# ---- 9 to 12: how managed work ends ------------------------------------------------------

managed_alone() { # KIND
    actor_starts w
    actor_starts m
    assert_equal "$(tell m monitor t/w)" 1
    assert_equal "$(tell w manage "$1")" 0
}

@test "seed 09 an abort in managed work is an error, and the record says what it was" {
    managed_alone abort
    begin w serve
    ended_for "error work signal:ABRT"
    run troupe why t/w
    assert_output --partial "error work signal:ABRT"
}

@test "seed 10 work that returns a failure is an error" {
    managed_alone fail
    begin w serve
    ended_for "error work exit:1"
}

@test "seed 11 a stop ends managed work; nobody takes that for a fault" {
    managed_alone hang
    actor_starts p # does not trap exits
    assert_equal "$(tell p link peer t/w)" linked
    begin w serve
    in_background stop troupe stop t/w
    ended_for shutdown
    assert_equal "$(tell p serve 300)" served
    assert_heard_only p
}

@test "seed 12 a stop that waits goes before work that is done" {
    managed_alone ok
    wait_until 5 has_zombie "$(actor_pid w)"
    in_background stop troupe stop t/w
    wait_until 5 is_stopping w
    begin w serve
    ended_for shutdown
}

@test "seed 12 a fault that waits goes before work that is done" {
    actor_starts t
    managed_alone ok
    wait_until 5 has_zombie "$(actor_pid w)"
    assert_equal "$(tell w link monitor t/t)" linked # while it waited for that it saw that the work is done
    ends t error
    begin w serve
    ended_for "cascade t/t error boom"
}

# ---- 13 to 18: links ---------------------------------------------------------------------

@test "seed 13 a link with the dead is refused in each mode, and leaves no half" {
    local dead

    actor_starts w --traps
    actor_starts t
    dead=$(address_of t)
    ends t success
    for mode in monitor peer notify; do
        assert_equal "$(tell w link $mode "$dead")" noproc
        assert_equal "$(tell w link $mode t/t)" noproc
    done
    rm "$DIR/t.do"
    actor_starts t --traps # of that path, and another life
    actor_starts v --traps
    assert_equal "$(tell v link monitor t/t)" linked
    ends t error
    assert_equal "$(tell v watch hang)" message
    assert_equal "$(tell w serve 0)" served
    assert_heard_only w
}

@test "seed 14 an actor that is ending can link no more" {
    actor_starts p --traps
    actor_starts w --last t/p
    assert_equal "$(tell w detach error boom)" detached
    heard w "last refused ending"
    wait_until 5 is_gone t/w
    assert_equal "$(tell p serve 200)" served
    assert_heard_only p
}

# Has everything come that was on its way to NAME? Somebody else's end is told after it.
settled() { # NAME: its monitors are 1 to N; this is one more
    local number

    actor_starts "settler$1"
    number=$(tell "$1" monitor "t/settler$1")
    ends "settler$1" success
    begin "$1" serve 20000
    wait_heard "$1" "down $number $(address_of "settler$1") normal"
}

@test "seed 15 linked three times, told once" {
    actor_starts w --traps
    actor_starts t
    for mode in peer monitor peer; do
        assert_equal "$(tell w link $mode t/t)" linked
    done
    ends t error
    settled w
    assert_heard_only w "exited $(address_of t) error boom" "down 1 $(address_of settlerw) normal"
}

@test "seed 16 peer minus notify: still told, and not heard of" {
    actor_starts w --traps
    actor_starts t --traps
    assert_equal "$(tell w link peer t/t)" linked
    tell w unlink notify t/t
    assert_equal "$(tell t link peer t/w)" linked # settles what came before
    tell t unlink monitor t/w
    ends t error
    settled w
    assert_heard_only w "exited $(address_of t) error boom" "down 1 $(address_of settlerw) normal"

    actor_starts u --traps
    actor_starts v --traps
    assert_equal "$(tell u link peer t/v)" linked
    tell u unlink notify t/v
    ends u error
    settled v
    assert_heard_only v "down 1 $(address_of settlerv) normal"
}

@test "seed 17 unlinked, not told, in either direction" {
    actor_starts w --traps
    actor_starts t --traps
    actor_starts u --traps
    assert_equal "$(tell w link peer t/t)" linked
    assert_equal "$(tell w link peer t/u)" linked
    tell w unlink peer t/t
    tell w unlink peer t/u
    ends t error
    settled w
    assert_heard_only w "down 1 $(address_of settlerw) normal"
    kill -KILL "$(actor_pid w)"
    wait_until 5 is_gone t/w
    settled u
    assert_heard_only u "down 1 $(address_of settleru) normal"
}

@test "seed 18 a link to oneself is refused" {
    actor_starts w
    for mode in monitor notify peer; do
        run tell w link $mode t/w
        assert_output --regexp '^refused'
        run tell w link $mode "$(address_of w)"
        assert_output --regexp '^refused'
    done
    assert_equal "$(tell w watch ok)" "done"
}

# ---- 19 to 23 ----------------------------------------------------------------------------

@test "seed 19 in a chain of three each ends by its neighbour; ours: for the first cause" {
    actor_starts a
    actor_starts b
    actor_starts c
    actor_starts m
    assert_equal "$(tell b link monitor t/a)" linked
    assert_equal "$(tell c link monitor t/b)" linked
    assert_equal "$(tell m monitor t/c)" 1
    begin b serve
    begin c serve
    ends a error
    assert_equal "$(result b)" "ended cascade t/a error boom"
    tell b detach
    assert_equal "$(result c)" "ended cascade t/a error boom"
    tell c detach
    begin m serve 20000
    wait_heard m "down 1 $(address_of c) cascade t/a error boom"
}

counted() { # N
    [[ $(troupe call t/counter value) == "$1" ]]
}

@test "seed 21 a thousand watchers are told, each once" {
    local watchers=1000

    actor_starts t
    yaml crowd.yaml <<END
troupe: 1
application: crowd
supervisor:
  max_children: 2000
  children:
    - {name: w, module: onlooker, replicas: $watchers, args: {who: t/t, tell: t/counter}}
END
    node_up crowd.yaml
    kill -KILL "$(actor_pid t)"
    wait_until 30 counted $watchers
    holds_for 300 counted $watchers
}

@test "seed 22 a part-managing actor that goes without a word has dropped" {
    local helper

    actor_starts w
    actor_starts m
    assert_equal "$(tell m monitor t/w)" 1
    assert_equal "$(tell w part hang)" 0
    helper=$(pgrep -P "$(actor_pid w)")
    begin m serve 20000
    kill -KILL "$(actor_pid w)"
    wait_heard m "down 1 $(address_of w) dropped"
    wait_until 5 process_is_gone "$helper"
}

restarted_often() { # ADDRESS N
    (($(incarnation_of "$1") > $2))
}

@test "seed 23 never stop: a child that always fails is started for ever; ours: until it is stopped" {
    yaml never.yaml <<END
troupe: 1
application: never
supervisor:
  intensity: unlimited
  children:
    - {name: give, exec: ["false"], backoff: {initial: 10ms, max: 20ms}}
END
    troupe up -d never.yaml || true # it never becomes ready
    wait_until 20 restarted_often never/give 10
    run timeout 10 troupe stop never/give
    assert_success
    assert_equal "$(state_of never/give)" stopped
}

has_settled() { # APPLICATION
    [[ $(state_of "$1") == @(exited|) ]]
}

@test "seed 23 restart until it succeeds: then its parent ends well" {
    yaml once.yaml <<END
troupe: 1
application: once
supervisor:
  intensity: 100
  auto_shutdown: any_significant
  children:
    - name: child
      exec: [sh, -c, 'echo >>"$DIR/tries"; [ "\$(wc -l <"$DIR/tries")" -ge 4 ]']
      restart: transient
      significant: true
END
    troupe up -d once.yaml || true
    wait_until 20 has_settled once
    assert_equal "$(wc -l <"$DIR/tries")" 4
    run troupe why once
    assert_output --partial shutdown
}
