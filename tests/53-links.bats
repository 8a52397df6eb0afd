#!/usr/bin/env bats
#
# Links and monitors, from the supervisors' side (SEMANTICS 7): programs that speak their control
# socket (tests/helpers/party.py) watch each other, and programs that know nothing of Troupe.

load helper

# party NAME [KEY: VALUE…]: an entry for a child that does what `tell NAME` says.
party() {
    local name=$1 more

    shift
    more=$(printf ', %s' "$@")
    [[ $# -gt 0 ]] || more=
    echo "{name: $name, exec: [\"$TOP/tests/helpers/party.py\", \"$DIR\"]$more}"
}

# shop, with a and b, and what else is given; shop/back has c and d; shop/back/deep has e.
FLAGS='intensity: 1000'
tree() {
    local extra

    extra=$(printf '    - %s\n' "$@")
    [[ $# -gt 0 ]] || extra=
    yaml shop.yaml <<YAML
troupe: 1
application: shop
supervisor:
  $FLAGS
  children:
    - $(party a)
    - $(party b)
$extra
    - name: back
      supervisor:
        intensity: 1000
        children:
          - $(party c)
          - $(party d)
          - name: deep
            supervisor:
              intensity: 1000
              children:
                - $(party e)
YAML
    node_up shop.yaml
}

tell() { # NAME COMMAND…
    local name=$1

    shift
    wait_until 10 test -p "$DIR/$name.do"
    echo "$*" >"$DIR/$name.do"
}

heard() { # NAME LINE: such a line, once
    [[ $(grep -c -x -e "$2" "$DIR/$1.heard") == 1 ]]
}

wait_heard() { # NAME LINE
    wait_until 10 heard "$1" "$2" || {
        echo "$1 heard:"
        tail -n 20 "$DIR/$1.heard"
        return 1
    }
}

# What NAME has heard of ends and links, all of it.
assert_heard_only() { # NAME LINE…
    local name=$1

    shift
    diff <([[ $# -eq 0 ]] || printf '%s\n' "$@") <(grep -v -e '^here' -e '^DOWN 999' "$DIR/$name.heard")
}

# So that whatever was on its way has come: a question of one's own, behind all others.
SETTLED=9990
settle() { # NAME
    SETTLED=$((SETTLED + 1))
    tell "$1" say MONITOR $SETTLED shop/nobody
    wait_heard "$1" "DOWN $SETTLED shop/nobody noproc"
}

@test "the end of a sibling is told once, with its reason" {
    tree
    tell a say MONITOR 1 shop/b
    settle a
    tell b end 3
    wait_heard a 'DOWN 1 shop/b#1 exit:3'
    wait_heard b 'here 2'
    settle a
    assert_heard_only a 'DOWN 1 shop/b#1 exit:3'
}

@test "monitors count singly: each hears once, and one that was taken back does not" {
    tree
    for ref in 1 2 3; do
        tell a say MONITOR $ref shop/b
    done
    tell a say DEMONITOR 2
    settle a
    tell b end 0
    wait_heard a 'DOWN 3 shop/b#1 normal'
    settle a
    assert_heard_only a 'DOWN 1 shop/b#1 normal' 'DOWN 3 shop/b#1 normal'
}

@test "a monitor across supervisors and across levels tells the true reason" {
    tree
    tell a say MONITOR 1 shop/back/c
    tell a say MONITOR 2 shop/back/deep/e
    tell a say MONITOR 3 shop/back
    tell a say MONITOR 4 shop
    tell e say MONITOR 5 shop/a
    settle a
    settle e
    tell c end 3
    wait_heard a 'DOWN 1 shop/back/c#1 exit:3'
    kill -SEGV "$(pid_of shop/back/deep/e)"
    wait_heard a 'DOWN 2 shop/back/deep/e#1 signal:SEGV'
    wait_heard e 'here 2'
    tell e say MONITOR 5 shop/a
    settle e
    troupe stop shop/back </dev/null 3>&- 4>&-
    wait_heard a 'DOWN 3 shop/back#1 shutdown'
    settle a
    assert_heard_only a 'DOWN 1 shop/back/c#1 exit:3' \
        'DOWN 2 shop/back/deep/e#1 signal:SEGV' 'DOWN 3 shop/back#1 shutdown'
}

@test "what does not exist, is stopped, or was another incarnation: noproc at once" {
    tree "$(party x)"
    troupe stop shop/x </dev/null 3>&- 4>&-
    tell a say MONITOR 1 shop/x
    tell a say MONITOR 2 shop/b#7
    tell a say MONITOR 3 shop/back/none
    tell a say MONITOR 4 nowhere/at/all
    tell a say LINK PEER shop/x
    tell a say LINK NOTIFY shop/back/none
    wait_heard a 'DOWN 1 shop/x noproc'
    wait_heard a 'DOWN 2 shop/b#7 noproc'
    wait_heard a 'DOWN 3 shop/back/none noproc'
    wait_heard a 'DOWN 4 nowhere/at/all noproc'
    wait_heard a 'DOWN 0 shop/x noproc'
    wait_heard a 'DOWN 0 shop/back/none noproc'
}

@test "an address that is none, another node, and the root are refused by name" {
    tree
    tell a say MONITOR 1 'shop//b'
    tell a say MONITOR 2 shop/b@elsewhere
    tell a say MONITOR 3 .
    tell a say ENDED 4 shop/b
    wait_heard a 'DOWN 1 shop//b refused that is no address'
    wait_heard a 'DOWN 2 shop/b@elsewhere noconnection'
    wait_heard a 'DOWN 3 . refused the root ends with everything'
    wait_heard a 'DOWN 4 shop/b refused of which incarnation?'
}

@test "a monitor of one that is being restarted is of the next incarnation" {
    FLAGS=$'intensity: 2\n  period: 10m'
    tree "$(party x 'backoff: {initial: 1s, max: 1s}')"
    tell x end 1
    wait_for_state shop/x backoff
    tell a say MONITOR 1 shop/x
    tell c say MONITOR 1 shop/x
    settle a
    settle c
    wait_heard x 'here 2'
    assert_heard_only a
    tell x end 4
    wait_heard a 'DOWN 1 shop/x#2 exit:4'
    wait_heard c 'DOWN 1 shop/x#2 exit:4'
}

@test "one that was to be restarted, but is stopped before: noproc" {
    FLAGS=$'intensity: 1\n  period: 10m'
    tree "$(party x 'backoff: {initial: 60s, max: 60s}')"
    tell x end 1
    wait_for_state shop/x backoff
    tell a say MONITOR 1 shop/x
    tell a say TRAP 1
    tell a say LINK MONITOR shop/x
    tell c say MONITOR 1 shop/x
    wait_heard a 'LINKED shop/x#2 MONITOR'
    settle c
    troupe stop shop/x </dev/null 3>&- 4>&-
    wait_heard a 'DOWN 1 shop/x noproc'
    wait_heard a 'EXIT shop/x noproc'
    wait_heard c 'DOWN 1 shop/x noproc'
}

@test "how an incarnation ended can be asked afterwards, and before" {
    tree
    tell b end 5
    wait_heard b 'here 2'
    tell a say ENDED 1 shop/b#1
    wait_heard a 'DOWN 1 shop/b#1 exit:5'
    tell c say ENDED 1 shop/b#1
    wait_heard c 'DOWN 1 shop/b#1 exit:5'
    tell a say ENDED 2 shop/b#2
    tell c say ENDED 2 shop/b#2
    tell c say ENDED 3 shop/b#9
    wait_heard c 'DOWN 3 shop/b#9 noproc'
    settle a
    tell b end 6
    wait_heard a 'DOWN 2 shop/b#2 exit:6'
    wait_heard c 'DOWN 2 shop/b#2 exit:6'
}

@test "a supervisor that is killed: noconnection for what was below it, once" {
    tree
    tell a say TRAP 1
    tell a say MONITOR 1 shop/back/c
    tell a say MONITOR 2 shop/back/c
    tell a say LINK MONITOR shop/back/d
    tell a say MONITOR 3 shop/back
    wait_heard a 'LINKED shop/back/d#1 MONITOR'
    settle a
    kill -KILL "$(pid_of shop/back)"
    wait_heard a 'DOWN 1 shop/back/c#1 noconnection'
    wait_heard a 'DOWN 2 shop/back/c#1 noconnection'
    wait_heard a 'EXIT shop/back/d#1 noconnection'
    wait_heard a 'DOWN 3 shop/back#1 signal:KILL'
    wait_for_state shop/back/c ready
    settle a
    [[ $(grep -c noconnection "$DIR/a.heard") == 3 ]]
    tell a say MONITOR 4 shop/back/c
    settle a
    tell c end 2
    wait_heard a 'DOWN 4 shop/back/c#2 exit:2'
}

@test "a supervisor that ends in order: the true reasons of all that was below it" {
    tree
    tell a say MONITOR 1 shop/back/c
    tell a say LINK MONITOR shop/back/d
    tell a say MONITOR 2 shop/back/deep/e
    wait_heard a 'LINKED shop/back/d#1 MONITOR'
    settle a
    troupe stop shop/back </dev/null 3>&- 4>&-
    wait_heard a 'DOWN 1 shop/back/c#1 shutdown'
    wait_heard a 'DOWN 2 shop/back/deep/e#1 shutdown'
    settle a
    never_ended shop/a
}

# ---- links -------------------------------------------------------------------------------------

# ended_with PATH REASON: what `ps` says of its last end.
ended_with() {
    [[ $(column_of last "$1") == "$2" ]]
}

wait_ended_with() {
    wait_until 10 ended_with "$@" || {
        echo "$1 ended with: $(column_of last "$1")"
        return 1
    }
}

never_ended() {
    [[ $(incarnation_of "$1") == 1 ]]
}

@test "MONITOR: the other's abnormal end is mine, and mine is not the other's" {
    tree
    tell a say LINK MONITOR shop/b
    tell c say LINK MONITOR shop/b
    wait_heard a 'LINKED shop/b#1 MONITOR'
    wait_heard c 'LINKED shop/b#1 MONITOR'
    tell b end 9
    wait_ended_with shop/a 'cascade shop/b exit:9'
    wait_ended_with shop/back/c 'cascade shop/b exit:9'
    wait_heard a 'here 2'
    tell a say LINK MONITOR shop/b
    wait_heard a 'LINKED shop/b#2 MONITOR'
    tell a end 1
    wait_heard a 'here 3'
    [[ $(incarnation_of shop/b) == 2 ]]
}

@test "NOTIFY: mine is the other's, here and under another supervisor" {
    tree
    tell a say LINK NOTIFY shop/b
    tell a say LINK NOTIFY shop/back/deep/e
    wait_heard a 'LINKED shop/b#1 NOTIFY'
    wait_heard a 'LINKED shop/back/deep/e#1 NOTIFY'
    tell a end 9
    wait_ended_with shop/b 'cascade shop/a exit:9'
    wait_ended_with shop/back/deep/e 'cascade shop/a exit:9'
    wait_heard a 'here 2'
    tell b end 1
    wait_heard b 'here 3'
    [[ $(incarnation_of shop/a) == 2 ]]
}

@test "PEER: both, here and across supervisors" {
    tree
    tell a say LINK PEER shop/b
    tell a say LINK PEER shop/back/c
    wait_heard a 'LINKED shop/b#1 PEER'
    wait_heard a 'LINKED shop/back/c#1 PEER'
    tell c end 7
    wait_ended_with shop/a 'cascade shop/back/c exit:7'
    wait_ended_with shop/b 'cascade shop/back/c exit:7'
}

@test "an end in order does not cascade: normal, and shutdown by order" {
    tree
    tell a say LINK PEER shop/b
    tell c say LINK MONITOR shop/b
    wait_heard a 'LINKED shop/b#1 PEER'
    wait_heard c 'LINKED shop/b#1 MONITOR'
    tell b end 0
    wait_heard b 'here 2'
    tell a say LINK PEER shop/b
    wait_heard a 'LINKED shop/b#2 PEER'
    troupe restart shop/b </dev/null 3>&- 4>&-
    wait_heard b 'here 3'
    settle a
    settle c
    never_ended shop/a
    never_ended shop/back/c
}

@test "linked three times is linked once; one UNLINK undoes it" {
    tree
    tell a say TRAP 1
    for _ in 1 2 3; do
        tell a say LINK MONITOR shop/b
        tell a say LINK PEER shop/back/c
    done
    settle a
    wait_until 5 eval '[[ $(grep -c LINKED "$DIR/a.heard") == 6 ]]'
    tell b end 1
    tell c end 2
    wait_heard a 'EXIT shop/b#1 exit:1'
    wait_heard a 'EXIT shop/back/c#1 exit:2'
    settle a
    [[ $(grep -c EXIT "$DIR/a.heard") == 2 ]]
    wait_heard b 'here 2'
    tell a say LINK PEER shop/b
    tell a say LINK PEER shop/b
    tell a say UNLINK PEER shop/b
    settle a
    tell b end 1
    wait_heard b 'here 3'
    settle a
    [[ $(grep -c EXIT "$DIR/a.heard") == 2 ]]
    tell a end 1
    wait_heard a 'here 2'
    settle b
    [[ $(incarnation_of shop/b) == 3 ]]
}

@test "modes add up and subtract: of PEER less NOTIFY, MONITOR is left" {
    tree
    for other in shop/b shop/back/c; do
        tell a say LINK NOTIFY $other
        tell a say LINK MONITOR $other
        tell a say UNLINK NOTIFY $other
    done
    wait_heard a 'LINKED shop/back/c#1 MONITOR'
    settle a
    settle c
    tell a end 1
    wait_heard a 'here 2'
    settle c
    never_ended shop/b
    never_ended shop/back/c
    for other in shop/b shop/back/c; do
        tell a say LINK PEER $other
        tell a say UNLINK NOTIFY $other
    done
    wait_heard a 'LINKED shop/b#1 PEER'
    settle a
    tell b end 4
    wait_ended_with shop/a 'cascade shop/b exit:4'
}

@test "PEER is whole or not at all: the other is another" {
    tree
    tell a say TRAP 1
    tell a say LINK PEER shop/back/c#7
    wait_heard a 'DOWN 0 shop/back/c#7 noproc'
    tell a say LINK PEER shop/b#7
    wait_heard a 'DOWN 0 shop/b#7 noproc'
    tell c end 1
    wait_heard c 'here 2'
    settle a
    assert_heard_only a 'DOWN 0 shop/back/c#7 noproc' 'DOWN 0 shop/b#7 noproc'
}

# The other has no room for one watch more: all that it may have are questions to supervisors that do
# not answer.
@test "PEER is whole or not at all: the own half is withdrawn when the other is refused" {
    tree
    tell b say MONITOR 200001 shop/back/c
    tell b say MONITOR 200002 shop/back/deep/e
    settle b
    back=$(pid_of shop/back) deep=$(pid_of shop/back/deep)
    register_pid "$back" "$deep"
    kill -STOP "$back" "$deep"
    tell b each 1 49999 shop/back/c
    tell b each 50000 99998 shop/back/deep/e
    tell b say MONITOR 300000 shop/nobody
    wait_heard b 'DOWN 300000 shop/nobody overloaded'
    tell a say TRAP 1
    tell a say LINK PEER shop/b
    wait_heard a 'DOWN 0 shop/b overloaded'
    tell b end 3
    wait_heard b 'here 2'
    tell a say MONITOR 1 shop/nobody
    wait_heard a 'DOWN 1 shop/nobody noproc'
    assert_heard_only a 'DOWN 0 shop/b overloaded' 'DOWN 1 shop/nobody noproc'
    kill -CONT "$back" "$deep"
}

@test "LINKs that wait for a supervisor that hangs are bounded, and each is answered" {
    tree
    tell a say MONITOR 1 shop/back/c
    settle a
    back=$(pid_of shop/back)
    register_pid "$back"
    kill -STOP "$back"
    tell a repeat 10005 LINK MONITOR shop/back/c
    wait_until 10 eval '[[ $(grep -c "DOWN 0 shop/back/c overloaded" "$DIR/a.heard") == 5 ]]'
    kill -CONT "$back"
    wait_until 10 eval '[[ $(grep -c "LINKED shop/back/c#1 MONITOR" "$DIR/a.heard") == 10000 ]]'
    tell c end 3
    wait_ended_with shop/a 'cascade shop/back/c exit:3'
}

@test "nobody is linked to himself" {
    tree
    tell a say LINK PEER shop/a
    tell a say LINK MONITOR shop/a#1
    wait_heard a 'DOWN 0 shop/a refused an actor cannot be linked to itself'
    wait_heard a 'DOWN 0 shop/a#1 refused an actor cannot be linked to itself'
}

@test "who traps is told of every end, and goes on; until it traps no more" {
    tree
    tell a say TRAP 1
    tell a say LINK MONITOR shop/b
    tell a say LINK MONITOR shop/back/c
    wait_heard a 'LINKED shop/back/c#1 MONITOR'
    tell b end 0
    wait_heard a 'EXIT shop/b#1 normal'
    tell c end 3
    wait_heard a 'EXIT shop/back/c#1 exit:3'
    never_ended shop/a
    wait_heard b 'here 2'
    tell a say LINK MONITOR shop/b
    tell a say TRAP 0
    settle a
    tell b end 3
    wait_ended_with shop/a 'cascade shop/b exit:3'
}

@test "a program that knows nothing of Troupe is linked by another's NOTIFY" {
    tree '{name: plain, exec: [sleep, "1000"]}'
    tell a say LINK NOTIFY shop/plain
    tell c say LINK NOTIFY shop/plain
    tell e say LINK MONITOR shop/plain
    wait_heard a 'LINKED shop/plain#1 NOTIFY'
    wait_heard c 'LINKED shop/plain#1 NOTIFY'
    wait_heard e 'LINKED shop/plain#1 MONITOR'
    tell c end 3
    wait_ended_with shop/plain 'cascade shop/back/c exit:3'
    wait_ended_with shop/back/deep/e 'cascade shop/back/c exit:3'
    never_ended shop/a
}

@test "one that does not go for a link's sake is killed after its shutdown time" {
    tree '{name: deaf, exec: [sh, -c, "trap : TERM; while :; do sleep 1; done"], shutdown: 200ms}'
    tell a say LINK NOTIFY shop/deaf
    wait_heard a 'LINKED shop/deaf#1 NOTIFY'
    tell a end 3
    wait_ended_with shop/deaf 'cascade shop/a exit:3'
}

@test "ends by links do not weigh on the intensity" {
    yaml shop.yaml <<YAML
troupe: 1
application: shop
supervisor:
  intensity: 1
  period: 60s
  children:
    - $(party a)
    - name: inner
      supervisor:
        intensity: 1000
        children:
          - $(party b)
YAML
    node_up shop.yaml
    for n in 1 2 3 4; do
        wait_heard a "here $n"
        wait_heard b "here $n"
        tell a say LINK MONITOR shop/inner/b
        wait_heard a "LINKED shop/inner/b#$n MONITOR"
        tell b end 1
    done
    wait_heard a 'here 5'
}

@test "a ring of 100: one dies, all end, each once, and the first cause is in every reason" {
    local n next lines=()

    for ((n = 0; n < 100; n++)); do
        lines+=("    - $(party "r$n" 'restart: temporary')")
    done
    yaml ring.yaml <<YAML
troupe: 1
application: ring
supervisor:
  children:
$(printf '%s\n' "${lines[@]:0:50}")
    - $(party w 'restart: temporary')
    - name: other
      supervisor:
        children:
$(printf '      %s\n' "${lines[@]:50}")
YAML
    node_up ring.yaml
    for ((n = 0; n < 100; n++)); do
        next=$(((n + 1) % 100))
        tell "r$n" say LINK PEER "$(ring_path $next)"
        tell w say MONITOR $((n + 1)) "$(ring_path "$n")"
    done
    for ((n = 0; n < 100; n++)); do
        wait_heard "r$n" "LINKED $(ring_path $(((n + 1) % 100)))#1 PEER"
    done
    settle w
    tell r17 end 42
    wait_until 30 eval '[[ $(grep -c "^DOWN .* ring/" "$DIR/w.heard") == 100 ]]'
    [[ $(grep -c '^DOWN .* cascade ring/r17 exit:42$' "$DIR/w.heard") == 99 ]]
    wait_heard w 'DOWN 18 ring/r17#1 exit:42'
    settle w
    [[ $(grep '^DOWN .* ring/' "$DIR/w.heard" | sort -u -k 2,2 | wc -l) == 100 ]]
}

ring_path() {
    (($1 < 50)) && echo "ring/r$1" || echo "ring/other/r$1"
}

# ---- very many ---------------------------------------------------------------------------------

counts() { # NAME N: that many DOWN lines, and as many different numbers
    tell "$1" count
    grep -q -x "counted $2 $2" "$DIR/$1.heard"
}

hundred_thousand() { # TARGET
    tree
    tell a many 100000 "$1"
    wait_until 60 eval '[[ $(troupe status shop/a </dev/null 3>&- 4>&- | grep -c "100000") -ge 1 ]]'
    tell "$2" end 3
    wait_until 60 counts a 100000
    tell a say MONITOR 200000 shop/nobody
    wait_until 10 counts a 100001
    never_ended shop/a
}

@test "100,000 monitors on a sibling are told in one go" {
    hundred_thousand shop/b b
}

@test "100,000 monitors across supervisors are told in one go" {
    hundred_thousand shop/back/c c
}

@test "one monitor more than that is overloaded" {
    tree
    tell a many 100000 shop/b
    tell a say MONITOR 100001 shop/back/c
    wait_until 60 counts a 1
    tell a say DEMONITOR 7
    tell a say MONITOR 7 shop/nobody
    wait_until 10 counts a 2
}

@test "who does not read does not fill its supervisor, and a stop reaches it all the same" {
    tree
    tell a many 100000 shop/b
    wait_until 60 eval '[[ $(troupe status shop/a </dev/null 3>&- 4>&- | grep -c "100000") -ge 1 ]]'
    before=$(memory_of shop)
    tell a deaf
    kill -STOP "$(pid_of shop/a)"
    tell b end 3
    wait_heard b 'here 2'
    (($(memory_of shop) < before + 1000))
    kill -CONT "$(pid_of shop/a)"
    timeout 10 troupe stop shop/a </dev/null 3>&- 4>&-
}

memory_of() { # PATH: KiB
    awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of "$1")/status"
}

# ---- attached processes, and strangers -----------------------------------------------------------

# stranger NAME MAILBOX: a connection that says what `ask NAME WORD…` gives it (tests/helpers/stranger.c).
stranger() {
    mkfifo "$DIR/$1.ask"
    in_background "$1" sh -c 'exec stranger "$2" <>"$1"' sh "$DIR/$1.ask" "$2"
    echo $! >"$DIR/$1.pid"
}

hang_up() { # NAME
    kill "$(cat "$DIR/$1.pid")"
}

ask() { # NAME WORD…
    local name=$1 IFS=$'\t'

    shift
    echo "$*" >"$DIR/$name.ask"
}

answered() { # NAME WORD…: exactly once
    local name=$1 IFS=$'\t'

    shift
    [[ $(grep -c -x -F -e "$*" "$DIR/$name.out") == 1 ]]
}

wait_answered() {
    wait_until 10 answered "$@" || {
        cat "$DIR/$1.out"
        return 1
    }
}

# attach NAME SUPERVISOR MAILBOX(0|1): SUPERVISOR/NAME, or NAME at the root.
attach() {
    stranger "$1" "${2:+$2/}.supervisor"
    ask "$1" request attach "$1" $$ "$3"
    wait_until 10 grep -q "^reply.1.*${2:+$2/}$1#" "$DIR/$1.out"
}

@test "a process attaches itself, is seen, watched, asked to stop, and remembered" {
    tree
    attach p shop 1
    grep -q 'reply.1.fd.shop/p#' "$DIR/p.out"
    test -S "$TROUPE_RUN/shop/p"
    [[ $(column_of kind shop/p) == attached ]]
    state_is shop/p ready
    ask p request line "STATUS at work" "MONITOR 5 shop/b"
    tell a say MONITOR 1 shop/p
    tell c say MONITOR 1 shop/p
    settle a
    settle c
    wait_until 5 eval '[[ $(column_of status shop/p) == "at work" ]]'
    run troupe status shop/p </dev/null
    assert_output --partial 'shop/back/c'
    tell b end 3
    wait_answered p event 1 line 'DOWN 5 shop/b#1 exit:3'
    in_background stop troupe stop shop/p
    wait_answered p event 1 line STOP
    state_is shop/p stopping
    ask p request line 'EXIT shutdown well' 'STATUS has said all'
    wait_until 10 eval '[[ $(column_of status shop/p) == "has said all" ]]'
    hang_up p
    wait_until 10 grep -q 'DOWN 1 shop/p#[0-9]* shutdown well' "$DIR/a.heard"
    wait_until 10 grep -q 'DOWN 1 shop/p#[0-9]* shutdown well' "$DIR/c.heard"
    test ! -e "$TROUPE_RUN/shop/p"
    run troupe why shop/p </dev/null
    assert_output --partial 'shutdown well'
    run column_of state shop/p
    assert_failure
}

@test "one attached to the node itself is run/PID; its name is its own as long as it is there" {
    tree
    attach q "" 0
    state_is q ready
    stranger r .supervisor
    ask r request attach "" $$ 1
    wait_until 10 grep -q "^reply.1.fd.run/$$#" "$DIR/r.out"
    test -S "$TROUPE_RUN/run/$$"
    [[ $(column_of kind run/$$ run/$$) == attached ]]
    stranger s .supervisor
    ask s request attach q $$ 0
    ask s request attach "" $$ 0
    ask s request attach shop $$ 0
    ask s request attach run $$ 0
    ask s request attach a/b $$ 0
    for ref in 1 2 3 4; do
        wait_until 5 grep -q "^error.$ref.refused.*taken" "$DIR/s.out"
    done
    wait_until 5 grep -q '^error.5.bad_request' "$DIR/s.out"
    run troupe restart run/$$ </dev/null
    assert_failure
    assert_output --partial 'is attached'
    tell c say MONITOR 1 run/$$
    settle c
    hang_up r
    wait_until 10 grep -q "DOWN 1 run/$$#[0-9]* dropped" "$DIR/c.heard"
    run troupe why run/$$ </dev/null
    assert_output --partial 'dropped'
    ask s request attach "" $$ 0
    wait_until 10 grep -q "^reply.6.run/$$#" "$DIR/s.out"
}

@test "an attached process that goes without a word takes along who is linked to it" {
    tree
    attach p shop 0
    tell a say LINK MONITOR shop/p
    tell c say LINK MONITOR shop/p
    wait_until 10 grep -q 'LINKED shop/p#[0-9]* MONITOR' "$DIR/a.heard"
    wait_until 10 grep -q 'LINKED shop/p#[0-9]* MONITOR' "$DIR/c.heard"
    hang_up p
    wait_ended_with shop/a 'cascade shop/p dropped'
    wait_ended_with shop/back/c 'cascade shop/p dropped'
}

@test "an attached process is linked both ways: told to end, or told what ended" {
    tree
    attach p shop 0
    attach q shop 0
    ask p request line 'LINK PEER shop/back/c'
    ask q request line 'TRAP 1' 'LINK MONITOR shop/back/c'
    wait_answered p event 1 line 'LINKED shop/back/c#1 PEER'
    wait_answered q event 1 line 'LINKED shop/back/c#1 MONITOR'
    tell c end 6
    wait_answered p event 1 line 'EXIT shop/back/c exit:6'
    wait_answered q event 1 line 'EXIT shop/back/c#1 exit:6'
    ask p request line 'EXIT cascade shop/back/c exit:6'
    ask q request line 'LINK MONITOR shop/p'
    wait_until 10 grep -q 'LINKED shop/p#' "$DIR/q.out"
    hang_up p
    wait_until 10 grep -q 'EXIT shop/p#[0-9]* cascade shop/back/c exit:6' "$DIR/q.out"
}

@test "ends that a stranger makes up are refused and logged, and nobody dies of them" {
    local n=0 shape

    tree
    tell a say LINK MONITOR shop/back/c
    tell a say MONITOR 1 shop/back/c
    wait_heard a 'LINKED shop/back/c#1 MONITOR'
    for shape in 'event\t1\tdown' 'event\t1\tline' 'request\tdown' 'request\tline' 'event\t2\tEXIT'; do
        n=$((n + 1))
        stranger "s$n" shop/.supervisor
        ask "s$n" "$(printf '%b' "$shape")" shop/back/c#1 exit:9 0
        wait_until 10 grep -q '^closed' "$DIR/s$n.out"
    done
    wait_until 10 eval '[[ $(troupe log shop </dev/null | grep -c supervisor.forged) == 5 ]]'
    settle a
    assert_heard_only a 'LINKED shop/back/c#1 MONITOR'
    never_ended shop/a
}

@test "a stop of the supervisor reaches who is attached, too" {
    tree
    attach p shop 0
    troupe down shop </dev/null 3>&- 4>&-
    wait_answered p event 1 line STOP
    wait_until 10 grep -q '^closed' "$DIR/p.out"
}
