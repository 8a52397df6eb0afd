#!/usr/bin/env bats
# The example with a story, etc/blackjack.yaml: a lobby, tables that come and go and remember, turns with
# time-outs, players on any node, and a host that dies in the middle of a round.

load helper
load nodes
load company

setup() {
    troupe_setup
}

# casino [TURN_MS [START_MS]]: the example, with other times.
casino() {
    sed "s/turn: 15000, start: 5000/turn: ${1:-60000}, start: ${2:-60000}/" "$TOP/etc/blackjack.yaml" >casino.yaml
}

seat() { # PLAYER…: at which tables?
    local player

    for player in "$@"; do
        troupe call casino/lobby/main seat "$player"
    done
}

table() { # N: what lies on it
    troupe call "casino/tables/$1" show
}

mover() { # TABLE: whose turn it is
    table "$1" | sed -n 's/^round [0-9]*, \([^ ]*\) to move;.*/\1/p'
}

# Everybody stands until the round is over.
play_out() { # TABLE
    local who

    while who=$(mover "$1") && [[ -n $who ]]; do
        troupe call "casino/tables/$1" stand "$who" >/dev/null || true # the clock may have been quicker
    done
}

@test "the example: three to a table, in turn, and a result for each" {
    node_up "$TOP/etc/blackjack.yaml"
    assert_equal "$(seat ann bob cid dan)" $'casino/tables/1\ncasino/tables/1\ncasino/tables/1\ncasino/tables/2'
    run table 1
    assert_output --regexp '^round 1, (ann to move|bob to move|cid to move|over); dealer .. = [0-9]+.*; ann .* = [0-9]+ \([+-][0-9]+\); bob .*; cid '
    play_out 1
    run table 1
    assert_output --partial "round 1, over; dealer"
    run troupe call casino/tables/1 hit ann
    assert_failure
    assert_output --partial "no round is being played"
    run troupe call casino/tables/2 show
    assert_output "round 0, waiting; dan (+0)"
}

@test "a guest who can sit nowhere is told why, and opens no table for it" {
    casino
    node_up casino.yaml
    run seat 'ann and bob'
    assert_failure
    assert_output --partial 'no space'
    assert_equal "$(seat cid)" casino/tables/1
    assert_equal "$(troupe services -o service,instances | awk '/tables/ { print $2 }')" 1
}

@test "a move out of turn, a stranger's, and a second seat are refused in words" {
    casino
    node_up casino.yaml
    seat ann bob
    run troupe call casino/tables/1 hit ann
    assert_output --partial "no round is being played"
    run troupe call casino/tables/1 sit ann
    assert_output --partial "you sit here"
    run troupe call casino/tables/1 leave eve
    assert_output --partial "you do not sit here"
    run troupe call casino/tables/1 sit "two words"
    assert_output --partial "a name has 1 to 31 characters"
}

@test "a table that is killed in the middle of a round goes on with the same cards" {
    local before

    casino
    node_up casino.yaml
    seat ann bob cid
    before=$(table 1)
    kill -KILL "$(pid_of casino/tables/1)"
    assert_equal "$(table 1)" "$before"
    node_down
    node_up casino.yaml
    assert_equal "$(table 1)" "$before"
    play_out 1
    run table 1
    assert_output --partial "over"
}

@test "whoever has left the last seat takes the table along; it comes again when somebody sits down" {
    casino
    node_up casino.yaml
    seat ann
    troupe call casino/tables/1 leave ann
    gone() { [[ -z $(troupe ps -o path casino/tables/1 2>/dev/null) ]]; }
    wait_until 10 gone
    assert_equal "$(seat bob)" casino/tables/1
}

@test "players wait for a third for a while, and a turn that nobody takes is over: by reminders" {
    casino 1000 1000
    node_up casino.yaml
    seat ann bob
    is_over() { [[ $(table 1) == *" over;"* ]]; }
    wait_until 20 is_over
    run table 1
    assert_output --regexp 'ann .* = [0-9]+ .*; bob .* = [0-9]+ '
}

@test "two nodes: one lobby, players from both, and a table that outlives its host" {
    local id before owner other

    casino
    cp casino.yaml tree.yaml
    sed -i 's/state: true, idle/state: true, placement: hash, idle/' tree.yaml
    cookie
    node east "store: \"sqlite:$DIR/store\"" "lease: 1s"
    node west "store: \"sqlite:$DIR/store\"" "lease: 1s" "peers: [\"$(url_of east)\"]"
    both_in() { [[ $(rows "select count(*) from node where state = 'alive' and load like '%tables=%'") == 2 ]]; }
    wait_until 15 both_in
    at east troupe call casino/lobby/main seat ann
    at west troupe call casino/lobby/main seat bob
    run at east troupe call casino/lobby/main seat cid
    assert_output casino/tables/1
    before=$(at west troupe call casino/tables/1 show)
    assert_equal "$(at east troupe call casino/tables/1 show)" "$before"
    owner=$(rows "select node from place where service = 'casino/tables' and id = '1'")
    other=$([[ $owner == east ]] && echo west || echo east)
    kill_host "$owner"
    shown() { at "$other" troupe call casino/tables/1 show >shown 2>&1; }
    wait_until 15 shown
    assert_equal "$(cat shown)" "$before"
}
