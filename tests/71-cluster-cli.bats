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

# tree NAME [KEY: VALUE of node:]…: writes NAME.yaml, a node with a small tree. LISTEN: where.
tree() {
    local name=$1

    shift
    {
        echo "troupe: 1"
        echo "node:"
        printf '  %s\n' "name: $name" "listen: ${LISTEN:-tcp://127.0.0.1:0}" "cookie_file: $DIR/cookie" "$@"
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
    wait_until 10 listens
}

# The line of its log may come after the node is up.
listens() {
    [[ -n $(url_of_node) ]]
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

@test "ps -a shows this node and all that it has a session with" {
    start_both
    start north "peers: [$EAST_URL]"
    use_node east
    wait_until 15 is_up north
    run troupe ps -a -o paths
    assert_success
    assert_line --index 0 shop
    assert_line "shop/web/page"
    assert_line "shop/web/page@west"
    assert_line "shop/web/page@north"
    assert_equal "$(grep -c '^shop@\|^shop$' <<<"$output")" 3
    run troupe ps -a shop
    assert_failure 2
    kill -STOP "$(TROUPE_RUN=$DIR/north pid_of sys/node)"
    register_pid "$(TROUPE_RUN=$DIR/north pid_of sys/node)"
    run troupe ps -a -o paths
    assert_success
    assert_line "shop/web/page@west"
    assert_line "troupe: @north: its supervisor does not answer"
    kill -CONT "$(TROUPE_RUN=$DIR/north pid_of sys/node)"
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
    in_background run troupe run --link PEER:shop/web/page@west -- sh -c 'touch linked; exec sleep 1000'
    RUN=$!
    wait_until 10 test -e linked
    kill -KILL "$(TROUPE_RUN=$DIR/west pid_of shop/web/page)"
    wait_until 10 process_is_gone $RUN
    run wait $RUN
    assert_failure 8
    assert grep -q 'shop/web/page@west' run.out
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

# ---- nodes ---------------------------------------------------------------------------------------

node_is() { # NAME STATE
    [[ $(troupe nodes -o name,state </dev/null) == *"$1	$2"* ]]
}

@test "nodes lists who is there, in every format" {
    start east
    run troupe nodes
    assert_output "NAME STATE UP URL RTT"
    run troupe nodes -o json
    assert_output --partial '"nodes": []'
    start west "peers: [$(on east url_of_node)]"
    wait_until 15 node_is east up
    run troupe nodes
    assert_line --index 1 --regexp "^east +up +[0-9.]+m?s tcp://127.0.0.1:[0-9]+ +([0-9]+us|-)$"
    run bash -c 'troupe nodes -o json | jq -e ".nodes[0] | .name == \"east\" and .state == \"up\" and
        (.up | type) == \"number\" and (.since | startswith(\"20\")) and (.channels | type) == \"number\" and
        (.generation | length) == 16 and .reason == \"\""'
    assert_success
    run troupe nodes -w
    assert_line --index 0 --regexp "GENERATION +SINCE +QUEUE +IN +OUT +CHANNELS +MEMBERS +REASON"
    run troupe nodes -o name @east
    assert_output west
    run troupe nodes shop/counter
    assert_failure 2
    run troupe nodes @north
    assert_failure 4
}

@test "nodes -w counts channels and members, and says why a node is not up" {
    start_both
    in_background log troupe log -f -n 0 shop@west
    channels_are() { [[ $(troupe nodes -o channels) == "$1" ]]; }
    wait_until 10 channels_are 1
    in_background member env TROUPE_RUN="$DIR/west" troupe run --join pages -- sleep 1000
    members_are() { [[ $(troupe nodes -o members) == "$1" ]]; }
    wait_until 10 members_are 1
    run troupe connect "tcp://127.0.0.1:$(free_port)"
    assert_success
    dialling_has_reason() { troupe nodes -o state,reason | grep -q '^dialling	[a-zC]'; }
    wait_until 10 dialling_has_reason
}

@test "nodes -f tells of every session that begins or ends, also when sys/node itself does" {
    LISTEN=tcp://127.0.0.1:$(free_port) start east # the same when it is started again
    in_background nodes troupe nodes -f
    NODES=$!
    start west "peers: [$(on east url_of_node)]"
    use_node east
    wait_until 15 grep -q 'level=info path=@west event=node.up$' nodes.out
    kill -KILL "$(pid_of sys/node)"
    wait_until 10 grep -q 'level=warn path=@west event=node.down reason="sys/node has ended"' nodes.out
    seen_twice() { (($(grep -c 'path=@west event=\(node.up\|snapshot\)$' nodes.out) == 2)); }
    wait_until 20 seen_twice
    TROUPE_RUN=$DIR/west node_down
    wait_until 10 grep -q 'path=@west event=node.down reason=shutdown' nodes.out
    node_down
    wait_until 10 process_is_gone $NODES
    run wait $NODES
    assert_success
}

@test "connect starts what is needed, and dials; disconnect ends it until connect" {
    local url

    start west
    url=$(url_of_node)
    # a node that speaks to nobody yet has no sys/node
    printf '%s\n' "troupe: 1" "node: {name: east, cookie_file: $DIR/cookie}" "application: shop" \
        "supervisor: {children: [{name: counter, module: counter}]}" >east.yaml
    use_node east
    node_up east.yaml
    run troupe ps -o paths sys/node
    assert_failure 3
    run troupe connect "$url"
    assert_success
    wait_until 15 node_is west up
    run troupe call shop/counter@west add 3
    assert_output 3
    run troupe disconnect @west
    assert_success
    wait_until 10 node_is west unwanted
    run troupe ps @west
    assert_failure 4
    run troupe connect "$url"
    assert_success
    wait_until 20 node_is west up
    run troupe connect nonsense
    assert_failure 1
    assert_output --partial "nonsense"
}

@test "a node without a cookie says that it cannot connect" {
    printf '%s\n' "troupe: 1" "application: shop" \
        "supervisor: {children: [{name: counter, module: counter}]}" >alone.yaml
    use_node alone
    node_up alone.yaml
    run troupe connect tcp://127.0.0.1:4730
    assert_failure 1
    assert_output --partial "no cookie_file"
    run troupe nodes -o name
    assert_success
    assert_output ""
}

# ---- groups --------------------------------------------------------------------------------------

# member NAME GROUP…: a program that joins groups by its config alone, at the node that is spoken to.
with_groups() { # NODE: east or west, whose counters are in the group `sums`
    local name=$1

    shift
    tree "$name" "$@"
    sed -i 's/{name: counter, module: counter}/{name: counter, module: counter, groups: [sums, "rooms:42"]}/' \
        "$name.yaml"
    use_node "$name"
    node_up "$name.yaml"
    wait_until 10 url_of_node
}

start_groups() {
    with_groups east
    EAST_URL=$(url_of_node)
    with_groups west "peers: [$EAST_URL]"
    use_node east
    wait_until 15 members_are sums "shop/counter
shop/counter@west"
}

members_are() { # GROUP PATHS
    [[ $(troupe members -o paths "$1" </dev/null) == "$2" ]]
}

@test "groups and members are seen from every node" {
    start_groups
    run troupe groups -o scope,group,members
    assert_line "pg	sums	2"
    assert_line "rooms	42	2"
    run troupe groups -o group rooms
    assert_output 42
    run troupe groups -o members --local pg
    assert_output 1
    run troupe groups
    assert_line --index 0 --regexp "^GROUP +SCOPE +MEMBERS$"
    run troupe members -o path,times rooms:42
    assert_output "shop/counter	1
shop/counter@west	1"
    run troupe members -o paths --local sums
    assert_output shop/counter
    run on west troupe members -o paths sums
    assert_line "shop/counter@east"
    run bash -c 'troupe members -o json sums | jq -e ".members | length == 2 and .[1].path == \"shop/counter@west\""'
    assert_success
    run troupe members -o json nobody
    assert_success
    assert_output --partial '"members": []'
    run troupe members 'no group'
    assert_failure 2
}

sums() { # of both, as "EAST WEST"
    echo "$(value_of shop/counter) $(value_of shop/counter@west)"
}

sums_are() {
    [[ $(sums) == "$*" ]]
}

@test "publish reaches each member of both nodes once, or one as it is asked for" {
    start_groups
    run troupe publish sums add 5
    assert_success
    wait_until 10 sums_are 5 5
    run troupe publish --one-per-node sums add 1
    assert_success
    wait_until 10 sums_are 6 6
    run troupe publish --nearest sums add 1
    assert_success
    wait_until 10 sums_are 7 6
    run troupe publish --one rooms:42 add 10
    assert_success
    wait_until 10 eval 'sums_are 17 6 || sums_are 7 16'
    run troupe publish --one --nearest sums add 1
    assert_failure 2
    run troupe publish sums ad 1
    assert_failure 2
    assert_output --partial "did you mean add?"
    run troupe publish nobody add 1
    assert_failure 3
    assert_output "troupe: nobody: nobody is in this group"
}

@test "publish --one goes to each of them sooner or later" {
    start_groups
    both_have() { (($(value_of shop/counter) && $(value_of shop/counter@west))); }
    one_more() { troupe publish --one sums add 1 </dev/null && both_have; }
    wait_until 20 one_more
}

@test "run --join makes a command a member while it runs, on every node" {
    start_both
    in_background job troupe run --join workers --join rooms:7 -- sleep 1000
    JOB=$!
    is_member() { [[ $(on west troupe members -o paths "$1") =~ ^run/[0-9]+@east$ ]]; }
    wait_until 10 is_member workers
    wait_until 10 is_member rooms:7
    kill -TERM $JOB
    gone() { [[ -z $(on west troupe members -o paths workers) ]]; }
    wait_until 10 gone
    run troupe run --join 'no group' -- true
    assert_failure 2
}
