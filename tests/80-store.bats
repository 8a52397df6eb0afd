#!/usr/bin/env bats
# What actors keep in the node's store, and what it survives. The same on all three stores, at the level
# of rows, is in tests/unit/*_store_test.c.

bats_require_minimum_version 1.5.0
load helper
load store

# One keeper (tests/modules/keeper.c), restarted without end; LINEs go below `node:`.
keeper_yaml() { # [LINE…]
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor:
  intensity: unlimited
  children:
    - {name: keeper, module: keeper, state: true, restart: permanent, backoff: {initial: 100ms, max: 200ms}}
END
    [[ $# == 0 ]] || printf '%s\n' 'node:' "${@/#/  }" >>shop.yaml
}

number_is() {
    [[ $(ask shop/keeper number) == "$1" ]]
}

why_says() {
    timeout 10 troupe why shop/keeper </dev/null | grep -qF "$1"
}

kill_actor() { # ADDRESS
    kill -KILL "$(pid_of "$1")"
}

# ---- the actor ------------------------------------------------------------------------------------------

@test "F15: what was kept survives down and up, and SIGKILL of its actor" {
    keeper_yaml
    node_up shop.yaml
    assert_equal "$(ask shop/keeper number)" 0
    assert_equal "$(ask shop/keeper add 5)" 5
    ask shop/keeper say data1
    assert_equal "$(ask shop/keeper save)" 1
    ask shop/keeper say data2
    ask shop/keeper save_now 1000
    kill_actor shop/keeper
    wait_until 5 is_restarted shop/keeper 1
    assert_equal "$(ask shop/keeper words)" "[data2]"
    assert_equal "$(ask shop/keeper add 1)" 6
    node_down
    node_up shop.yaml
    assert_equal "$(ask shop/keeper number)" 6
    assert_equal "$(ask shop/keeper words)" "[data2]"
}

@test "what was changed and not kept is not there after SIGKILL" {
    keeper_yaml
    node_up shop.yaml
    ask shop/keeper add 5
    ask shop/keeper say data1
    ask shop/keeper save
    ask shop/keeper say lost
    run -1 ask shop/keeper crash
    wait_until 5 is_restarted shop/keeper 1
    assert_equal "$(ask shop/keeper number)" 5
    assert_equal "$(ask shop/keeper words)" "[data1]"
}

@test "who only looks saves nothing" {
    keeper_yaml
    node_up shop.yaml
    ask shop/keeper number
    run -0 troupe state list -o name shop/keeper
    assert_output ""
    ask shop/keeper add 5
    version=$(troupe state get -o version shop/keeper number)
    ask shop/keeper number
    assert_equal "$(troupe state get -o version shop/keeper number)" "$version"
    ask shop/keeper add 1
    assert_equal "$(troupe state get -o version shop/keeper number)" $((version + 1))
}

@test "F22: who saves over what another has saved is told conflict, and begins anew with what there is" {
    keeper_yaml
    node_up shop.yaml
    ask shop/keeper say mine
    ask shop/keeper save
    ask shop/keeper add 5
    troupe state put shop/keeper words '[by hand]'
    ask shop/keeper say more
    run -8 ask shop/keeper save
    assert_output --partial "conflict"
    printf '\x2a\0\0\0\0\0\0\0' | troupe state put --file - shop/keeper number
    run -8 ask shop/keeper add 1
    assert_output --partial "error state number: conflict"
    wait_until 5 is_restarted shop/keeper 1
    why_says "error state number: conflict"
    assert_equal "$(ask shop/keeper number)" 42
    assert_equal "$(ask shop/keeper words)" "[by hand]"
}

@test "F22: of two nodes that have begun the same actor, the second to save is told conflict" {
    keeper_yaml "store: sqlite:$DIR/rows"
    use_node east
    node_up shop.yaml
    use_node west
    node_up shop.yaml
    assert_equal "$(ask shop/keeper add 5)" 5
    use_node east
    run -8 ask shop/keeper add 1
    assert_output --partial "error state number: conflict"
    wait_until 5 is_restarted shop/keeper 1
    assert_equal "$(ask shop/keeper add 1)" 6
}

# Another has claimed what this node's actor of that id has.
claim_away() { # ID
    python3 - "$TROUPE_STATE"/store/place-*.db "$1" <<'END'
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as store:
    store.execute("update place set epoch = epoch + 1000 where id = ?", (sys.argv[2],))
END
}

@test "who is owner no more is fenced by his epoch, and ends" {
    local pid

    keeper_yaml
    sed -i 's/{name: keeper, .*/{name: keepers, backoff: {initial: 100ms, max: 200ms}, service: {module: keeper, state: true}}/' shop.yaml
    node_up shop.yaml
    ask shop/keepers/a add 5
    pid=$(pid_of shop/keepers/a)
    claim_away a
    run -8 ask shop/keepers/a add 5
    assert_output --partial "error state number: fenced"
    wait_until 5 process_is_gone "$pid"
    claim_away a # of its next life
    ask shop/keepers/a say mine
    claim_away a
    run -1 ask shop/keepers/a save
    assert_output --partial "fenced"
    ask shop/keepers/a say mine
    claim_away a
    run -1 ask shop/keepers/a remind tick 100 0
    assert_output --partial "fenced"
    assert_equal "$(troupe state get shop/keepers/a number | od -An -td8 | tr -d ' ')" 5
}

@test "an older schema is migrated, a newer one and one that cannot be read are refused by name" {
    keeper_yaml
    node_up shop.yaml
    troupe state put --schema 1 shop/keeper words first
    troupe restart shop/keeper
    assert_equal "$(ask shop/keeper words)" "[first]"
    ask shop/keeper save
    run -0 troupe state get -o json shop/keeper words
    assert_output --partial '"schema":3'
    troupe state put --schema 4 shop/keeper words later
    run -1 troupe restart shop/keeper
    assert_output --partial "error state words: saved by schema 4, this module knows 3"
    troupe state put shop/keeper words '[back]'
    troupe state put shop/keeper number short
    run -1 troupe start shop/keeper
    assert_output --partial "error state number: 5 bytes, expected 8"
    troupe state rm shop/keeper number
    troupe start shop/keeper
    assert_equal "$(ask shop/keeper number)" 0
    assert_equal "$(ask shop/keeper words)" "[back]"
}

@test "a store comes with the first application, or the first added child, that keeps state" {
    yaml plain.yaml <<'END'
troupe: 1
application: plain
supervisor: {children: [{name: counter, module: counter}]}
END
    keeper_yaml
    node_up plain.yaml
    run -1 troupe state list plain
    assert_output --partial "this node keeps no state"
    node_up shop.yaml
    wait_for_state sys/store ready
    assert_equal "$(ask shop/keeper add 5)" 5
    node_down
    node_up plain.yaml
    run -0 troupe add plain '{name: keeper, module: keeper, state: true}'
    assert_equal "$(ask plain/keeper add 7)" 7
}

@test "what keeps state says so itself: the config need not, and must not deny it" {
    keeper_yaml
    sed -i 's/, state: true//' shop.yaml
    yaml cart.yaml <<'END'
troupe: 1
application: market
supervisor: {children: [{name: carts, service: {module: cart, max: 10}}, {name: counter, module: counter, state: false}]}
END
    node_up shop.yaml
    assert_equal "$(ask shop/keeper add 5)" 5
    run -0 troupe check cart.yaml
    sed -i 's/max: 10/max: 10, state: false/' cart.yaml
    run -7 troupe check cart.yaml
    assert_output --partial "market/carts: service: state: false: the module keeps state: expected true, or nothing"
    node_down
    sed -i 's/service: .*10, state: false}/module: keeper, state: false/' cart.yaml
    run -7 troupe check cart.yaml
    assert_output --partial "market/carts: state: false: the module keeps state"
}

@test "what keeps state is the node's own user: a module that says so itself is complained of at the user" {
    yaml cart.yaml <<'END'
troupe: 1
application: market
supervisor:
  children:
    - {name: cart, module: cart, user: 65534}
    - {name: carts, service: {module: cart, max: 10, user: 65534}}
    - {name: said, service: {module: cart, max: 10, user: 65534, state: true}}
END
    run -7 troupe check cart.yaml
    assert_line --partial "cart.yaml:5:34: market/cart: user: the module keeps state, and the store serves"
    assert_line --partial "cart.yaml:6:54: market/carts: service: user: the module keeps state, and the store"
    assert_line --partial "cart.yaml:7:66: market/said: service: state: true: the store serves the node's own user only"
    refute_output --partial "cart: state"
}

@test "an actor that keeps state on a node without a store fails to start by name" {
    export LD_LIBRARY_PATH=$BUILD/lib # what is copied has it no longer beside itself
    cp "$BUILD/workers/counter.so" later.so
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor: {children: [{name: keeper, module: ./later.so, restart: temporary}]}
END
    node_up shop.yaml
    cp "$BUILD/tests/modules/keeper.so" later.new.so # it keeps state only now
    mv later.new.so later.so
    run -1 troupe restart shop/keeper
    run troupe why shop/keeper
    assert_output --partial "error state number: unreachable sys/store: noproc"
}

# ---- from the command line -------------------------------------------------------------------------------

@test "state gets, puts, lists and removes, and tells what is not there from what cannot be had" {
    keeper_yaml
    node_up shop.yaml
    run -3 troupe state get shop/keeper words
    assert_output "troupe: shop/keeper words: nothing is kept"
    run -0 troupe state put shop/keeper words 'two words'
    run -0 troupe state get shop/keeper words
    assert_output "two words"
    head -c 100000 /dev/urandom >bytes
    troupe state put -f bytes shop/other main
    troupe state get shop/other main >back
    cmp bytes back
    run -0 troupe state list -o path,name,size shop
    assert_output "shop/keeper	words	9
shop/other	main	100000"
    run bash -c 'troupe state list -o json shop | jq -e ".states | length == 2 and .[0].name == \"words\""'
    assert_success
    run bash -c 'troupe state get -o json shop/keeper words | jq -e ".state.value == \"two words\""'
    assert_success
    run bash -c 'troupe state get -o json shop/other main | jq -r .state.value.base64 | base64 -d | cmp - bytes'
    assert_success
    run -0 troupe state list -o name shop/other
    assert_output main
    version=$(troupe state get -o version shop/keeper words)
    run -1 troupe state put --if-version 7 shop/keeper words x
    assert_output --partial "conflict: its version is $version"
    run -1 troupe state put --if-version 0 shop/keeper words x
    run -0 troupe state put --if-version "$version" shop/keeper words x
    run -1 troupe state rm --if-version "$version" shop/keeper words
    run -0 troupe state rm shop/keeper words
    run -3 troupe state rm shop/keeper words
    run -2 troupe state take shop/keeper words
    assert_output --partial "expected get, put, rm or list"
    run -2 troupe state get shop words
    assert_output --partial "expected the address of an actor"
    run -2 troupe state get shop/keeper ../words
    run -2 troupe state get shop/keeper
    run -2 troupe state put shop/keeper words
    run -2 troupe state put --if-version some shop/keeper words x
}

@test "state is for the node's own user" {
    ((EUID == 0)) || skip "only root becomes another"
    build_for_all_users
    keeper_yaml
    node_up shop.yaml
    ask shop/keeper add 5
    run -5 setpriv --reuid 65534 --regid 65534 --clear-groups troupe state get shop/keeper number
}

@test "F14: a reminder is kept, replaced and cleared; ids do not share what they keep" {
    keeper_yaml
    node_up shop.yaml
    assert_equal "$(ask shop/keeper remind tick 100 1000)" 0
    assert_equal "$(ask shop/keeper remind tick 200 0)" 0
    ask shop/keeper forget tick
    ask shop/keeper forget tick
    run -0 troupe add shop '{name: other, module: keeper, state: true, backoff: {initial: 1s, max: 1s}}'
    ask shop/keeper add 5
    assert_equal "$(ask shop/other number)" 0
    run -3 troupe state get shop/none number
}

# ---- faults -----------------------------------------------------------------------------------------------

# Adds 1 again and again until $DIR/enough is there; each answer is a line, and what failed its message.
add_on() {
    while [[ ! -e $DIR/enough ]]; do
        troupe call --timeout 10s shop/keeper add 1 </dev/null 2>&1 || true # it may fail, by name
    done
}

has_added() { # N
    (($(grep -c '^[0-9]' adds.out) >= $1))
}

last_added() {
    grep '^[0-9]' adds.out | tail -n 1
}

has_gone_on() { # past the N answers that there were
    has_added $(($1 + 3))
}

# Kills it, $1 times, while adds go on.
kill_while_adding() { # TIMES CMD…
    local times=$1 count adder
    shift
    in_background adds add_on
    adder=$!
    for _ in $(seq "$times"); do
        count=$(grep -c '^[0-9]' adds.out || true)
        "$@"
        wait_until 15 has_gone_on "$count"
    done
    touch enough
    wait_until 15 process_is_gone "$adder"
}

# What was answered was kept: nothing was lost, nothing was counted twice but what failed openly.
assert_nothing_lost() {
    local last failed
    last=$(last_added)
    failed=$(grep -vc '^[0-9]' adds.out || true)
    sort -n -c -u <(grep '^[0-9]' adds.out)
    kill_actor shop/keeper
    wait_until 15 number_is_between "$last" $((last + failed))
}

number_is_between() {
    local number
    number=$(ask shop/keeper number) && ((number >= $1 && number <= $2))
}

kill_store() {
    wait_for_state sys/store ready
    kill_actor sys/store
}

@test "no accepted save is lost when sys/store is killed, and no caller is told it failed" {
    keeper_yaml
    node_up shop.yaml
    kill_while_adding 5 kill_store
    run grep -v '^[0-9]' adds.out
    assert_output ""
    assert_nothing_lost
}

bounce_server() {
    kill_server
    "$START"
}

@test "no accepted save is lost when PostgreSQL is killed, and its actor is not" {
    start_postgres
    START=start_postgres
    keeper_yaml "store: $POSTGRES_URL"
    node_up shop.yaml
    kill_while_adding 3 bounce_server
    assert_equal "$(incarnation_of shop/keeper)" 1
    assert_nothing_lost
}

@test "a save that is waited for takes no longer than it may, also behind one that has more time" {
    local since

    keeper_yaml
    node_up shop.yaml
    ask shop/keeper say data1
    kill -STOP "$(pid_of sys/store)"
    in_background first troupe call --timeout 20s shop/keeper save
    first=$!
    is_saving() { (($(troupe ps -o in shop/keeper) >= 4)); }
    wait_until 5 is_saving # describe, say, describe, save
    since=$(now_ms)
    run -8 troupe call --timeout 20s shop/keeper save_now 300
    assert_output --partial 'unreachable sys/store: timeout'
    (($(now_ms) - since < 2500 * TEST_SCALE))
    kill -CONT "$(pid_of sys/store)"
    wait "$first"
    ask shop/keeper save_now 1000
}

@test "a save that comes by itself takes no longer than it may, also behind one that was asked for" {
    keeper_yaml
    node_up shop.yaml
    ask shop/keeper add 1
    kill -STOP "$(pid_of sys/store)"
    run -8 troupe call --timeout $((4000 * TEST_SCALE))ms shop/keeper add_twice 10
    assert_output --partial 'error state number: unreachable sys/store: timeout'
    kill -CONT "$(pid_of sys/store)"
    assert_equal "$(ask shop/keeper add 1)" 2
    assert_equal "$(ask shop/keeper add_twice 10)" 22
    kill_actor shop/keeper
    assert_equal "$(ask shop/keeper number)" 22
}

@test "F21: without its store an actor does not start, by name; with it back it has what it had" {
    start_redis
    keeper_yaml "store: $REDIS_URL"
    node_up shop.yaml
    ask shop/keeper add 5
    kill_server
    # Who lives goes on; what needs the store fails by name, and has not happened.
    run -8 ask shop/keeper add 1
    assert_output --partial "error state number: unreachable redis: "
    assert_equal "$(ask shop/keeper number)" 5
    run -8 ask shop/keeper save_now 300
    assert_output --partial "unreachable redis: "
    kill_actor shop/keeper
    run -6 troupe state get shop/keeper number
    assert_output --partial "the store does not answer: redis: "
    wait_until 15 why_says "error state number: unreachable redis: "
    start_redis
    wait_until 15 is_restarted shop/keeper 1
    assert_equal "$(ask shop/keeper number)" 5
    assert_equal "$(ask shop/keeper add 1)" 6
}

store_says() {
    timeout 10 troupe status sys/store </dev/null | grep -qF "$1"
}

@test "a Redis that may lose what it acknowledged is refused, unless it is said to be taken so" {
    start_redis everysec
    keeper_yaml "store: $REDIS_URL"
    sed -i '/keeper/s/module: keeper, state: true/exec: [sleep, infinity]/' shop.yaml
    node_up shop.yaml
    wait_until 5 store_says "unreachable: redis: it does not keep what it acknowledges"
    node_down
    keeper_yaml "store: $REDIS_URL" "store_unsafe: true"
    node_up shop.yaml
    assert_equal "$(ask shop/keeper add 5)" 5
}

# cluster_server NAME: one of a cluster, without a slot as yet, at port ${CLUSTER[NAME]}
cluster_server() {
    CLUSTER[$1]=$(free_port)
    mkdir "$DIR/redis-$1"
    run_server redis-server --bind 127.0.0.1 --port "${CLUSTER[$1]}" --dir "$DIR/redis-$1" --cluster-enabled yes \
        --cluster-port "$(free_port)" --cluster-node-timeout 1000 --appendonly yes --appendfsync always --save ''
    wait_until 10 cluster_ask "$1" ping
}

cluster_ask() { # NAME COMMAND…
    redis-cli -e -p "${CLUSTER[$1]}" "${@:2}"
}

# One slot of b, as both are told.
give_a_the_last_slot() {
    local name

    for name in a b; do
        cluster_ask "$name" cluster setslot 16383 node "$(cluster_ask a cluster myid)"
    done
}

# All slots, and no other server.
leave_a_alone() {
    cluster_ask b flushall
    cluster_ask b cluster reset hard
    cluster_ask a flushall
    cluster_ask a cluster reset hard
    cluster_ask a cluster addslotsrange 0 16383
}

@test "a Redis that is one of several is refused by name, whichever keys are its own; alone with all of them it is used" {
    local -A CLUSTER=()
    local why='of a cluster, not all keys are its own: expected one server that has all'

    require redis-server redis-cli
    echo text >text
    cluster_server a
    keeper_yaml "store: redis://127.0.0.1:${CLUSTER[a]}"
    sed -i '/keeper/s/module: keeper, state: true/exec: [sleep, infinity]/' shop.yaml
    node_up shop.yaml
    wait_until 5 store_says "unreachable: redis: $why (CLUSTERDOWN "
    cluster_server b
    cluster_ask b cluster addslotsrange 0 16383
    cluster_ask a cluster meet 127.0.0.1 "${CLUSTER[b]}" "$(cluster_ask b config get cluster-port | tail -n 1)"
    wait_until 20 store_says "$why (MOVED "
    give_a_the_last_slot
    wait_until 20 store_says "$why (2 share them)"
    run -6 troupe state put -f text shop/other main
    assert_output --partial "$why (2 share them)"
    leave_a_alone
    wait_until 20 store_answers
    troupe state put -f text shop/other main
    assert_equal "$(troupe state get shop/other main)" text
}

store_answers() {
    ! store_says unreachable
}

# The node of shop.yaml, whose store has a disk of 1 MB that only it sees.
up_on_small_disk() {
    cat >inside <<END
mkdir -p $TROUPE_STATE/store
mount -t tmpfs -o size=1m none $TROUPE_STATE/store || exit 9
timeout 20 troupe up -d shop.yaml || exit 8
END
    timeout 30 unshare -m sh -e ./inside </dev/null 3>&- 4>&-
}

fill_disk() {
    run nsenter -t "$(pid_of sys/store)" -m sh -c "head -c 2000000 /dev/zero >$TROUPE_STATE/store/ballast"
}

empty_disk() {
    nsenter -t "$(pid_of sys/store)" -m rm "$TROUPE_STATE/store/ballast"
}

@test "on a full disk saves fail by name, the actor goes on, and with room again it saves" {
    ((EUID == 0)) || skip "only root mounts a small disk"
    keeper_yaml
    up_on_small_disk
    ask shop/keeper add 5
    fill_disk
    head -c 500000 /dev/zero >large
    run -1 troupe state put -f large shop/other main
    assert_output --partial "full"
    run -3 troupe state get shop/other main
    until_full() { ! ask shop/keeper add 1; }
    wait_until 20 until_full
    run -8 ask shop/keeper add 1
    assert_output --partial "error state number: failed state.db: "
    number=$(ask shop/keeper number)
    empty_disk
    assert_equal "$(ask shop/keeper add 1)" $((number + 1))
    kill_actor shop/keeper
    wait_until 5 is_restarted shop/keeper 1
    assert_equal "$(ask shop/keeper number)" $((number + 1))
}

@test "on a full disk a service's actors live on, others fail to start by name, and nothing begins anew with nothing" {
    local id=0 number failed=0

    ((EUID == 0)) || skip "only root mounts a small disk"
    yaml shop.yaml <<'END'
troupe: 1
application: shop
supervisor:
  children:
    - {name: keepers, service: {module: keeper, max: 500, intensity: 1000}}
END
    up_on_small_disk
    assert_equal "$(ask shop/keepers/gone add 5)" 5
    troupe stop shop/keepers/gone
    assert_equal "$(ask shop/keepers/live add 7)" 7
    fill_disk
    # what room is left in the files' pages is used up: each start writes
    fails_to_start() { ! ask "shop/keepers/fill-$((id++))" number 2>why; }
    wait_until 30 fails_to_start
    assert_regex "$(cat why)" 'full|disk'
    assert_equal "$(ask shop/keepers/live number)" 7
    for _ in {1..20}; do
        if number=$(ask shop/keepers/gone number); then
            assert_equal "$number" 5
        else
            ((++failed))
        fi
    done
    assert [ "$failed" -gt 0 ]
    assert_equal "$(ask shop/keepers/live number)" 7
    empty_disk
    assert_equal "$(ask shop/keepers/gone number)" 5
    assert_equal "$(ask shop/keepers/gone add 1)" 6
    assert_equal "$(ask shop/keepers/live add 1)" 8
    assert_equal "$(ask shop/keepers/fresh add 1)" 1
}
