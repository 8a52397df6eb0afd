#!/usr/bin/env bats
# Services of several nodes (CLUSTER 4): real nodes with one store in a folder that they share, sessions over
# the loopback, and leases of a second. F numbers are those of the scenarios taken from rio-rs. An actor of
# tests/modules/entity.c notes its lives, and finds out when there are two of it.

load helper
load nodes
load company
load wires

setup() {
    troupe_setup
    cookie
    mkdir locks
    : >notes
    LEASE=1s
}

# tree [KEYS]: what the nodes started from now on run: shop/things, with these keys.
tree() {
    cat >tree.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - name: things
      service: {module: entity, args: {notes: $DIR/notes, locks: $DIR/locks, slow_ms: 1000}${1:+, $1}}
    - name: papers
      service: {module: publisher, placement: hash}
    - name: leaflets
      service: {module: publisher, placement: hash, idle: 500ms}
    - {name: listener, module: listener}
    - {name: talker, module: talker}
    - {name: swarm, module: swarm, replicas: 2}
END
}

# company NAME…: so many nodes, of which each may run services.
company() {
    local name

    for name in "$@"; do
        member "$name"
    done
    wait_until 15 are_in "$@"
}

are_in() {
    local name

    for name in "$@"; do
        rows "select name from node where state = 'alive'" 2>/dev/null | grep -q -x "$name" || return 1
    done
}

is_out() { # NODE
    ! rows "select name from node where state != 'dead'" | grep -q -x "$1"
}

owner() { # ID
    rows "select node from place where id = '$1' and service = 'shop/things'"
}

is_owner() { # ID NODE
    [[ $(owner "$1") == "$2" ]]
}

# An id that the strategy `hash` gives to that node. What it offers may have to be heard of first.
id_of() { # NODE
    TRIED=0
    wait_until 25 next_id_is_of "$1" >&2 && echo "$TRIED"
}

next_id_is_of() { # NODE
    TRIED=$((TRIED + 1))
    at east troupe call "shop/things/$TRIED" hit >/dev/null 2>&1 && is_owner "$TRIED" "$1"
}

is_answered() { # NODE ID
    hit "$1" "$2" >/dev/null 2>&1
}

@test "F3, F25: whoever asks, on whatever node, there is one actor of an id, and all reach it" {
    local id node

    tree 'placement: hash'
    company east west north
    for id in $(seq 12); do
        for node in east west north; do
            hit "$node" "$id"
        done
    done >answers
    assert_equal "$(sort -n answers | uniq -c | awk '{ print $1, $2 }')" $'12 1\n12 2\n12 3'
    assert_equal "$(noted '^ready')" 12
    assert [ "$(rows 'select distinct node from place' | wc -l)" -ge 2 ]
    # an actor of one node calls one of another
    run at west troupe call shop/things/1 through "shop/things/2 shop/things/3"
    assert_output 3
    never_two
}

@test "a call that comes before the node has its first lease waits for it" {
    LEASE=4s
    tree
    member east
    run hit east early
    assert_output 1
    member west # which joins a company
    run hit west late
    assert_output 1
}

@test "what another node sends at the moment of an idle stop is heard by the next life, once" {
    local hits

    have_hit() { [[ $(noted '^hit') == $((hits + $1)) ]]; }
    tree 'placement: hash, idle: 60ms'
    company east west
    id_of west >/dev/null
    hits=$(noted '^hit')
    run at east troupe call --timeout 60s shop/swarm.1 run shop/things/ hit 80 80 15 45 75 20000
    assert_output answered=1200
    assert have_hit 1200
    run at east troupe call --timeout 60s shop/swarm.1 run shop/things/ hit 80 80 15 45 75 0
    assert_output sent=1200
    wait_until 20 have_hit 2400
    never_two
}

@test "F18: after the first call a sender goes straight to where the actor is" {
    local id

    tree 'placement: hash'
    company east west
    id=$(id_of west)
    at east troupe call --timeout 30s shop/swarm.1 run "shop/things/${id%0}" hit 10 1 1000 0 0 5000 >out
    run grep -o 'answered=[0-9]*' out
    assert_output "answered=10000"
    assert_equal "$(noted "^ready $id ")" 1
}

@test "local: where it is asked for; another node hears of it there" {
    tree 'placement: local'
    company east west
    hit west a
    is_owner a west
    hit east a
    is_owner a west
    hit east b
    is_owner b east
}

@test "a node that does not offer the service reaches it all the same, and is not given any of it" {
    tree
    company east
    sed -i '/name: things/,+1d' tree.yaml
    member north
    wait_until 15 are_in east north
    for id in 1 2 3 4 5 6; do
        hit north $id
    done
    assert_equal "$(rows 'select distinct node from place')" east
    run at north troupe call shop/others/1 hit
    assert_failure 3
}

@test "max: when one node is full the other is given the rest, and then it is overloaded by name" {
    tree 'placement: local, max: 2'
    company east west
    for id in 1 2 3 4; do
        hit east $id
    done
    assert_equal "$(rows 'select node, count(*) from place group by node order by node')" $'east 2\nwest 2'
    run hit east 5
    assert_failure
    assert_output --partial overloaded
}

@test "a host with less room than its node wants left takes no more actors; when no other has, it is overloaded by name" {
    tree 'placement: local'
    member east 'max_memory: 1'
    member west
    wait_until 15 are_in east west
    hit east 1
    is_owner 1 west
    run rows "select load from node where name = 'east'"
    assert_output --regexp ' memory=[1-9][0-9][0-9]+ '
    at west troupe down
    run hit east 2
    assert_failure
    assert_output --partial overloaded
}

@test "a node offers some hundreds of services, all of them" {
    {
        printf 'troupe: 1\napplication: shop\nsupervisor:\n  children:\n'
        printf '    - {name: papers-%d, service: {module: publisher, max: 2}}\n' {1..150}
    } >tree.yaml
    company east
    all_are_offered() { rows "select load from node" | grep -q 'papers-150='; }
    wait_until 10 all_are_offered
    at east troupe call shop/papers-150/a ping
    at east troupe call shop/papers-1/a ping
    {
        cat tree.yaml
        printf '    - {name: more-%d, service: {module: publisher, max: 2}}\n' {151..513}
        sed -n '/^node:/,$p' east.yaml
    } >more.yaml
    run troupe check more.yaml
    assert_failure 7
    assert_output --partial 'shop/more-513: service: one too many'
    refute_output --partial 'shop/more-512: '
}

has_heard() { # PATTERN
    at east troupe call shop/listener heard | grep -q -- "$1"
}

# Of that id an event has been heard, published from west.
is_heard() { # ID N
    at west troupe call "shop/papers/$1" say news "$2" >/dev/null 2>&1
    has_heard "news#[0-9]*=$2"
}

@test "F4, F5, F32: a subscriber is told by an actor of another node, which is started for it; of its end; and subscribes again" {
    local id=

    tree
    company east west
    for id in 1 2 3 4 5 6 7 8 9 10 11 12; do
        # nobody has asked for it yet
        at east troupe call shop/listener subscribe "shop/papers/$id" news 0
        wait_until 10 is_placed "$id"
        [[ $(paper_owner "$id") == west ]] && break
    done
    at west troupe call "shop/papers/$id" burst news 100 10
    wait_until 10 has_heard 'news#100=100'
    run at east troupe call shop/listener heard
    refute_output --partial gap
    # in order, as at the end of its idle time: who subscribes anew has it started again
    at west troupe call "shop/papers/$id" quit "enough of it" || true
    wait_until 10 has_heard 'ended down enough of it'
    at east troupe call shop/listener subscribe "shop/papers/$id" news 0
    wait_until 10 is_heard "$id" 777
    # shellcheck disable=SC2046
    kill -KILL $(all_of west)
    wait_until 15 has_heard 'news#[0-9]*=777.* ended '
    wait_until 15 at east troupe call "shop/papers/$id" ping # west is declared dead
    at east troupe call shop/listener subscribe "shop/papers/$id" news 0
    is_heard_here() {
        at east troupe call "shop/papers/$id" say news 888 && has_heard 'news#[0-9]*=888'
    }
    wait_until 10 is_heard_here
    assert_equal "$(paper_owner "$id")" east
}

@test "a subscription keeps no actor from its idle stop, on whichever node, and is told of it" {
    local id

    tree
    company east west
    for id in 1 2 3 4 5 6; do
        at east troupe call shop/listener subscribe "shop/leaflets/$id" news 0
    done
    all_have_ended() {
        [[ $(at east troupe call shop/listener heard) == "$(printf 'ended down shutdown idle | %.0s' 1 2 3 4 5)ended down shutdown idle" ]]
    }
    wait_until 15 all_have_ended
}

paper_owner() { # ID
    rows "select node from place where id = '$1' and service = 'shop/papers'"
}

is_placed() { # ID
    [[ -n $(paper_owner "$1") ]]
}

@test "who asks after an actor that lives on another node is told where" {
    local verb

    tree 'placement: local'
    company east west
    hit west a
    for verb in ps status why log stop; do
        run at east troupe $verb shop/things/a
        assert_failure 3
        assert_output --partial "it is at west: shop/things/a@west"
    done
    at east troupe status shop/things/a@west
    run at east troupe status shop/things/nobody
    assert_failure 3
    assert_output --partial "no such actor"
}

has_seen_end() { # PATTERN
    at east troupe call shop/talker heard | grep -q "down $1"
}

is_monitored() { # ID
    at west troupe status "shop/things/$1" | grep -q '^monitored_by:.*shop/talker@east'
}

@test "links and monitors find an actor of a service by its path, wherever it lives, and start none" {
    local pid

    tree 'placement: local'
    company east west
    hit west a
    hit west b
    hit west c
    hit west d
    assert_equal "$(at east troupe call shop/talker monitor shop/things/a)" watched
    assert_equal "$(at east troupe call shop/talker monitor shop/things/none)" watched
    wait_until 10 has_seen_end 'shop/things/none noproc'
    assert_equal "$(owner none)" ''
    wait_until 10 is_monitored a
    at west troupe call shop/things/a crash || true
    wait_until 10 has_seen_end 'shop/things/a@west#[0-9]* signal:ABRT'
    # a link that was taken back is none
    assert_equal "$(at east troupe call shop/talker link shop/things/b)" linked
    assert_equal "$(at east troupe call shop/talker unlink shop/things/b)" unlinked
    assert_equal "$(at east troupe call shop/talker link shop/things/c)" linked
    at west troupe call shop/things/b crash || true
    at west troupe call shop/things/c crash || true
    wait_until 10 is_gone_with shop/things/c
    run at east troupe log -n 1000 shop
    refute_output --partial "cascade shop/things/b"
}

is_gone_with() { # PATH
    at east troupe why shop/talker | grep -q "cascade $1@west signal:ABRT"
}

tell() { # LINE: for the program in east to say to its supervisor
    echo "say $*" >party.do
}

@test "a program's lines about actors of services find them wherever they live, too" {
    tree 'placement: local'
    echo "    - {name: party, exec: [\"$TOP/tests/helpers/party.py\", \"$DIR\"]}" >>tree.yaml
    member east
    tree 'placement: local'
    member west
    wait_until 15 are_in east west
    wait_until 10 test -p party.do
    hit west a
    hit west b
    hit west c
    tell MONITOR 1 shop/things/a
    tell MONITOR 2 shop/things/none
    tell MONITOR 3 shop/things/b
    tell DEMONITOR 3
    tell LINK PEER shop/things/b
    wait_until 10 grep -q '^DOWN 2 shop/things/none noproc' party.heard
    wait_until 10 grep -q '^LINKED shop/things/b@west#[0-9]* PEER' party.heard
    is_watched() { at west troupe status shop/things/a | grep -q '^monitored_by:.*shop/party@east'; }
    wait_until 10 is_watched
    assert_equal "$(owner none)" '' # none is started for it
    at west troupe call shop/things/a crash || true
    wait_until 10 grep -q '^DOWN 1 shop/things/a@west#[0-9]* signal:ABRT' party.heard
    # taken back by its path, although it is elsewhere
    tell UNLINK PEER shop/things/b
    tell LINK MONITOR shop/things/c
    wait_until 10 grep -q '^LINKED shop/things/c@west#[0-9]* MONITOR' party.heard
    at west troupe call shop/things/b crash || true
    at west troupe call shop/things/c crash || true
    has_ended() { at east troupe why shop/party | grep -q 'cascade shop/things/c@west signal:ABRT'; }
    wait_until 10 has_ended
    run grep 'DOWN 3' party.heard
    assert_failure
}

@test "a link of the config waits for an actor of a service, wherever it comes to live, and ends with it" {
    tree 'placement: local'
    company east west
    yaml other.yaml <<'END'
troupe: 1
application: other
supervisor: {children: [{name: linked, exec: [sleep, "1000"], link: [shop/things/a], restart: transient}]}
END
    at east timeout 1 troupe up -d other.yaml || true
    [[ $(at east state_of other/linked) == waiting ]]
    hit west a
    wait_until 10 at east wait_for_state other/linked ready
    assert_equal "$(owner a)" west
    at west troupe call shop/things/a crash || true
    wait_until 10 at east is_cascade
    # it is on another node in its next life
    is_owner a '' || at west troupe stop shop/things/a
    hit east a
    wait_until 10 at east wait_for_state other/linked ready
    at east troupe call shop/things/a crash || true
    has_ended_twice() { at east troupe log -n 1000 other | grep -c 'child.exit.*cascade shop/things/a'; }
    wait_until 10 is_twice
}

is_cascade() {
    troupe why other/linked | grep -q 'cascade shop/things/a signal:ABRT'
}

is_twice() {
    [[ $(has_ended_twice) == 2 ]]
}

@test "a session breaks while both nodes live: who had called hears it, nobody is dead, and all goes on" {
    local url

    tree 'placement: local'
    node east "store: \"sqlite:$DIR/store\"" "lease: $LEASE" 'connect: isolated'
    url=$(url_of east)
    wire between "${url##*:}"
    node west "store: \"sqlite:$DIR/store\"" "lease: $LEASE" 'connect: isolated' \
        "peers: ['tcp://127.0.0.1:${WIRE[between]}']"
    wait_until 20 are_in east west
    hit west w
    in_background waiting at east troupe call --timeout 30s shop/things/w rest 15000
    wait_until 10 is_busy
    order between reset
    wait_until 10 grep -q noconnection waiting.out
    wait_until 20 is_answered west new
    wait_until 20 is_answered east new
    assert_equal "$(rows "select count(*) from node where state = 'dead'")" 0
    assert_equal "$(noted '^ready w ')" 1
    never_two
}

# Does its handler run?
is_busy() {
    [[ $(at west troupe ps shop/things/w) == *busy* ]]
}

@test "F6: the owner's host dies: what it had lives on the other, and was never twice" {
    local id

    tree 'placement: hash'
    company east west
    id=$(id_of west)
    kill_host west
    run hit east "$id"
    ((status == 0)) || assert_output --partial noconnection # at once, by name: nobody knows yet that it is dead
    wait_until 10 is_answered east "$id"
    is_owner "$id" east
    is_out west
    never_two
}

@test "on one host nobody waits for the lease of a node that is gone: its lock is free" {
    local id

    LEASE=20s
    tree 'placement: hash'
    company east west
    id=$(id_of west)
    kill_host west
    wait_until 10 is_answered east "$id"
    is_owner "$id" east
    is_out west
    never_two
}

is_in_state() { # NODE STATE
    [[ $(rows "select state from node where name = '$1'") == "$2" ]]
}

@test "a node that dies while it leaves is waited for no longer: its row has changed since it was read" {
    local id pids

    LEASE=20s # what is not done at once is tried again after a fifth of it
    tree 'placement: hash'
    company east west
    id=$(id_of west)
    pids=$(all_of west)
    kill -TERM "$(at west pid_of sys/node)" # as when the node ends; while an actor lives it has not left
    wait_until 5 is_in_state west draining
    # shellcheck disable=SC2086
    kill -KILL $pids
    wait_until 3 is_answered east "$id"
    is_owner "$id" east
    is_out west
    never_two
}

@test "who joins is known to the others as soon as there are sessions with them, and runs actors then" {
    LEASE=20s # the table is read every fifth of it
    tree 'placement: local'
    company east
    member west
    run at west troupe call --timeout $((1500 * TEST_SCALE))ms shop/things/1 hit
    assert_output 1
    is_owner 1 west
    wait_until 5 is_in_state west alive
}

@test "F26: an owner that is stopped loses its actors without waking, and has no say when it wakes" {
    local id pid

    tree 'placement: hash'
    company east west
    id=$(id_of west)
    pid=$(at west pid_of "shop/things/$id")
    all_of west >pids
    # shellcheck disable=SC2046
    kill -STOP $(cat pids)
    wait_until 10 process_is_gone "$pid"
    wait_until 10 is_answered east "$id"
    is_owner "$id" east
    ((SOAK == 0)) || holds_for 30000 is_answered east "$id"
    # shellcheck disable=SC2046
    kill -CONT $(cat pids) 2>/dev/null || true
    wait_until 20 are_in east west # as a new generation
    hit west "$id"
    is_owner "$id" east
    never_two
}

@test "sys/node and sys/store may be killed: actors live on, and new ones come as soon as both are back" {
    local id name epoch

    tree 'placement: hash'
    company east west
    id=$(id_of west)
    epoch=$(at east troupe call "shop/things/$id" who | cut -f 2)
    for name in node store node; do
        kill -KILL "$(at west pid_of sys/$name)"
        wait_until 10 is_answered east "$id"
        wait_until 10 is_answered west new-$name
    done
    assert_equal "$(at east troupe call "shop/things/$id" who | cut -f 2)" "$epoch"
    never_two
}

@test "the supervisor of the owner is killed while it starts one: who asked from elsewhere hears, and may ask again" {
    local id since one

    tree 'placement: hash'
    company east west
    is_slow_at_west() { is_answered east "slow$1" && is_owner "slow$1" west; }
    wait_until 10 is_answered west 0
    for id in $(seq 20); do
        is_slow_at_west "$id" && break
    done
    id=slow$id
    is_owner "$id" west
    at west troupe stop "shop/things/$id"
    : >notes
    in_background one at east troupe call --timeout 20s "shop/things/$id" hit
    one=$!
    is_starting() { [[ $(noted "^init $id ") == 1 ]]; }
    wait_until 5 is_starting
    since=$(now_ms)
    kill -KILL "$(at west pid_of shop/things)"
    wait "$one" || grep -q 'down' one.out
    (($(now_ms) - since < 10000 * TEST_SCALE))
    wait_until 10 is_answered east "$id"
    never_two
}

@test "an outage of the store ends many services at once, and their application does not give up" {
    local name pid pids

    printf 'troupe: 1\napplication: shop\nsupervisor:\n  children:\n' >tree.yaml
    for name in a b c d e f; do
        echo "    - {name: $name, service: {module: cart, max: 10, state: true}}" >>tree.yaml
    done
    company east
    answers() { at east troupe call shop/a/1 list; }
    wait_until 10 answers
    pids=$(for name in a b c d e f; do at east pid_of shop/$name; done)
    kill -STOP "$(at east pid_of sys/store)"
    for pid in $pids; do
        wait_until 10 process_is_gone "$pid"
    done
    kill -CONT "$(at east pid_of sys/store)"
    wait_until 10 answers
    [[ $(at east state_of shop) == ready ]]
}

@test "what a client has sent to an actor of another node is not sent again when sys/node is killed" {
    local call first second

    LEASE=6s # nobody is fenced meanwhile
    cat >tree.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: carts, service: {module: cart, placement: local, max: 100, state: true}}
END
    company east west
    is_listed() { at "$1" troupe call shop/carts/a list; }
    wait_until 10 is_listed west
    wait_until 10 is_listed east
    taken() { at west troupe ps -o in shop/carts/a; }
    first=$(taken)
    is_listed east
    second=$(taken)
    kill -STOP "$(at west pid_of sys/store)" # so that its answer is withheld
    in_background call at east troupe call --timeout 10s shop/carts/a add apple 1
    call=$!
    has_taken() { (($(taken) == 2 * second - first)); }
    wait_until 5 has_taken
    kill -STOP "$(at east pid_of sys/store)" # so that nobody is told where the actor is, before …
    kill -KILL "$(at east pid_of sys/node)"
    kill -CONT "$(at west pid_of sys/store)"
    are_again() { (($(at west troupe log -n 10000 sys/node | grep -c event=node.up) == 2)); }
    wait_until 10 are_again # … it can be reached
    kill -CONT "$(at east pid_of sys/store)"
    wait "$call" || true
    wait_until 10 is_listed west
    assert_equal "$(at west troupe call shop/carts/a list)" 'apple 1'
}

@test "restart ends an actor in order, and another life of it begins, with another epoch" {
    local first

    tree 'placement: local'
    company east
    wait_until 10 is_answered east 1
    first=$(at east troupe call shop/things/1 who | cut -f 2)
    at east troupe restart shop/things/1
    began_again() { [[ $(noted '^ready 1 ') == 2 ]]; }
    wait_until 5 began_again
    assert [ "$(at east troupe call shop/things/1 who | cut -f 2)" -gt "$first" ]
    assert_equal "$(noted '^end.shutdown. 1 ')" 1
}

@test "what a dead node has left in the store goes: places that nobody calls for again, and its own row" {
    local id

    LEASE=500ms
    tree 'placement: hash'
    company east west
    id=$(id_of west)
    kill_host west
    wait_until 10 is_out west
    assert_equal "$(rows "select count(*) from place where node = 'west'")" 1
    nothing_is_left() { [[ -z $(rows "select 1 from place where node = 'west' union all select 1 from node where name = 'west'") ]]; }
    wait_until 30 nothing_is_left
    wait_until 10 is_answered east "$id"
    is_owner "$id" east
    use_node west
    node_up west.yaml
    wait_until 20 are_in east west
    never_two
}

@test "F33: a node that is taken down ends its actors in order, and others have them at once" {
    local id

    tree 'placement: hash'
    company east west
    id=$(id_of west)
    at west troupe down
    is_out west
    assert_equal "$(rows "select count(*) from place where node = 'west'")" 0
    assert [ "$(noted "^end.shutdown. $id ")" -eq 1 ]
    hit east "$id"
    is_owner "$id" east
    never_two
}

@test "F27: a node that is killed and started again at once is served, whatever it was" {
    local id

    tree 'placement: hash'
    company east west
    id=$(id_of west)
    kill_host west
    use_node west
    node_up west.yaml
    wait_until 20 are_in east west
    wait_until 10 is_answered west "$id"
    never_two
}

@test "SIGKILL of the owner under 500 callers: one new life of each id, and every caller hears" {
    local one two

    tree 'max: 300, placement: hash'
    company east west
    id_of west >/dev/null # east knows what west offers
    in_background one at east troupe call --timeout 60s shop/swarm.1 run shop/things/ hit 250 50 200 1 40 10000
    one=$!
    in_background two at east troupe call --timeout 60s shop/swarm.2 run shop/things/ hit 250 50 200 1 40 10000
    two=$!
    are_many() { [[ $(rows "select count(*) from place where node = 'west'") -ge 5 ]]; }
    wait_until 10 are_many
    kill_host west
    wait "$one" && wait "$two"
    assert_equal "$(cat one.out two.out | tr ' ' '\n' | awk -F= '{ sum += $2 } END { print sum }')" 100000
    run cat one.out two.out
    refute_output --partial timeout
    never_two
    for id in $(seq 40); do
        wait_until 10 is_answered east "$id"
    done
    never_two
}

# ---- guests of the gateway ------------------------------------------------------------------------------

guest_hits() { # ID: by the gateway of east
    printf 'shop/things/%s\thit' "$1" | timeout 20 nngcat --req --dial "$gateway" --file - --raw --recv-timeout 15 3>&- 4>&-
}

gateway_of() {
    gateway=$(at "$1" troupe log -n 1000 sys/node | sed -n 's/.*event=gateway.listen url=\([^ ]*\).*/\1/p')
    [[ -n $gateway ]]
}

@test "a guest wakes an actor on the node of its gateway, and hears of one that lives elsewhere where it is" {
    local gateway

    require nngcat
    tree 'placement: local'
    member east 'gateway: {listen: "tcp://127.0.0.1:0"}'
    member west
    wait_until 15 are_in east west
    wait_until 10 gateway_of east
    run guest_hits here
    assert_output +1
    assert_equal "$(owner here)" east
    assert_equal "$(hit west there)" 1
    run guest_hits there
    assert_output --regexp '^!moved west '
    assert_equal "$(owner there)" west
    assert_equal "$(hit west there)" 2
}
