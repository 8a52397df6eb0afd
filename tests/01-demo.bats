#!/usr/bin/env bats
# The example tree, as `make demo` shows it.

load helper

demo_ports() {
    DEMO_REDIS_PORT=$(free_port)
    DEMO_WEB_PORT=$(free_port)
    export DEMO_REDIS_PORT DEMO_WEB_PORT
}

DEMO_PATHS=(demo demo/db demo/counter demo/heart demo/web demo/web/page demo/web/visitor)

answers() {
    curl -fs -o /dev/null "http://127.0.0.1:$DEMO_WEB_PORT/"
}

# Is there a demo that has come as far as a running node? Its scratch folder is left in $SCRATCH.
demo_runs() {
    local dir
    for dir in /tmp/troupe-demo.*; do
        [[ -e $dir/run/.supervisor && ! $KNOWN =~ $dir ]] || continue
        SCRATCH=$dir
        return 0
    done
    return 1
}

@test "the demo shows a tree, a kill and its consequences, and leaves nothing" {
    run "$TOP/scripts/demo"
    assert_success
    assert_line --regexp '^demo/db +.*ready'
    assert_output --partial "signal:KILL"
    assert_output --partial "cascade demo/db"
    assert_equal "${lines[-1]}" "No process and no file is left."
}

@test "a demo that is interrupted leaves nothing either" {
    KNOWN=$(echo /tmp/troupe-demo.*)
    in_background demo "$TOP/scripts/demo"
    demo=$!
    wait_until 20 demo_runs
    demo_runs
    kill -TERM "$demo"
    wait_until 20 process_is_gone "$demo"
    assert_not_exists "$SCRATCH"
    TROUPE_RUN=$SCRATCH/run wait_until 5 no_node_process
}

@test "the example is up when its command returns, and each part of it works" {
    demo_ports
    node_up "$TOP/etc/demo.yaml"
    assert_tree_is_exactly "${DEMO_PATHS[@]}"
    run redis-cli -p "$DEMO_REDIS_PORT" ping
    assert_output PONG
    run answers
    assert_success
    node_down
    wait_until 5 no_node_process
}

@test "a killed database comes back, and who is linked to it starts again too" {
    demo_ports
    node_up "$TOP/etc/demo.yaml"
    db=$(incarnation_of demo/db)
    counter=$(incarnation_of demo/counter)
    heart=$(pid_of demo/heart)
    kill -KILL "$(pid_of demo/db)"
    wait_until 20 is_restarted demo/db "$db"
    wait_until 20 is_restarted demo/counter "$counter"
    assert_equal "$(pid_of demo/heart)" "$heart"
    run troupe why demo/counter
    assert_success
    assert_output --partial "demo/db"
    assert_output --partial "signal:KILL"
    assert_tree_is_exactly "${DEMO_PATHS[@]}"
}

@test "when the page ends, the visitor after it starts again, in that order" {
    demo_ports
    node_up "$TOP/etc/demo.yaml"
    page=$(incarnation_of demo/web/page)
    visitor=$(incarnation_of demo/web/visitor)
    kill -KILL "$(pid_of demo/web/page)"
    wait_until 20 is_restarted demo/web/page "$page"
    wait_until 20 is_restarted demo/web/visitor "$visitor"
    wait_until 5 answers
    assert_tree_is_exactly "${DEMO_PATHS[@]}"
}

@test "every example is valid" {
    for file in "$TOP"/etc/*.yaml "$TOP"/etc/examples/*.yaml; do
        run troupe check "$file"
        assert_success
    done
}

@test "the pool has its workers, knows their numbers, and takes jobs while it runs" {
    node_up "$TOP/etc/examples/pool.yaml"
    assert_tree_is_exactly pool pool/farm.1 pool/farm.2 pool/farm.3 pool/farm.4 pool/jobs
    wait_until 5 said pool/farm.3 "worker 3 is at work"
    run troupe add pool/jobs
    assert_success
    assert_output pool/jobs/1
    wait_for_state pool/jobs/1 ready
    run troupe add pool/jobs
    assert_output pool/jobs/2
}

said() { # ADDRESS TEXT
    troupe log -n 50 "$1" | grep -qF "$2"
}

@test "a child that cannot be helped takes only its own application down, and why tells" {
    yaml steady.yaml <<'END'
troupe: 1
application: steady
supervisor:
  children:
    - {name: rock, exec: [sh, -c, 'while :; do sleep 60; done']}
END
    node_up steady.yaml
    run node_up "$TOP/etc/examples/crash.yaml"
    wait_for_state crash failed 20
    run troupe why crash
    assert_success
    assert_output --partial "crash/shaky/crasher"
    assert_output --partial "exit:3"
    assert_tree_is_exactly steady steady/rock
}

@test "jobs run once, until they succeed, or when they ask for it" {
    run node_up "$TOP/etc/examples/jobs.yaml"
    wait_until 5 said jobs/prepare prepared
    wait_until 5 said jobs/poll "nothing new"
    refute [ "$(state_of jobs/prepare)" = ready ]
    wait_for_state jobs/poll backoff
    run troupe why jobs/poll
    assert_output --partial "exit:75"
}

@test "the words of jobs that are gone at once are kept" {
    yaml quick.yaml <<'END'
troupe: 1
application: quick
supervisor:
  children:
    - {name: first, restart: temporary, exec: [sh, -c, 'echo "first words"']}
    - {name: second, restart: temporary, exec: [sh, -c, 'echo "second words"']}
    - {name: steady, exec: [sh, -c, 'while :; do sleep 60; done']}
END
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$TROUPE_STATE"
        node_up quick.yaml
        node_down
        run cat "$TROUPE_STATE/log/quick/first.log" "$TROUPE_STATE/log/quick/second.log"
        assert_output --partial "first words"
        assert_output --partial "second words"
    done
}
