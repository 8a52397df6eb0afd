#!/usr/bin/env bats
#
# Commands as actors of the node: troupe run.

# shellcheck disable=SC2016,SC2030,SC2031 # what the command expands; a test is a subshell
bats_require_minimum_version 1.5.0
load helper

STRANGER_UID=54323

shop() {
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor:
  intensity: 100
  period: 200s
  children:
    - {name: db, exec: [sleep, 90055]}
    - {name: cache, exec: [sleep, 90056]}
END
    node_up shop.yaml
}

# Runs `troupe run OPTIONS -- sh -c SCRIPT` in the background and waits until the script runs: it has
# its own pid in $DIR/NAME.pid then. The pid of `troupe run` is in $RUN.
run_script() { # NAME SCRIPT [OPTION…]
    in_background "$1" troupe run "${@:3}" -- sh -c "echo \$\$ >$DIR/$1.pid; $2"
    RUN=$!
    wait_until 10 test -s "$DIR/$1.pid"
}

# Waits for the `troupe run` of before; its status is in $STATUS.
wait_for_run() {
    wait_until "${1:-10}" process_is_gone "$RUN" || return 1
    STATUS=0
    wait "$RUN" || STATUS=$?
}

script_pid() {
    cat "$DIR/$1.pid"
}

why_says() { # ADDRESS TEXT
    troupe why "$1" | grep -qF -- "$2"
}

last_is() { # ADDRESS REASON
    [[ $(column_of last "$1") == "$2" ]]
}

# ---- its life ----------------------------------------------------------------------------

@test "it ends as the command did" {
    shop
    run troupe run -- sh -c 'echo out; exit 7'
    assert_failure 7
    assert_output out
    run troupe run true
    assert_success
    run troupe run -- sh -c 'kill -KILL $$'
    assert_failure 137
    run bash -c 'echo words | troupe run cat'
    assert_output words
}

@test "what is not found, or cannot be executed, is 127 and 126" {
    shop
    run troupe run -- no-such-command-anywhere
    assert_failure 127
    assert_output --partial "no-such-command-anywhere: No such file"
    run troupe run -- "$DIR"
    assert_failure 126
    run troupe run --link PEER:shop/db -- no-such-command-anywhere
    assert_failure 127
    holds_for 300 last_is shop/db - # what was not started ends nobody
    run troupe run
    assert_failure 2
}

@test "options end at the command, and what follows -- is the command's" {
    shop
    run troupe run echo --name x -- y
    assert_output -- "--name x -- y"
    run troupe run -- printf '%s.' --link a
    assert_output -- "--link.a."
}

@test "while it runs it is in ps, attached, and why knows its true end after it" {
    shop
    run_script job 'while [ ! -e go ]; do sleep 0.02; done; exit 3'
    wait_until 5 state_is_of "run/$RUN" ready
    run troupe ps -o kind "run/$RUN"
    assert_output attached
    touch go
    wait_for_run
    assert_equal "$STATUS" 3
    run troupe why "run/$RUN"
    assert_output --partial "exit:3"
    run_script killed 'while :; do sleep 0.02; done'
    kill -KILL "$(script_pid killed)"
    wait_for_run
    assert_equal "$STATUS" 137
    wait_until 5 why_says "run/$RUN" "signal:KILL"
}

state_is_of() { # ADDRESS STATE: asked by its own address
    [[ $(troupe ps -o state "$1") == "$2" ]]
}

@test "the command knows its path, its node and the run directory" {
    shop
    run troupe run --name shop/job -- \
        sh -c 'echo "$TROUPE_PATH $TROUPE_NODE $TROUPE_RUN ${TROUPE_CONTROL-none}"'
    assert_success
    assert_output "shop/job local $TROUPE_RUN none"
    run troupe run -- sh -c 'echo "$TROUPE_PATH"; troupe ps -o path,state "$TROUPE_PATH"'
    assert_line --index 0 --regexp '^run/[0-9]+$'
    assert_line --index 1 "${lines[0]}"$'\tready'
}

@test "the command has the limits that troupe was given" {
    shop
    run bash -c 'ulimit -Sn 123; troupe run -- sh -c "ulimit -Sn"'
    assert_output 123
}

@test "a name that is taken is refused, and so is one without a supervisor" {
    shop
    run troupe run --name shop/db -- touch ran
    assert_failure 1
    run troupe run --name nowhere/job -- touch ran
    assert_failure 3
    run troupe run --name shop//job -- touch ran
    assert_failure 2
    assert_not_exist ran
    run_script job 'while :; do sleep 0.02; done' --name shop/job
    run troupe run --name shop/job -- touch ran
    assert_failure 1
    assert_not_exist ran
}

# ---- signals and stops ---------------------------------------------------------------------

@test "signals go on to the command, and its end is told as it was" {
    shop
    run_script job 'trap "exit 9" USR1; touch trapping; while :; do sleep 0.02; done'
    wait_until 10 test -e trapping
    kill -USR1 "$RUN"
    wait_for_run
    assert_equal "$STATUS" 9
    run_script job2 'while :; do sleep 0.02; done'
    kill -TERM "$RUN"
    wait_for_run
    assert_equal "$STATUS" 143
    wait_until 5 why_says "run/$RUN" "signal:TERM"
}

@test "a signal that comes while the command starts goes on to it as well" {
    shop
    # On one core, and as a batch: it signals us as its first deed, before we have our turn again.
    for _ in {1..10}; do
        run -143 taskset -c 0 chrt -b 0 troupe run --name shop/quick -- \
            sh -c 'kill -TERM $PPID; while :; do sleep 0.02; done'
        wait_until 5 why_says shop/quick signal:TERM
    done
}

@test "troupe stop ends the command and all of its group" {
    shop
    run_script job "(trap '' HUP; sleep 90057) & echo \$! >$DIR/below.pid; wait" --name shop/job
    wait_until 5 test -s below.pid
    run troupe stop shop/job
    assert_success
    wait_for_run
    assert_equal "$STATUS" 143
    wait_until 2 process_is_gone "$(cat below.pid)"
    wait_until 5 why_says shop/job shutdown
}

@test "troupe stop ends what has left the group, too, before the end is told" {
    shop
    run_script job "(setsid sh -c 'echo \$\$ >$DIR/daemon.pid; exec sleep 90058' &); wait; sleep 90057" \
        --name shop/job
    wait_until 5 test -s daemon.pid
    run troupe stop shop/job
    assert_success
    process_is_gone "$(cat daemon.pid)"
    wait_for_run
    assert_equal "$STATUS" 143
}

@test "what a command leaves behind at its own end is stopped, by force at last" {
    shop
    run_script job "(setsid sh -c 'trap \"\" TERM; echo \$\$ >$DIR/daemon.pid; while :; do sleep 0.02; done' &)
        until [ -s $DIR/daemon.pid ]; do sleep 0.01; done; exit 3" --name shop/job
    wait_for_run 20
    assert_equal "$STATUS" 3
    process_is_gone "$(cat daemon.pid)"
    wait_until 5 why_says shop/job exit:3
}

@test "a command that does not heed SIGTERM is killed after 5 seconds" {
    shop
    run_script job "trap '' TERM; while :; do sleep 0.02; done" --name shop/job
    run troupe stop shop/job
    wait_for_run 20
    assert_equal "$STATUS" 137
    wait_until 5 why_says shop/job killed
}

@test "troupe run that is killed takes the command along, and is dropped" {
    shop
    run_script job 'while :; do sleep 0.02; done' --name shop/job
    kill -KILL "$RUN"
    wait_until 5 process_is_gone "$(script_pid job)"
    wait_until 5 why_says shop/job dropped
}

@test "the node's end ends it" {
    shop
    run_script job 'while :; do sleep 0.02; done' --link MONITOR:shop/db
    node_down
    wait_for_run
    ((STATUS != 0))
    wait_until 2 process_is_gone "$(script_pid job)"
}

# ---- links ---------------------------------------------------------------------------------

@test "MONITOR: the actor's abnormal end ends the command, with 8 and the reason" {
    shop
    run_script job 'while :; do sleep 0.02; done' --link MONITOR:shop/db --name shop/job
    kill -KILL "$(pid_of shop/db)"
    wait_for_run
    assert_equal "$STATUS" 8
    run cat job.out
    assert_output --partial "shop/job: cascade shop/db signal:KILL: stopping sh"
    wait_until 5 why_says shop/job "cascade shop/db signal:KILL"
}

@test "MONITOR: the command's end is nothing to the actor" {
    shop
    run troupe run --link monitor:shop/db -- sh -c 'exit 3'
    assert_failure 3
    holds_for 300 last_is shop/db -
    assert_equal "$(incarnation_of shop/db)" 1
}

@test "NOTIFY: the command's abnormal end ends the actor, its normal end does not" {
    shop
    run troupe run --link NOTIFY:shop/db -- true
    assert_success
    holds_for 300 last_is shop/db -
    run troupe run --name shop/job --link NOTIFY:shop/db -- sh -c 'exit 3'
    assert_failure 3
    wait_until 5 last_is shop/db "cascade shop/job exit:3"
    wait_until 5 is_restarted shop/db 1
}

@test "NOTIFY: the actor's end is nothing to the command" {
    shop
    run_script job 'while [ ! -e go ]; do sleep 0.02; done' --link NOTIFY:shop/db
    kill -KILL "$(pid_of shop/db)"
    wait_until 5 is_restarted shop/db 1
    touch go
    wait_for_run
    assert_equal "$STATUS" 0
}

@test "PEER: each ends with the other" {
    shop
    run_script job 'while :; do sleep 0.02; done' --link PEER:shop/db --link PEER:shop/cache \
        --name shop/job
    kill -SEGV "$(pid_of shop/cache)"
    wait_for_run
    assert_equal "$STATUS" 8
    wait_until 5 last_is shop/db "cascade shop/cache signal:SEGV"
    wait_until 5 is_restarted shop/db 1
    wait_until 5 is_restarted shop/cache 1
    run troupe run --link PEER:shop/db --link PEER:shop/cache --name shop/next -- sh -c 'exit 4'
    assert_failure 4
    wait_until 5 last_is shop/db "cascade shop/next exit:4"
    wait_until 5 last_is shop/cache "cascade shop/next exit:4"
}

@test "an ordered stop of a linked actor does not end the command" {
    shop
    run_script job 'while [ ! -e go ]; do sleep 0.02; done' --link PEER:shop/db
    troupe stop shop/db
    holds_for 300 kill -0 "$RUN"
    touch go
    wait_for_run
    assert_equal "$STATUS" 0
}

@test "a link that cannot be made is refused, and the command is not started" {
    shop
    run troupe run --link PEER:shop/bd -- touch ran
    assert_failure 3
    assert_output --partial "did you mean shop/db?"
    troupe stop shop/cache
    run troupe run --link PEER:shop/db --link MONITOR:shop/cache -- touch ran
    assert_failure 3
    assert_output --partial "shop/cache"
    run troupe run --link BOTH:shop/db -- touch ran
    assert_failure 2
    run troupe run --link shop/db -- touch ran
    assert_failure 2
    assert_not_exist ran
    holds_for 300 last_is shop/db -
}

@test "commands can be linked to each other" {
    shop
    run_script one 'while :; do sleep 0.02; done' --name shop/one
    local first=$RUN
    run_script two 'while [ ! -e go ]; do sleep 0.02; done; exit 5' --name shop/two \
        --link PEER:shop/one
    touch go
    wait_for_run
    assert_equal "$STATUS" 5
    RUN=$first
    wait_for_run
    assert_equal "$STATUS" 8
    run cat one.out
    assert_output --partial "cascade shop/two exit:5"
}

@test "without its supervisor a linked command ends, and one that is not goes on" {
    shop
    run_script free 'while [ ! -e go ]; do sleep 0.02; done; exit 6' --name shop/free
    local free=$RUN
    run_script linked 'while :; do sleep 0.02; done' --name shop/linked --link MONITOR:shop/db
    kill -KILL "$(pid_of shop)"
    wait_for_run
    assert_equal "$STATUS" 8
    run cat linked.out
    assert_output --partial "noconnection"
    touch go
    RUN=$free
    wait_for_run
    assert_equal "$STATUS" 6
    run cat free.out
    assert_output --partial "no longer attached"
}

# ---- rights, and the terminal ----------------------------------------------------------------

@test "a stranger may not" {
    ((EUID == 0)) || skip "becoming another user needs root"
    shop
    run setpriv --reuid "$STRANGER_UID" --regid "$STRANGER_UID" --clear-groups \
        troupe run -- echo ran
    assert_failure 5
    refute_line ran
}

@test "without a node the status is 4" {
    run troupe run -- touch ran
    assert_failure 4
    assert_not_exist ran
}

@test "on a terminal the command has it: it reads, Ctrl-C is its own, Ctrl-Z stops both" {
    shop
    cat >terminal.py <<'PY'
import os, pty, select, signal, sys, time

def spawn(script):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("troupe", ["troupe", "run", "--", "sh", "-c", script])
    return pid, fd

def expect(fd, text):
    seen, limit = b"", time.time() + 20
    while text not in seen:
        assert time.time() < limit, seen
        if select.select([fd], [], [], 0.1)[0]:
            seen += os.read(fd, 4096)

def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

pid, fd = spawn("echo ready; read line; echo got:$line")
expect(fd, b"ready")
os.write(fd, b"words\n")
expect(fd, b"got:words")
assert status_of(pid) == 0

pid, fd = spawn("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.02; done")
expect(fd, b"ready")
os.write(fd, b"\x03")
expect(fd, b"interrupted")
assert status_of(pid) == 5

pid, fd = spawn("echo ready; read line; echo got:$line")
expect(fd, b"ready")
os.write(fd, b"\x1a")
_, status = os.waitpid(pid, os.WUNTRACED)
assert os.WIFSTOPPED(status)
os.kill(pid, signal.SIGCONT)
os.write(fd, b"more\n")
expect(fd, b"got:more")
assert status_of(pid) == 0
PY
    run timeout 60 python3 terminal.py
    assert_success
}
