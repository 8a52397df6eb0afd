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
