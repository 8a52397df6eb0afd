#!/usr/bin/env bats
#
# troupe-node alone, on the loopback: sessions over TCP and TLS, who is refused and why, and what strangers may
# do to a port.

load helper
load alone

setup() {
    troupe_setup
    require python3 openssl
    PEST=$TOP/tests/helpers/peer_pest.py
    cookies
}

# ---- sessions ------------------------------------------------------------------------------

@test "two nodes with one cookie have a session, and say goodbye" {
    start east
    start west --peer "${URLS[east]}"
    assert_saw east node.up node=west tls=no "url=${URLS[west]}"
    assert_saw west node.up node=east "url=${URLS[east]}"
    kill -TERM "${PIDS[west]}"
    assert_saw east node.down node=west reason=shutdown
}

@test "nodes that dial each other at once have one session" {
    local port

    port=$(free_port)
    start east --peer "tcp://127.0.0.1:$port"
    start west --listen "tcp://127.0.0.1:$port" --peer "${URLS[east]}"
    assert_saw east node.up node=west
    assert_saw west node.up node=east
    kill -TERM "${PIDS[west]}"
    assert_saw east node.down node=west
    assert_equal "$(times east node.up node=west)" 1
}

@test "a peer of a peer is dialled, but not by an isolated node" {
    start a
    start b --peer "${URLS[a]}"
    start c --peer "${URLS[a]}"
    start d --peer "${URLS[a]}" --isolated
    assert_saw b node.up node=c
    assert_saw c node.up node=b
    assert_saw d node.up node=a
    assert_saw a node.up node=d
    assert_saw b node.up node=d # b dials d: that d does not dial is its own affair
}

all_know_all() { # NODES
    (($(cat ./*.out | grep -c event=node.up) == $1 * ($1 - 1)))
}

@test "thirty nodes that join at once all know each other, and nobody is lost on the way" {
    local i

    start hub
    for i in {1..29}; do
        TROUPE_NODE=n$i in_background "n$i" troupe-node --cookie cookie \
            --listen tcp://127.0.0.1:0 --peer "${URLS[hub]}"
    done
    wait_until 60 all_know_all 30
    run grep -h event=node.down ./*.out
    assert_output ""
    [[ -n ${SAN:-} ]] || (($(kb_of hub) < 30000)) # sanitizers take more
}

@test "a node that was killed is dialled until it is back" {
    local url

    export GENERATION=abc
    start east
    url=${URLS[east]}
    start west --peer "$url"
    assert_saw west node.up node=east generation=0000000000000abc
    kill -KILL "${PIDS[east]}"
    assert_saw west node.down node=east
    assert_saw west node.refused "remote=$url"
    start east --listen "$url"
    wait_until 20 saw_times west node.up node=east 2
}

@test "a node that is stopped for 3 s is nobody's loss, and one that stays so is gone" {
    start east
    start west --peer "${URLS[east]}"
    assert_saw west node.up node=east
    assert_saw east node.up node=west
    kill -STOP "${PIDS[east]}"
    TEST_SCALE=1 run wait_until 3 saw west node.down
    assert_failure
    kill -CONT "${PIDS[east]}"
    TEST_SCALE=1 run wait_until 3 saw west node.down
    assert_failure
    kill -STOP "${PIDS[east]}"
    assert_saw west node.down node=east 'reason="no sign of life"'
    kill -CONT "${PIDS[east]}"
    wait_until 20 saw_times west node.up node=east 2
}

# ---- who is refused --------------------------------------------------------------------------

@test "another cookie is refused by name; who has it has not said its own" {
    start east
    start west --cookie other --peer "${URLS[east]}"
    assert_saw east node.refused 'node=""' 'reason="wrong cookie"' by=us
    assert_saw west node.refused "remote=${URLS[east]}"
    refute saw east node.up
    refute saw west node.up
}

@test "a node that dials itself is refused once" {
    local port

    port=$(free_port)
    start east --listen "tcp://127.0.0.1:$port" --peer "tcp://localhost:$port"
    assert_saw east node.refused reason=self by=peer
    assert_saw east node.refused reason=self by=us
    run wait_until 7 saw_times east node.refused by=peer 2
    assert_failure
}

@test "a second node of one name is told that the name is taken" {
    start hub
    GENERATION=1 start east --peer "${URLS[hub]}"
    assert_saw hub node.up node=east generation=0000000000000001
    NODE_NAME=east GENERATION=2 start other_east --peer "${URLS[hub]}"
    assert_saw other_east node.refused by=peer 'reason="name taken"'
    refute saw hub node.down
    kill -KILL "${PIDS[east]}"
    assert_saw hub node.down node=east
    wait_until 20 saw hub node.up node=east generation=0000000000000002
}

@test "a stranger on a dead peer's port hears no name" {
    local port

    in_background stranger python3 "$PEST" listen
    wait_until 5 grep -q port stranger.out
    port=$(awk '/port/ { print $2 }' stranger.out)
    start secret_name --peer "tcp://127.0.0.1:$port"
    wait_until 10 grep -q heard stranger.out
    assert_saw secret_name node.refused "remote=tcp://127.0.0.1:$port" by=us
    run awk '/heard/ { print length($2) / 2; exit }' stranger.out
    assert_output 8 # the header of the protocol, no more
}

@test "a stranger that challenges hears a mac, and no name" {
    local port

    in_background stranger python3 "$PEST" challenge
    wait_until 5 grep -q port stranger.out
    port=$(awk '/port/ { print $2 }' stranger.out)
    start secret_name --peer "tcp://127.0.0.1:$port"
    wait_until 10 grep -q heard stranger.out
    assert_saw secret_name node.refused "remote=tcp://127.0.0.1:$port" by=us 'reason="wrong cookie"'
    run awk '/heard/ { print length($2) / 2; exit }' stranger.out
    assert_output 91 # that header, a frame's, HELLO: its kind, two versions, a nonce, a mac, and their lengths
    run grep -q "$(printf secret_name | xxd -p)" stranger.out
    assert_failure
}

# ---- what strangers may do to a port --------------------------------------------------------------

@test "garbage, a frame of 1 GiB, a mute and an early one cost only themselves" {
    local before

    start east
    start west --peer "${URLS[east]}"
    assert_saw east node.up node=west
    before=$(kb_of east)
    for what in garbage gigabyte early; do
        run timeout 30 python3 "$PEST" "$(port_of east)" $what
        assert_output --regexp '^closed after [0-2]\.'
    done
    assert_saw east node.refused 'reason="not the header of a peer"'
    assert_saw east node.refused 'reason="frame of 1073741824 bytes: more than 1024"'
    run timeout 30 python3 "$PEST" "$(port_of east)" mute
    assert_output --regexp '^closed after [4-7]\.'
    assert_saw east node.refused 'reason="handshake timeout"'
    (($(kb_of east) < before + 4000))
    refute saw east node.down
    refute saw west node.down
}

@test "two hundred mutes get no more than 64 places, and the sessions stay" {
    start east
    start west --peer "${URLS[east]}"
    assert_saw east node.up node=west
    run timeout 30 python3 "$PEST" "$(port_of east)" mutes 200
    assert_output "kept 64"
    start north --peer "${URLS[east]}"
    assert_saw east node.up node=north
    refute saw east node.down
}

# ---- TLS --------------------------------------------------------------------------------------------

@test "a session over TLS, with certificates on both sides" {
    authority good
    certificate good host 127.0.0.1
    start_tls east host good
    start_tls west host good --peer "${URLS[east]}"
    assert_saw east node.up node=west tls=yes
    assert_saw west node.up node=east tls=yes
}

@test "the wrong authority, the wrong host and clear text are refused by TLS" {
    authority good
    authority bad
    certificate good host 127.0.0.1
    certificate good elsewhere elsewhere.example
    certificate bad forged 127.0.0.1
    start_tls east host good
    start_tls forger forged good --peer "${URLS[east]}"
    start_tls believer host bad --peer "${URLS[east]}"
    start_tls lost elsewhere good
    start_tls west host good --peer "${URLS[lost]}"
    start clear --peer "tcp://127.0.0.1:$(port_of east)"
    for node in forger believer west clear; do
        assert_saw $node node.refused by=us
    done
    start_tls good_one host good --peer "${URLS[east]}"
    assert_saw east node.up node=good_one
    for node in forger believer lost west clear; do
        refute saw $node node.up
    done
}

# ---- what it is told ------------------------------------------------------------------------------------

@test "what cannot be meant is refused at the start, by name" {
    export TROUPE_NODE=east
    chmod 644 other
    printf '%015d\n' 0 >short
    printf '%04097d\n' 0 >long
    printf '%04096d\n' 0 >longest
    printf '%016d' 0 >shortest
    chmod 600 short long longest shortest
    run troupe-node --cookie other
    assert_failure
    assert_output --partial "others may read or write it"
    for cookie in short long; do
        run troupe-node --cookie $cookie
        assert_failure
        assert_output --partial "expected a file of 16 to 4096 bytes"
    done
    for cookie in shortest longest; do
        start $cookie --cookie $cookie
    done
    run troupe-node --cookie cookie --listen tcp://0.0.0.0:0
    assert_failure
    assert_output --partial "needs --trusted-network"
    run troupe-node --cookie cookie --listen ipc:///tmp/x
    assert_failure
    assert_output --partial "expected tcp://"
    run troupe-node --cookie cookie --listen tls+tcp://127.0.0.1:0
    assert_failure
    assert_output --partial "TLS needs"
    run env TROUPE_NODE="no name" troupe-node --cookie cookie
    assert_failure
    assert_output --partial "TROUPE_NODE"
}
