#!/usr/bin/env bats
#
# What a second hostile look at the tree found: a child, a fellow or an asker that behaves badly costs
# itself, never its supervisor.

bats_require_minimum_version 1.5.0
load helper

answers_at_once() { # ADDRESS: within a second
    timeout $((1 * TEST_SCALE)) troupe ps "$1" </dev/null 3>&- 4>&-
}

log_has() { # ADDRESS TEXT
    troupe log "$1" </dev/null | grep -q -F -e "$2"
}

# ---- children ----------------------------------------------------------------------------------

@test "a child whose stdin is a FIFO waits for its writer by itself, and its supervisor answers" {
    mkfifo "$DIR/in"
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: reader, exec: [cat], stdin: in, start_timeout: 1m}
END
    in_background up troupe up -d t.yaml
    wait_until 5 state_is t/reader starting
    holds_for 2500 answers_at_once t
    assert_equal "$(incarnation_of t/reader)" 1
    echo hello >"$DIR/in"
    wait_until 5 log_has t/reader hello
}

@test "a child whose stdin is a FIFO that nobody writes to can be stopped" {
    mkfifo "$DIR/in"
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: reader, exec: [cat], stdin: in, start_timeout: 1m}
END
    in_background up troupe up -d t.yaml
    wait_until 5 state_is t/reader starting
    run timeout $((3 * TEST_SCALE)) troupe down
    assert_success
}

@test "who floods the descriptor of readiness is heard in turns, and its time to start runs out" {
    cat >"$DIR/flood.py" <<'END'
import fcntl, os
pipe, size = int(os.environ["TROUPE_READY_FD"]), 1 << 20
fcntl.fcntl(pipe, 1031, size)  # F_SETPIPE_SZ: so much that its reader, too, is never through
os.fork()
while True:
    os.write(pipe, bytes(size))
END
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: flood, exec: [python3, flood.py], ready: notify, start_timeout: 3s}
END
    in_background up troupe up -d t.yaml
    wait_until 5 state_is t/flood starting
    holds_for 1500 answers_at_once t
    wait_until 10 grep -q -F 'timeout:start' "$DIR/up.out"
}

@test "what a child makes up of a crash does not reach anybody's terminal" {
    cat >"$DIR/liar.py" <<'END'
import os, signal, socket
control = socket.socket(fileno=int(os.environ["TROUPE_CONTROL"]))
control.send(b"CRASH \x1b]0;owned\x07 0 0 1\n")
control.send(b"CRASH SEGV \x1b[31m 0 1\n")
control.send(b"STATUS said\n")
signal.pause()
END
    yaml t.yaml <<END
troupe: 1
application: t
supervisor: {children: [{name: liar, exec: [python3, liar.py]}]}
END
    node_up t.yaml
    wait_until 5 eval '[[ $(column_of status t/liar t) == said ]]'
    run troupe why t/liar
    assert_success
    refute_output --partial "crash"
    refute_output --partial $'\x1b'
}

@test "why tells a module's crash, with the frames that led to it" {
    yaml t.yaml <<END
troupe: 1
application: t
supervisor: {children: [{name: counter, module: counter}]}
END
    node_up t.yaml
    kill -SEGV "$(pid_of t/counter)"
    wait_until 5 is_restarted t/counter 1
    run troupe why t/counter
    assert_output --partial "Its last crash: SIGSEGV at address 0x"
    assert_output --regexp 'libtroupe.so.0: troupe_actor_run\+0x[0-9a-f]+'
}

has_become_sleep() { # PID
    [[ $(cat "/proc/$1/comm") == sleep ]]
}

@test "who is left of a child is seen, and ended, when there is no descriptor to be had" {
    local supervisor escapee before

    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: leaver, exec: [sh, -c, 'setsid sleep 1234 & echo \$! >escapee; exec sleep 1000']}
END
    TROUPE_CGROUP=off node_up t.yaml
    wait_until 5 test -s escapee
    supervisor=$(pid_of t)
    escapee=$(cat escapee)
    before=$(pid_of t/leaver)
    wait_until 5 has_become_sleep "$escapee"
    prlimit --pid "$supervisor" --nofile=8:
    kill -KILL "$before"
    wait_until 5 process_is_gone "$escapee"
    prlimit --pid "$supervisor" --nofile=1024:
    wait_until 10 is_restarted t/leaver 1
}

# ---- what a starter leaves behind ---------------------------------------------------------------

# with_signals HOW CMD…: all signals `blocked`, or those that a program lives by `ignored`.
with_signals() {
    local program='
import os, signal, sys
if sys.argv[1] == "blocked":
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
else:
    for name in ("SIGCHLD", "SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGUSR1"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
os.execvp(sys.argv[2], sys.argv[2:])'
    python3 -c "$program" "$@"
}

signals_tree() {
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: counter, module: counter}
    - {name: probed, exec: [sleep, 1000], ready: {exec: ["true"]}}
END
}

# Of the real-time ones the first two are libc's, and none of ours to set.
hears_all() { # PID
    awk '/^Sig(Blk|Ign):/ && $2 !~ /^[0-9a-f]+[08]0000000$/ { bad = 1 } END { exit bad }' \
        "/proc/$1/status"
}

@test "a node lives and ends in order, whatever signals its starter ignored or blocked" {
    local how

    signals_tree
    for how in ignored blocked; do
        with_signals $how timeout $((20 * TEST_SCALE)) troupe up -d t.yaml 3>&- 4>&-
        kill -KILL "$(pid_of t/counter)"
        wait_until 5 is_restarted t/counter 1
        hears_all "$(pid_of t/probed)"
        run timeout $((10 * TEST_SCALE)) troupe down
        assert_success
        wait_until 5 no_node_process
    done
}

@test "up in the foreground sees the end of its node, whatever signals its starter ignored or blocked" {
    local how

    signals_tree
    for how in ignored blocked; do
        in_background "$how" with_signals $how troupe up t.yaml
        wait_for_state t/probed ready
        run timeout $((10 * TEST_SCALE)) troupe down
        assert_success
        wait_until 5 process_is_gone $!
    done
}

# ---- children that come and go -----------------------------------------------------------------

@test "names may come and go without end where a few may be at a time" {
    local i

    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  max_children: 3
  children:
    - {name: stays, exec: [sleep, 1000]}
END
    node_up t.yaml
    for i in 1 2 3 4 5 6; do
        run troupe add t "{name: c$i, exec: [sleep, 1000]}"
        assert_success
        run troupe rm "t/c$i"
        assert_success
    done
    run troupe add t "{name: c1, exec: [sleep, 1000]}"
    assert_success
    (($(incarnation_of t/c1) > 1))
    run troupe add t "{name: c7, exec: [sleep, 1000]}"
    assert_success
    run troupe add t "{name: c8, exec: [sleep, 1000]}"
    assert_failure 1
    assert_output --partial "max_children is reached: 3"
}

# ---- ends in the boot --------------------------------------------------------------------------

@test "a significant child that ends while its supervisor boots ends it when it has booted, and not as failed" {
    yaml t.yaml <<END
troupe: 1
application: t
restart: transient
supervisor:
  auto_shutdown: any_significant
  children:
    - {name: brief, exec: ["true"], restart: transient, significant: true}
    - {name: slow, exec: [sleep, 1000], ready: {exec: [test, -e, go]}}
END
    in_background up troupe up -d t.yaml
    wait_for_state t/brief exited
    state_is t starting
    touch "$DIR/go"
    wait_for_state t exited
    run troupe why t
    assert_output --partial "shutdown auto_shutdown t/brief has ended"
    troupe log t </dev/null | grep -F supervisor.ready
}

@test "a child that fails to start after a significant one has ended makes the boot fail" {
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  auto_shutdown: any_significant
  children:
    - {name: brief, exec: ["true"], restart: transient, significant: true}
    - {name: never, exec: [sleep, 1000], ready: notify, start_timeout: 500ms}
END
    run node_up t.yaml
    assert_failure 1
    assert_output --partial "failed_to_start t/never timeout:start"
}

@test "restart of an application that is down does not start it without what it depends on" {
    local app

    for app in base above; do
        {
            printf 'troupe: 1\napplication: %s\n' $app
            [[ $app == base ]] || echo 'depends_on: [base]'
            printf 'supervisor: {children: [{name: a, exec: [sleep, 1000]}]}\n'
        } >"$DIR/$app.yaml"
    done
    node_up base.yaml above.yaml
    troupe stop base
    run troupe restart above
    assert_failure 1
    assert_output --partial "above depends on base, which is not ready"
    state_is above stopped
    troupe start base
    troupe restart above
    state_is above ready
}

# ---- fellows and askers ------------------------------------------------------------------------

@test "a fellow that leaves out whether an end was by order is believed, and not died of" {
    local supervisor

    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 1000
  children:
    - {name: back, supervisor: {children: [{name: db, exec: [sleep, 1000]}]}}
END
    node_up t.yaml
    supervisor=$(pid_of t)
    troupe stop t/back
    in_background add troupe add t "{name: front, exec: [sleep, 1000], link: [t/back/db]}"
    wait_for_state t/front waiting
    in_background liar liar t/back db
    wait_until 10 grep -q subscribed "$DIR/liar.out"
    wait_until 10 log_has t "cascade t/back/db exit:7"
    assert_equal "$(pid_of t)" "$supervisor"
    assert_equal "$(incarnation_of t)" 1
}

@test "who is attached, asks without end and never reads is not listened to, and takes no memory" {
    local pid address stranger limit=65536

    [[ -z ${SAN:-} ]] || limit=$((8 * limit)) # a sanitizer keeps what was freed

    yaml t.yaml <<END
troupe: 1
application: t
supervisor: {children: []}
END
    node_up t.yaml
    pid=$(pid_of t)
    address=$(printf '%0500d' 0)! # no address: the answer is as long as the question
    mkfifo "$DIR/asks"
    in_background stranger sh -c 'exec stranger t/.supervisor <>asks'
    stranger=$!
    printf 'request\tattach\tgreedy\t1\t0\n' >asks
    wait_until 5 grep -q '^reply' stranger.out
    printf 'deaf\nflood\t300000\tline\tMONITOR 1 %s\n' "$address" >asks
    holds_for 4000 memory_is_below "$pid" "$limit"
    run grep flooded stranger.out
    assert_failure
    run answers_at_once t
    assert_success
    kill "$stranger"
    wait_until 10 log_has t "reason=dropped"
}

memory_is_below() { # PID KIB
    (($(awk '/^VmRSS/ { print $2 }' "/proc/$1/status") < $2))
}
