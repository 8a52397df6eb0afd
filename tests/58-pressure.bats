#!/usr/bin/env bats
#
# A mailbox under pressure: more comes than the actor can take.

load helper

@test "of 64 actors that flood one, none is kept waiting by the others" {
    local slowest fastest

    yaml crowd.yaml <<YAML
troupe: 1
application: crowd
supervisor:
  intensity: 100
  children:
    - {name: target, module: target}
    - {name: conductor, module: driver}
    - {name: sender, module: driver, replicas: 64}
YAML
    TROUPE_MODULE_PATH=$BUILD/tests/bench node_up crowd.yaml
    run timeout $((60 * TEST_SCALE)) troupe call --timeout 60s crowd/conductor \
        crowd crowd/target crowd/sender 64 $((1500 * TEST_SCALE))
    assert_success
    read -r _ slowest fastest <<<"$output"
    [ "$fastest" -gt 0 ]
    # Processes that share two processors are not quite alike.
    [ $((slowest * 5)) -gt "$fastest" ]
}

# ---- calls without end --------------------------------------------------------------------

ASKS=100000

# An actor that makes ASKS calls at once, and one that is stopped, so that none is answered.
crowd_and_deaf() {
    yaml t.yaml <<YAML
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: crowd, module: crowd}
    - {name: below, supervisor: {children: [{name: echo, module: echo}]}}
YAML
    node_up t.yaml
    ask t/crowd ask t/below/echo echo x 1 1 5000
    DEAF=$(pid_of t/below/echo)
    kill -STOP "$DEAF"
    in_background asks timeout $((60 * TEST_SCALE)) troupe call --timeout 60s \
        t/crowd ask t/below/echo echo x "$ASKS" "$ASKS" 50000
    wait_until 10 sent_all
}

sent_all() {
    (($(column_of out t/crowd) >= ASKS))
}

memory_of() { # PATH: KiB
    awk '/^VmRSS/ { print $2 }' "/proc/$(pid_of "$1")/status"
}

asks_came_to() { # OUTCOME
    [[ $(cat asks.out) == "$1" ]]
}

@test "100,000 calls may be under way at once, in bounded memory, and all are answered" {
    local limit=$((100 * 1024))

    [[ -z ${SAN:-} ]] || limit=$((3 * limit)) # a sanitizer puts fences around each call
    crowd_and_deaf
    (($(memory_of t/crowd) < limit))
    kill -CONT "$DEAF"
    wait_until 30 asks_came_to "answered=$ASKS"
}

@test "when their receiver dies each of 100,000 calls has its end: down, or answered by the next one" {
    local down answered

    crowd_and_deaf
    kill -KILL "$DEAF"
    wait_until 30 test -s asks.out
    # the kernel had taken the first few: those are lost, and the others go to the next incarnation
    run cat asks.out
    assert_output --regexp '^down=[0-9]+ answered=[0-9]+$'
    read -r down answered <<<"$output"
    ((${down#*=} + ${answered#*=} == ASKS))
    (($(memory_of t) < 100 * 1024 && $(memory_of t/below) < 100 * 1024))
}
