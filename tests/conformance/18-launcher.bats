#!/usr/bin/env bats
#
# The launcher of the seeds, in our terms (seeds D.3 and D.4): an app is an application, the launcher
# is the node.

load helper-otp
load helper-events

# application NAME [KEYS…] <<children: writes NAME.yaml; KEYS are lines of the file's top level.
application() {
    local name=$1

    shift
    {
        printf 'troupe: 1\napplication: %s\n' "$name"
        (($# == 0)) || printf '%s\n' "$@"
        printf 'supervisor:\n  children:\n'
        sed 's/^/    /'
    } >"$DIR/$name.yaml"
}

plain() { # NAME [KEYS…]: an application of one child, `work`
    application "$@" <<<'- {name: work, module: w1}'
}

foreground() { # FILE…: leaves its pid in $UP
    in_background up troupe up "$@"
    UP=$!
}

# Ends the foreground `up` by a signal; its status is in $STATUS.
interrupt() {
    kill -"${1:-INT}" "$UP"
}

wait_for_up() {
    wait_until "${1:-10}" process_is_gone "$UP" || return 1
    STATUS=0
    wait "$UP" || STATUS=$?
}

node_is_ready() { # PATH…
    local path

    for path in "$@"; do
        state_is "$path" ready 2>/dev/null || return 1
    done
}

# ---- D.3: one app, two apps ------------------------------------------------------------------

@test "seed 25 hello_world: an app starts, is stopped, the node stays and ends with 0" {
    plain hello
    yaml first.yaml <<<'{troupe: 1, application: first, supervisor: {children: []}}'
    node_up first.yaml
    watch_events
    run node_up hello.yaml
    assert_success
    run troupe_now stop hello
    assert_success
    wait_until 5 happened child.stopped hello
    run awk '/ path=hello / { for (i = 1; i <= NF; i++) if ($i ~ /^event=child/) print substr($i, 7) }' \
        events.out
    assert_output "child.start
child.ready
child.stop
child.exit
child.stopped"
    assert_equal "$(state_of hello)" stopped
    assert_equal "$(state_of hello/work 2>&1)" ""
    run troupe_now stop first
    assert_success
    assert_equal "$(troupe_now ps -o path,state | grep -v ^sys | tr '\t\n' '  ')" \
        "first stopped hello stopped "
    run troupe_now status .
    assert_success # the node runs on with everything stopped
    run node_down
    assert_success
    wait_until 2 no_node_process
}

@test "seed 25 hello_world: Ctrl-C ends a foreground node in order, with 0" {
    plain hello
    foreground hello.yaml
    wait_until 10 node_is_ready hello
    interrupt
    wait_for_up
    assert_equal "$STATUS" 0
    wait_until 2 no_node_process
}

@test "seed 26 two_apps: each hears what is said to it, and only that" {
    plain hello
    plain howdy
    node_up hello.yaml howdy.yaml
    assert_equal "$(say -c hello/work echo one)" one
    assert_equal "$(say -c howdy/work echo two)" two
    life=$(incarnation_of howdy/work)
    crash_and_wait hello/work
    assert_equal "$(incarnation_of howdy/work)" "$life"
}

@test "seed 27: an app that wants to abort ends as a whole; others do not notice" {
    application bad <<EOF
- {name: work, module: crasher}
- {name: other, module: w1}
EOF
    plain good
    node_up bad.yaml good.yaml
    good=$(pids good)
    other=$(pid_of bad/other)
    say bad/work need abort
    wait_until 5 sup_ended bad
    process_is_gone "$other"
    run last_of bad
    assert_output --partial "abort bad/work"
    assert_equal "$(pids good)" "$good"
    assert_equal "$(incarnation_of bad)" 1
}

# ---- order -------------------------------------------------------------------------------

dependent_apps() {
    plain A 'depends_on: [Z]'
    plain B 'depends_on: [Z]'
    plain Z
}

@test "seed 28: what others depend on starts first, and stops last" {
    dependent_apps
    yaml first.yaml <<<'{troupe: 1, application: first, supervisor: {children: []}}'
    node_up first.yaml
    watch_events
    node_up A.yaml B.yaml Z.yaml
    run troupe_now stop Z
    assert_success
    wait_until 5 happened child.exit Z
    wait_until 5 order_is "Z A B" "" child.ready
    wait_until 5 order_is "A B Z" "" child.exit
    assert_equal "$(state_of A)$(state_of B)$(state_of Z)" stoppedstoppedstopped
}

@test "seed 28: an interrupted node stops dependents first, too" {
    dependent_apps
    foreground A.yaml B.yaml Z.yaml
    wait_until 10 node_is_ready A B Z
    watch_events
    interrupt
    wait_for_up
    assert_equal "$STATUS" 0
    wait_until 5 order_is "A B Z" "" child.exit
}

@test "seed 28: independent applications stop in the reverse of their declaration" {
    plain P
    plain Q
    plain R
    foreground P.yaml Q.yaml R.yaml
    wait_until 10 node_is_ready P Q R
    watch_events
    interrupt
    wait_for_up
    assert_equal "$STATUS" 0
    wait_until 5 order_is "R Q P" "" child.exit
}

# ---- ends and restarts ---------------------------------------------------------------------

@test "seed 29: a restarted app gets its last state; one that a person stopped stays stopped" {
    application keep <<<'- {name: store, module: stateful}'
    node_up keep.yaml
    say keep/store set 42
    say keep/store end
    wait_restarted keep/store 1
    assert_equal "$(say -c keep/store get)" 42
    run troupe_now stop keep/store
    assert_success
    holds_for 300 state_is keep/store stopped
    run troupe_now start keep/store
    assert_success
    assert_equal "$(say -c keep/store get)" 42
}

@test "seed 29: an actor that asks for a restart is restarted, whatever its restart type" {
    application keep <<EOF
- {name: work, restart: transient, module: crasher}
- {name: program, restart: transient, exit_codes: {7: restart}, exec: [sh, -c, 'echo life >>"\$DIR/lives"; [ \$(wc -l <"\$DIR/lives") -gt 1 ] || exit 7; exec sleep 1000']}
EOF
    node_up keep.yaml
    wait_restarted keep/program 1
    say keep/work need restart
    wait_restarted keep/work 1
}

restart_after_tree() {
    application late 'restart: temporary' <<EOF
- {name: work, module: crasher}
- name: program
  exit_codes: {75: restart_after 400ms}
  exec: [sh, -c, 'echo life >>"\$DIR/lives"; [ \$(wc -l <"\$DIR/lives") -gt 1 ] || exit 75; exec sleep 1000']
EOF
    sed -i 's/^supervisor:/&\n  intensity: 0/' late.yaml # no restart in the sense of intensity
}

@test "seed 30: restart_after starts it again after that time, and counts as no restart" {
    restart_after_tree
    began=$(now_ms)
    node_up late.yaml
    wait_restarted late/program 1
    (($(now_ms) - began >= 400))
    began=$(now_ms)
    say late/work need 'restart_after 500ms'
    wait_for_state late/work backoff
    wait_restarted late/work 1
    (($(now_ms) - began >= 500))
    assert_equal "$(incarnation_of late)" 1
}

@test "seed 30: who is asked to stop is not started again, whatever it says" {
    application late <<EOF
- name: program
  exit_codes: {75: restart_after 100ms, 76: restart}
  exec: [sh, -c, 'trap "exit 75" TERM; while :; do sleep 0.02; done']
- name: other
  exit_codes: {76: restart}
  exec: [sh, -c, 'trap "exit 76" TERM; while :; do sleep 0.02; done']
- {name: work, module: crasher}
EOF
    node_up late.yaml
    run troupe_now stop late/program late/other
    assert_success
    say late/work need 'restart_after 200ms'
    wait_for_state late/work backoff
    run troupe_now stop late/work # its turn to start would come
    assert_success
    holds_for 500 state_is late/work stopped
    assert_equal "$(state_of late/program)" stopped
    assert_equal "$(state_of late/other)" stopped
    assert_equal "$(last_of late/program)" exit:75
}

# ---- refusals ----------------------------------------------------------------------------

@test "seed 31: start what runs, what is unknown, what is stopping: refused by name" {
    plain hello
    node_up hello.yaml
    run troupe_now start hello
    assert_failure 1
    assert_output --partial "already running"
    for verb in start stop restart; do
        run troupe_now "$verb" nobody
        assert_failure 3
        run troupe_now "$verb" hello/nobody
        assert_failure 3
    done
    assert_equal "$(state_of hello)" ready
    run troupe_now stop hello/work
    assert_success
    run troupe_now stop hello/work # already stopped: what was asked is so
    assert_success
}

slow_to_stop() {
    application slow <<EOF
- name: work
  exec: [sh, -c, 'trap "echo TERM >>\$DIR/terms" TERM; while [ ! -e "\$DIR/go" ]; do sleep 0.02; done']
EOF
}

@test "seed 31: while it is stopping a start is refused, and a second stop is no second signal" {
    slow_to_stop
    node_up slow.yaml
    in_background stop1 troupe stop slow/work
    stop1=$!
    wait_for_state slow/work stopping
    wait_until 5 test -s terms
    in_background stop2 troupe stop slow/work
    stop2=$!
    run troupe_now start slow/work
    assert_failure 1
    assert_output --partial stopping
    holds_for 200 process_lives "$stop2" # it waits, too
    process_lives "$stop1"
    touch go
    wait_until 5 process_is_gone "$stop1"
    wait_until 5 process_is_gone "$stop2"
    wait "$stop1"
    wait "$stop2"
    assert_equal "$(wc -l <terms)" 1
    assert_equal "$(state_of slow/work)" stopped
}

@test "seed 32: an app that cannot start is failed; the others run" {
    application bad <<<'- {name: work, module: w1, args: {behaviour: error}}'
    plain one
    plain two
    run node_up one.yaml bad.yaml two.yaml
    assert_failure 1
    assert_output --partial bad/work
    assert_equal "$(state_of bad)" failed
    wait_ready one one/work two two/work
}

assert_refused() { # TEXT FILE…
    local text=$1

    shift
    run node_up "$@"
    assert_failure 7
    assert_output --partial "$text"
    wait_until 2 no_node_process
}

@test "seed 33: a dependency that nobody declares is refused before anything starts" {
    plain one
    plain two 'depends_on: [nobody]'
    assert_refused nobody one.yaml two.yaml
}

@test "seed 33: an application that the node has already is declared" {
    plain one
    plain two 'depends_on: [one]'
    plain three 'depends_on: [one, nobody]'
    node_up one.yaml
    run node_up two.yaml
    assert_success
    run node_up three.yaml
    assert_failure 7
    assert_output --partial nobody
    watch_events
    run troupe_now stop one
    assert_success
    wait_until 5 order_is "two one" "" child.exit
}

@test "seed 34: every watcher is told of a change; the whole tree goes to who asks for it" {
    plain hello
    plain howdy
    node_up hello.yaml howdy.yaml
    watch_events
    in_background second troupe events -f
    wait_until 5 grep -q event=snapshot second.out
    before=$(wc -l <second.out)
    run troupe_now ps -o path
    assert_line hello/work
    assert_line howdy/work
    assert_equal "$(wc -l <second.out)" "$before" # nobody else's answer
    crash_and_wait hello/work
    wait_until 5 happened child.ready hello/work incarnation=2
    wait_until 5 grep -q 'path=hello/work .*event=child.ready .*incarnation=2' second.out
    assert_equal "$(grep hello/work events.out)" "$(grep hello/work second.out)"
}

@test "seed 35: what does not show life in time is ended for it, and started again" {
    application watched <<EOF
- name: work
  watchdog: 300ms
  exec: [bash, -c, 'trap "echo hook >>\$DIR/hooks; exit" TERM; while [[ ! -e \$DIR/mute ]]; do echo HEARTBEAT >&\$TROUPE_CONTROL; sleep 0.05; done; while :; do sleep 0.05; done']
EOF
    node_up watched.yaml
    holds_for 600 state_is watched/work ready
    assert_equal "$(incarnation_of watched/work)" 1
    touch mute
    wait_restarted watched/work 1
    assert_equal "$(last_of watched/work)" timeout:watchdog
    assert_exists hooks # its own clean-up ran
}

@test "seed 35: an abort of its own lets the actor clean up, too" {
    application bad <<EOF
- {name: work, module: crasher}
- name: other
  exec: [sh, -c, 'trap "echo hook >\$DIR/hook; exit" TERM; while :; do sleep 0.02; done']
EOF
    node_up bad.yaml
    wait_ready bad/other
    say bad/work need abort
    wait_until 5 sup_ended bad
    assert_exists hook
}

linked_tree() {
    application linked <<EOF
- {name: db, module: crasher, backoff: {initial: 400ms, max: 400ms, jitter: 0}}
- name: user
  link: [linked/db]
  exec: [sh, -c, 'trap "echo stopped >>\$DIR/stops; exit" TERM; while :; do sleep 0.02; done']
EOF
    sed -i 's/^supervisor:/&\n  intensity: unlimited/; s/exec:/backoff: {initial: 1ms, max: 1ms}\n      exec:/' \
        linked.yaml
}

@test "seed 36 chronicle: a dependent waits while its dependency is away, and is then started again" {
    linked_tree
    node_up linked.yaml
    watch_events linked
    say linked/db error away
    wait_for_state linked/user waiting
    assert_equal "$(state_of linked/db)" backoff
    wait_restarted linked/db 1
    wait_restarted linked/user 1
    happened child.exit linked/user 'reason="cascade linked/db error away"'
}

# ---- D.4 ---------------------------------------------------------------------------------

slow_to_end_apps() { # MS SHUTDOWN
    application howdy <<<"- {name: work, shutdown: $2, module: w2, args: {ms: $1}}"
    plain hello 'depends_on: [howdy]'
}

@test "seed 37 two_apps: an end takes no longer than the shutdown time allows" {
    slow_to_end_apps 60000 300ms
    foreground hello.yaml howdy.yaml
    wait_until 10 node_is_ready howdy hello
    watch_events
    began=$(now_ms)
    interrupt
    wait_for_up
    (($(now_ms) - began >= 300 && $(now_ms) - began < 10000))
    wait_until 5 order_is "hello howdy" "" child.exit
    happened child.exit howdy/work reason=killed
    wait_until 2 no_node_process
}

@test "seed 37 two_apps: interrupted once more, it ends at once" {
    slow_to_end_apps 60000 infinity
    foreground hello.yaml howdy.yaml
    wait_until 10 node_is_ready howdy hello
    interrupt
    wait_for_state howdy/work stopping
    interrupt
    wait_until 1 no_node_process
    wait_for_up
    assert_equal "$STATUS" 1
}

@test "seed 38: a circle of dependencies, and a name used twice, are refused before anything starts" {
    plain one 'depends_on: [two]'
    plain two 'depends_on: [three]'
    plain three 'depends_on: [one]'
    assert_refused "a cycle" one.yaml two.yaml three.yaml
    plain one
    cp one.yaml again.yaml
    assert_refused one one.yaml again.yaml
}

@test "seed 39: an application of no child and one of one child end cleanly" {
    application none </dev/null
    plain one
    for app in none one; do
        use_node "run_$app"
        foreground "$app.yaml"
        wait_until 10 node_is_ready "$app"
        interrupt TERM
        wait_for_up
        assert_equal "$STATUS" 0
        wait_until 2 no_node_process
    done
}

provider_and_consumer() {
    application provider <<<'- {name: store, module: stateful}'
    application consumer <<EOF
- name: user
  link: [provider/store]
  exec: [sh, -c, 'say provider/store set 12 && exec sleep 1000']
EOF
}

store_has_12() {
    [[ $(say -c provider/store get) == 12 ]]
}

@test "seed 41 resource_child: a consumer that starts after its provider finds it" {
    provider_and_consumer
    node_up provider.yaml consumer.yaml
    wait_until 5 store_has_12
    wait_ready consumer/user
}

@test "seed 41 resource_child: a consumer whose provider is not up yet waits for it" {
    provider_and_consumer
    node_up provider.yaml
    troupe_now stop provider/store
    in_background consumer troupe up consumer.yaml
    wait_for_state consumer/user waiting
    assert_equal "$(incarnation_of consumer/user)" 0
    troupe_now start provider/store
    wait_ready consumer/user
    wait_until 5 store_has_12
    assert_equal "$(incarnation_of consumer/user)" 1
}

@test "seed 42 linked_child: when the provider fails its consumer is stopped at once, in order" {
    linked_tree
    node_up linked.yaml
    user=$(pid_of linked/user)
    say linked/db error gone
    wait_until 2 process_is_gone "$user"
    assert_equal "$(cat stops)" stopped
    wait_until 2 last_is linked/user "cascade linked/db error gone"
}

@test "seed 43: nothing can be added to what is stopping; a name can be had once" {
    slow_to_stop
    node_up slow.yaml
    run troupe_now add slow '{name: work, module: w1}'
    assert_failure 1
    assert_output --partial already_started
    run node_up slow.yaml
    assert_failure 1
    assert_output --partial "already there"
    in_background stop troupe stop slow
    wait_for_state slow/work stopping
    run troupe_now add slow '{name: more, module: w1}'
    assert_failure 1
    assert_output --partial stopping
    touch go
    wait_for_state slow stopped
}
