#!/usr/bin/env bats
#
# What asks too much of the way between nodes, or of the groups: it is bounded, it is told by name, and
# the others hear nothing of it. What a single switchboard does is in the unit test of that name.

load helper
load nodes

setup() {
    troupe_setup
    cookie
    yaml tree.yaml <<YAML
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: a, module: talker}
    - {name: m, module: grouper}
    - {name: mortal, module: counter}
    - {name: p, exec: ["$TOP/tests/helpers/party.py", "$DIR"]}
YAML
}

# Both nodes' parties have one folder: west's is p as well, but only east's is spoken to.
two_nodes() {
    node east
    yaml tree.yaml <<'YAML'
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: a, module: talker}
    - {name: m, module: grouper}
    - {name: mortal, module: counter}
YAML
    node west "peers: [$(url_of east)]"
    wait_until 10 are_connected east west
    wait_until 10 test -p "$DIR/p.do"
}

tell_party() {
    echo "$*" >"$DIR/p.do"
}

# How many lines has the party heard that match?
heard() {
    grep -c -- "$1" "$DIR/p.heard"
}

has_heard() { # COUNT PATTERN
    [[ $(heard "$2") -ge $1 ]]
}

has_counted() {
    tell_party count
    grep -q "^counted $1 $1\$" "$DIR/p.heard"
}

sees_members() { # NODE GROUP COUNT
    [[ $(at "$1" ask t/m members "$2" all | cut -f 1) == "$3" ]]
}

@test "a chain of calls that comes back over two nodes is a deadlock, told at once" {
    local started

    two_nodes
    started=$(now_ms)
    run at east ask t/a chain t/a@west t/a@east
    assert_output deadlock
    (($(now_ms) - started < 1500))
}

@test "ten thousand monitors of an actor of another node: it ends, and each hears it once" {
    two_nodes
    tell_party many 10000 t/mortal@west
    wait_until 20 monitors 10000
    wait_until 10 is_watched
    kill -KILL "$(at west pid_of t/mortal)"
    wait_until 20 has_counted 10000
}

monitors() { # COUNT
    at east troupe status t/p | grep -q "^monitors:.*t/mortal@west\\*$1\$"
}

is_watched() {
    at west troupe status t/mortal | grep -q '^monitored_by:.*t/p@east'
}

@test "joining oftener than may be is overloaded, and neither the session nor the others are touched" {
    two_nodes
    tell_party say JOIN pg crowd 10000
    wait_until 10 has_heard 1 '^JOINED pg crowd$'
    tell_party say JOIN pg crowd
    tell_party say JOIN pg other 4000000000
    wait_until 10 has_heard 1 '^NOT_JOINED pg crowd overloaded$'
    wait_until 10 has_heard 1 '^NOT_JOINED pg other overloaded$'
    wait_until 10 at west ask t/m join g 1
    wait_until 10 sees_members east g 1
    run at west troupe log -n 1000 sys/node
    refute_output --partial event=node.down
    tell_party say LEAVE pg crowd 9999
    wait_until 10 has_heard 1 '^LEFT pg crowd$'
    wait_until 10 sees_members west crowd 1
}

@test "who joins on and on while sys/node hangs is answered within bounds, and all is right again after it" {
    local node

    two_nodes
    tell_party say JOIN pg first
    wait_until 10 has_heard 1 '^JOINED pg first$'
    node=$(at east pid_of sys/node)
    kill -STOP "$node"
    tell_party repeat 20000 JOIN pg first
    wait_until 20 has_heard 15000 '^NOT_JOINED pg first overloaded$'
    assert_equal "$(heard '^JOINED')" 1
    kill -CONT "$node"
    wait_until 20 has_heard 5001 '^JOINED pg first$'
    wait_until 20 sees_members east first 5001
    kill -KILL "$(at east pid_of sys/node)"
    wait_until 20 sees_members east first 5001
    assert_equal "$(heard '^JOINED')" 5001
}

@test "a node with sessions, channels, watchers and members comes down at once, in order" {
    local started

    two_nodes
    at west ask t/a monitor t/mortal@east
    at west ask t/a plus t/mortal@east 1
    at west ask t/m watch g
    at east ask t/m join g 1
    tell_party many 100 t/mortal@west
    wait_until 10 is_watched
    started=$(now_ms)
    at east troupe down
    (($(now_ms) - started < 5000))
    run at west troupe log -n 1000 sys/node
    assert_output --regexp 'event=node.down .*node=east'
    wait_until 10 grep -q 'down t/mortal@east#1 ' <(at west ask t/a heard)
}
