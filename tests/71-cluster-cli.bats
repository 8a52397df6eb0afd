#!/usr/bin/env bats
#
# The command line across nodes: two or three of them on the loopback, each with a run directory of its
# own. What is at `PATH@NODE` is asked, ordered, called and shown as if it were here.

load helper

setup() {
    troupe_setup
    head -c 32 /dev/urandom | base64 >cookie
    chmod 600 cookie
}

# tree NAME [KEY: VALUE of node:]…: writes NAME.yaml, a node with a small tree.
tree() {
    local name=$1

    shift
    {
        echo "troupe: 1"
        echo "node:"
        printf '  %s\n' "name: $name" "listen: tcp://127.0.0.1:0" "cookie_file: $DIR/cookie" "$@"
        cat <<END
application: shop
supervisor:
  intensity: 100
  children:
    - {name: counter, module: counter}
    - {name: heart, exec: [sh, -c, 'echo beat; echo beat again; exec sleep 1000']}
    - name: web
      supervisor:
        children:
          - {name: page, exec: [sleep, 1000]}
          - {name: other, exec: [sleep, 1001]}
END
    } >"$name.yaml"
}

# Where the node at $TROUPE_RUN listens.
url_of_node() {
    troupe log -n 1000 -o text sys/node </dev/null | sed -n 's/.*event=node.listen url=\([^ ]*\).*/\1/p'
}

# start NAME [KEY: VALUE of node:]…: starts that node, and makes it the one that is spoken to.
start() {
    tree "$@"
    use_node "$1"
    node_up "$1.yaml"
    wait_until 10 url_of_node
}

# is_up NAME: is there a session to that node?
is_up() {
    local status=0

    troupe status "@$1" </dev/null || status=$?
    ((status != 4))
}

# East and west with a session; east is spoken to.
start_both() {
    start east "$@"
    EAST_URL=$(url_of_node)
    start west "peers: [$EAST_URL]" "$@"
    use_node east
    wait_until 15 is_up west
}

has_lines() { # COUNT REGEX: in events.out
    (($(grep -c -- "$2" events.out) >= $1))
}

on() { # NODE CMD…
    local TROUPE_RUN=$DIR/$1

    shift
    TROUPE_RUN=$TROUPE_RUN "$@" </dev/null
}

value_of() { # ADDRESS
    ask "$1" value
}

# ---- looking -----------------------------------------------------------------------------------

@test "ps and tree of another node show its paths as PATH@NODE, level by level" {
    start_both
    run troupe ps -o paths @west
    assert_success
    assert_line --index 0 "shop@west"
    assert_line "shop/web/page@west"
    assert_line "sys/node@west"
    run troupe ps -o path,node,pid shop/web@west
    assert_success
    assert_equal "${#lines[@]}" 3
    assert_line --regexp "^shop/web/page@west	west	[0-9]+$"
    run troupe ps -o paths 'shop/web/*@west'
    assert_output "shop/web/page@west
shop/web/other@west"
    run troupe tree --ascii shop@west
    assert_line --index 1 --regexp '^shop@west '
    assert_line --index 4 --regexp '^`- web '
    assert_line --index 6 --regexp '^   `- other '
    run troupe ps -o paths .@east shop/counter@east
    assert_line "shop/counter"
    refute_output --partial @
}

@test "a node is named with @ and with .@ alike" {
    start_both
    run troupe status -o node @west
    assert_output west
    run troupe status -o node .@west
    assert_output west
    run troupe status -o node .@east
    assert_output east
    run troupe counts -o specs shop@west
    assert_output 3
}

@test "status, why and log of an actor of another node" {
    start_both
    run troupe status -o path,state,log shop/heart@west
    assert_success
    assert_output --partial "beat again"
    run troupe why shop/heart@west
    assert_success
    assert_output --partial "ready"
    run troupe log -n 1 shop/heart@west
    assert_output "beat again"
    run troupe log shop@west
    assert_line "shop/heart@west | beat again"
    run troupe log -o paths shop/heart@west
    assert_line "shop/heart@west"
    run troupe log -n 1000 @west
    assert_line --partial "sys/node@west | "
}

@test "log -f of another node goes on with what comes, and ends with the session" {
    local page

    start_both
    in_background log troupe log -f -n 0 shop@west
    LOG=$!
    in_background events troupe events -f @west
    EVENTS=$!
    wait_until 10 grep -q 'path=shop/web/page@west' events.out
    on west troupe restart shop/heart
    wait_until 10 grep -q '^shop/heart@west | beat again' log.out
    wait_until 10 grep -q 'path=shop/heart@west .*event=child.ready' events.out
    # below a supervisor that was started anew, too
    on west troupe restart shop/web
    wait_until 10 has_lines 2 'path=shop/web/page@west .*event=snapshot'
    page=$(on west pid_of shop/web/page)
    on west troupe restart shop/web/page
    wait_until 10 has_lines 1 "path=shop/web/page@west pid=$page event=child.stop"
    TROUPE_RUN=$DIR/west node_down
    wait_until 10 process_is_gone $LOG
    wait_until 10 process_is_gone $EVENTS
    run wait $LOG
    assert_failure 4
    run wait $EVENTS
    assert_failure 4
    assert grep -q 'no session to west' log.out
    assert grep -q 'no session to west' events.out
}

@test "events of another node begin with a snapshot" {
    start_both
    run troupe events -o paths shop/web@west
    assert_output "shop/web@west
shop/web/page@west
shop/web/other@west"
}

# ---- ordering ------------------------------------------------------------------------------------

@test "stop, start, restart, and a pattern, in another node" {
    local before

    start_both
    run troupe stop shop/web/page@west
    assert_success
    run on west troupe ps -o state shop/web/page
    assert_output stopped
    run troupe ps -o state shop/web/page
    assert_output ready
    run troupe start shop/web/page@west
    assert_success
    before=$(column_of incarnation shop/web/page@west shop/web/page@west)
    run troupe restart --one-by-one 'shop/web/*@west'
    assert_success
    (($(column_of incarnation shop/web/page@west shop/web/page@west) > before))
    run troupe stop shop/web/page@west#1000
    assert_failure 3
    assert_output "troupe: shop/web/page@west#1000: it is #$((before + 1)) now"
}

@test "wait for an actor of another node" {
    start_both
    run troupe wait --timeout 5s shop/counter@west shop/counter
    assert_success
    run troupe wait --for gone --timeout 5s shop/nothing@west
    assert_success
    run troupe wait --for gone --timeout 5s nothing/at/all@west
    assert_success
    in_background wait troupe wait --for down shop/web/page@west
    WAIT=$!
    on west troupe stop shop/web/page
    wait_until 10 process_is_gone $WAIT
    run wait $WAIT
    assert_success
    in_background lost troupe wait --for gone shop/web/other@west shop/counter
    WAIT=$!
    run holds_for 300 kill -0 $WAIT
    assert_success
    TROUPE_RUN=$DIR/west node_down
    wait_until 10 process_is_gone $WAIT
    run wait $WAIT
    assert_failure 4
}

@test "add and rm in another node; its path is printed as a place" {
    start_both
    run troupe add shop@west '{name: job, exec: [sleep, 60]}'
    assert_success
    assert_output "shop/job@west"
    run on west troupe ps -o state shop/job
    assert_output ready
    run troupe add shop@west '{name: home, exec: [sleep, "${FAR_AWAY}"]}'
    assert_failure 7
    FAR_AWAY=60 run troupe add shop@west '{name: home, exec: [sleep, "${FAR_AWAY}"]}'
    assert_failure 7 # our environment is not the other host's
    run troupe rm shop/job@west
    assert_success
    run on west troupe ps -o state shop/job
    assert_failure 3
}

# ---- talking -------------------------------------------------------------------------------------

@test "call, send and describe an actor of another node" {
    start_both
    run troupe call shop/counter@west add 5
    assert_output 5
    run troupe send shop/counter@west add 2
    assert_success
    wait_until 10 test "$(value_of shop/counter@west)" = 7
    assert_equal "$(value_of shop/counter)" 0
    run troupe describe -o message shop/counter@west
    assert_line add
    run troupe call 'shop/count*@west' value
    assert_output "shop/counter@west: 7"
    run troupe call shop/counter@west ad 5
    assert_failure 2
    assert_output --partial "did you mean add?"
    run troupe call shop/web@west value
    assert_failure 1
    assert_output --partial "a supervisor takes no messages"
    run troupe call --raw shop/heart@west
    assert_failure 1
    assert_output --partial "raw messages do not go to another node"
}

@test "a call whose session ends is told so at once" {
    start_both
    kill -STOP "$(TROUPE_RUN=$DIR/west pid_of shop/counter)"
    register_pid "$(TROUPE_RUN=$DIR/west pid_of shop/counter)"
    in_background call troupe call --timeout 60s --raw shop/counter@west value
    CALL=$!
    run holds_for 300 kill -0 $CALL
    assert_success
    kill -KILL "$(TROUPE_RUN=$DIR/west pid_of sys/node)"
    wait_until 10 process_is_gone $CALL
    run wait $CALL
    assert_failure 4
    assert grep -q 'shop/counter@west: no session to west' call.out
}

@test "a command that is linked to an actor of another node ends with it" {
    start_both
    in_background run troupe run --link PEER:shop/web/page@west -- sleep 1000
    RUN=$!
    wait_until 10 grep -q run/ <(troupe ps -o paths)
    on west troupe stop shop/web/page
    wait_until 10 process_is_gone $RUN
    run troupe run --name shop/job@west -- true
    assert_failure 2
    assert_output --partial "expected a path of this node"
}

# ---- what cannot be ----------------------------------------------------------------------------

@test "no session is 4, no such actor 3 with the nearest name there is" {
    start_both
    for verb in ps tree status why stop start rm describe counts wait events log; do
        run troupe $verb shop/counter@north
        assert_failure 4
        assert_output --partial "no session to north"
    done
    for verb in "log -f" "events -f"; do
        run troupe $verb shop@north
        assert_failure 4
    done
    run troupe call shop/counter@north value
    assert_failure 4
    run troupe add shop@north '{name: job, exec: [sleep, 60]}'
    assert_failure 4
    run troupe run --link PEER:shop/counter@north -- true
    assert_failure 4
    for verb in ps status why stop describe events log; do
        run troupe $verb shop/countr@west
        assert_failure 3
        assert_output "troupe: shop/countr@west: no such actor; did you mean shop/counter@west?"
    done
    run troupe ps 'shop/x*@west'
    assert_failure 3
    run troupe add nothing@west '{name: job, exec: [sleep, 60]}'
    assert_failure 3
}

@test "what a node does not grant to others is 5" {
    start_both "grant: [look]"
    run troupe ps -o paths shop@west
    assert_success
    run troupe stop shop/counter@west
    assert_failure 5
    run troupe call shop/counter@west value
    assert_failure 5
    assert_equal "$(on west troupe ps -o state shop/counter)" ready
}

@test "a node that lets nobody look refuses ps, events, log and wait by name" {
    start_both "grant: [send]"
    for verb in ps events "log -f" wait status; do
        run troupe $verb shop/counter@west
        assert_failure 5
    done
    run troupe call shop/counter@west add 1
    assert_output 1
}
