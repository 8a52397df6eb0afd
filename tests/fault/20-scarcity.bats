# shellcheck shell=bash
#
# No process, no descriptor, no disk to be had: nobody's failure, and it passes (SEMANTICS 2, 9).

bats_require_minimum_version 1.5.0

load ../helper
load fault

SCRATCH_UID=54321

backs_off_for() { # ADDRESS TEXT
    timeout 5 troupe events "$1" </dev/null 3>&- 4>&- | grep "no_resources=.*$2"
}

says_no_resources() { # TEXT
    grep -rhs "child.backoff" "$DIR"/events.out | grep "no_resources=.*$1"
}

watch_events() {
    in_background events troupe events -f
    wait_until 5 test -s "$DIR/events.out"
}

as_scratch_user() { # --nproc=N is given by PROCESSES
    setpriv --reuid "$SCRATCH_UID" --clear-groups --no-new-privs \
        prlimit --nproc="$1" "${@:2}"
}

# The tree may be where its owner alone may go.
programs_for_all() {
    cp -r "$BUILD/bin" "$BUILD/workers" "$BUILD/lib" "$DIR/"
    export PATH=$DIR/bin:$PATH TROUPE_MODULE_PATH=$DIR/workers
}

@test "fork fails with EAGAIN (RLIMIT_NPROC): the child waits, counts nothing, and comes back" {
    local i blockers

    chmod 777 "$DIR"
    mkdir -m 777 "$DIR/u"
    programs_for_all
    use_node u/run
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 0
  children:
    - {name: steady, exec: [sleep, 90010]}
    - {name: again, restart: permanent, exec: [sleep, 90011]}
EOF
    as_scratch_user 40 timeout 30 troupe up -d app.yaml </dev/null 3>&- 4>&-
    wait_for_tree 5 app app/steady app/again
    watch_events
    # Everything that the user may still fork is taken, so the next start is refused.
    in_background blockers as_scratch_user 40 python3 -c '
import os, time
while True:
    try:
        if os.fork() == 0:
            time.sleep(600); os._exit(0)
    except BlockingIOError:
        print("full", flush=True); break
import signal
signal.pause()'
    blockers=$!
    wait_until 10 grep -q full "$DIR/blockers.out"
    timeout 5 troupe add app 'name: new
exec: [sleep, "90012"]
start_timeout: 20s' </dev/null >"$DIR/add.out" 2>&1 3>&- 4>&- &
    wait_until 5 says_no_resources "Resource temporarily unavailable"
    state_is app/new backoff
    kill_family "$blockers"
    wait_for_state app/new ready
    wait_for_tree 10 app app/steady app/again app/new "=1 sleep 90012"
    [[ $(column_of rst app/steady) == 0 ]]
}

kill_family() {
    local pid

    for pid in $(ps -o pid= --ppid "$1") "$1"; do
        for pid in $(ps -o pid= --ppid "$pid") "$pid"; do
            kill -KILL "$pid" 2>/dev/null || true
        done
    done
}

@test "scarcity that lasts longer than start_timeout is a start failure, by name" {
    TROUPE_FAULT_POINT=fork:2+:ENOMEM:app
    export TROUPE_FAULT_POINT
    use_fault_build
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - {name: one, exec: [sleep, 90013]}
    - {name: two, start_timeout: 500ms, exec: [sleep, 90014]}
EOF
    run node_up app.yaml
    assert_failure 1
    assert_output --partial "app/two"
    assert_output --partial "Cannot allocate memory"
    wait_for_tree 5 "=0 sleep 90013" "=0 sleep 90014"
}

@test "ENOMEM at one fork: the child comes back by itself, and no restart is counted" {
    export TROUPE_FAULT_POINT=fork:2:ENOMEM:app
    use_fault_build
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 0
  children:
    - {name: one, exec: [sleep, 90013]}
    - {name: two, exec: [sleep, 90014]}
EOF
    node_up app.yaml
    wait_for_tree 5 app app/one app/two "=1 sleep 90013" "=1 sleep 90014"
    [[ $(column_of rst app/two) == 0 ]]
}

@test "EMFILE in a running supervisor: it answers, waits, and goes on when it may" {
    local pid

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 5
  children:
    - {name: one, exec: [sleep, 90015]}
    - {name: two, exec: [sleep, 90016]}
EOF
    node_up app.yaml
    watch_events
    pid=$(supervisor_pid app)
    prlimit --pid "$pid" --nofile=8:20000
    kill -KILL "$(pid_of_sleep 90015)"
    wait_until 5 says_no_resources "Too many open files"
    prlimit --pid "$pid" --nofile=20000:20000
    wait_for_state app/one ready
    wait_for_tree 5 app app/one app/two "=1 sleep 90015" "=1 sleep 90016"
    [[ $(supervisor_pid app) == "$pid" ]]
    [[ $(column_of rst app/one) == 1 ]]
}

pid_of_sleep() {
    node_procs_of | awk -v n="$1" '$6 == "sleep" && $7 == n { print $1 }'
}

@test "a listener without descriptors does not spin" {
    local pid before after

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - {name: one, exec: [sleep, 90015]}
EOF
    node_up app.yaml
    pid=$(supervisor_pid app)
    prlimit --pid "$pid" --nofile=8:20000
    in_background asker timeout 5 troupe ps app
    pause 0.2
    before=$(ticks_of "$pid")
    pause 1
    after=$(ticks_of "$pid")
    ((after - before < 30)) || {
        echo "$((after - before)) ticks of 100 in a second"
        return 1
    }
    prlimit --pid "$pid" --nofile=20000:20000
    wait_for_state app/one ready
}

ticks_of() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

@test "ENOSPC in the log directory: nobody waits, and the log says what it lost" {
    yaml app.yaml <<EOF
troupe: 1
application: app
log: {patience: 200ms}
supervisor:
  children:
    - name: loud
      exec: [sh, -c, 'seq -f "line %.0f of a disk that is too small for all of them" 400000; echo said >$DIR/said; exec sleep 90017']
    - {name: other, exec: [sleep, 90018]}
EOF
    # 64 kB for the logs, and nobody else sees this disk.
    cat >inside <<EOF
mkdir -p $TROUPE_STATE/log
mount -t tmpfs -o size=64k none $TROUPE_STATE/log || exit 9
timeout 20 troupe up -d app.yaml || exit 8
EOF
    chmod +x inside
    timeout 30 unshare -m sh -e ./inside </dev/null 3>&- 4>&-
    wait_until 20 test -e "$DIR/said"
    wait_for_tree 5 app app/loud app/other
    log=$(node_procs_of | awk '$5 == "sys/log" { print $1; exit }')
    # Room again: the log goes on, and says what is missing.
    nsenter -t "$log" -m mount -o remount,size=8m "$TROUPE_STATE/log"
    wait_until 10 log_says_dropped
    kill -KILL "$(pid_of_sleep 90018)"
    wait_until 5 is_restarted app/other 1
}

log_says_dropped() {
    nsenter -t "$log" -m grep -rhE "[0-9]+ lines dropped|dropped" "$TROUPE_STATE/log"
}

# up_on_a_disk_of KB: as above, with the run directory on it.
up_on_a_disk_of() {
    cat >inside <<EOF
mkdir -p $TROUPE_RUN
mount -t tmpfs -o size=$1k none $TROUPE_RUN || exit 9
status=0
timeout 20 troupe up -d app.yaml || status=\$?
timeout 20 troupe down 2>/dev/null || true
exit \$status
EOF
    run timeout 60 unshare -m sh -e ./inside </dev/null 3>&- 4>&-
}

@test "ENOSPC in the run directory: up says that it is full, whatever did not fit any more" {
    local kb

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - {name: one, exec: [sleep, 90117]}
EOF
    # The root's table, the applications, sys, an application's own: each is too much for one of these.
    for kb in 16 40 48 64 80 96; do
        up_on_a_disk_of "$kb"
        assert_failure 1
        assert_output --partial "No space left on device"
        refute_output --partial "(null)"
    done
    up_on_a_disk_of 1024
    assert_success
}

@test "a log reader that stops: no actor waits for it, ps answers, down is in time" {
    local log

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - {name: quiet, exec: [sleep, 90019]}
    - {name: loud, exec: [sh, -c, 'while :; do echo loud; sleep 0.01; done']}
    - {name: counter, module: counter}
EOF
    node_up app.yaml
    wait_for_tree 5 app app/quiet app/loud app/counter
    for log in $(node_procs_of | awk '$5 == "sys/log" { print $1 }'); do
        kill -STOP "$log"
    done
    kill -KILL "$(pid_of_sleep 90019)"
    wait_until 5 is_restarted app/quiet 1
    run timeout 5 troupe stop app/loud </dev/null 3>&- 4>&-
    assert_success
    run timeout 5 troupe restart app/counter </dev/null 3>&- 4>&-
    assert_success
    wait_for_tree 5 app app/quiet app/counter "=1 sleep 90019"
    run node_down
    assert_success
    wait_for_nothing 2
}
