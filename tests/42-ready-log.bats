#!/usr/bin/env bats
# `ready: log`: the line that a program prints first of all is not missed.

load helper

hasty_tree() {
    yaml hasty.yaml <<EOF
troupe: 1
application: hasty
supervisor:
  intensity: unlimited
  children:
    - name: program
      exec: [sh, -c, 'echo "now serving"; exec sleep 1000']
      ready: {log: '^now serving$'}
      start_timeout: 2s
      backoff: {initial: 1s, max: 1s}
EOF
}

@test "a program that prints its line at once becomes ready, 50 times out of 50" {
    local i

    hasty_tree
    node_up hasty.yaml
    for ((i = 0; i < 50; i++)); do
        run timeout $((10 * TEST_SCALE)) troupe restart hasty/program </dev/null
        assert_success
    done
    assert_equal "$(incarnation_of hasty/program)" 51 # none was tried twice
    assert_equal "$(state_of hasty/program)" ready
}

@test "it becomes ready after sys/log was killed, too" {
    local i log

    hasty_tree
    node_up hasty.yaml
    for ((i = 0; i < 10; i++)); do
        log=$(pid_of sys/log)
        life=$(incarnation_of sys/log)
        kill -KILL "$log"
        run timeout $((10 * TEST_SCALE)) troupe restart hasty/program </dev/null
        assert_success
        wait_until 5 is_restarted sys/log "$life"
    done
    assert_equal "$(incarnation_of hasty/program)" 11
}
