#!/usr/bin/env bats
#
# troupe-node among peers that are not what they should be: proven ones that say nonsense or promise too
# much, those who have heard a handshake, certificates that are none any more, and nodes of later versions.
# Each is refused by name, and costs nobody else anything.

bats_require_minimum_version 1.5.0

load ../helper
load ../alone
load fault

setup() {
    troupe_setup
    require python3 openssl
    cookies
}

# What a proven peer hears that does so to east; `mallory` is its name
proven() { # WHAT
    timeout 60 python3 "$TOP/tests/helpers/proven.py" "$(port_of east)" cookie mallory "$1"
}

# East and west, with a session that must survive all this
two_nodes() {
    start east
    start west --peer "${URLS[east]}"
    assert_saw east node.up node=west
}

refute_harm() {
    refute saw east node.down node=west
    refute saw west node.down
}

@test "a proven peer that says garbage, or claims a frame or a message of 1 GiB, ends its own session, by name" {
    local before

    two_nodes
    before=$(kb_of east)
    for what in garbage gigabyte promise promises nonsense; do
        run proven $what
        assert_line open
        assert_line --regexp '^closed after [0-2]\.'
    done
    assert_saw east node.down node=mallory 'reason="not a frame"'
    assert_saw east node.down node=mallory 'reason="frame of 1073741824 bytes: more than 65536"'
    assert_saw east node.down node=mallory 'reason="a message that is too large"'
    assert_saw east node.down node=mallory 'reason="too many messages begun"'
    assert_saw east node.down node=mallory 'reason="a message that is none"'
    [[ -n ${SAN:-} ]] || (($(kb_of east) < before + 8000)) # sanitizers take more
    refute_harm
}

@test "a proven peer that never speaks is no peer: five seconds, by name" {
    two_nodes
    run proven silent
    assert_line open
    assert_line --regexp '^closed after [4-7]\.'
    assert_saw east node.down node=mallory 'reason="no sign of life"'
    refute_harm
}

@test "a handshake that was heard once is of no use a second time" {
    two_nodes
    run proven replay
    assert_line open
    assert_line --regexp '^closed after [0-2]\.'
    assert_saw east node.refused 'node=""' by=us 'reason="wrong cookie"'
    assert_equal "$(times east node.up node=mallory)" 1
    refute_harm
}

@test "what a node says, said back to it, proves nothing; who hands on what two nodes say gains nothing" {
    local port

    two_nodes
    run proven echo
    assert_output --regexp '^closed after [0-2]\.'
    assert_saw east node.refused 'node=""' by=us 'reason="handshake out of order"'
    in_background mirror python3 "$TOP/tests/helpers/proven.py" "$(port_of west)" cookie mallory mirror
    wait_until 5 grep -q port mirror.out
    port=$(awk '/port/ { print $2 }' mirror.out)
    start north --peer "tcp://127.0.0.1:$port"
    assert_saw north node.up node=west # who hands on what both say has only made the way longer
    refute_harm
}

@test "a node that is shown itself in a mirror knows itself" {
    local port

    port=$(free_port)
    in_background mirror python3 "$TOP/tests/helpers/proven.py" "$port" cookie mallory mirror
    wait_until 5 grep -q port mirror.out
    start east --listen "tcp://127.0.0.1:$port" \
        --peer "tcp://127.0.0.1:$(awk '/port/ { print $2 }' mirror.out)"
    assert_saw east node.refused by=us reason=self
    wait_until 5 grep -q mirrored mirror.out
    refute saw east node.up
}

# ---- TLS --------------------------------------------------------------------------------------------

refuses() { # NODE
    assert_saw "$1" node.refused by=us 'reason="no TLS that both accept: clear text, or a certificate that is out of date'
    refute saw "$1" node.up
}

@test "an expired certificate and one of another authority are refused by name, whichever side shows it" {
    authority good
    authority bad
    certificate good host 127.0.0.1
    certificate good old 127.0.0.1 -1
    certificate bad forged 127.0.0.1
    start_tls east host good
    start_tls west host good --peer "${URLS[east]}"
    assert_saw east node.up node=west tls=yes
    start_tls late old good
    start_tls caller host good --peer "${URLS[late]}"
    refuses caller
    start_tls forger forged good
    start_tls other host good --peer "${URLS[forger]}"
    refuses other
    start_tls late_caller old good --peer "${URLS[east]}"
    start_tls forged_caller forged good --peer "${URLS[east]}"
    for node in late_caller forged_caller; do
        assert_saw $node node.refused "remote=${URLS[east]}"
        refute saw $node node.up
        refute saw east node.up node=$node
    done
    wait_until 15 saw_times east node.refused 'reason="no TLS that both accept' 2
    refute saw east node.down
    refute saw west node.down
}

@test "clear text against TLS, and TLS against clear text, are refused by name and never spoken" {
    authority good
    certificate good host 127.0.0.1
    start_tls east host good
    start west
    start clear --peer "tcp://127.0.0.1:$(port_of east)"
    start_tls hidden host good --peer "tls+tcp://127.0.0.1:$(port_of west)"
    refuses hidden
    refuses east
    assert_saw clear node.refused "remote=tcp://127.0.0.1:$(port_of east)" by=us
    refute saw clear node.up
    assert_saw west node.refused by=us 'reason="not the header of a peer"'
    refute saw east node.up
    refute saw west node.up
}

# ---- versions ------------------------------------------------------------------------------------------

@test "a node of the next version that still speaks the present one is a peer; one that does not is refused by name" {
    two_nodes
    PROGRAM=troupe-node-next start next --peer "${URLS[east]}"
    assert_saw east node.up node=next
    assert_saw west node.up node=next
    PROGRAM=troupe-node-later start later --peer "${URLS[east]}" --peer "${URLS[next]}"
    assert_saw later node.refused "remote=${URLS[east]}" 'reason="no version in common"'
    assert_saw east node.refused 'reason="no version in common"'
    assert_saw later node.up node=next # which speaks both
    start old --peer "${URLS[later]}"
    assert_saw old node.refused "remote=${URLS[later]}" 'reason="no version in common"'
    refute saw later node.up node=east
    refute saw later node.up node=old
    refute_harm
}
