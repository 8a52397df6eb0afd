#!/usr/bin/env bats
# Services: actors that exist when somebody calls them (CLUSTER 4), on one host. F numbers are those of the
# scenarios taken from rio-rs. tests/modules/entity.c notes its lives in a file, and finds out when there are
# two of it.

load helper

# service_up [KEYS]: shop/things with these keys, and talkers beside it.
service_up() {
    mkdir -p "$DIR/locks"
    yaml shop.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - name: things
      service: {module: entity, args: {notes: $DIR/notes, locks: $DIR/locks, slow_ms: 1000}${1:+, $1}}
    - {name: talker, module: talker}
    - {name: swarm, module: swarm, replicas: 2}
END
    : >"$DIR/notes"
    node_up shop.yaml
}

# figure KEY: what `troupe services` says of shop/things.
figure() {
    troupe services -o "$1"
}

figure_is() { # KEY VALUE
    [[ $(figure "$1") == "$2" ]]
}

is_there() { # ID
    [[ -S $TROUPE_RUN/shop/things/$1 ]] || [[ -n $(troupe ps -o path "shop/things/$1" 2>/dev/null) ]]
}

is_not_there() {
    ! is_there "$1"
}

epoch_of() { # ID
    ask "shop/things/$1" who | cut -f 2
}

# swarm N NAME CALLERS IDS ROUNDS LO HI TIMEOUT: what became of the calls of that many at once.
swarm() {
    troupe call --timeout 60s "shop/swarm.$1" run shop/things/ "${@:2}"
}

# Does somebody wait in the listen queue of this id? (rundir_listen() binds under another name.)
is_queued() { # ID
    ss -xln | awk -v name="/.new-$1 " 'index($0, name) && $3 > 0 { found = 1 } END { exit !found }'
}

# noted PATTERN: how many lines of the notes match.
noted() {
    grep -c -- "$1" "$DIR/notes"
}

@test "a call starts the actor, which is gone after idle, and comes back with the next call and its state" {
    yaml carts.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: carts, service: {module: cart, idle: 300ms, max: 100, state: true}}
END
    node_up carts.yaml
    [[ $(troupe call shop/carts/42 add apple 3) == 3 ]]
    [[ $(troupe call shop/carts/42 list) == 'apple 3' ]]
    [[ $(state_of shop/carts/42) == ready ]]
    [[ $(troupe services -o instances,activations,failures,placement | tr '\t' ' ') == *1*1*0*local* ]]
    gone() { [[ ! -e $TROUPE_RUN/shop/carts/42 && $(troupe services -o instances) == 0 ]]; }
    wait_until 5 gone
    [[ $(ps_paths) != *shop/carts/42* ]]
    troupe why shop/carts/42 | grep -q 'shutdown idle'
    [[ $(troupe services -o idle_stops) == 1 ]]
    [[ $(troupe call shop/carts/42 list) == 'apple 3' ]]
    [[ $(troupe services -o activations) == 2 ]]
    [[ $(incarnation_of shop/carts/42) -gt 1 ]]
}

@test "a service of programs: each of its actors is a port to one, which is told whose it is by its path" {
    cat >say.sh <<'END'
n=0
while IFS=$'\t' read -r ref message rest; do
    printf '%s\t%s\t%s %s\n' "$ref" "$message" "$TROUPE_PATH" $((n += 1))
done
END
    yaml programs.yaml <<'END'
troupe: 1
application: shop
supervisor:
  children:
    - {name: says, service: {module: port, max: 10, idle: 300ms, args: {exec: "bash say.sh"}}}
END
    node_up programs.yaml
    assert_equal "$(troupe call shop/says/a hello)" $'hello\tshop/says/a 1'
    assert_equal "$(troupe call shop/says/b hello)" $'hello\tshop/says/b 1'
    are_gone() { [[ $(troupe ps -o path shop | grep -c shop/says/) == 0 ]]; }
    wait_until 5 are_gone # after their idle time
    assert_equal "$(troupe call shop/says/a hello)" $'hello\tshop/says/a 1'
}

@test "state outlives the actor, its service, the store and the node, and a new life may save" {
    yaml carts.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: carts, service: {module: cart, max: 100, state: true}}
END
    node_up carts.yaml
    [[ $(troupe call shop/carts/42 add apple 1) == 1 ]]
    kill -KILL "$(pid_of shop/carts/42)"
    is_gone() { [[ ! -e $TROUPE_RUN/shop/carts/42 ]]; }
    wait_until 5 is_gone
    [[ $(troupe call shop/carts/42 add apple 1) == 2 ]]
    kill -KILL "$(pid_of shop/carts)"
    [[ $(troupe call shop/carts/42 add apple 1) == 3 ]]
    kill -KILL "$(pid_of sys/store)"
    [[ $(troupe call shop/carts/42 add apple 1) == 4 ]]
    before=$(incarnation_of shop/carts/42)
    troupe restart shop/carts/42
    [[ $(troupe call shop/carts/42 list) == 'apple 4' && $(incarnation_of shop/carts/42) -gt $before ]]
    node_down
    node_up carts.yaml
    [[ $(troupe call shop/carts/42 add apple 1) == 5 ]]
    [[ $(troupe call shop/carts/7 list) == '' ]]
}

@test "who is stopped or restarted while its place is being claimed keeps what it saves after that" {
    yaml carts.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: carts, service: {module: cart, max: 100, state: true}}
END
    node_up carts.yaml
    [[ $(troupe call shop/carts/1 add apple 1) == 1 ]]
    for order in stop restart; do
        kill -STOP "$(pid_of sys/store)"
        in_background first troupe start "shop/carts/$order"
        first=$!
        is_claiming() { [[ -n $(troupe ps -o path "shop/carts/$order") ]]; }
        wait_until 5 is_claiming
        in_background "$order" troupe "$order" "shop/carts/$order"
        second=$!
        in_background third troupe call "shop/carts/$order" add apple 1
        third=$!
        pause 0.3 # all of that has been heard by then
        [[ $(state_of "shop/carts/$order") != backoff ]]
        kill -CONT "$(pid_of sys/store)"
        wait "$first" || true
        wait "$second" || true
        wait "$third"
        [[ $(troupe call "shop/carts/$order" add apple 1) == 2 ]]
        [[ $(troupe services -o failures) == 0 ]]
    done
}

@test "the example etc/carts.yaml is good" {
    troupe check "$BATS_TEST_DIRNAME/../etc/carts.yaml"
}

@test "F1: a message to an id that was never there is answered by an actor of that id" {
    service_up
    [[ $(ask shop/things/1 who | cut -f 1) == 1 ]]
    [[ $(ask shop/things/1 env) == "1 $(epoch_of 1)" ]]
    [[ $(epoch_of 1) == "$(incarnation_of shop/things/1)" ]]
}

@test "F2, F8, F9: an answer or an error of its own leaves the actor alive" {
    service_up
    run troupe call shop/things/1 fail 'variant A'
    [[ $status == 8 && $output == *'variant A'* ]]
    [[ $(state_of shop/things/1) == ready ]]
    [[ $(ask shop/things/1 hit) == 1 && $(ask shop/things/1 hit) == 2 ]]
}

@test "F7: a service that is not there is no such actor, and so is a child of a plain supervisor" {
    service_up
    run troupe call shop/nope/1 hit
    [[ $status == 3 ]]
    run troupe call shop/nope hit
    [[ $status == 3 ]]
    [[ $(ask shop/talker call shop/nope/1 0 value) == '!noproc' ]]
}

@test "F10: a crash in a handler fails the call by its signal; the next call starts another" {
    service_up
    ask shop/things/1 hit
    first=$(epoch_of 1)
    run troupe call shop/things/1 crash
    [[ $status == 1 && $output == *'down signal:ABRT'* ]]
    wait_until 5 is_not_there 1
    [[ $(ask shop/things/1 hit) == 1 ]]
    [[ $(epoch_of 1) -gt $first ]]
    [[ $(figure failures) == 1 ]]
}

@test "F11, F12: a start that crashes or fails is told to who called, by name, and leaves nothing behind" {
    service_up
    run troupe call shop/things/poison1 hit
    [[ $status == 1 && $output == *'down'*'I am poison'* ]]
    run troupe call shop/things/abort1 hit
    [[ $status == 1 && $output == *'down'*'signal:ABRT'* ]]
    wait_until 5 is_not_there poison1
    wait_until 5 is_not_there abort1
    [[ $(ask shop/talker call shop/things/poison2 0 hit) == '!down'*'I am poison'* ]]
}

@test "F13: an actor of a service calls another that was never there" {
    service_up
    [[ $(ask shop/things/1 through shop/things/2000) == 2000 ]]
}

@test "F23: a circle of calls is a deadlock by name at once, and the service goes on" {
    service_up
    run troupe call shop/things/a through 'shop/things/a'
    [[ $status == 8 && $output == *deadlock* ]]
    run troupe call shop/things/a through 'shop/things/b shop/things/a'
    [[ $status == 8 && $output == *deadlock* ]]
    [[ $(ask shop/things/c hit) == 1 ]]
}

@test "F23: a circle by which an id is called that is only starting is a deadlock, too" {
    yaml circle.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: talker, module: talker}
    - name: callers
      service: {module: caller, args: {to: shop/talker, with: shop/callers/1, name: answer}}
END
    node_up circle.yaml
    run ask shop/callers/1 answer
    assert_output '!deadlock'
}

@test "F36: a call's deadline holds while the actor starts, and the actor is there all the same" {
    service_up
    start=$(now_ms)
    run troupe call --timeout 200ms shop/things/slow1 hit
    [[ $status == 6 ]]
    (($(now_ms) - start < 900 * TEST_SCALE))
    [[ $(ask shop/things/slow1 hit) == 1 ]]
    [[ $(noted '^init slow1') == 1 ]]
}

@test "F18: a thousand calls of one id by one client make one actor" {
    service_up
    [[ $(swarm 1 hit 1 1 1000 0 0 5000) == answered=1000 ]]
    [[ $(ask shop/things/0 hit) == 1001 ]]
    [[ $(figure activations) == 1 ]]
}

@test "F20: two first messages at once make one process, and neither is handled before its start is over" {
    service_up
    in_background one troupe call shop/things/slow1 hit
    one=$!
    in_background two troupe call shop/things/slow1 hit
    two=$!
    wait "$one" && wait "$two"
    [[ $(sort "$DIR/one.out" "$DIR/two.out" | tr '\n' ' ') == '1 2 ' ]]
    [[ $(noted '^init slow1') == 1 ]]
    [[ $(grep -n '^ready\|^hit' "$DIR/notes" | head -n 1) == *ready* ]]
}

@test "the slow start of one id holds up no other" {
    service_up
    in_background slow troupe call shop/things/slow1 hit
    slow=$!
    started() { [[ $(noted '^init slow1') == 1 ]]; }
    wait_until 5 started
    [[ $(ask shop/things/quick hit) == 1 ]]
    [[ $(noted '^ready slow1') == 0 ]]
    wait "$slow"
}

@test "F33: a node that stops ends every actor in order" {
    service_up
    for i in 1 2 3; do ask "shop/things/$i" hit; done
    node_down
    [[ $(noted '^end\[shutdown\]') == 3 ]]
}

@test "stop ends that actor only, and the next message starts it" {
    service_up
    ask shop/things/1 hit
    ask shop/things/2 hit
    troupe stop shop/things/1
    is_not_there 1
    [[ $(ask shop/things/2 hit) == 2 ]]
    [[ $(ask shop/things/1 hit) == 1 ]]
    troupe start shop/things/3
    [[ $(state_of shop/things/3) == ready ]]
    troupe restart shop/things/3
    [[ $(noted '^ready 3') == 2 ]]
    run troupe add shop/things
    [[ $status == 1 && $output == *'is a service'* ]]
}

@test "more than max is overloaded by name; what stops makes room" {
    service_up 'max: 2'
    ask shop/things/1 hit
    ask shop/things/2 hit
    run troupe call shop/things/3 hit
    [[ $status == 8 && $output == *overloaded*'2 are live'* ]]
    [[ $(ask shop/talker call shop/things/3 0 hit) == '!overloaded'* ]]
    [[ $(figure overloaded) == 2 ]]
    troupe stop shop/things/1
    [[ $(ask shop/things/3 hit) == 1 ]]
}

@test "the service hangs: so many first calls wait for it, and who would wait behind them is told overloaded" {
    local pid

    service_up 'max: 100'
    pid=$(pid_of shop/things)
    kill -STOP "$pid"
    run swarm 1 hit 50010 50010 1 0 0 10000
    kill -CONT "$pid"
    assert_equal "$(tr ' ' '\n' <<<"$output" | sort)" 'overloaded=10
timeout=50000'
    wait_until 10 troupe call shop/things/0 hit
}

@test "who was refused again and again hears why each time, and is served as soon as there is room" {
    service_up 'max: 1'
    ask shop/things/1 hit
    for i in 1 2 3 4 5; do
        [[ $(ask shop/talker call shop/things/2 0 hit) == '!overloaded'* ]]
    done
    troupe stop shop/things/1
    [[ $(ask shop/talker call shop/things/2 0 hit) == 1 ]]
}

@test "a poison id is refused by name after a few failures, and no other id hears of it" {
    service_up 'intensity: 2, period: 30s, refuse: 2s, backoff: {initial: 10ms, max: 20ms}'
    ask shop/things/good hit
    service=$(pid_of shop/things)
    for i in 1 2 3; do
        run troupe call shop/things/poison hit
        [[ $status == 1 && $output != *refused* ]]
    done
    run troupe call shop/things/poison hit
    [[ $status == 1 && $output == *'refused for'*'it failed 3 times in 30s'*'I am poison'* ]]
    [[ $(noted '^init poison') == 3 ]]
    [[ $(figure refused) == 1 ]]
    [[ $(ask shop/things/good hit) == 2 && $(pid_of shop/things) == "$service" ]]
    tried_again() { troupe call shop/things/poison hit; [[ $(noted '^init poison') == 4 ]]; }
    wait_until 10 tried_again
}

@test "epochs never repeat: not after an idle stop, a crash, or a restart of the node" {
    service_up
    epoch_of 1 >"$DIR/epochs"
    troupe stop shop/things/1
    epoch_of 1 >>"$DIR/epochs"
    kill -KILL "$(pid_of shop/things/1)"
    wait_until 5 is_not_there 1
    epoch_of 1 >>"$DIR/epochs"
    kill -KILL "$(pid_of shop/things)"
    back() { epoch_of 1; }
    wait_until 5 back
    epoch_of 1 >>"$DIR/epochs"
    node_down
    node_up shop.yaml
    epoch_of 1 >>"$DIR/epochs"
    [[ $(sort -n -u "$DIR/epochs") == "$(cat "$DIR/epochs")" ]]
}

@test "a connection that waits in the listen queue of a dying actor starts the next one" {
    service_up
    ask "shop/things/queued$$" hit
    pid=$(pid_of "shop/things/queued$$")
    kill -STOP "$pid"
    in_background waiting troupe call "shop/things/queued$$" hit
    waiting=$!
    wait_until 5 is_queued "queued$$"
    kill -KILL "$pid"
    wait "$waiting"
    [[ $(cat "$DIR/waiting.out") == 1 ]]
    [[ $(noted "^ready queued$$") == 2 ]]
}

@test "a subscriber, a monitor and plain nng reach an actor that lives" {
    service_up
    ask shop/things/1 hit
    [[ $(printf hit | nngcat --req --dial "ipc://$TROUPE_RUN/shop/things/1" --file - --ascii) == *2* ]]
}

@test "rights: who may only look starts nothing" {
    ((EUID == 0)) || skip 'needs root'
    service_up
    run setpriv --reuid 65534 --regid 65534 --clear-groups troupe call shop/things/1 hit
    [[ $status != 0 ]]
    is_not_there 1
}

@test "a link in the config to an actor of the same file's service: who has it waits for the actor, and ends with it" {
    service_up
    yaml fans.yaml <<END
troupe: 1
application: fans
depends_on: [shop]
supervisor: {children: [{name: fan, module: talker, link: [shop/things/1]}]}
END
    sed -i '/name: talker/s/.*/    - {name: talker, module: talker, link: [shop\/things\/2]}/' shop.yaml
    troupe check shop.yaml fans.yaml
    in_background up troupe up -d fans.yaml
    is_in() { [[ $(state_of fans/fan) == "$1" ]]; }
    wait_until 10 is_in waiting
    ask shop/things/1 hit
    wait_until 10 is_in ready
    fan=$(pid_of fans/fan)
    kill -KILL "$(pid_of shop/things/1)"
    wait_until 10 process_is_gone "$fan"
    wait_until 10 is_in waiting
    troupe why fans/fan | grep -q 'cascade shop/things/1 signal:KILL'
    ask shop/things/1 hit
    wait_until 10 is_in ready
}

@test "keys of a service: what is wrong is named" {
    yaml bad.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - name: a
      service: {module: entity, max: 100000}
    - name: b
      service: {module: nowhere, idle: 5}
    - name: c
      service: {idle: 5s, placement: moon}
END
    run troupe check "$DIR/bad.yaml"
    [[ $status == 7 ]]
    ulimit -Hn | grep -qx unlimited || (($(ulimit -Hn) > 100255)) ||
        [[ $output == *'shop/a: service: max: 100000: more than the descriptors'* ]]
    [[ $output == *'shop/b: service: module: "nowhere": no such module'* ]]
    [[ $output == *'shop/b: service: idle: "5": expected a time'* ]]
    [[ $output == *'shop/c: service: module: missing'* ]]
    [[ $output == *'shop/c: service: placement: "moon"'* ]]
}

@test "a message at the moment of an idle stop is not lost: 200 actors, six rounds, calls at their idle time" {
    service_up 'idle: 150ms, max: 300'
    [[ $(swarm 1 hit 200 200 6 130 170 10000) == answered=1200 ]]
    [[ $(noted '^hit') == 1200 ]]
    (($(figure idle_stops) > 100))
    [[ $(noted overlap) == 0 ]]
}

@test "an idle time that is shorter than the way of a message: who has started an actor reaches it" {
    service_up 'idle: 1ms, max: 20'
    [[ $(swarm 1 hit 20 20 50 0 5 10000) == answered=1000 ]]
    [[ $(noted '^hit') == 1000 ]]
}

@test "SIGKILL of the service under 500 callers: one new life of each id at most, all callers hear" {
    service_up 'max: 300'
    in_background one swarm 1 hit 250 50 40 1 40 10000
    one=$!
    in_background two swarm 2 hit 250 50 40 1 40 10000
    two=$!
    all_live() { [[ $(figure instances) == 50 ]]; }
    wait_until 10 all_live
    kill -KILL "$(pid_of shop/things)"
    wait "$one" && wait "$two"
    for name in one two; do
        tr ' ' '\n' <"$DIR/$name.out" | grep -qv '^answered=\|^down=' && false
        [[ $(tr -s ' =' '\n' <"$DIR/$name.out" | awk '/^[0-9]+$/ { n += $1 } END { print n }') == 10000 ]]
    done
    [[ $(noted '^overlap') == 0 ]]
    [[ $(noted '^ready') -le 100 ]]
    [[ $(figure instances) == 50 ]]
}

# ---- many actors: shards, of which nobody else knows ------------------------------------------------

# a service of 601 and more has shards: these are of two.
many='max: 601, idle: 60s'

shard_pids() {
    pgrep -P "$(pid_of shop/things)" -f 'shop/things/[.]'
}

@test "many: an actor's path, mailbox and all that is asked about it are as if there were no shards" {
    service_up "$many"
    for i in 1 2 3 4 5 6 7 8; do ask "shop/things/$i" hit; done
    [[ $(shard_pids | wc -l) == 2 ]]
    [[ $(ps_paths | grep -c shop/things/) == 8 ]]
    [[ $(ps_paths) != *shop/things/.* ]]
    troupe tree | grep -q 'things'
    for i in 1 2 3 4; do
        [[ $(state_of "shop/things/$i") == ready && -S $TROUPE_RUN/shop/things/$i ]]
        troupe status "shop/things/$i" | grep -q 'kind: *module'
        troupe why "shop/things/$i" | grep -q 'is ready'
        troupe stop "shop/things/$i"
        [[ ! -e $TROUPE_RUN/shop/things/$i ]]
        troupe why "shop/things/$i" | grep -q 'shutdown'
    done
    [[ $(figure instances) == 4 ]]
    [[ $(ask shop/things/1 through 'shop/things/9 shop/things/10 shop/things/11') == 11 ]]
    troupe start shop/things/12
    troupe restart shop/things/12
    [[ $(noted '^ready 12') == 2 ]]
    run troupe status shop/things/nobody
    [[ $status == 3 ]]
}

@test "many: the path of a service may be as long as paths are" {
    local i indent='    ' path=shop

    printf 'troupe: 1\napplication: shop\nsupervisor:\n  children:\n' >deep.yaml
    for i in 1 2 3 4 5 6 7; do # of 63 letters each
        path+=/$(printf 's%062d' "$i")
        printf '%s- name: %s\n%s  supervisor:\n%s    children:\n' "$indent" "${path##*/}" "$indent" "$indent"
        indent+='      '
    done >>deep.yaml
    path+=/$(printf "v%0$((508 - ${#path} - 2))d" 0)
    echo "$indent- {name: ${path##*/}, service: {module: cart, max: 601, state: true}}" >>deep.yaml
    node_up deep.yaml
    [[ ${#path} == 508 && $(troupe call "$path/1" add apple 1) == 1 && $(troupe call "$path/22" add apple 2) == 2 ]]
}

@test "many: a monitor hears the true end of an actor in whatever shard, and a link ends with it" {
    service_up "$many"
    for i in 1 2 3 4; do
        ask "shop/things/$i" hit
        ask shop/talker monitor "shop/things/$i"
    done
    for i in 1 2 3 4; do kill -KILL "$(pid_of "shop/things/$i")"; done
    heard_all() { [[ $(ask shop/talker heard | grep -o 'signal:KILL' | wc -l) == 4 ]]; }
    wait_until 5 heard_all
}

@test "many: max is that of the whole service, to the last one" {
    service_up "$many"
    [[ $(swarm 1 hit 620 620 1 0 0 20000 | tr ' ' '\n' | sort | tr '\n' ' ') == \
        'answered=601 overloaded=19 ' ]]
    [[ $(figure instances) == 601 ]]
}

@test "many: events of all shards are told, also of one that was started again" {
    service_up "$many"
    in_background events troupe events --follow shop/things
    is_told() { grep -q "path=shop/things/$1 .*event=child.ready" "$DIR/events.out"; }
    follows() { ask shop/things/first hit && troupe stop shop/things/first && is_told first; }
    wait_until 5 follows
    for i in 1 2 3 4; do
        ask "shop/things/$i" hit
        wait_until 5 is_told "$i"
    done
    for pid in $(shard_pids); do kill -KILL "$pid"; done
    for i in 5 6 7 8; do
        again() { ask "shop/things/$i" hit && troupe stop "shop/things/$i" && is_told "$i"; }
        wait_until 5 again
    done
}

@test "many: SIGKILL of each shard, and of the service, under 500 callers: one new life at most for each end" {
    service_up 'max: 700'
    in_background one swarm 1 hit 250 50 60 1 40 20000
    one=$!
    in_background two swarm 2 hit 250 50 60 1 40 20000
    two=$!
    all_live() { [[ $(figure instances) == 50 ]]; }
    wait_until 10 all_live
    for pid in $(shard_pids); do kill -KILL "$pid"; done
    wait_until 10 all_live
    kill -KILL "$(pid_of shop/things)"
    wait "$one" && wait "$two"
    for name in one two; do
        tr ' ' '\n' <"$DIR/$name.out" | grep -qv '^answered=\|^down=' && false
        [[ $(tr -s ' =' '\n' <"$DIR/$name.out" | awk '/^[0-9]+$/ { n += $1 } END { print n }') == 15000 ]]
    done
    [[ $(noted '^overlap') == 0 ]]
    [[ $(noted '^ready') -le 150 ]]
}

@test "F21: a store that cannot be reached fails the call by name, and nobody begins with nothing" {
    yaml carts.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: carts, service: {module: cart, max: 100, state: true}}
node:
  store: redis://127.0.0.1:1
END
    node_up carts.yaml
    run troupe call shop/carts/42 list
    [[ $status == 1 && $output == *'down error store unreachable'* ]]
    [[ ! -e $TROUPE_RUN/shop/carts/42 ]]
    [[ $(troupe services -o instances) == 0 ]]
}
