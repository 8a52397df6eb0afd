#!/usr/bin/env bats
#
# Actors of several nodes: messages, links and monitors across a session (CLUSTER 2, SEMANTICS 7), and what
# becomes of them when it ends.

load helper
load nodes

setup() {
    troupe_setup
    cookie
    yaml tree.yaml <<'YAML'
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: a, module: talker}
    - {name: counter, module: counter}
    - {name: g, module: grouper}
YAML
}

# A talker of NODE is asked.
talker() { # NODE MESSAGE ARG…
    at "$1" ask t/a "${@:2}"
}

talker_says() { # NODE WANTED MESSAGE ARG…
    [[ $(talker "$1" "${@:3}") == "$2" ]]
}

# Asks NODE's talker to watch an actor of the other node, and waits until that one's supervisor knows.
monitor() { # NODE OTHER ADDRESS
    talker "$1" monitor "$3@$2"
    wait_until 5 is_monitored "$2" "$3"
}

is_monitored() { # NODE ADDRESS
    at "$1" troupe status "$2" | grep -q '^monitored_by:'
}

@test "a call of an actor in another node is answered, one after the other, in order" {
    two_nodes
    assert_equal "$(talker west plus t/counter@east 5)" 5
    assert_equal "$(talker west plus t/counter@east 7)" 12
    assert_equal "$(talker east plus t/counter@west 1)" 1
    assert_equal "$(at east ask t/counter value)" 12
    assert_equal "$(talker west cast t/counter@east add 3)" cast
    assert_equal "$(talker west plus t/counter@east 0)" 15
}

@test "a small message does not wait for the acknowledgement of the one before it" {
    local ms

    two_nodes
    ms=$(at east ask t/g turns t/g@west 200) # at 40 ms each it would be 8 s
    ((ms < 2000 * TEST_SCALE))
}

@test "a node's own name behind the @ is no other node" {
    two_nodes
    assert_equal "$(talker west plus t/counter@west 4)" 4
    assert_equal "$(at west ask t/counter value)" 4
}

@test "nobody there is noproc, no such node noconnection, at once" {
    two_nodes
    assert_equal "$(talker west plus t/nobody@east 1)" '!noproc'
    assert_equal "$(talker west plus t/counter@north 1)" '!noconnection'
    assert_equal "$(talker west plus t@east 1)" '!noproc'
}

@test "a node without a sys/node reaches nobody" {
    use_node alone
    node_up tree.yaml
    assert_equal "$(ask t/a plus t/counter@east 1)" '!noconnection'
    assert_equal "$(ask t/a monitor t/counter@east)" watched
    wait_until 5 eval 'ask t/a heard | grep -q "down t/counter@east noconnection"'
}

@test "a monitor across nodes hears the true reason, once" {
    two_nodes
    monitor west east t/counter
    kill_actor east t/counter
    wait_until 5 talker_says west 'down t/counter@east#1 signal:KILL' heard
    at east troupe restart t/counter
    talker_says west 'down t/counter@east#1 signal:KILL' heard
}

@test "a link across nodes ends the other with the root cause, both ways" {
    two_nodes
    talker west link t/a@east
    kill_actor east t/a
    wait_until 5 eval '[[ $(at west column_of incarnation t/a) == 2 ]]'
    run at west troupe why t/a
    assert_output --partial 'cascade t/a@east signal:KILL'
    talker east link t/a@west
    kill_actor east t/a
    wait_until 5 eval '[[ $(at west column_of incarnation t/a) == 3 ]]'
}

@test "the end of a session: noconnection at once, for calls, monitors and links" {
    two_nodes
    monitor west east t/counter
    talker west link t/a@east
    kill -STOP "$(at east pid_of sys/node)"
    kill -KILL "$(at west pid_of sys/node)"
    wait_until 5 eval '[[ $(at west column_of incarnation t/a) == 2 ]]'
    run at west troupe why t/a
    assert_output --partial 'cascade t/a@east noconnection'
    kill -CONT "$(at east pid_of sys/node)"
    wait_until 10 eval '[[ $(at east column_of incarnation t/a) == 2 ]]'
    wait_until 20 talker_says west 1 plus t/counter@east 1
}

@test "sys/node may be killed ten times in a row: sessions again, no actor restarted" {
    local i

    two_nodes
    for ((i = 1; i <= 10; i++)); do
        kill -KILL "$(at east pid_of sys/node)"
        wait_until 10 eval "[[ \$(at east column_of incarnation sys/node) == $((i + 1)) ]]"
        wait_until 20 talker_says west "$i" plus t/counter@east 1
    done
    assert_equal "$(at east column_of incarnation t/counter)" 1
    assert_equal "$(at west column_of incarnation t/a)" 1
}

@test "what a node does not grant is denied: nothing but looking" {
    two_nodes 'grant: [look]'
    assert_equal "$(talker west plus t/counter@east 1)" '!denied'
    monitor west east t/counter
    kill_actor east t/counter
    wait_until 5 talker_says west 'down t/counter@east#1 signal:KILL' heard
    run at west timeout 10 troupe call t/a link t/a@east
    assert_output --partial denied
}
