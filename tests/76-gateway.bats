#!/usr/bin/env bats
#
# The gateway of sys/node: nng's own clients speak to the actors that the config opens, and to no other, over
# TCP and TLS; and what its guests may do to each other and to the node, which is nothing.

bats_require_minimum_version 1.5.0
load helper
load certificates
load nodes

setup() {
    troupe_setup
    require nngcat python3 openssl ss
    PEST=$TOP/tests/helpers/guest_pest.py
    yaml tree.yaml <<EOF
troupe: 1
application: shop
supervisor:
  intensity: 100
  children:
    - {name: counter, module: counter}
    - {name: hidden, module: counter}
    - {name: parrot, module: echo}
    - {name: quiet, module: counter, raw: off}
    - {name: heart, exec: [sleep, 1000]}
    - {name: paper, module: publisher}
    - {name: secret, module: publisher}
    - {name: tallies, service: {module: counter, idle: 300ms, max: 2}}
    - {name: ledger, module: ledger, args: {file: $DIR/ledger}}
EOF
}

# gateway KEYS [LINE…]: a node with one; KEYS go into its map, LINEs below `node:`. Then $URL and $PORT are where it is.
gateway() {
    local keys=$1

    shift
    [[ $keys == *listen:* ]] || keys="listen: \"tcp://127.0.0.1:0\"${keys:+, $keys}"
    {
        cat tree.yaml
        printf 'node:\n  name: east\n  gateway: {%s}\n' "$keys"
        [[ $# -eq 0 ]] || printf '  %s\n' "$@"
    } >east.yaml
    node_up east.yaml
    wait_until 10 is_open
    PORT=${URL##*:}
}

is_open() {
    URL=$(troupe log -n 10000 sys/node | sed -n 's/.*event=gateway.listen url=\([^ ]*\).*/\1/p' | tail -n 1)
    [[ -n $URL ]]
}

# nng PATTERN [OPTION…]: nngcat, dialling the gateway.
nng() {
    timeout $((20 * TEST_SCALE)) nngcat "--$1" --dial "$URL" "${@:2}" 3>&- 4>&-
}

# call WORD…: what the gateway answers to them, a TAB between them.
call() {
    (IFS=$'\t' && printf '%s' "$*") | nng req --file - --raw --recv-timeout 15
}

cast() {
    (IFS=$'\t' && printf '%s' "$*") | nng push --file -
}

# subscribe NAME [OPTION…]: in the background; what it hears is in NAME.out.
subscribe() {
    in_background "$1" nngcat --sub --dial "$URL" --quoted --subscribe "" "${@:2}"
}

# says ADDRESS TOPIC NUMBER: is published, and somebody hears it.
says() {
    (($(ask "$1" say "$2" "$3") > 0))
}

heard() { # NAME TEXT: as nngcat quotes it
    grep -q -F -- "$2" "$1.out"
}

answers() { # EXPECTED WORD…
    [[ $(call "${@:2}") == "$1" ]]
}

# refused TEXT: does sys/node name it?
refused() {
    troupe log -n 10000 sys/node | grep event=gateway.refused | grep -q -F -- "$1"
}

assert_refused() {
    wait_until 10 refused "$1"
}

# The pest in the background, holding on to what it has: `release` lets it go.
pest_holds() { # NAME KIND ARG…
    local name=$1

    shift
    [[ -p hold ]] || mkfifo hold
    "$PEST" "$PORT" "$@" <hold >"$name.out" 2>&1 3>&- 4>&- 8>&- 9>&- &
    register_pid $!
    [[ -e /dev/fd/8 ]] || exec 8>hold
}

release() {
    exec 8>&-
}

kb_of_node() {
    awk '/VmRSS/ { print $2 }' "/proc/$(pid_of sys/node)/status"
}

# ---- three patterns ----------------------------------------------------------------------------------

@test "nngcat asks an actor by its address, and is answered" {
    gateway ""
    run call shop/counter add 5
    assert_success
    assert_output "+5"
    run call shop/counter@east add 2
    assert_output "+7"
    run call shop/counter frobnicate
    assert_output "!unknown_message frobnicate"
    run call shop/counter add many
    assert_output --regexp '^!bad_message add: '
}

tally_is_away() { # ID
    [[ ! -e $TROUPE_RUN/shop/tallies/$1 ]]
}

@test "a guest wakes an actor of a service by calling it, or by a cast, and again after its rest" {
    gateway ""
    tally_is_away 42
    run call shop/tallies/42 add 5
    assert_output "+5"
    wait_until 10 tally_is_away 42
    run call shop/tallies/42 add 2
    assert_output "+2"
    wait_until 10 tally_is_away 42
    cast shop/tallies/42 add 4
    wait_until 5 answers "+4" shop/tallies/42 add 0
    wait_until 10 answers "+3" shop/tallies/7 add 3
}

@test "a guest that calls more actors than the service may have is told so, and no actor is no service's" {
    local first second

    sed -i 's/idle: 300ms, //' tree.yaml
    gateway ""
    first=$(call shop/tallies/1 add 1)
    second=$(call shop/tallies/2 add 1)
    assert_equal "$first$second" "+1+1"
    run call shop/tallies/3 add 1
    assert_output --regexp '^!overloaded'
    cast shop/tallies/3 add 1
    assert_refused "shop/tallies/3: overloaded"
    run call shop/tallies2/3 add 1
    assert_output "!noproc"
}

@test "nngcat pushes, and it is a cast" {
    gateway ""
    cast shop/counter add 5
    wait_until 10 answers +5 shop/counter value
}

@test "nngcat subscribes, and hears the publishers of the config under their addresses" {
    gateway "grant: [look], publishers: [shop/paper]"
    subscribe news
    wait_until 10 says shop/paper weather 21
    wait_until 10 heard news 'shop/paper\tweather\t21'
    run ask shop/secret say weather 22
    assert_output 0
    assert_equal "$(grep -c secret news.out)" 0
}

@test "publishers are heard again when they come back, and not by a gateway without guests" {
    local pid

    gateway "grant: [look], publishers: [shop/paper]"
    run ask shop/paper say weather 20
    assert_output 0
    subscribe news
    pid=$!
    wait_until 10 says shop/paper weather 21
    kill -KILL "$(pid_of shop/paper)"
    wait_until 10 says shop/paper weather 22
    wait_until 10 heard news 'shop/paper\tweather\t22'
    kill -TERM "$pid"
    nobody() { ! says shop/paper weather 23; }
    wait_until 10 nobody
}

@test "guests hear of nodes: those that are up at once, and those that come and go" {
    cookie
    gateway "grant: [look]" "listen: tcp://127.0.0.1:$(free_port)" "cookie_file: $DIR/cookie"
    wait_until 10 is_listening run
    subscribe early
    node west "peers: [$(url_of run)]"
    use_node run
    wait_until 20 heard early 'sys/node\tup\twest'
    subscribe late
    wait_until 20 heard late 'sys/node\tup\twest'
    TROUPE_RUN=$DIR/west TROUPE_STATE=$DIR/west.state node_down
    wait_until 20 heard early 'sys/node\tdown\twest\tshutdown'
}

# ---- who is open --------------------------------------------------------------------------------------

@test "without a list all actors of applications are open, and none of the node's own" {
    gateway ""
    run call shop/hidden add 1
    assert_output "+1"
    for path in sys/node sys/log sys run/1; do
        run call $path value
        assert_output "!denied"
        assert_refused "$path: denied"
    done
}

@test "with a list there is nobody else: neither calls nor casts, and no name is told" {
    gateway 'actors: [shop/counter, "shop/le*"]'
    run call shop/hidden add 1
    assert_output "!denied"
    run call shop/nobody add 1
    assert_output "!denied"
    cast shop/hidden add 1
    cast shop/counter add 1
    wait_until 10 answers +1 shop/counter value
    run call shop/ledger note 1 2
    assert_output "+2"
    run ask shop/hidden value
    assert_output 0
    assert_refused "shop/hidden: denied"
    assert_refused "shop/nobody: denied"
}

@test "addresses that are none, or another node's, are refused by name" {
    gateway ""
    run call /shop value
    assert_output "!bad_message no address"
    run call "" value
    assert_output "!bad_message no address"
    run call "shop/count*" value
    assert_output "!bad_message no address"
    run call shop/.supervisor ps
    assert_output "!bad_message no address"
    run call shop/counter
    assert_output "!bad_message expected ADDRESS, TAB, MESSAGE"
    run call "shop/counter#1" value
    assert_output --regexp '^!bad_message an address with #'
    run call shop/counter@west value
    assert_output --regexp "^!denied another node's gateway"
    run call "$(printf 'x%.0s' {1..700})" value
    assert_output "!bad_message no address"
    assert_refused "bad_message no address"
}

@test "who is open but not there, or takes no raw messages, is answered by name" {
    gateway ""
    run call shop/nobody value
    assert_output "!noproc"
    run call shop/heart value
    assert_output "!noproc"
    run call shop/quiet value
    assert_output "!no_mailbox it takes no raw messages"
    cast shop/nobody value
    assert_refused "shop/nobody: noproc"
}

@test "a pattern that is not granted is refused by name" {
    gateway "grant: [look]"
    run timeout 2 nngcat --req --dial "$URL" --data "shop/counter	value" --raw
    refute_output --regexp '^[+]'
    assert_refused "REQ and PUSH need grant: [send]"
    node_down
    gateway "grant: [send]"
    in_background sub nngcat --sub --dial "$URL"
    assert_refused "SUB needs grant: [look]"
    in_background pair nngcat --pair0 --dial "$URL" --data x
    assert_refused "another pattern than REQ, PUSH and SUB"
    run call shop/counter value
    assert_output "+0"
}

# ---- actors that end, and calls that are repeated -------------------------------------------------------

# Bytes that have come for that process, and that it has not read.
unread_of() { # PID
    ss -xpH state connected | awk -v pid="pid=$1," 'index($0, pid) { sum += $3 } END { print sum + 0 }'
}

has_unread() { # PID
    (($(unread_of "$1") > 0))
}

unread_is() { # PID BYTES
    (($(unread_of "$1") == $2))
}

@test "a call waits for an actor that is being restarted; one that it had heard already is down" {
    gateway ""
    local pid

    kill -STOP "$(pid_of shop/counter)" # before its mailbox has greeted anybody
    in_background waits call shop/counter add 1
    run call shop/hidden add 1
    assert_output "+1"
    kill -KILL "$(pid_of shop/counter)"
    wait_until 10 heard waits +1
    pid=$(pid_of shop/counter)
    kill -STOP "$pid"
    in_background lost call shop/counter add 1
    wait_until 10 has_unread "$pid"
    kill -KILL "$pid"
    wait_until 10 heard lost '!down unknown'
    run call shop/counter add 2
    assert_output "+2"
}

@test "a request that nng repeats is done once" {
    gateway ""
    run "$PEST" "$PORT" twice shop/counter add 1
    assert_output "+1"
    run call shop/counter value
    assert_output "+1"
}

@test "a killed sys/node opens its gateway again, and no actor is restarted" {
    local before

    gateway "listen: \"tcp://127.0.0.1:$(free_port)\""
    run call shop/counter add 1
    assert_output "+1"
    before=$(pid_of shop/counter)
    kill -KILL "$(pid_of sys/node)"
    wait_until 20 answers +1 shop/counter value
    assert_equal "$(pid_of shop/counter)" "$before"
}

@test "a port that is taken is named, and the node does not start without its gateway" {
    local port

    port=$(free_port)
    in_background squatter python3 -c "import signal, socket
sock = socket.create_server(('127.0.0.1', $port))
print('sits', flush=True)
signal.pause()"
    wait_until 10 grep -q sits squatter.out
    {
        cat tree.yaml
        printf 'node:\n  name: east\n  gateway: {listen: "tcp://127.0.0.1:%s"}\n' "$port"
    } >east.yaml
    run node_up east.yaml
    assert_failure
    assert_output --partial "sys/node exit:75"
    run -75 env TROUPE_NODE=east timeout 10 troupe-node --gateway "tcp://127.0.0.1:$port"
    assert_output --partial "tcp://127.0.0.1:$port: Address in use"
}

@test "what cannot be meant is refused by troupe-node, too" {
    export TROUPE_NODE=east
    run -78 troupe-node --gateway tcp://0.0.0.0:0
    assert_output --partial "needs --trusted-network"
    run -75 troupe-node --gateway tls+tcp://127.0.0.1:0
    assert_output --partial "TLS needs"
    run -78 troupe-node --gateway tcp://127.0.0.1:0 --gateway-grant fly
    assert_output --partial "expected words of look, send and control"
    run -78 env -u TROUPE_RUN troupe-node --gateway tcp://127.0.0.1:0
    assert_output --partial "TROUPE_RUN"
}

@test "what makes no sense in the config is refused by check, by name" {
    local many

    many=$(seq -s ', ' -f 'shop/a%.0f' 257)
    printf 'troupe: 1\napplication: shop\nsupervisor: {}\nnode:\n  gateway: {listen: "tcp://127.0.0.1:0", actors: [%s]}\n' \
        "$many" >many.yaml
    run troupe check many.yaml
    assert_failure
    assert_output --partial "gateway: too long a list: expected 256 paths at most"
    sed -i 's|, shop/a257||' many.yaml
    run troupe check many.yaml
    assert_success
}

# ---- TLS ------------------------------------------------------------------------------------------------

tls_gateway() {
    authority good
    certificate good host 127.0.0.1
    certificate good guest guest.example
    gateway "listen: \"tls+tcp://127.0.0.1:0\", grant: [look, send], publishers: [shop/paper]" \
        "tls: {ca: $DIR/good.pem, cert: $DIR/host.crt, key: $DIR/host.key}"
    GUEST=(--cacert good.pem --cert guest.crt --key guest.key)
}

tls_call() { # CERTIFICATE AUTHORITY WORD…
    local files=(--cacert "$2.pem" --cert "$1.crt" --key "$1.key")

    (IFS=$'\t' && printf '%s' "${*:3}") |
        timeout 10 nngcat --req --dial "$URL" "${files[@]}" --file - --raw --recv-timeout 8
}

@test "over TLS nngcat asks, pushes and subscribes with a certificate of the authority" {
    tls_gateway
    run tls_call guest good shop/counter add 5
    assert_output "+5"
    printf 'shop/counter\tadd\t1' | nng push "${GUEST[@]}" --file -
    added() { [[ $(tls_call guest good shop/counter value) == +6 ]]; }
    wait_until 10 added
    subscribe news "${GUEST[@]}"
    wait_until 10 says shop/paper weather 21
    wait_until 10 heard news 'shop/paper\tweather\t21'
}

@test "over TLS nobody speaks without a certificate, with a forged one, or in clear text" {
    tls_gateway
    authority bad
    certificate bad forged guest.example
    run timeout 3 nngcat --req --dial "$URL" --cacert good.pem --data "shop/counter	add	1" --raw
    refute_output --regexp '^[+]'
    assert_refused "remote=tls+tcp://127.0.0.1:"
    run timeout 3 nngcat --req --dial "$URL" --cacert good.pem --cert forged.crt --key forged.key \
        --data "shop/counter	add	1" --raw
    refute_output --regexp '^[+]'
    run timeout 3 nngcat --req --dial "tcp://127.0.0.1:$PORT" --data "shop/counter	add	1" --raw
    refute_output --regexp '^[+]'
    run tls_call guest good shop/counter value
    assert_output "+0"
    assert_refused "no TLS that both accept"
}

@test "a guest that dials the wrong authority's node says nothing to it" {
    tls_gateway
    authority bad
    run tls_call guest bad shop/counter add 1
    refute_output --regexp '^[+]'
    run tls_call guest good shop/counter value
    assert_output "+0"
}

# ---- guests that misbehave --------------------------------------------------------------------------------

@test "mute guests are closed after five seconds, and keep nobody waiting" {
    gateway ""
    local start

    pest_holds mutes mutes 127.0.0.2 200
    wait_until 10 heard mutes "kept 200"
    start=$(now_ms)
    run call shop/counter add 1
    assert_output "+1"
    assert [ $(($(now_ms) - start)) -lt $((3000 * TEST_SCALE)) ]
    assert_refused "no greeting within 5 s"
    release
}

@test "one host's flood of guests is refused by name, and locks out no other" {
    gateway ""
    pest_holds flood idlers 127.0.0.2 400
    wait_until 20 heard flood "kept 256"
    assert_refused "too many guests of one host"
    run call shop/counter add 1
    assert_output "+1"
    release
    again() { "$PEST" "$PORT" idlers 127.0.0.2 10 </dev/null | grep -q "kept 10"; }
    wait_until 10 again
}

@test "a thousand guests and a bit: the rest is refused by name, until somebody goes" {
    gateway ""
    for host in 2 3 4 5; do
        pest_holds "flood$host" idlers "127.0.0.$host" 256
    done
    for host in 2 3 4 5; do
        wait_until 30 heard "flood$host" "kept 256"
    done
    run timeout 2 nngcat --req --dial "$URL" --data "shop/counter	value" --raw
    refute_output --regexp '^[+]'
    assert_refused 'reason="too many guests"'
    assert [ "$(kb_of_node)" -lt 150000 ]
    release
    wait_until 10 answers +0 shop/counter value
}

@test "a message that claims too much is refused by name, and nothing is allocated for it" {
    gateway ""
    run timeout 20 "$PEST" "$PORT" huge
    assert_output "all closed"
    assert_refused "a message of 1048577 bytes: more than 1048576"
    assert_refused "a message of 18446744073709551615 bytes"
    assert [ "$(kb_of_node)" -lt 60000 ]
    run call shop/counter value
    assert_output "+0"
}

@test "half a message, and a guest that reads nothing, are borne for half a minute" {
    gateway "grant: [look, send], publishers: [shop/paper]"
    in_background half "$PEST" "$PORT" half
    pest_holds deaf deaf
    wait_until 10 heard deaf subscribed
    wait_until 10 says shop/paper weather 1
    for _ in {1..40}; do
        run ask shop/paper burst large 20 10000
    done
    wait_until 45 grep -q -E '^closed after (29|3[0-9])' half.out
    assert_refused "half a message for 30 s"
    wait_until 15 refused "it has read nothing for 30 s"
    run call shop/counter add 1
    assert_output "+1"
    release
}

@test "what guests have half sent is bounded for all of them together; who has little is unharmed" {
    gateway ""
    pest_holds halves halves 200 1000000
    wait_until 60 grep -q kept halves.out
    assert_refused "overloaded: too much waits of guests"
    assert [ "$(kb_of_node)" -lt 250000 ]
    run call shop/counter add 1
    assert_output "+1"
    release
}

@test "noise, and guests that are gone at once, cost only themselves" {
    gateway ""
    local before

    run call shop/counter add 1
    before=$(find "/proc/$(pid_of sys/node)/fd" -mindepth 1 | wc -l)
    "$PEST" "$PORT" noise 1000
    "$PEST" "$PORT" storm 1000
    run call shop/counter add 1
    assert_output "+2"
    no_more() { (($(find "/proc/$(pid_of sys/node)/fd" -mindepth 1 | wc -l) <= before)); }
    wait_until 15 no_more
    are_counted() { troupe log -n 10000 sys/node | grep -q " more="; } # once a second
    wait_until 10 are_counted
    run troupe log -n 10000 sys/node
    assert [ "$(grep -c gateway.refused <<<"$output")" -lt 1000 ]
}

@test "casts to an actor that does not read wait, in order, and keep nobody else waiting" {
    gateway ""
    local pid

    pid=$(pid_of shop/ledger)
    kill -STOP "$pid"
    in_background push "$PEST" "$PORT" push 400000 'shop/ledger\tnote\t1\t'
    held() { (($(kb_of_node) > 0)) && ! heard push "all sent"; }
    run call shop/counter add 1
    assert_output "+1"
    holds_for 1500 held
    run call shop/counter add 1
    assert_output "+2"
    assert [ "$(kb_of_node)" -lt 60000 ]
    kill -CONT "$pid"
    wait_until 60 heard push "all sent"
    all_there() { (($(wc -l <ledger) == 400000)); }
    wait_until 60 all_there
    cmp ledger <(seq -f '1 1 %.0f' 0 399999)
}

@test "calls of an actor that does not read are overloaded by name, and others' are answered" {
    gateway ""
    local pid

    pid=$(pid_of shop/counter)
    kill -STOP "$pid"
    in_background asker "$PEST" "$PORT" ask 20 500000 'shop/counter\tadd\t'
    wait_until 20 heard asker '!overloaded'
    run call shop/hidden add 1
    assert_output "+1"
    kill -CONT "$pid"
    wait_until 20 heard asker '!bad_message add'
}

@test "a guest may have 64 calls without an answer, then it is not read" {
    gateway ""
    local pid each

    run call shop/counter add 0 # its mailbox knows the gateway now
    pid=$(pid_of shop/counter)
    kill -STOP "$pid"
    in_background asker "$PEST" "$PORT" ask 1000 0 'shop/counter\tadd\t1'
    each=$((9 + 4 + 5)) # a frame's head, a request's number, and `add 1`
    wait_until 10 unread_is "$pid" $((64 * each))
    holds_for 300 unread_is "$pid" $((64 * each))
    run call shop/hidden add 1
    assert_output "+1"
    kill -CONT "$pid"
    all_there() { (($(wc -l <asker.out) == 1000)); }
    wait_until 20 all_there
    cmp asker.out <(seq 1 1000 | sed 's/^/+/')
}

@test "a guest that does not read its answers is not read, either" {
    gateway ""
    in_background asker "$PEST" "$PORT" glut 4000 10000 'shop/parrot\techo\t'
    wait_until 20 heard asker stuck
    assert [ "$(kb_of_node)" -lt 60000 ]
    run call shop/counter add 1
    assert_output "+1"
    wait_until 30 heard asker "4000 answers"
}

@test "a subscriber that reads nothing misses news, by name; the others hear all" {
    gateway "grant: [look, send], publishers: [shop/paper]"
    pest_holds deaf deaf
    wait_until 10 heard deaf subscribed
    in_background news "$PEST" "$PORT" hear # nngcat is not quick enough for all of it
    wait_until 10 heard news subscribed
    wait_until 10 says shop/paper weather 1
    wait_until 10 heard news 'shop/paper\tweather\t1'
    for _ in {1..40}; do
        run ask shop/paper burst large 20 10000
    done
    wait_until 20 refused "it reads too slowly, and misses news"
    wait_until 10 says shop/paper weather 2
    wait_until 10 heard news 'shop/paper\tweather\t2'
    assert_equal "$(grep -c -F 'shop/paper\tlarge' news.out)" 800
    assert [ "$(kb_of_node)" -lt 60000 ]
    release
}
