#!/usr/bin/env bats
#
# Messages from the command line: describe, call, send; and from what speaks nng's protocol.

bats_require_minimum_version 1.5.0
load helper

SCRATCH_UID=54321  # named by `user:` in the tree
STRANGER_UID=54322 # by nobody

shop() { # [MORE CHILDREN]
    yaml shop.yaml <<END
troupe: 1
application: shop
supervisor:
  intensity: 100
  period: 200s
  children:
    - {name: counter, module: counter, args: {start: 10}}
    - {name: teller, module: teller}
    - {name: plain, exec: [sleep, 90054]}
$1
END
    node_up shop.yaml
}

# ---- describe ----------------------------------------------------------------------------

@test "describe lists an actor's messages with their types" {
    shop
    run troupe describe shop/counter
    assert_success
    assert_line --index 0 --regexp '^MESSAGE +ARGUMENTS +REPLY +HELP$'
    assert_line --index 1 --regexp '^add +INT64 +INT64 +adds to the counter, and tells the sum$'
    assert_line --index 2 --regexp '^value +- +INT64 +tells the value$'
    run troupe describe shop/teller
    assert_line --regexp '^all +INT32 UINT32 INT64 UINT64 DOUBLE TEXT BYTES +INT32 UINT32 '
}

@test "describe has JSON, and columns of its own" {
    shop
    troupe describe -o json shop/counter >d.json
    python3 - <<'PY'
import json
d = json.load(open("d.json"))
assert d["troupe"] == 1
add, value = d["messages"]
assert add["message"] == "add" and add["arguments"] == "INT64" and add["format"] == "I"
assert value["arguments"] == "" and value["reply"] == "INT64"
PY
    run troupe describe -o message,reply_format shop/counter
    assert_output $'add\tI\nvalue\tI'
    run troupe describe -o mesage shop/counter
    assert_failure 2
    assert_output --partial "did you mean message?"
}

@test "describe says what takes no messages, and what does not describe itself" {
    shop "    - {name: box, exec: [sleep, 90054], mailbox: {messages: 5}}"
    run troupe describe shop
    assert_failure 1
    assert_output --partial "no_mailbox"
    run troupe describe .
    assert_failure 1
    run troupe describe shop/box
    assert_failure 1
    assert_output --partial "a program does not describe its messages"
    run troupe describe shop/cuonter
    assert_failure 3
    assert_output --partial "did you mean shop/counter?"
}

@test "an actor that takes other messages than it lists says so" {
    shop "    - {name: hearer, module: hearer}"
    run troupe describe shop/hearer
    assert_line --regexp '^listed +INT64 +INT64 '
    assert_line --regexp '^\* +- +- +all other messages$'
}

# ---- call --------------------------------------------------------------------------------

@test "call prints the answer, and arguments may be negative" {
    shop
    run troupe call shop/counter add 5
    assert_success
    assert_output 15
    run troupe call shop/counter add -20
    assert_output -- -5
    run troupe call shop/counter value
    assert_output -- -5
    run troupe call shop/counter@local#1 value
    assert_output -- -5
}

@test "options end at the address" {
    shop
    run troupe call shop/counter add --timeout
    assert_failure 2
    assert_output --partial '"--timeout": expected INT64'
    run troupe call --timeout 3s -o jsonl shop/counter value
    assert_output "[10]"
    run troupe call -- shop/counter value
    assert_output 10
}

@test "a call with no values to print prints nothing, and succeeds" {
    shop
    run --separate-stderr troupe call shop/teller nothing
    assert_success
    assert_output ""
    run troupe call -o jsonl shop/teller nothing
    assert_output "[]"
}

@test "a wrong number or kind of arguments is refused with the signature" {
    shop
    run troupe call shop/counter add
    assert_failure 2
    assert_output --partial "add: 0 arguments: expected 1; usage: add INT64 -> INT64"
    run troupe call shop/counter add 1 2
    assert_failure 2
    assert_output --partial "2 arguments: expected 1"
    run troupe call shop/counter add five
    assert_failure 2
    assert_output --partial 'argument 1, "five": expected INT64; usage: add INT64 -> INT64'
    run troupe call shop/counter add 9223372036854775808
    assert_failure 2
    assert_output --partial "is out of range: expected INT64"
    run troupe send shop/counter add five
    assert_failure 2
    run troupe call shop/counter value
    assert_output 10
}

@test "an unknown message names the nearest one" {
    shop
    run troupe call shop/counter ad 5
    assert_failure 2
    assert_output --partial 'no message "ad"; did you mean add?'
    run troupe send shop/counter nonsense
    assert_failure 2
    assert_output --partial "troupe describe shop/counter"
    run troupe call shop/counter
    assert_failure 2
    assert_output --partial "usage: troupe call"
}

@test "every type goes there and comes back" {
    shop
    run troupe call shop/teller all -7 7 -9223372036854775808 18446744073709551615 0.1 $'a\tb' 'c\d'
    assert_success
    assert_output $'-7\t7\t-9223372036854775808\t18446744073709551615\t0.1\ta\\tb\tc\\\\d'
    troupe call -o json shop/teller all -7 7 -9223372036854775808 18446744073709551615 1e300 $'a\n"b' \
        $'\xff\xfe\x01\xc3' >all.json
    python3 - <<'PY'
import base64, json
d = json.load(open("all.json"))
assert d["troupe"] == 1
i, u, I, U, f, s, B = d["values"]
assert (i, u, I, U) == (-7, 7, -2**63, 2**64 - 1) and f == 1e300 and s == 'a\n"b'
assert base64.b64decode(B["base64"]) == b"\xff\xfe\x01\xc3"
PY
    run troupe call -o jsonl shop/teller all 0 0 0 0 nan x ä
    assert_output '[0, 0, 0, 0, null, "x", "ä"]'
    run troupe call -o path shop/counter value
    assert_failure 2
}

@test "an error that the actor answers is status 8, with its text" {
    shop
    run troupe call shop/teller fail "no more of that"
    assert_failure 8
    assert_output --partial "shop/teller: error no more of that"
}

@test "an answer that does not come in time is status 6" {
    shop
    local start
    start=$(now_ms)
    run troupe call --timeout 300ms shop/teller keep
    assert_failure 6
    assert_output --partial "timeout: nothing heard within 300ms"
    (($(now_ms) - start >= 300))
    (($(now_ms) - start < 300 + 2000 * TEST_SCALE))
    run troupe call --timeout soon shop/teller keep
    assert_failure 2
}

@test "who is not there is status 3, with the nearest one named; and so is another life" {
    shop
    run troupe call shop/countr add 5
    assert_failure 3
    assert_output --partial "did you mean shop/counter?"
    run troupe send nowhere/at/all x
    assert_failure 3
    troupe stop shop/counter
    run troupe call shop/counter add 5
    assert_failure 3
    assert_output --partial "shop/counter: is not running"
    troupe start shop/counter
    run troupe call 'shop/counter#1' value
    assert_failure 3
    assert_output --partial "it is #2 now"
    run troupe call 'shop/count*#1' value
    assert_failure 2
}

@test "without a node, and on another node, the status is 4" {
    run troupe call shop/counter value
    assert_failure 4
    run troupe describe shop/counter
    assert_failure 4
    shop
    run troupe send shop/counter@elsewhere add 1
    assert_failure 4
}

@test "a program without a mailbox, and a supervisor, have none: status 1" {
    shop
    run troupe call shop/plain hello
    assert_failure 1
    assert_output --partial "shop/plain: no_mailbox"
    run troupe send shop hello
    assert_failure 1
    assert_output --partial "no_mailbox"
}

@test "a call waits for an actor that is being restarted" {
    shop "    - {name: slow, module: counter, args: {start: 3}, backoff: {initial: 1s, max: 1s}}"
    kill -KILL "$(pid_of shop/slow)"
    wait_for_state shop/slow backoff
    run troupe call --timeout 20s shop/slow add 1
    assert_success
    assert_output 4
    assert_equal "$(incarnation_of shop/slow)" 2
}

@test "a call whose actor ends before it answers is down: status 1, and it is not made again" {
    shop "    - {name: crasher, module: crasher}"
    run troupe call shop/crasher exit 7
    assert_failure 1
    assert_output --partial "shop/crasher: down exit:7"
    wait_until 5 is_restarted shop/crasher 1
    assert_equal "$(incarnation_of shop/crasher)" 2
    run troupe call shop/crasher kill 11
    assert_failure 1
    assert_output --partial "shop/crasher: down signal:SEGV"
}

@test "a call that nobody has heard yet is for the next incarnation" {
    shop
    troupe send shop/teller block "$DIR/never"
    wait_until 5 is_busy shop/teller
    in_background waiting troupe call --timeout 20s -o jsonl shop/teller nothing
    wait_until 5 has_waiting_connection shop/teller
    kill -KILL "$(pid_of shop/teller)"
    wait_until 10 test -s waiting.out
    assert_equal "$(cat waiting.out)" "[]"
    assert_equal "$(incarnation_of shop/teller)" 2
}

# Somebody has connected whom the actor has not accepted: that is the queue of its listening socket.
has_waiting_connection() { # ADDRESS
    local socket

    socket=$(readlink "/proc/$(pid_of "$1")/fd/3")
    ss -xlH | awk -v inode="${socket//[^0-9]/}" '$6 == inode && $3 > 0 { found = 1 }
                                                 END { exit !found }'
}

# ---- raw bodies --------------------------------------------------------------------------

@test "--raw sends a body as it is, and prints the answer's bytes" {
    shop "    - {name: bytes, module: echo, raw: bytes}"
    printf 'add\t5' | troupe call --raw shop/counter >out
    assert_equal "$(cat out)" "+15"
    assert_equal "$(wc -c <out)" 3
    head -c 100000 /dev/urandom >body
    troupe call --raw shop/bytes <body >out
    cmp body out
}

@test "--raw with a message gives it one argument, and prints the bytes of the answer" {
    shop "    - {name: echo, module: echo}
    - {name: hearer, module: hearer}"
    head -c 300000 /dev/urandom >body
    troupe call --raw shop/echo bytes <body >out
    cmp body out
    troupe call --raw shop/echo bytes </dev/null >out
    assert_equal "$(wc -c <out)" 0
    run troupe call --raw shop/echo echo <body
    assert_failure 2
    assert_output --partial "NUL byte"
    run troupe call --raw shop/counter add <body
    assert_failure 2
    assert_output --partial "usage: add INT64 -> INT64"
    run troupe call --raw shop/echo bytes more <body
    assert_failure 2
    printf 'what is this' | troupe call --raw shop/hearer anything >out
    grep -q 'what is this' out
}

@test "a body of more than 16 MiB is refused" {
    shop
    run bash -c 'head -c 17000000 /dev/zero | troupe call --raw shop/counter'
    assert_failure 2
    assert_output --partial "more than 16 MiB"
}

@test "an actor that takes unlisted messages gets their arguments as texts" {
    shop "    - {name: hearer, module: hearer}"
    run troupe call shop/hearer greet $'one\ttwo' -3
    assert_success
    assert_output $'greet\tone\\ttwo,-3'
    run troupe call shop/hearer listed x
    assert_failure 2
    run troupe call shop/hearer listed 4
    assert_output 4
}

# Serves the mailbox that it inherits: answers `ask ARGS` with `+ARGS`, `fail` with `!error TEXT`,
# `plain` with a text of its own, `leave` by going; writes what is pushed to a file.
mailbox_program() {
    cat >serve.py <<'PY'
import os, socket, struct, sys

def take(conn, n):
    data = b""
    while len(data) < n:
        more = conn.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data

def answer(line):
    if line == b"leave":
        os._exit(9)
    if line == b"fail":
        return b"!error not today"
    if line == b"plain":
        return b"just text"
    return b"+" + line.split(b"\t", 1)[-1]

def serve(conn):
    protocol = take(conn, 8)[5]
    conn.sendall(b"\0SP\0\0" + bytes([protocol ^ 1]) + b"\0\0")
    while True:
        size = struct.unpack(">BQ", take(conn, 9))[1]
        body = take(conn, size)
        if protocol == 0x50:
            open(sys.argv[1], "ab").write(body + b"\n")
        else:
            reply = body[:4] + answer(body[4:])
            conn.sendall(struct.pack(">BQ", 1, len(reply)) + reply)

box = socket.socket(fileno=3)
while True:
    conn = box.accept()[0]
    try:
        serve(conn)
    except EOFError:
        conn.close()
PY
    shop "    - {name: box, exec: [python3, $DIR/serve.py, $DIR/pushed], mailbox: true}"
}

@test "a program with a mailbox gets raw lines, and its answers are read as such" {
    mailbox_program
    run troupe call shop/box ask $'a\tb' -1
    assert_success
    assert_output $'a\\tb\t-1'
    run troupe call -o jsonl shop/box ask x y
    assert_output '["x", "y"]'
    run troupe call shop/box fail
    assert_failure 8
    assert_output --partial "shop/box: error not today"
    run troupe call shop/box plain
    assert_success
    assert_output "just text"
    run troupe call shop/box leave
    assert_failure 1
    assert_output --partial "shop/box: down exit:9"
    run troupe send shop/box note one two
    assert_success
    wait_until 5 grep -qx $'note\tone\ttwo' pushed
}

# ---- send --------------------------------------------------------------------------------

counts() { # NUMBER
    [[ $(troupe call shop/counter value) == "$1" ]]
}

@test "send casts, and says nothing" {
    shop
    run troupe send shop/counter add 5
    assert_success
    assert_output ""
    wait_until 5 counts 15
    printf 'add\t-1' | troupe send --raw shop/counter
    wait_until 5 counts 14
}

@test "a long cast is handed over whole" {
    shop "    - {name: echo, module: echo}"
    head -c 60000 /dev/zero | tr '\0' x >text
    run troupe send --raw shop/echo say <text
    assert_success
    wait_until 5 said_long
}

said_long() {
    [[ $(troupe log -n 50 shop/echo | tr -cd x | wc -c) -ge 60000 ]]
}

@test "send does not succeed while nobody listens" {
    shop
    troupe send shop/teller block "$DIR/go"
    wait_until 5 is_busy shop/teller
    run troupe send --timeout 300ms shop/teller nothing
    assert_failure 6
    touch go
    run troupe send shop/teller nothing
    assert_success
}

# ---- what ps and status know of an actor that hangs ----------------------------------------

is_busy() {
    [[ $(column_of busy "$1") -gt 0 ]]
}

is_busy_for_people() {
    troupe ps "$1" | grep -qE ' [0-9]+ busy [0-9.]+'
}

depth_is() { # ADDRESS DEPTH
    [[ $(column_of mbox "$1") == "$2" ]]
}

@test "ps and status show a hanging actor's queue, totals and time, without asking it" {
    shop
    local before fields
    run troupe call shop/teller nothing
    before=$(column_of in shop/teller)
    # One connection for all: the first message blocks, three wait behind it in the mailbox.
    push_lines shop/teller "block	$DIR/go" nothing nothing nothing
    wait_until 5 is_busy shop/teller
    wait_until 5 depth_is shop/teller 3
    [[ $(column_of in shop/teller) == $((before + 1)) ]]
    wait_until 5 is_busy_for_people shop/teller
    run troupe ps -w shop/teller
    assert_line --index 0 --regexp ' MBOX +CPU +IN +OUT +EXP +DROP '
    assert_line --index 1 --regexp " 3 busy [0-9]"
    fields=$(troupe status -o mailbox,messages_in,busy shop/teller)
    assert_equal "$(cut -f1 <<<"$fields")" 3
    assert_equal "$(cut -f2 <<<"$fields")" $((before + 1))
    (($(cut -f3 <<<"$fields") >= 1000))
    touch go
    wait_until 5 depth_is shop/teller 0
    [[ $(column_of busy shop/teller) == 0 ]]
    [[ $(column_of in shop/teller) == $((before + 4)) ]]
}

# steadily ADDRESS LINE: a hundred a second, until it is ended.
steadily() {
    python3 - "$@" <<'PY'
import os, socket, struct, sys, time
box = socket.socket(socket.AF_UNIX)
box.connect(os.path.join(os.environ["TROUPE_RUN"], sys.argv[1]))
line = sys.argv[2].encode()
box.sendall(b"\0SP\0\0\x50\0\0")
due = time.monotonic()
while True:
    box.sendall(struct.pack(">BQ", 1, len(line)) + line)
    due += 0.01
    time.sleep(max(0, due - time.monotonic()))
PY
}

# in_rate_of ADDRESS: what it receives in a second.
in_rate_of() {
    troupe ps -o path,in_rate "$1" | cut -f2
}

has_come() { # ADDRESS
    (($(column_of in "$1") > 0))
}

@test "ps looks twice when it is to tell rates, and tells those of an actor that hangs" {
    local rate
    shop
    steadily shop/counter "add	1" >/dev/null 3>&- 4>&- &
    register_pid $!
    wait_until 5 has_come shop/counter
    rate=$(in_rate_of shop/counter)
    echo "# $rate a second"
    ((rate >= 50 && rate <= 150))
    run troupe ps --rates shop/counter
    assert_line --index 0 --regexp ' MBOX +IN/S +OUT/S$'
    assert_line --index 1 --regexp ' [0-9]+ +[0-9]+ +0$'
    # hanging, it handles nothing, and is seen to
    push_lines shop/teller "block	$DIR/go" nothing nothing
    wait_until 5 is_busy shop/teller
    wait_until 5 depth_is shop/teller 2
    assert_equal "$(troupe ps -o path,mbox,in_rate,out_rate shop/teller)" $'shop/teller\t2\t0\t0'
    touch go
    # who came meanwhile has none yet; and who does not ask for rates does not wait for them
    run troupe ps -o json shop/counter
    assert_output --regexp '"in_rate": ?null'
    refute_output --partial IN/S
}

push_lines() { # ADDRESS LINE…: on one connection
    python3 - "$@" <<'PY'
import os, socket, struct, sys
box = socket.socket(socket.AF_UNIX)
box.connect(os.path.join(os.environ["TROUPE_RUN"], sys.argv[1]))
# All at once: what comes after the actor began to hang is not seen by it, nor by anybody.
frames = b"\0SP\0\0\x50\0\0"
for line in sys.argv[2:]:
    line = line.encode()
    frames += struct.pack(">BQ", 1, len(line)) + line
box.sendall(frames)
box.settimeout(20)
assert box.recv(8) == b"\0SP\0\0\x51\0\0"
PY
}

# ---- from a shell with nothing of ours -----------------------------------------------------

@test "nngcat calls, casts and subscribes to the same actors" {
    require nngcat
    shop
    run timeout 10 nngcat --req --dial "ipc://$TROUPE_RUN/shop/counter" -D $'add\t5' --raw
    assert_success
    assert_output "+15"
    run timeout 10 nngcat --req --dial "ipc://$TROUPE_RUN/shop/counter" -D $'add\tx' --raw
    assert_output --partial "!bad_message add"
    timeout 10 nngcat --push --dial "ipc://$TROUPE_RUN/shop/counter" -D $'add\t5'
    wait_until 5 counts 20
    in_background sub timeout 20 nngcat --sub --dial "ipc://$TROUPE_RUN/shop/teller" \
        --subscribe "" --count 1 --quoted
    wait_until 10 heard_after_publishing
    assert_equal "$(cat sub.out)" '"news\t\"hello\""'
}

heard_after_publishing() {
    troupe call shop/teller publish '"hello"' && [[ -s sub.out ]]
}

@test "a pattern calls each that matches, and sends to each; the worst is the status" {
    shop "    - {name: counts.1, module: counter, args: {start: 1}}
    - {name: counts.2, module: counter, args: {start: 2}}
    - {name: counts.s, supervisor: {children: []}}"
    run troupe call 'shop/counts.*' add 5
    assert_success
    assert_output $'shop/counts.1: 6\nshop/counts.2: 7'
    run troupe send 'shop/counts.[12]' add 10
    assert_success
    refute_output
    are_told() { [[ $(troupe call -o jsonl 'shop/counts.*' value) == "$1" ]]; }
    wait_until 5 are_told $'{"path":"shop/counts.1","values":[16]}\n{"path":"shop/counts.2","values":[17]}'
    troupe call -o json 'shop/counts.*' value >many.json
    python3 -c 'import json
d = json.load(open("many.json"))
assert d == {"troupe": 1, "answers": [{"path": "shop/counts.1", "values": [16]},
                                      {"path": "shop/counts.2", "values": [17]}]}, d'
    run --separate-stderr troupe call 'shop/*' value
    assert_failure 2 # the teller knows no such message, the plain program has no mailbox
    assert_line "shop/counts.2: 17"
    refute_line --partial teller
    [[ $stderr == *"shop/plain: no_mailbox"* ]]
    run troupe call 'shop/none.*' value
    assert_failure 3
    assert_output "troupe: shop/none.*: no actor matches"
    troupe call -o json 'shop/none.*' value 2>none.err >none.json || true
    python3 -c 'import json; assert json.load(open("none.json"))["answers"] == []'
    run troupe call --raw 'shop/counts.*' <<<"value"
    assert_failure 2
}

@test "who takes no raw messages says so at once, by name" {
    shop "    - {name: off, module: counter, raw: off}"
    for who in shop/off sys/log; do
        for verb in call send; do
            run timeout 4 troupe $verb --timeout 30s --raw $who <<<"value"
            assert_failure 1
            assert_output "troupe: $who: no_mailbox it takes no raw messages"
        done
    done
    run timeout 4 troupe call --timeout 30s sys/log anything
    assert_failure 1
    run troupe call shop/off add 5 # by its own protocol it does
    assert_output 5
    kill -STOP "$(pid_of shop/off)" # who is silent does not refuse
    run timeout 20 troupe call --timeout 300ms --raw shop/off <<<"value"
    assert_failure 6
    kill -CONT "$(pid_of shop/off)"
}

# ---- rights ------------------------------------------------------------------------------

as_uid() { # UID CMD…
    setpriv --reuid "$1" --regid "$1" --clear-groups --no-new-privs "${@:2}"
}

@test "a user named in the tree may send and call, a stranger may not" {
    ((EUID == 0)) || skip "becoming another user needs root"
    shop "    - {name: other, exec: [sleep, 90054], user: '$SCRATCH_UID'}"
    run as_uid "$SCRATCH_UID" troupe call shop/counter add 5
    assert_success
    assert_output 15
    run as_uid "$SCRATCH_UID" troupe send shop/counter add 5
    assert_success
    run as_uid "$SCRATCH_UID" troupe describe shop/counter
    assert_success
    run as_uid "$SCRATCH_UID" troupe ps
    assert_failure 5
    run as_uid "$STRANGER_UID" troupe call shop/counter add 5
    assert_failure 5
    assert_output --partial "not allowed to uid $STRANGER_UID"
    run as_uid "$STRANGER_UID" troupe send shop/counter add 5
    assert_failure 5
    run as_uid "$STRANGER_UID" troupe describe shop/counter
    assert_failure 5
    wait_until 5 counts 20
}

# ---- completion --------------------------------------------------------------------------

@test "bash completes addresses and messages" {
    shop
    troupe completion bash >c.bash
    complete_words() {
        bash --norc -c 'source c.bash
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _troupe
            printf "%s\n" "${COMPREPLY[@]}"' _ "$@"
    }
    run complete_words troupe call shop/co
    assert_output shop/counter
    run complete_words troupe call shop/counter a
    assert_output add
    run complete_words troupe send --timeout 1s shop/co
    assert_output shop/counter
}
