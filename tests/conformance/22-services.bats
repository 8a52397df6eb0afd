#!/usr/bin/env bats
# What rio-rs's own suite leaves out, or fails by reading: services of many nodes. The others of its scenarios are
# in tests/80 to 84; README.md here says which is where.

load ../helper
load ../nodes
load ../company

setup() {
    troupe_setup
    cookie
    mkdir locks
    : >notes
    cat >tree.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - name: things
      service: {module: entity, args: {notes: $DIR/notes, locks: $DIR/locks}, placement: hash}
    - {name: swarm, module: swarm}
END
}

living_are() { # COUNT
    [[ $(rows "select count(*) from node where state = 'alive' and load like '%things=%'") == "$1" ]]
}

@test "F3, F29: of eight nodes one dies: that is known, what it had lives elsewhere, and nobody else is missed" {
    local id i

    for i in 1 2 3 4 5 6 7 8; do
        member "n$i"
    done
    wait_until 30 living_are 8
    for id in $(seq 24); do
        hit "n$((id % 8 + 1))" "$id"
    done >/dev/null
    kill_host n5
    one_is_dead() { [[ $(rows "select name from node where state = 'dead'") == n5 ]]; }
    wait_until 15 one_is_dead
    for id in $(seq 24); do
        answered() { hit n1 "$id" >/dev/null 2>&1; }
        wait_until 15 answered
    done
    living_are 7
    never_two
}

@test "F28: a session that breaks, and is there again, makes nobody dead, and moves nothing" {
    local epoch

    member east
    member west
    wait_until 15 living_are 2
    for id in 1 2 3 4 5 6 7 8; do
        hit east $id >/dev/null
    done
    epoch=$(rows "select group_concat(epoch) from (select epoch from place order by id)")
    at east troupe disconnect west
    parted() { ! at east troupe nodes -o state west 2>/dev/null | grep -q up; }
    wait_until 10 parted
    at east troupe connect "$(url_of west)"
    wait_until 20 are_connected east west
    for id in 1 2 3 4 5 6 7 8; do
        answered() { hit east $id >/dev/null 2>&1; }
        wait_until 10 answered
    done
    assert_equal "$(rows "select group_concat(epoch) from (select epoch from place order by id)")" "$epoch"
    living_are 2
}

@test "F38: a hundred thousand messages between nodes leave sys/node as large as it was" {
    local before after node limit=4096

    [[ -z ${SAN:-} ]] || limit=$((64 * 1024)) # a sanitizer keeps what was freed
    member east
    member west
    wait_until 15 living_are 2
    at east troupe call --timeout 60s shop/swarm run shop/things/ hit 50 50 200 1 10 10000 >/dev/null
    node=$(at east pid_of sys/node)
    before=$(awk '/^VmRSS/ { print $2 }' "/proc/$node/status")
    run at east troupe call --timeout 120s shop/swarm run shop/things/ hit 50 50 1800 1 10 10000
    assert_output "answered=90000"
    after=$(awk '/^VmRSS/ { print $2 }' "/proc/$node/status")
    ((after < before + limit)) || {
        echo "$before kB, then $after kB"
        return 1
    }
}

@test "F42: two nodes become four: what lives stays where it is, and new ids come to the new ones, too" {
    local before id

    member east
    member west
    wait_until 15 living_are 2
    for id in $(seq 8); do
        hit east "$id"
    done >/dev/null
    before=$(rows "select id, node from place order by id")
    member north
    member south
    wait_until 15 living_are 4
    for id in $(seq 8); do
        assert_equal "$(hit south "$id")" 2
    done
    assert_equal "$(rows "select id, node from place order by id")" "$before"
    for id in $(seq 100 140); do
        hit west "$id"
    done >/dev/null
    assert_equal "$(rows "select count(distinct node) from place where id >= 100 or length(id) = 3")" 4
    never_two
}
