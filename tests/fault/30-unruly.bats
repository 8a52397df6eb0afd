# shellcheck shell=bash
#
# Children that do not do as they are told: stopped, escaped, deaf, or alive in pieces.

bats_require_minimum_version 1.5.0

load ../helper
load fault

sleeper() {
    node_procs_of | awk -v n="$1" '$6 == "sleep" && $7 == n { print $1 }'
}

@test "SIGSTOPped children at stop: each is gone in its shutdown time, and not much later" {
    local pid began

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - {name: program, exec: [sleep, 90030]}
    - {name: deaf, shutdown: 400ms, exec: [sh, -c, 'trap "" TERM; sleep 90031; sleep 90031']}
    - {name: module, module: counter}
    - name: sub
      supervisor:
        children:
          - {name: program, exec: [sleep, 90032]}
EOF
    node_up app.yaml
    wait_for_tree 5 app app/program app/deaf app/module app/sub app/sub/program
    for pid in $(node_procs_of | awk '$5 ~ /^app\// { print $1 }'); do
        kill -STOP "$pid"
    done
    began=$(now_ms)
    run node_down
    assert_success
    # All but the deaf one end when they are continued, which a stop does.
    (($(now_ms) - began < 2500 * TEST_SCALE))
    wait_for_nothing 2
}

@test "a SIGSTOPped supervisor does not keep its subtree from being stopped or shown" {
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  children:
    - name: sub
      supervisor:
        children:
          - {name: program, exec: [sleep, 90033]}
EOF
    node_up app.yaml
    wait_for_tree 5 app app/sub app/sub/program
    kill -STOP "$(supervisor_pid app/sub)"
    run timeout 10 troupe ps </dev/null 3>&- 4>&-
    assert_success
    assert_output --regexp 'app/sub/program +[0-9]+ lost'
    run node_down
    assert_success
    wait_for_nothing 2
}

@test "children that setsid and double-fork end with their leader, before it starts again" {
    export TROUPE_CGROUP=off # by marks alone
    local round before

    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 1000
  children:
    - name: daemons
      exec: [python3, $DIR/daemons.py]
      ready: {log: "^all away"}
EOF
    # Three daemons by the book, one of them without an environment and one that ignores TERM.
    cat >daemons.py <<'PYTHON'
import os, sys, time
def away(argv, env, deaf=False):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            for fd in range(3): os.close(fd)
            if deaf:
                import signal
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.execve("/bin/sleep", argv, env)
        os._exit(0)
    os.wait()
away(["sleep", "90034"], os.environ)
away(["sleep", "90035"], {})
away(["sleep", "90036"], {}, deaf=True)
print("all away", flush=True)
time.sleep(90037)
PYTHON
    sed -i 's/ready:/shutdown: 100ms\n      ready:/' app.yaml
    node_up app.yaml
    local tree=(app app/daemons "=1 sleep 90034" "=1 sleep 90035" "=1 sleep 90036")
    wait_for_tree 5 "${tree[@]}"
    for ((round = 0; round < $(rounds 5); round++)); do
        before="$(sleeper 90034) $(sleeper 90035) $(sleeper 90036)"
        kill -KILL "$(pid_of app/daemons)"
        wait_until 5 none_is_alive $before
        wait_for_tree 5 "${tree[@]}"
    done
    run timeout 10 troupe stop app/daemons </dev/null 3>&- 4>&-
    assert_success
    tree_is app "=0 sleep 9003"
}

none_is_alive() {
    local pid

    for pid in "$@"; do
        process_is_gone "$pid" || return 1
    done
}

@test "children that close every descriptor are kept, stopped and counted like all others" {
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 3
  children:
    - {name: module, module: wn, shutdown: 300ms}
    - {name: program, exec: [python3, -c, 'import os, time; os.closerange(0, 4096); time.sleep(90038)']}
EOF
    node_up app.yaml
    wait_for_tree 5 app app/module app/program
    wait_until 5 has_no_descriptors "$(pid_of app/program)"
    holds_for 300 state_is app/program ready
    kill -KILL "$(pid_of app/module)" "$(pid_of app/program)"
    wait_until 5 is_restarted app/module 1
    wait_until 5 is_restarted app/program 1
    wait_for_tree 5 app app/module app/program
    run timeout 10 troupe stop app/module app/program </dev/null 3>&- 4>&-
    assert_success
    tree_is app
}

has_no_descriptors() {
    [[ -z $(ls "/proc/$1/fd") ]]
}

@test "a crashed leader whose workers live on and hold its port: the next incarnation binds it" {
    export TROUPE_CGROUP=off # by marks alone
    local port round

    port=$(free_port)
    cat >server.py <<PYTHON
import os, socket, sys, time
listener = socket.socket()
listener.bind(("127.0.0.1", $port))   # no SO_REUSEADDR: whoever still listens is in the way
listener.listen()
for i in range(3):
    if os.fork() == 0:
        if i: os.setsid()
        while True: time.sleep(1)
print("listening", flush=True)
while True: time.sleep(1)
PYTHON
    yaml app.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 0
  children:
    - name: server
      restart: permanent
      exec: [python3, $DIR/server.py]
      ready: {tcp: "127.0.0.1:$port"}
EOF
    sed -i 's/intensity: 0/intensity: 1000/' app.yaml
    node_up app.yaml
    for ((round = 1; round <= $(rounds 5); round++)); do
        wait_for_tree 5 app app/server "=4 server.py"
        kill -KILL "$(pid_of app/server)"
        wait_until 5 is_restarted app/server "$round"
        # One kill, one restart: no try has found the port taken.
        [[ $(incarnation_of app/server) == $((round + 1)) ]]
    done
}

# As many shells as there may be, which all end at one word.
write_crowd() { # NAME COUNT INTENSITY
    yaml "$1.yaml" <<EOF
troupe: 1
application: $1
supervisor:
  intensity: $3
  period: 60s
  max_children: 2000
  children:
    - name: one
      replicas: $2
      exec: [sleep, 90040]
EOF
}

crowd_is_back() { # COUNT: everybody lives, in a second incarnation
    [[ $(timeout 20 troupe ps -o path,state,incarnation crowd </dev/null 3>&- 4>&- |
        awk '$2 == "ready" && $3 == 2 { n++ } END { print n + 0 }') == "$1" ]]
}

@test "1,000 simultaneous deaths with intensity 2000: all are back, each once" {
    write_crowd crowd 1000 2000
    node_up crowd.yaml
    # shellcheck disable=SC2046
    kill -KILL $(sleeper 90040)
    wait_until 30 crowd_is_back 1000
    tree_is crowd "=1000 sleep 90040" crowd/one.{1..1000}
    run node_down
    assert_success
    wait_for_nothing 5
}

reads_of() { awk '/^syscr/ { print $2 }' "/proc/$1/io"; }

sleep_by() { [[ $(sleeper "$1" | wc -l) == "$2" ]]; } # TIME COUNT

# Were it found out for each end whose every process is, this would be 80,000 reads and more.
@test "simultaneous deaths that leave somebody behind each cost no more than one by itself" {
    local supervisor before reads
    write_crowd crowd 200 2000
    sed -i 's/exec: .*/exec: [sh, -c, "sleep 90041 \& exec sleep 90040"]/' crowd.yaml
    node_up crowd.yaml
    wait_until 10 sleep_by 90041 200
    supervisor=$(pid_of crowd)
    before=$(reads_of "$supervisor")
    kill -STOP "$supervisor" # so that it finds all of them at once
    # shellcheck disable=SC2046
    kill -KILL $(sleeper 90040)
    wait_until 10 sleep_by 90040 0
    kill -CONT "$supervisor"
    wait_until 30 sleep_by 90040 200 # without a question to the supervisor
    reads=$(($(reads_of "$supervisor") - before))
    ((reads < 20000)) || fail "$reads reads for 200 ends"
    wait_until 10 crowd_is_back 200
    sleep_by 90041 200
}

@test "1,000 simultaneous deaths with the default intensity: one escalation, once" {
    write_crowd crowd 1000 3
    sed -i '/intensity\|period/d' crowd.yaml
    node_up crowd.yaml
    in_background events troupe events -f
    wait_until 10 test -s "$DIR/events.out"
    # shellcheck disable=SC2046
    kill -KILL $(sleeper 90040)
    wait_for_state crowd failed 30
    wait_for_tree 10 "=0 sleep 90040"
    run grep -c 'path=crowd .*event=supervisor.giveup' "$DIR/events.out"
    assert_output 1
    run grep -c 'path=crowd .*event=child.exit' "$DIR/events.out"
    assert_output 1
    run grep -c 'path=crowd .*event=child.failed' "$DIR/events.out"
    assert_output 1
}
