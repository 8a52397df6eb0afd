#!/usr/bin/env bats
# The node's own part of the tree: what may be done to it, and what it survives.

bats_require_minimum_version 1.5.0
load helper

setup() {
    troupe_setup
    yaml shop.yaml <<'EOF'
troupe: 1
application: shop
supervisor:
  children:
    - {name: clock, exec: [sh, -c, 'n=0; while :; do n=$((n + 1)); echo "tick $n"; sleep 0.1; done']}
EOF
    node_up shop.yaml
}

log_has() { # TEXT
    timeout 5 troupe log -n 1000 shop/clock | grep -qF "$1"
}

is_back() { # ADDRESS OLD-PID
    [[ $(state_of "$1") == ready && $(pid_of "$1") != "$2" ]]
}

@test "a sys that is killed comes back, the applications never notice, and nothing logged is lost" {
    local clock sys
    clock=$(pid_of shop/clock)
    sys=$(pid_of sys)
    wait_until 5 log_has "tick 2"
    kill -KILL "$sys"
    wait_until 10 is_back sys "$sys"
    wait_until 10 is_back sys/log 0
    assert_equal "$(pid_of shop/clock)" "$clock"
    wait_until 10 log_has "tick 9"
    run bash -c "timeout 5 troupe log -n 1000 shop/clock | sed 's/.*tick //' | head -n 9 | tr '\n' ' '"
    assert_output "1 2 3 4 5 6 7 8 9 "
}

@test "sys and what is below it can be restarted, but not stopped or removed" {
    local address
    for address in sys sys/log; do
        run -1 troupe stop "$address"
        assert_output --partial "belongs to the node"
        run -1 troupe rm "$address"
        assert_output --partial "belongs to the node"
    done
    run -0 troupe restart sys/log
    assert_equal "$(state_of sys/log)" ready
}
