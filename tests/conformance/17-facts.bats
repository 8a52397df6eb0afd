#!/usr/bin/env bats
#
# What OTP's supervisor does beyond what its own suite pins down (X01 to X20).

load helper-otp
load helper-events

one_child() { # FLAGS
    sup_up "$1" <<EOF
- {name: child1, module: w1}
EOF
}

assert_gave_up() { # [TEXT in the reason]
    wait_sup_ended shop
    run sup_end_reason shop
    assert_output --regexp "^shutdown .*${1:-}"
    run pid_of shop
    assert_output -- -
}

# ---- intensity ---------------------------------------------------------------------------

@test "X01: with intensity 0 the first crash ends the supervisor, with shutdown" {
    one_child 'intensity: 0, period: 5s'
    watch_events shop
    crash shop/child1
    assert_gave_up 'shop/child1 error died: more than 0 restarts in 5s'
    happened_times 0 child.restart shop/child1
    happened_times 0 child.start shop/child1
}

@test "X02: with intensity 1 the first crash restarts, the second ends the supervisor" {
    one_child 'intensity: 1, period: 5s'
    crash_and_wait shop/child1
    assert_equal "$(state_of shop)" ready
    crash shop/child1
    assert_gave_up 'more than 1 restarts in 5s'
}

@test "X03: ours: the window slides by milliseconds; OTP's is up to a second longer" {
    one_child 'intensity: 1, period: 1s'
    sup=$(pid_of shop)
    crash_and_wait shop/child1
    crashed=$(now_ms)
    while (($(now_ms) < crashed + 1100)); do # less than the 1.55 s that end OTP's
        pause 0.02
    done
    crash_and_wait shop/child1
    assert_equal "$(pid_of shop)" "$sup"
    crash shop/child1
    assert_gave_up 'more than 1 restarts in 1s'
}

@test "X04: a restart that fails counts, each time, and the supervisor is there for requests" {
    sup_up 'intensity: 4, period: 1h' <<EOF
- {name: child1, module: w1, args: {behaviour: error_later}}
EOF
    watch_events shop
    crash shop/child1
    assert_gave_up 'shop/child1 .*start refused: more than 4 restarts in 1h'
    happened_times 4 child.restart shop/child1
    happened_times 4 child.start shop/child1
    happened_times 5 child.exit shop/child1
}

@test "X04: between the tries of a restart other children can be added, looked at and stopped" {
    sup_up 'intensity: 100, period: 1h' <<EOF
- {name: child1, module: wd, args: {flag: "\${DIR}/flag", delay: 50}}
EOF
    touch "$DIR/flag"
    say shop/child1 restart
    wait_until 5 state_is shop/child1 starting
    run troupe_now add shop '{name: child2, module: w1}'
    assert_success
    run troupe_now stop shop/child2
    assert_success
    tries=$(incarnation_of shop/child1)
    wait_until 5 has_tried_more_than "$tries" # it goes on
    run sup_shutdown shop
    assert_success
}

has_tried_more_than() {
    (($(incarnation_of shop/child1) > $1))
}

@test "X07: at the limit it says so, stops what is left in reverse order, and ends with shutdown" {
    sup_up 'intensity: 1, period: 1h' <<EOF
- {name: child1, module: w1}
- {name: child2, module: w1}
- {name: child3, module: w1}
- {name: child4, module: w1}
EOF
    watch_events shop
    crash_and_wait shop/child2
    crash shop/child2
    assert_gave_up 'shop/child2 error died: more than 1 restarts in 1h'
    happened_times 1 supervisor.giveup shop
    wait_until 5 order_is "child2 child2 child4 child3 child1" shop child.exit
    order_is "child4 child3 child1" shop child.stop
    wait_until 5 happened child.exit shop
    [[ ! $(when child.exit shop) < $(when child.exit shop/child1) ]]
}

@test "X17: restarts that are spread out never add up, however many there are" {
    one_child 'intensity: 3, period: 400ms'
    sup=$(pid_of shop)
    for _ in {1..10}; do
        next=$(($(now_ms) + 220))
        crash_and_wait shop/child1
        while (($(now_ms) < next)); do
            pause 0.01
        done
    done
    assert_equal "$(pid_of shop)" "$sup"
    assert_equal "$(incarnation_of shop/child1)" 11
}

# ---- starting ----------------------------------------------------------------------------

@test "X05: a child that fails when its supervisor starts takes those before it down, in reverse" {
    yaml empty.yaml <<<'{troupe: 1, application: empty, supervisor: {children: []}}'
    node_up empty.yaml
    watch_events
    sup_file 'intensity: 9' <<EOF
- {name: child1, module: w1}
- {name: child2, module: w1}
- {name: child3, module: w1, args: {behaviour: error}}
- {name: child4, module: w1}
EOF
    run node_up shop.yaml
    assert_failure 1
    assert_output --partial "failed_to_start shop/child3 error start refused"
    wait_sup_ended shop
    assert_equal "$(sup_end_reason shop)" "shutdown failed_to_start shop/child3 error start refused"
    assert_equal "$(state_of empty)" ready
    # The log has it in full: the events of a supervisor that starts may find nobody there yet.
    wait_until 5 logged_exits 3
    run logged_exits_in_order
    assert_output "shop/child3 shop/child2 shop/child1"
}

logged_exits_in_order() {
    troupe_now log -n 100 shop | grep -F event=child.exit |
        sed 's/.* path=\([^ ]*\) .*/\1/' | grep -F shop/ | tr '\n' ' ' | sed 's/ $//'
}

logged_exits() {
    (($(logged_exits_in_order | wc -w) == $1))
}

# w3 reads from its gate what to say at each start.
gate_child() {
    echo ok >"$DIR/gate"
    printf '{name: child2, module: w3, args: {gate: "%s/gate"}}' "$DIR"
}

assert_ignored() { # SUP: child2 says ignore at its restart
    wait_for_state "$1/child2" exited
    lives=$(incarnation_of "$1/child2")
    holds_for 200 state_is "$1/child2" exited
    assert_equal "$(incarnation_of "$1/child2")" "$lives" # not tried again
    assert_equal "$(state_of "$1")" ready
}

@test "X06: a restart that says ignore leaves the child there without a process; no other try" {
    for strategy in one_for_one one_for_all rest_for_one; do
        use_node "run_$strategy"
        child=$(gate_child)
        sup_up "strategy: $strategy, intensity: 1, period: 1h" <<EOF
- {name: child1, module: w1}
- $child
- {name: child3, module: w1}
EOF
        echo ignore >"$DIR/gate"
        crash shop/child2
        assert_ignored shop
        wait_ready shop/child1 shop/child3
        assert_equal "$(counts shop)" "3 2 0 3"
        assert_equal "$(incarnation_of shop/child2)" 2
    done
}

@test "X06: a template's child whose restart says ignore is dropped" {
    echo ok >"$DIR/gate"
    template_up 'intensity: 1, period: 1h' "{module: w3, args: {gate: '$DIR/gate'}}"
    troupe_now add shop
    troupe_now add shop
    echo ignore >"$DIR/gate"
    crash shop/1
    wait_until 5 counts_are shop "1 1 0 1"
    assert_equal "$(which shop)" "2 ready"
    assert_equal "$(state_of shop)" ready
}

# ---- notices and messages ------------------------------------------------------------------

adopted_by() { # PID PARENT
    [[ $(ps -o ppid= -p "$1" | tr -d ' ') == "$2" ]]
}

has_no_zombie() { # PID of the parent
    ! ps -eo ppid=,stat= | awk -v parent="$1" '$1 == parent && $2 ~ /^Z/ { found = 1 } END { exit !found }'
}

@test "X08: the end of a process that is no child means nothing, and leaves no zombie" {
    # The child leaves a process behind that is then the supervisor's to reap.
    sup_up 'intensity: 0, period: 1h' <<EOF
- name: child1
  exec: [sh, -c, '(setsid sleep 1000 & echo \$! >"\$DIR/orphan.tmp"; mv "\$DIR/orphan.tmp" "\$DIR/orphan"); exec sleep 1000']
EOF
    wait_until 5 test -s orphan
    sup=$(pid_of shop)
    child1=$(pid_of shop/child1)
    wait_until 5 adopted_by "$(cat orphan)" "$sup"
    kill -KILL "$(cat orphan)"
    wait_until 5 test ! -e "/proc/$(cat orphan)"
    has_no_zombie "$sup"
    assert_equal "$(pid_of shop)" "$sup"
    assert_equal "$(pid_of shop/child1)" "$child1"
    assert_equal "$(counts shop)" "1 1 0 1"
}

nested_tree() {
    sup_up '' <<EOF
- name: sup
  supervisor:
    intensity: 5
    children:
      - {name: child1, module: w1}
      - {name: child2, module: w1}
EOF
    watch_events
}

assert_children_went_first() {
    wait_until 5 order_is "child2 child1" shop/sup child.exit
    wait_until 5 happened child.exit shop/sup
    [[ ! $(when child.exit shop/sup) < $(when child.exit shop/sup/child1) ]]
}

@test "X09: a supervisor that its parent stops ends its children first, in reverse order" {
    nested_tree
    troupe_now stop shop/sup
    assert_equal "$(last_of shop/sup)" shutdown
    assert_children_went_first
    happened child.exit shop/sup/child1 reason=shutdown
}

@test "X09: a supervisor that is sent SIGTERM does the same, and is then started again" {
    nested_tree
    kill -TERM "$(pid_of shop/sup)"
    wait_restarted shop/sup 1
    wait_ready shop/sup/child1 shop/sup/child2
    assert_children_went_first
    happened child.exit shop/sup reason=shutdown
}

@test "X10: junk on a supervisor's sockets is reported or refused, and means nothing" {
    sup_up 'intensity: 0, period: 1h' <<EOF
- name: child1
  exec: [bash, -c, 'printf "DANCE a jig\nSTATUS still here\n" >&\$TROUPE_CONTROL; exec sleep 1000']
EOF
    before="$(pid_of shop) $(pid_of shop/child1)"
    run troupe_now ps -o status shop/child1
    assert_output "still here"
    printf 'no SP at all\n' | timeout 5 python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"\0SP\0\0\x10\0\0" + bytes([1, 0, 0, 0, 0, 0, 0, 0, 9]) + b"not ours!")
s.settimeout(5)
while s.recv(4096):
    pass
' "$TROUPE_RUN/shop/.supervisor"
    assert_equal "$(pid_of shop) $(pid_of shop/child1)" "$before"
    assert_equal "$(state_of shop)" ready
}

@test "X10: a word that the supervisor does not know is an event" {
    sup_up 'intensity: 0, period: 1h' <<EOF
- name: child1
  exec: [bash, -c, 'while [[ ! -e \$DIR/go ]]; do sleep 0.05; done; echo "DANCE a jig" >&\$TROUPE_CONTROL; exec sleep 1000']
EOF
    watch_events shop
    touch go
    wait_until 5 happened child.status shop/child1 not_understood
    assert_equal "$(state_of shop/child1)" ready
}

# ---- stopping ----------------------------------------------------------------------------

@test "X11: a stop takes the next try of a restarting child away" {
    sup_up 'intensity: unlimited' <<EOF
- {name: child1, module: w1, backoff: {initial: 300ms, max: 300ms, jitter: 0}}
EOF
    watch_events shop
    crash shop/child1
    wait_for_state shop/child1 backoff
    run troupe_now stop shop/child1
    assert_success
    holds_for 600 state_is shop/child1 stopped
    assert_equal "$(incarnation_of shop/child1)" 1
    run troupe_now start shop/child1
    assert_success
    assert_equal "$(incarnation_of shop/child1)" 2
}

@test "X12: a child that is stopped and ends for a reason of its own is stopped, and its reason told" {
    sup_up 'intensity: 0, period: 1h' <<EOF
- {name: normal, module: w4, args: {reason: normal}}
- {name: info, module: w4, args: {reason: shutdown info}}
- {name: fails, module: w4, args: {reason: error of its own}}
- {name: status, exec: [sh, -c, 'trap "exit 3" TERM; while :; do sleep 0.01; done']}
- {name: plain, module: w1}
EOF
    troupe_now stop 'shop/*'
    assert_equal "$(which shop | cut -d' ' -f2 | sort -u)" stopped
    assert_equal "$(state_of shop)" ready
    assert_equal "$(last_of shop/normal)" normal
    assert_equal "$(last_of shop/info)" "shutdown info"
    assert_equal "$(last_of shop/fails)" "error of its own"
    assert_equal "$(last_of shop/status)" exit:3
    assert_equal "$(last_of shop/plain)" shutdown
}

@test "X13: a child that does not end in its shutdown time is killed, and that is its reason" {
    sup_up '' <<EOF
- {name: deaf, shutdown: 200ms, exec: [sh, -c, 'trap "" TERM; while :; do sleep 0.05; done']}
- {name: hung, shutdown: 200ms, module: crasher}
- {name: slow, shutdown: 200ms, module: w2, args: {ms: 60000}}
EOF
    watch_events shop
    say shop/hung hang
    begin=$(now_ms)
    troupe_now stop 'shop/*'
    (($(now_ms) - begin >= 200))
    for name in deaf hung slow; do
        assert_equal "$(last_of shop/$name)" killed
        happened child.exit shop/$name reason=killed
    done
}

@test "X14: ours: one_for_all leaves a sibling that a person stopped where it is" {
    sup_up 'strategy: one_for_all, intensity: 5, period: 1h' <<EOF
- {name: child1, module: w1}
- {name: child2, module: w1}
- {name: child3, module: w1}
EOF
    troupe_now stop shop/child2
    crash_and_wait shop/child1
    wait_restarted shop/child3 1
    assert_equal "$(which shop)" $'child1 ready\nchild2 stopped\nchild3 ready'
    assert_equal "$(incarnation_of shop/child2)" 1
    troupe_now start shop/child2
    crash_and_wait shop/child1
    wait_restarted shop/child2 2
}

# ---- the supervisor itself is killed --------------------------------------------------------

still_alive() { # PID…: prints those that are
    local pid

    for pid in "$@"; do
        process_is_gone "$pid" || echo "$pid"
    done
}

@test "X16: a killed supervisor takes everything along, deaf and escaped ones too, before the next" {
    sup_up 'intensity: 5' <<EOF
- name: sup
  supervisor:
    children:
      - {name: deaf, shutdown: 100ms, exec: [sh, -c, 'trap "" TERM HUP INT; while :; do sleep 0.05; done']}
      - {name: cut_off, module: wn, shutdown: 100ms}
      - name: daemon
        shutdown: 100ms
        exec: [sh, -c, '(setsid sh -c "trap : TERM; echo \\\$\\\$ >>\$DIR/escaped; while :; do sleep 1; done" &); exec sleep 1000']
      - name: below
        supervisor:
          children:
            - {name: child1, module: w1}
EOF
    wait_until 5 test -s escaped
    mapfile -t pids < <(troupe_now ps -o pid shop/sup)
    pids+=("$(cat escaped)")
    assert_equal "${#pids[@]}" 7
    watch_events shop
    kill_actor shop/sup
    wait_until 10 happened child.exit shop/sup signal:KILL
    run still_alive "${pids[@]}" # already: its end is not told before
    refute_output
    wait_restarted shop/sup 1
    wait_ready shop/sup/deaf shop/sup/cut_off shop/sup/daemon shop/sup/below/child1
    wait_until 5 has_escaped_twice
}

has_escaped_twice() {
    (($(wc -l <escaped) == 2))
}

# ---- rest --------------------------------------------------------------------------------

@test "X18: all_significant counts those that run: one that a person stopped is none" {
    sup_up '' <<EOF
- name: sup
  restart: transient
  supervisor:
    auto_shutdown: all_significant
    children:
      - {name: c1, significant: true, restart: transient, module: w1}
      - {name: c2, significant: true, restart: transient, module: w1}
      - {name: c3, module: w1}
EOF
    troupe_now stop shop/sup/c1
    assert_equal "$(state_of shop/sup)" ready
    finish shop/sup/c2
    wait_for_state shop/sup exited
    run last_of shop/sup
    assert_output --partial "shutdown shop/sup/c2"
}

@test "X20: a temporary child that has ended is no such child to start and rm" {
    sup_up '' <<EOF
- {name: child1, restart: temporary, module: w1}
- {name: child2, restart: temporary, module: w1}
EOF
    finish shop/child1
    crash shop/child2
    wait_until 5 counts_are shop "0 0 0 0"
    for name in child1 child2; do
        for verb in start restart stop rm; do
            run troupe_now "$verb" "shop/$name"
            assert_failure 3
        done
    done
}
