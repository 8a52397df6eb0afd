#!/usr/bin/env bats
#
# Actors of different users under one node, and who may do what to them (SEMANTICS 10).

bats_require_minimum_version 1.5.0
load helper

ONE_UID=54321      # of t/one
TWO_UID=54323      # of t/two
STRANGER_UID=54322 # of nobody in the tree

setup() {
    troupe_setup
    ((EUID == 0)) || skip "becoming another user needs root"
    build_for_all_users
    yaml t.yaml <<END
troupe: 1
application: t
node: {name: east}
supervisor:
  intensity: 100
  children:
    - {name: one, module: talker, user: '$ONE_UID', restart: temporary}
    - {name: two, module: talker, user: '$TWO_UID', restart: temporary}
    - {name: three, module: talker, restart: temporary}
    - {name: grouped, module: grouper, user: '$ONE_UID', restart: temporary}
    - {name: below, supervisor: {children: [{name: four, module: talker, user: '$TWO_UID', restart: temporary}]}}
END
    node_up t.yaml
}

as_uid() { # UID CMD…
    setpriv --reuid "$1" --regid "$1" --clear-groups --no-new-privs "${@:2}" 3>&- 4>&-
}

answers() { # ANSWER ADDRESS MESSAGE ARG…
    local wanted=$1
    shift
    assert_equal "$(ask "$@")" "$wanted"
}

has_heard() { # ADDRESS TEXT
    [[ $(ask "$1" heard) == *"$2"* ]]
}

@test "actors of different users call each other, and the kernel says whose a message is" {
    assert_equal "$(stat -c %u "/proc/$(pid_of t/one)")" "$ONE_UID"
    assert_equal "$(stat -c %u "/proc/$(pid_of t/below/four)")" "$TWO_UID"
    answers "$ONE_UID" t/one call t/two 5000 who
    answers "$ONE_UID" t/one call t/three 5000 who
    answers "$TWO_UID" t/two call t/one 5000 who
    answers 0 t/three call t/below/four 5000 who
    answers "$TWO_UID" t/below/four call t/one 5000 who
    run ask t/one who
    assert_output --regexp '^0[[:space:]]troupe\.[0-9]+$'
}

@test "they watch each other and link to each other, through their supervisors" {
    answers watched t/one monitor t/two
    answers watched t/one monitor t/below/four
    answers linked t/two link t/three
    kill -KILL "$(pid_of t/below/four)"
    wait_until 5 has_heard t/one "down t/below/four#1 signal:KILL"
    kill -KILL "$(pid_of t/three)"
    wait_until 5 has_heard t/one "down t/two#1 cascade t/three signal:KILL"
}

@test "an actor of another user joins groups, but may not look who is in them, nor send to those it cannot see" {
    answers ok t/grouped join g 1
    run troupe members g
    assert_output --partial t/grouped
    for what in "send g all hello" "send g one hello" "members g all" "groups pg all"; do
        # shellcheck disable=SC2086 # a list of words
        run ask t/grouped $what
        assert_failure
        assert_output --partial "Permission denied"
    done
    answers "" t/grouped heard
}

# What a process of that user hears that calls itself so and says this.
hears_as() { # UID MAILBOX ADDRESS WORD…
    local uid=$1 mailbox=$2 address=$3 IFS=$'\t' pid

    shift 3
    mkfifo say.fifo 2>/dev/null || true # its input stays open until there is an answer
    : >heard
    setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs \
        stranger "$mailbox" "$address" <>say.fifo >heard 2>&1 3>&- 4>&- &
    pid=$!
    register_pid $pid
    echo "$*" >say.fifo
    wait_until 5 test -s heard
    kill $pid
    cat heard
}

# The same, that it requests of a supervisor.
hears() { # UID MAILBOX WORD…
    hears_as "$1" "$2" stranger request "${@:3}"
}

@test "who calls itself sys/node is not believed whose a message is, unless the node's user dials" {
    local mailbox
    for mailbox in t/two t/three; do
        run hears_as "$ONE_UID" "$mailbox" 'sys/node@east#1' call 'shop/boss@west#1' who
        assert_output "reply	1	$ONE_UID	sys/node@east#1"
        run hears_as 0 "$mailbox" 'sys/node@east#1' call 'shop/boss@west#1' who
        assert_output "reply	1	0	shop/boss@west#1"
    done
}

@test "a user who may send may not look, nor control: each request is denied by name, and nothing happens" {
    run hears "$ONE_UID" t/.supervisor watch monitor run/1 t/two
    assert_output "error	1	denied watch: not allowed to uid $ONE_UID"
    run hears "$ONE_UID" t/.supervisor watch link run/1 t/two
    assert_output --partial "denied watch"
    run hears "$ONE_UID" t/.supervisor watch ended run/1 't/two#1'
    assert_output --partial "denied watch"
    run hears "$ONE_UID" t/.supervisor notify t/two run/1
    assert_output --partial "denied notify"
    run hears "$ONE_UID" t/.supervisor stop two
    assert_output --partial "denied stop"
    run hears "$ONE_UID" t/.supervisor ps
    assert_output --partial "denied ps"
    # root may: so it is the user that made the difference
    run hears 0 t/.supervisor watch monitor run/1 t/two
    assert_output "reply	1	t/two#1"
    run as_uid "$ONE_UID" timeout 10 troupe run --link PEER:t/two -- true
    assert_failure 5
    run as_uid "$ONE_UID" timeout 10 troupe call t/two who
    assert_success
    assert_output --partial "$ONE_UID"
    assert_equal "$(state_of t/two)" ready
}

# A stranger who says nothing is not hung up on; once it has said its 8 bytes, it is, without a word.
knocks() { # UID PATH
    as_uid "$1" timeout 20 python3 - "$2" <<'PY'
import os, socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(os.path.join(os.environ["TROUPE_RUN"], sys.argv[1]))
peer.settimeout(0.5)
try:
    print("closed before a word" if peer.recv(8) == b"" else "greeted before a word", end=", ")
except TimeoutError:
    print("waited for", end=", ")
peer.sendall(b"\0SP\0\0\x10\0\0")
peer.settimeout(10)
print("then greeted" if peer.recv(8) else "then closed")
PY
}

@test "a stranger is closed only after its 8 bytes, wherever it knocks" {
    local path
    for path in t/one t/three t/.supervisor .supervisor t/below/.supervisor; do
        run knocks "$STRANGER_UID" "$path"
        assert_output "waited for, then closed"
    done
    run knocks "$ONE_UID" t/two
    assert_output "waited for, then greeted"
    run as_uid "$STRANGER_UID" timeout 10 troupe call t/one who
    assert_failure 5
}
