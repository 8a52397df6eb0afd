#!/usr/bin/env bats
#
# The SP endpoint (lib/sp.c) against libnng, in both directions, and against peers that misbehave.

load helper

setup() {
    troupe_setup
    require nngcat python3
    BOX=$DIR/box
    STORM=$TOP/tests/helpers/sp_storm.py
}

serve() {
    in_background server sp_echo serve "$DIR" box
    SERVER=$!
    wait_until 5 grep -q serving "$DIR/server.out"
}

served() { # PATTERN [COUNT]
    (($(grep -c "$1" "$DIR/server.out") >= ${2:-1}))
}

# A good client works, now: nng's, asking.
assert_serves() {
    run timeout 20 nng_client dial req "$BOX" 3 hello
    assert_success
    assert_line "+hello 0"
    assert_line "+hello 2"
}

server_fds() {
    find "/proc/$SERVER/fd" -mindepth 1 | wc -l
}

has_at_most_fds() {
    (($(server_fds) <= $1))
}

server_kb() {
    awk '/^VmHWM/ { print $2 }' "/proc/$SERVER/status"
}

# ---- nng dials us ------------------------------------------------------------------------

@test "nngcat pushes, and it is a cast" {
    serve
    run timeout 10 nngcat --push0 --dial "ipc://$BOX" --data "add	5"
    assert_success
    wait_until 5 served "^cast add.5$"
}

@test "nngcat asks, and is answered" {
    serve
    run timeout 10 nngcat --req0 --dial "ipc://$BOX" --data "get" --raw
    assert_success
    assert_output "+get"
}

@test "nngcat subscribes, and hears what is published" {
    serve
    run timeout 10 nngcat --sub0 --dial "ipc://$BOX" --count 3 --subscribe "" --quoted
    assert_success
    assert_line --index 0 --partial "tick"
    assert_equal "${#lines[@]}" 3
}

@test "nngcat speaks pair0 with us" {
    serve
    in_background pair timeout 10 nngcat --pair0 --dial "ipc://$BOX" --data "both ways" --quoted
    wait_until 5 served "^open 0x10"
    wait_until 5 grep -q "both ways" "$DIR/pair.out"
}

@test "protocols that are not served are refused, and the endpoint lives on" {
    serve
    for protocol in --pair1 --surveyor0 --pull0 --rep0 --pub0; do
        timeout 1 nngcat $protocol --dial "ipc://$BOX" --data x >/dev/null 2>&1 </dev/null || true
    done
    assert_serves
    run grep -c "^open" "$DIR/server.out"
    assert_output 1
}

@test "libnng pushes, asks and speaks pair0, a thousand messages each, in order" {
    serve
    run timeout 30 nng_client dial push "$BOX" 1000 push
    assert_success
    wait_until 10 served "^cast push" 1000
    diff <(grep "^cast" "$DIR/server.out") <(seq 0 999 | sed 's/^/cast push /')
    for protocol in req pair; do
        run timeout 30 nng_client dial $protocol "$BOX" 1000 $protocol
        assert_success
        assert_line --regexp "^\+?$protocol 999\$"
        assert_equal "${#lines[@]}" 1001
    done
    run timeout 30 nng_client dial sub "$BOX" 5
    assert_success
}

@test "libnng comes back by itself after the server was gone" {
    serve
    in_background client timeout 30 nng_client dial sub "$BOX" 60
    wait_until 10 grep -q tick "$DIR/client.out"
    kill -KILL "$SERVER"
    wait_until 5 process_is_gone "$SERVER"
    before=$(grep -c tick "$DIR/client.out")
    serve
    wait_until 10 served "^open 0x21"
    after() { (($(grep -c tick "$DIR/client.out") > before)); }
    wait_until 10 after
}

# ---- we dial nng -------------------------------------------------------------------------

@test "we push to libnng" {
    in_background nng timeout 30 nng_client listen pull "$BOX" 100
    wait_until 5 grep -q ready "$DIR/nng.out"
    run timeout 20 sp_echo dial "$DIR" box push 100 hello
    assert_success
    wait_until 10 grep -q "^hello 99$" "$DIR/nng.out"
    assert_equal "$(grep -c hello "$DIR/nng.out")" 100
}

@test "we ask libnng, and are answered" {
    in_background nng timeout 30 nng_client listen rep "$BOX" 100
    wait_until 5 grep -q ready "$DIR/nng.out"
    run timeout 20 sp_echo dial "$DIR" box req 100 hello
    assert_success
    assert_line "+answer 0"
    assert_line "+answer 99"
}

@test "we speak pair0 with libnng" {
    in_background nng timeout 30 nng_client listen pair "$BOX" 100
    wait_until 5 grep -q ready "$DIR/nng.out"
    run timeout 20 sp_echo dial "$DIR" box pair 100 hello
    assert_success
    assert_equal "${#lines[@]}" 100
}

@test "we subscribe to libnng" {
    in_background nng timeout 30 nng_client listen pub "$BOX" 400 news
    wait_until 5 grep -q ready "$DIR/nng.out"
    run timeout 20 sp_echo dial "$DIR" box sub 3
    assert_success
    assert_line --partial "news"
}

@test "dialling a protocol that does not fit ends with the reason" {
    in_background nng timeout 30 nng_client listen pull "$BOX" 1
    wait_until 5 grep -q ready "$DIR/nng.out"
    run timeout 20 sp_echo dial "$DIR" box pair 1
    assert_failure 1
    assert_output --partial "expected 0x10"
}

@test "dialling nobody is noproc" {
    run timeout 20 sp_echo dial "$DIR" nobody pair 1
    assert_failure 1
    assert_output noproc
}

# ---- peers that misbehave ----------------------------------------------------------------

@test "2,000 peers that connect and close at once leave no trace" {
    serve
    local before
    before=$(server_fds)
    "$STORM" connect "$BOX" 2000
    assert_serves
    wait_until 5 has_at_most_fds "$before"
}

@test "a stream may be cut at any byte" {
    serve
    "$STORM" half "$BOX"
    assert_serves
    refute served "^cast"
    run "$STORM" bytes "$BOX"
    assert_output 0053500000510000
    wait_until 5 served "^cast bytewise$"
}

@test "a frame that claims too much is closed, and nothing is allocated for it" {
    serve
    run timeout 20 "$STORM" huge "$BOX"
    assert_output "all closed"
    wait_until 5 served "frame of 1152921504606846976 bytes: more than 16777216"
    wait_until 5 served "frame of 16777217 bytes"
    assert [ "$(server_kb)" -lt 200000 ]
    assert_serves
}

@test "2,000 peers that send noise cost only themselves" {
    serve
    "$STORM" noise "$BOX" 2000
    assert_serves
    refute served "^cast"
}

@test "200 mute peers do not keep a good one waiting, and are closed after five seconds" {
    serve
    local before start
    before=$(server_fds)
    mkfifo "$DIR/hold"
    "$STORM" mute "$BOX" 200 <"$DIR/hold" >"$DIR/mute.out" 2>&1 3>&- 4>&- 9>&- &
    register_pid $!
    exec 8>"$DIR/hold"
    wait_until 10 grep -q "held 200" "$DIR/mute.out"
    start=$(now_ms)
    assert_serves
    assert [ $(($(now_ms) - start)) -lt $((4000 * TEST_SCALE)) ]
    assert [ "$(server_fds)" -ge $((before + 200)) ]
    wait_until 15 has_at_most_fds "$before"
    exec 8>&-
    run timeout 20 "$STORM" wait-eof "$BOX"
    assert [ "$output" -ge 4900 ]
}

@test "dialers that are killed at random leave the endpoint alive" {
    serve
    local pid
    for _ in $(seq 60); do
        nng_client dial req "$BOX" 100000 storm >/dev/null 2>&1 </dev/null 3>&- 4>&- 9>&- &
        pid=$!
        register_pid $pid
        pause "0.0$((RANDOM % 9))"
        kill -KILL $pid
        wait $pid || true
    done
    assert_serves
}
