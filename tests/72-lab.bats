#!/usr/bin/env bats
#
# scripts/lab: hosts of their own on one machine, with wires that are cut, slow or lossy, and plugs that are
# pulled. Needs root.

load helper

setup() {
    troupe_setup
    require ip openssl
    [[ $EUID == 0 ]] || skip "namespaces need root; the sessions themselves are tested on the loopback"
    export TROUPE_LAB=t$$
    LAB_DIR=/run/troupe-lab/$TROUPE_LAB
}

teardown() {
    [[ $EUID != 0 ]] || lab down
    troupe_teardown
}

lab() {
    "$TOP/scripts/lab" "$@" </dev/null 3>&- 4>&-
}

at() { # HOST VERB…: troupe, there
    local host=$1

    shift
    lab exec "$host" troupe "$@"
}

session_is() { # HOST NODE STATE
    at "$1" nodes -o name,state | grep -qx "$2	$3"
}

no_session() { # HOST NODE
    ! session_is "$1" "$2" up
}

# Milliseconds that a call from HOST to west takes.
call_ms() { # HOST
    local start

    start=$(now_ms)
    at "$1" call --timeout 20s shop/counter@west value >/dev/null || return 1
    echo $(($(now_ms) - start))
}

@test "three hosts find each other over TLS; everything works from any of them" {
    lab up 3
    run at east ps -a -o paths
    assert_line "shop/heart"
    assert_line "shop/heart@west"
    assert_line "shop/heart@north"
    run at north call shop/counter@west add 1
    assert_output 1
    run at west nodes -o url
    assert_line "tls+tcp://10.77.0.1:4730"
    run at west members -o paths counters
    assert_output "shop/counter@east
shop/counter@north
shop/counter"
    run at north publish counters add 1
    assert_success
    reached() { [[ $(at east call shop/counter@west value) == 2 ]]; }
    wait_until 10 reached
    in_background log "$TOP/scripts/lab" exec east troupe log -f @west
    wait_until 10 grep -q '^shop/heart@west | beat' log.out
    run lab ps
    assert_line --regexp '^west +10.77.0.2 +up +0ms +0% *$'
}

@test "a wire that is cut ends that session alone; healed, it is back" {
    lab up 3 --tcp
    lab cut east west
    run lab ps
    assert_line --regexp '^east .* west$'
    assert_line --regexp '^west .* east$'
    wait_until 15 no_session east west
    wait_until 15 no_session west east
    run at east call shop/counter@west value
    assert_failure 4
    session_is north west up
    session_is north east up
    lab heal east west
    wait_until 60 session_is east west up
    run at east call shop/counter@west value
    assert_success
}

@test "a wire that is cut one way ends the session for both" {
    lab up 2 --tcp
    lab cut west east --one-way
    run lab ps
    assert_line --regexp '^west .* east$'
    refute_line --regexp '^east .* west$'
    wait_until 15 no_session east west
    wait_until 15 no_session west east
    lab heal east west
    wait_until 60 session_is east west up
}

# What the actors of east answer to nngcat on another host, with the certificate that the lab has made for that.
guest() { # HOST PATTERN OPTION…: the message comes on standard input
    local host=$1 pattern=$2 files=()

    shift 2
    [[ $GATEWAY == tcp://* ]] || files=(--cacert "$LAB_DIR/ca.pem" --cert "$LAB_DIR/$host/cert.pem"
        --key "$LAB_DIR/$host/key.pem")
    "$TOP/scripts/lab" exec "$host" timeout 15 nngcat "--$pattern" --dial "$GATEWAY" "${files[@]}" "$@" 3>&- 4>&-
}

# Gives east's config a gateway that opens its counter, and starts that host again.
open_gateway() { # SCHEME
    GATEWAY=$1://10.77.0.1:4740
    lab kill east
    sed -i "s|^  name: east|&\n  gateway: {listen: \"$GATEWAY\", grant: [look, send], actors: [shop/counter]}|" \
        "$LAB_DIR/east/node.yaml"
    lab boot east
    wait_until 60 session_is west east up
}

answers() { # HOST EXPECTED MESSAGE
    [[ $(printf '%b' "$3" | guest "$1" req --file - --raw) == "$2" ]]
}

serves_another_host() {
    run answers west +5 'shop/counter\tadd\t5'
    assert_success
    run answers west '!denied' 'shop/heart\tadd\t5'
    assert_success
    printf 'shop/counter\tadd\t1' | guest west push --file -
    wait_until 10 answers west +6 'shop/counter\tvalue'
    in_background news guest west sub --quoted --subscribe sys/node
    wait_until 15 grep -q -F 'sys/node\tup\twest' news.out
}

@test "nngcat on another host asks, pushes and subscribes through the gateway, over TLS" {
    require nngcat
    lab up 2
    open_gateway tls+tcp
    serves_another_host
    # Without a certificate nobody is served, from there either.
    run lab exec west timeout 3 nngcat --req --dial "$GATEWAY" --cacert "$LAB_DIR/ca.pem" \
        --data "shop/counter	add	1" --raw
    refute_output --regexp '^[+]'
    run answers west +6 'shop/counter\tvalue'
    assert_success
}

@test "a gateway in clear text serves another host of a trusted network" {
    require nngcat
    lab up 2 --tcp
    open_gateway tcp
    serves_another_host
}

@test "one host's flood of guests does not keep another's out" {
    require nngcat python3
    lab up 3 --tcp
    open_gateway tcp
    mkfifo hold
    "$TOP/scripts/lab" exec north "$TOP/tests/helpers/guest_pest.py" 10.77.0.1:4740 idlers 10.77.0.3 2000 \
        <hold >flood.out 2>&1 3>&- 4>&- &
    register_pid $!
    exec 8>hold
    wait_until 30 grep -q "kept 256" flood.out
    run answers west +5 'shop/counter\tadd\t5'
    assert_success
    exec 8>&-
}

@test "a slow wire is slow, a lossy one loses, and both are mended" {
    lab up 2
    wait_until 10 eval '(($(call_ms east) < 200))' # whatever else is on the machine
    lab delay west 100
    (($(call_ms east) >= 200))
    run lab ps
    assert_line --regexp '^west .* 100ms +0%'
    lab delay west 0
    wait_until 20 session_is east west up
    lab loss west 100
    wait_until 20 no_session east west
    lab loss west 0
    wait_until 60 session_is east west up
    lab loss west 20
    wait_until 60 call_ms east
    run lab loss west 101
    assert_failure
}

@test "a host whose plug is pulled is missed, and is back when it is started" {
    lab up 3 --tcp
    lab kill west
    run lab ps
    assert_line --regexp '^west .* down '
    run lab exec west true
    assert_failure
    assert_output --partial "west is down"
    wait_until 20 no_session east west
    lab boot west
    wait_until 60 session_is east west up
    wait_until 60 session_is north west up
}

@test "down leaves no process, no namespace and no file, whatever was going on" {
    local pids

    lab up 3 --tcp
    lab delay north 5
    lab cut east west
    lab kill west
    pids=$(awk '{ print $1 }' "$LAB_DIR"/*/{init,wire} 2>/dev/null)
    [[ -n $pids ]]
    lab down
    assert_not_exists "$LAB_DIR"
    run ip netns list
    refute_output --partial "$TROUPE_LAB."
    for pid in $pids; do
        process_is_gone "$pid"
    done
    run grep -lsz "$LAB_DIR" /proc/[0-9]*/environ
    assert_output ""
}

@test "what makes no sense is refused, and a lab that cannot be made leaves nothing" {
    run lab up 0
    assert_failure
    run lab frobnicate
    assert_failure 2
    assert_output --partial "lab up N"
    run env BUILD="$DIR/nothing" "$TOP/scripts/lab" up 1
    assert_failure
    assert_output --partial "nothing is built"
    assert_not_exists "$LAB_DIR"
    lab up 1 --tcp
    run lab up 1
    assert_failure
    assert_output --partial "there is one already"
    run lab cut east nowhere
    assert_failure
    assert_output --partial 'no host "nowhere"'
}
