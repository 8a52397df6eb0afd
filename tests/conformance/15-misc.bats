#!/usr/bin/env bats
#
# The suite's miscellany (S58 to S82): bystanders, trees, counts, restart loops, order, reports.

load helper-otp
load helper-events

COUNT=100 # of what the suite has thousands of

# ---- bystanders and trees ----------------------------------------------------------------

bystander_tree() {
    sup_up 'intensity: 2, period: 300s' <<EOF
- name: all
  supervisor: &flags
    strategy: one_for_all
    intensity: 2
    period: 300s
    children: &children
      - {name: child1, module: w1}
      - {name: child2, restart: temporary, module: w1}
- name: rest
  supervisor:
    strategy: rest_for_one
    intensity: 2
    period: 300s
    children: *children
EOF
}

bystander_goes() { # SUP
    local life pid
    life=$(incarnation_of "$1/child1")
    pid=$(pid_of "$1/child2")
    finish "$1/child1"
    wait_restarted "$1/child1" "$life"
    process_is_gone "$pid"
    assert_equal "$(which "$1")" "child1 ready"
}

@test "S58 temporary_bystander: a temporary sibling is stopped, and neither started again nor kept" {
    bystander_tree
    all=$(pid_of shop/all)
    rest=$(pid_of shop/rest)
    bystander_goes shop/all
    bystander_goes shop/rest
    assert_equal "$(pid_of shop/all)" "$all"
    assert_equal "$(pid_of shop/rest)" "$rest"
}

tree_tree() {
    sup_up 'strategy: one_for_all, intensity: 4, period: 1h' <<EOF
- name: sup1
  supervisor:
    intensity: 4
    period: 1h
    children:
      - {name: child1, module: w1}
      - {name: child2, module: w1}
- {name: sup2, supervisor: {intensity: 4, period: 1h, children: []}}
- {name: sup3, restart: transient, supervisor: {children: []}}
EOF
}

@test "S60 tree: who gives up takes all along, dynamic children are lost; ours: a person's stop holds" {
    tree_tree
    troupe_now stop shop/sup3
    assert_equal "$(counts shop)" "3 2 3 0"
    troupe_now add shop/sup2 '{name: child3, module: w1, args: {behaviour: error_later}}'
    troupe_now add shop/sup2 '{name: child4, module: w1}'
    before=$(pids shop/sup1)
    child3=$(pid_of shop/sup2/child3)
    crash_and_wait shop/sup2/child4
    assert_equal "$(pids shop/sup1)" "$before"
    assert_equal "$(pid_of shop/sup2/child3)" "$child3"

    life=$(incarnation_of shop/sup2)
    crash shop/sup2/child3
    wait_restarted shop/sup2 "$life"
    wait_ready shop/sup1 shop/sup1/child1 shop/sup1/child2
    assert_equal "$(counts shop/sup2)" "0 0 0 0"
    assert_equal "$(counts shop/sup1)" "2 2 0 2"
    [[ $(pids shop/sup1) != "$before" ]]
    # OTP starts sup3 again; here, who was stopped by a person stays stopped.
    assert_equal "$(which shop)" $'sup1 ready\nsup2 ready\nsup3 stopped'
    assert_equal "$(counts shop)" "3 2 3 0"
}

# ---- counting ----------------------------------------------------------------------------

# Adds children to the template of shop until there are $1.
fill() {
    local have

    have=$(which shop | wc -l)
    while ((have++ < $1)); do
        troupe_now add shop >/dev/null || return 1
    done
}

kill_all_children() {
    local name pid

    while read -r name pid; do
        kill -KILL "$pid"
    done < <(pids shop)
}

assert_counts_of_many() { # "SUPERVISORS WORKERS" for COUNT, then for twice as many
    fill $COUNT
    assert_equal "$(counts shop)" "1 $COUNT $1"
    fill $((2 * COUNT))
    assert_equal "$(counts shop)" "1 $((2 * COUNT)) $2"
    assert_equal "$(counts shop)" "1 $((2 * COUNT)) $2"
    kill_all_children
    wait_until 20 counts_are shop "1 0 0 0"
    assert_equal "$(which shop)" ""
}

@test "S61 count_children: a template's children are counted, and forgotten when they end" {
    template_up '' '{restart: temporary, module: w1}'
    assert_counts_of_many "0 $COUNT" "0 $((2 * COUNT))"
}

@test "S62 count_children_supervisor: the same with supervisors" {
    COUNT=50
    template_up '' '{restart: temporary, supervisor: {children: []}}'
    assert_counts_of_many "$COUNT 0" "$((2 * COUNT)) 0"
}

# ---- what is kept of temporary children ---------------------------------------------------

private_kb() { # PATH
    awk '/^Private_(Clean|Dirty)/ { sum += $2 } END { print sum }' \
        "/proc/$(pid_of "$1")/smaps_rollup"
}

# Below $1: $3 children of restart type $2 with a large argument, each stopped before the next comes.
churn() {
    local i

    for ((i = 0; i < $3; i++)); do
        printf '{name: %s, restart: %s, module: w1, args: {junk: "%s"}}' \
            "child$i" "$2" "$JUNK" >"$DIR/spec.yaml"
        troupe_now add "$1" -f "$DIR/spec.yaml" >/dev/null || return 1
        troupe_now stop "$1/child$i" || return 1
    done
}

@test "S65 do_not_save_start_parameters_for_temporary_children: what they were started with goes" {
    # A sanitizer keeps what is freed, unless it is told not to.
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0
    JUNK=$(head -c 60000 /dev/zero | tr '\0' j)
    sup_up '' <<EOF
- {name: keeping, supervisor: {strategy: one_for_one, children: []}}
- {name: temp_one, supervisor: {strategy: one_for_one, children: []}}
- {name: temp_all, supervisor: {strategy: one_for_all, children: []}}
- {name: temp_rest, supervisor: {strategy: rest_for_one, children: []}}
- {name: temp_template, supervisor: {template: {restart: temporary, module: w1}}}
EOF
    churn shop/keeping permanent 30
    kept=$(private_kb shop/keeping)
    for strategy in one all rest; do
        churn "shop/temp_$strategy" temporary 30
        less=$(private_kb "shop/temp_$strategy")
        ((less + 1000 < kept)) || { echo "$strategy: $less kB, $kept kB when kept"; return 1; }
    done
    for i in {1..30}; do
        troupe_now add shop/temp_template "junk=$JUNK" >/dev/null
        troupe_now stop "shop/temp_template/$i"
    done
    less=$(private_kb shop/temp_template)
    ((less + 1000 < kept)) || { echo "template: $less kB, $kept kB when kept"; return 1; }
}

end_child() { # PATH HOW: ends it and waits until that is dealt with
    local before

    before=$(times_of child.exit "$1")
    case $2 in
    kill) kill_actor "$1" ;;
    normal) finish "$1" ;;
    abnormal) crash "$1" ;;
    stop) troupe_now stop "$1" ;;
    esac
    wait_until 5 happened_times $((before + 1)) child.exit "$1"
}

# What `add` of the same spec says once a child of $2 in supervisor $1 was ended by $3: already_present
# when the spec is there, down; already_started when it was restarted; ok when it had gone.
add_again() {
    local name=$2_$3 spec

    spec="{name: $name, restart: $2, module: w1}"
    troupe_now add "$1" "$spec" >/dev/null || return 1
    end_child "$1/$name" "$3"
    # A restart is a start as well: `add` may meet it while it is under way.
    [[ $2 == permanent || $2 == transient ]] && wait_until 5 settled "$1/$name"
    run troupe_now add "$1" "$spec"
    case $output in
    "$1/$name") echo ok ;;
    *already_present*) echo already_present ;;
    *already_started*) echo already_started ;;
    *) echo "$output" ;;
    esac
}

settled() {
    [[ $(state_of "$1") == @(ready|exited|stopped|failed) ]]
}

assert_specs_kept() { # SUP
    local how

    for how in kill normal abnormal stop; do
        assert_equal "temporary $how: $(add_again "$1" temporary $how)" "temporary $how: ok"
    done
    for how in kill normal abnormal; do
        assert_equal "permanent $how: $(add_again "$1" permanent $how)" \
            "permanent $how: already_started"
    done
    assert_equal "permanent stop: $(add_again "$1" permanent stop)" "permanent stop: already_present"
    for how in kill abnormal; do
        assert_equal "transient $how: $(add_again "$1" transient $how)" \
            "transient $how: already_started"
    done
    for how in normal stop; do
        assert_equal "transient $how: $(add_again "$1" transient $how)" \
            "transient $how: already_present"
        run troupe_now start "$1/transient_$how"
        assert_success
    done
    run troupe_now start "$1/permanent_stop"
    assert_success
}

each_strategy_tree() {
    sup_up '' <<EOF
- {name: one, supervisor: {strategy: one_for_one, intensity: 100, period: 1h, children: []}}
- {name: all, supervisor: {strategy: one_for_all, intensity: 100, period: 1h, children: []}}
- {name: rest, supervisor: {strategy: rest_for_one, intensity: 100, period: 1h, children: []}}
EOF
    watch_events shop
}

@test "S66 do_not_save_child_specs_for_temporary_children: one_for_one" {
    each_strategy_tree
    assert_specs_kept shop/one
}

@test "S66 do_not_save_child_specs_for_temporary_children: one_for_all" {
    each_strategy_tree
    assert_specs_kept shop/all
}

@test "S66 do_not_save_child_specs_for_temporary_children: rest_for_one" {
    each_strategy_tree
    assert_specs_kept shop/rest
}

# ---- scale -------------------------------------------------------------------------------

timed() { # CMD…: leaves the milliseconds in $TOOK
    local start
    start=$(now_ms)
    "$@"
    TOOK=$(($(now_ms) - start))
}

# Twice as many may take twice as long, and as much again for a machine that has other things to do.
assert_scales() { # FEW_MS MANY_MS
    (($2 <= 5 * $1 + 200)) || { echo "$1 ms, then $2 ms for twice as many"; return 1; }
}

@test "S67 simple_one_for_one_scale_many_temporary_children: stopping them takes linear time" {
    template_up '' '{restart: temporary, module: w1}'
    fill $COUNT
    timed troupe_now stop 'shop/*'
    few=$TOOK
    fill $((2 * COUNT))
    timed troupe_now stop 'shop/*'
    assert_scales "$few" "$TOOK"
    assert_equal "$(counts shop)" "1 0 0 0"
}

add_many() { # NUMBER
    local i

    for ((i = 0; i < $1; i++)); do
        troupe_now add shop "{name: child$i, module: w1}" >/dev/null || return 1
    done
}

remove_many() { # NUMBER
    local names=() i

    for ((i = 0; i < $1; i++)); do
        names+=("shop/child$i")
    done
    troupe_now rm "${names[@]}"
}

@test "S77 scale_start_stop_many_children: adding and removing them takes linear time" {
    sup_up '' </dev/null
    timed add_many $COUNT
    few_added=$TOOK
    timed remove_many $COUNT
    few_removed=$TOOK
    timed add_many $((2 * COUNT))
    assert_scales "$few_added" "$TOOK"
    assert_equal "$(counts shop)" "$((2 * COUNT)) $((2 * COUNT)) 0 $((2 * COUNT))"
    timed remove_many $((2 * COUNT))
    assert_scales "$few_removed" "$TOOK"
    assert_equal "$(counts shop)" "0 0 0 0"
}

# ---- names that outlive processes ----------------------------------------------------------

names_answer() {
    [[ $(say -c shop/sup2/server echo hello) == hello ]]
}

server_pid_is_new() { # OLD
    local now
    now=$(pid_of shop/sup2/server) && [[ $now =~ ^[0-9]+$ && $now != "$1" ]] && names_answer
}

@test "S68 simple_global_supervisor: a name is soon that of the next incarnation" {
    sup_up 'intensity: 5, period: 60s' <<EOF
- name: sup2
  supervisor:
    strategy: one_for_all
    intensity: 3
    period: 60s
    children:
      - {name: server, module: w1}
EOF
    sup2=$(pid_of shop/sup2)
    server=$(pid_of shop/sup2/server)
    kill -KILL "$sup2" # (a)
    wait_until 2 server_pid_is_new "$server"
    [[ $(pid_of shop/sup2) != "$sup2" ]]
    process_is_gone "$server"

    server=$(pid_of shop/sup2/server)
    kill_actor shop/sup2/server # (b)
    wait_until 2 server_pid_is_new "$server"
    server=$(pid_of shop/sup2/server)
    finish shop/sup2/server # (c)
    wait_until 2 server_pid_is_new "$server"
    server=$(pid_of shop/sup2/server)
    troupe_now stop shop/sup2/server # (d)
    run say -c shop/sup2/server echo hello
    assert_failure
    troupe_now start shop/sup2/server
    server_pid_is_new "$server"

    top=$(pid_of shop)
    sup2=$(pid_of shop/sup2)
    server=$(pid_of shop/sup2/server)
    kill -KILL "$top"
    wait_sup_ended shop
    process_is_gone "$sup2"
    process_is_gone "$server"
    run say -c shop/sup2/server echo hello
    assert_failure
}

# ---- restart loops -------------------------------------------------------------------------

# A child that hangs in its restart as long as $DIR/flag exists, and then fails it.
WD_CHILD='{module: wd, shutdown: brutal_kill, args: {flag: "${DIR}/flag", delay: 700}}'

begin_restart_loop() { # PATH
    touch "$DIR/flag"
    say "$1" restart
    wait_until 5 state_is "$1" starting
}

@test "S69 hanging_restart_loop: a child in its restart loop is answered for, and can be stopped" {
    sup_up 'intensity: 8, period: 10s' <<EOF
- {name: child1, ${WD_CHILD#\{}
EOF
    begin_restart_loop shop/child1
    run troupe_now add shop "{name: child1, module: w1}"
    assert_failure 1
    assert_output --partial already_present
    run troupe_now start shop/child1
    assert_failure 1
    assert_output --partial starting
    assert_equal "$(counts shop)" "1 0 0 1"
    run troupe_now stop shop/child1
    assert_success
    assert_equal "$(which shop)" "child1 stopped"
    tries=$(incarnation_of shop/child1)

    rm "$DIR/flag"
    run troupe_now start shop/child1
    assert_success
    assert_equal "$(incarnation_of shop/child1)" $((tries + 1)) # nobody has tried meanwhile
    begin_restart_loop shop/child1
    timed sup_shutdown shop
    ((TOOK < 600 * TEST_SCALE))
    assert_equal "$(state_of shop)" stopped
}

@test "S71 hanging_restart_loop_simple: the same with a template: stopped, it is gone" {
    template_up 'intensity: 8, period: 10s' "$WD_CHILD"
    troupe_now add shop
    begin_restart_loop shop/1
    assert_equal "$(counts shop)" "1 0 0 1"
    assert_equal "$(which shop)" "1 starting"
    run troupe_now stop shop/1
    assert_success
    assert_equal "$(which shop)" ""

    rm "$DIR/flag"
    run troupe_now add shop
    assert_output shop/2
    begin_restart_loop shop/2
    timed sup_shutdown shop
    ((TOOK < 600 * TEST_SCALE))
    assert_equal "$(state_of shop)" stopped
}

# ---- order -------------------------------------------------------------------------------

# Says so when it starts, and only then that it is ready.
started_is() { # NAMES
    [[ $(tr '\n' ' ' <"$DIR/starts") == "$1 " ]] || { cat "$DIR/starts"; return 1; }
}

@test "S76 order_of_children: starts follow the list, stops its reverse, whatever the names" {
    for name in ch7 ch3 ch10 ch2 ch5; do
        cat <<EOF
- name: $name
  ready: notify
  exec: [bash, -c, 'echo $name >>"\$DIR/starts"; echo >&\$TROUPE_READY_FD; exec sleep 1000']
EOF
    done >children.yaml
    sup_up 'strategy: rest_for_one, intensity: 2, period: 1h' <children.yaml
    started_is "ch7 ch3 ch10 ch2 ch5"
    assert_equal "$(which shop | cut -d' ' -f1 | tr '\n' ' ')" "ch7 ch3 ch10 ch2 ch5 "
    watch_events shop
    kill_actor shop/ch10
    wait_restarted shop/ch5 1
    started_is "ch7 ch3 ch10 ch2 ch5 ch10 ch2 ch5"
    wait_until 5 order_is "ch10 ch5 ch2" shop child.exit
    sup_shutdown shop
    wait_until 5 order_is "ch10 ch5 ch2 ch5 ch2 ch10 ch3 ch7" shop child.exit
}

# ---- reports -----------------------------------------------------------------------------

report_of() { # EVENT PATH
    wait_until 5 is_reported "$1" "$2"
    troupe_now log -n 100 shop | grep -F " event=$1 " | grep -F " path=$2 "
}

is_reported() {
    troupe_now log -n 100 shop | grep -F " event=$1 " | grep -qF " path=$2 "
}

@test "S78 format_log_1: a report names when, how bad, who, what, and the reason; long ones are cut" {
    sup_up 'intensity: 9, period: 1h' <<EOF
- {name: child1, module: crasher}
EOF
    long=$(head -c 2000 /dev/zero | tr '\0' x)
    say shop/child1 error "$long"
    run report_of child.exit shop/child1
    assert_output --regexp \
        'ts=[-0-9]+T[:0-9]+\.[0-9]{3}Z level=warn path=shop/child1 event=child\.exit .*reason="error x{100,}"'
    ((${#output} < 600))
    run report_of child.restart shop/child1
    assert_output --partial "level=info"
}

@test "S79 format_log_2: a report is one line, whatever the reason is made of" {
    sup_up 'intensity: 9, period: 1h' <<EOF
- {name: child1, module: crasher}
EOF
    say shop/child1 error $'one "two" \\three\nfour\tfive'
    run report_of child.exit shop/child1
    assert_equal "${#lines[@]}" 1
    assert_output --partial 'reason="error one \"two\" '
    assert_output --partial 'ordered=false'
    run report_of child.restart shop/child1
    assert_equal "${#lines[@]}" 1
}

# ---- names and lists -----------------------------------------------------------------------

@test "S80 already_started_outside_supervisor: a name that somebody else has fails that start alone" {
    sup_up 'intensity: 1, period: 1h' <<EOF
- {name: child1, module: w1}
EOF
    child1=$(pid_of shop/child1)
    port=$(free_port)
    in_background other python3 -m http.server --bind 127.0.0.1 "$port"
    other=$!
    wait_until 10 curl -fs -o /dev/null "http://127.0.0.1:$port/"
    run troupe_now add shop "{name: page, exec: [python3, -m, http.server, --bind, 127.0.0.1, '$port'],
        ready: {log: 'Serving'}, env: {PYTHONUNBUFFERED: 1}}"
    assert_failure 1
    assert_output --partial "exit:1"
    assert_equal "$(which shop)" "child1 ready"
    assert_equal "$(pid_of shop/child1)" "$child1"
    process_lives "$other"
}

@test "S81 which_children: in start order; a stopped one is there, one that was removed is not" {
    sup_up '' </dev/null
    assert_equal "$(which shop)" ""
    run troupe_now status shop/child1
    assert_failure 3
    troupe_now add shop '{name: child1, module: w1}'
    assert_equal "$(which shop)" "child1 ready"
    troupe_now add shop '{name: child2, module: w1}'
    assert_equal "$(which shop)" $'child1 ready\nchild2 ready'
    run troupe_now status shop/child2
    assert_success
    troupe_now stop shop/child1
    assert_equal "$(which shop)" $'child1 stopped\nchild2 ready'
    run column_of pid shop/child1
    assert_output -- -
    troupe_now rm shop/child1
    assert_equal "$(which shop)" "child2 ready"
    run troupe_now status shop/child1
    assert_failure 3
}

@test "S82 which_children_simple_one_for_one: a template's children have numbers, and leave no trace" {
    template_up '' '{restart: temporary, module: w1}'
    assert_equal "$(which shop)" ""
    assert_equal "$(troupe_now add shop)" shop/1
    assert_equal "$(troupe_now add shop)" shop/2
    assert_equal "$(which shop)" $'1 ready\n2 ready'
    run troupe_now status shop/3
    assert_failure 3
    troupe_now stop shop/1
    run troupe_now status shop/1
    assert_failure 3
    assert_equal "$(troupe_now add shop)" shop/3
    assert_equal "$(which shop)" $'2 ready\n3 ready'
}
