#!/usr/bin/env bats
# workers/pool: many workers behind one mailbox. The workers are tests/modules/laborer.c; they hold a job
# until they are told to release it, so that no test depends on how long something takes.

load helper

# pool_up ARGS [TEMPLATE [POOL]]: t/crew with workers of the template, and t/pool with these args.
pool_up() {
    yaml pool.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - name: crew
      supervisor:
        intensity: 1000
        max_children: 8
        template: {module: laborer, shutdown: brutal_kill${2:+, $2}}
    - {name: pool, module: pool, args: {workers: crew, $1}${3:+, $3}}
    - {name: talker, module: talker}
END
    node_up pool.yaml
}

# pool_is_up N: so many workers are up.
pool_is_up() {
    [[ $(worker_stat_lines | grep -c 'state=up ') == "$1" ]]
}

ask() { # MESSAGE [ARG…]
    say -c t/pool "$@"
}

tell() {
    say t/pool "$@"
}

stats() {
    printf '%b\n' "$(ask stats)"
}

worker_stat_lines() {
    stats | grep '^worker='
}

# count_of KEY [WORKER]: the number in the statistics.
count_of() {
    stats | grep "^${2:+worker=t/crew/$2 }" | head -n 1 | tr ' ' '\n' | sed -n "s/^$1=//p"
}

count_is() { # KEY VALUE [WORKER]
    [[ $(count_of "$1" "${3:-}") == "$2" ]]
}

# What was taken is somewhere: running, queued, or counted once by its fate.
books_balance() {
    stats | head -n 1 | tr ' ' '\n' | awk -F= '
        $1 == "taken" { taken = $2 }
        $1 ~ /^(queued|running|done|failed|lost|stuck|expired|full|discarded|rate_limited|bad|stopped)$/ {
            sum += $2 }
        END { if (taken != sum) print "taken " taken ", accounted for " sum; exit taken != sum }'
}

# in_background_ask NAME MESSAGE…: its answer will be in $DIR/NAME.out.
in_background_ask() {
    local name=$1

    shift
    in_background "$name" say -c t/pool "$@"
}

# holds_job WORKER KEY: it has heard of the job.
holds_job() {
    [[ " $(say -c "t/crew/$1" heard) " == *" $2 "* ]]
}

# occupy WORKERS…: each of them is given a job that it holds; route: first_free or round_robin.
occupy() {
    local n

    for n in "$@"; do
        in_background_ask "held$n" hold "busy$n"
    done
    wait_until 10 count_is running $#
    for n in "$@"; do
        wait_until 10 someone_holds "busy$n"
    done
}

someone_holds() {
    local n

    for n in $(worker_stat_lines | sed 's|^worker=t/crew/\([0-9]*\) .*|\1|'); do
        holds_job "$n" "$1" && return 0
    done
    return 1
}

release() { # WORKER…
    local n

    for n in "$@"; do
        say -c "t/crew/$n" release >/dev/null
    done
}

answered() { # NAME TEXT
    [[ $(cat "$DIR/$1.out") == "$2" ]]
}

said() { # ADDRESS TEXT
    troupe log -n 100 "$1" | grep -qF -- "$2"
}

# worker_of KEY: who does the job of this key.
worker_of() {
    local answer

    answer=$(ask work "$1") && echo "${answer%% *}"
}

# ---- routing -----------------------------------------------------------------------------

@test "first_free: a job goes to a worker that has nothing to do" {
    pool_up "size: 3, route: first_free"
    wait_until 10 pool_is_up 3
    occupy 1 2
    run ask work x
    assert_success
    free=${output%% *}
    for key in a b c d; do
        assert_equal "$(ask work $key)" "$free $key"
    done
    release 1 2 3
    books_balance
}

@test "round_robin: each worker has its turn" {
    pool_up "size: 3, route: round_robin"
    wait_until 10 pool_is_up 3
    got=$(for key in a b c d e f; do worker_of "$key"; done | tr '\n' ' ')
    [[ "1 2 3 1 2 3 1 2 3 " == *"$got"* ]]
}

@test "round_robin: one that is down is passed over, and what waited for it goes to others" {
    pool_up "size: 2, route: round_robin"
    wait_until 10 pool_is_up 2
    occupy 1 2
    in_background_ask one work one
    in_background_ask two work two
    wait_until 10 count_is queued 2
    paused=$(pid_of t/crew/1)
    kill -STOP "$paused"
    wait_until 10 pool_is_up 1
    release 2
    wait_until 10 answered one "2 one"
    wait_until 10 answered two "2 two"
    assert_equal "$(ask work three) $(ask work four)" "2 three 2 four"
    kill -CONT "$paused"
    wait_until 10 pool_is_up 2
    release 1
}

@test "key: the same key has the same worker, whether it comes as text, as a number or by a cast" {
    pool_up "size: 4, route: key"
    wait_until 10 pool_is_up 4
    for key in apple pear 17 18; do
        first=$(worker_of "$key")
        assert_equal "$(worker_of "$key")" "$first"
        tell note $key again
        wait_until 10 worker_heard "$first" "$key $key $key"
    done
    # talker casts its number as a number
    assert_equal "$(say -c t/talker cast t/pool work 17)" cast
    wait_until 10 count_is failed 1 "$(worker_of 17)"
}

worker_heard() { # WORKER KEYS
    [[ " $(say -c "t/crew/$1" heard) " == *" $2 "* ]]
}

@test "key: affinity survives a resize: only the keys of the worker that comes or goes move" {
    pool_up "size: 4, route: key"
    wait_until 10 pool_is_up 4
    declare -A at4
    for key in k{1..40}; do
        at4[$key]=$(worker_of "$key")
    done
    assert_equal "$(printf '%s\n' "${at4[@]}" | sort -u | tr '\n' ' ')" "1 2 3 4 "
    assert_equal "$(ask resize 5)" 5
    moved=0
    for key in k{1..40}; do
        now=$(worker_of "$key")
        [[ $now == "${at4[$key]}" ]] && continue
        assert_equal "$now" 5
        moved=$((moved + 1))
    done
    ((moved > 0 && moved < 20))
    assert_equal "$(ask resize 4)" 4
    for key in k{1..40}; do
        assert_equal "$(worker_of "$key")" "${at4[$key]}"
    done
}

@test "key: a job waits for its worker while that is restarted" {
    pool_up "size: 3, route: key, retries: 3"
    wait_until 10 pool_is_up 3
    first=$(worker_of steady)
    incarnation=$(incarnation_of "t/crew/$first")
    kill -KILL "$(pid_of "t/crew/$first")"
    for _ in 1 2 3 4 5; do
        assert_equal "$(worker_of steady)" "$first"
    done
    wait_until 10 is_restarted "t/crew/$first" "$incarnation"
}

@test "field: the message names its worker, and one that does not exist is noproc" {
    pool_up "size: 3, route: field"
    wait_until 10 pool_is_up 3
    for name in 3 1 2 3; do
        assert_equal "$(ask work $name)" "$name $name"
    done
    run ask work nobody
    assert_failure 8
    assert_output "noproc the pool has no such worker"
    run ask work
    assert_failure 8
    assert_output --partial "bad_message work: argument 1: expected the key, got none"
    assert_equal "$(count_of bad)" 2
    books_balance
}

@test "a raw line's texts are taken by the worker's types, and answers come back with theirs" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    assert_equal "$(ask plus k 41)" 42
    run ask plus k many
    assert_failure 8
    assert_output --partial "bad_message plus"
    run ask nonsense
    assert_failure 8
    assert_output "unknown_message nonsense"
}

@test "a typed call and a cast go through as they are" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    assert_equal "$(say -c t/talker call t/pool 2000 nonsense)" "!unknown_message nonsense"
    tell note k v
    wait_until 10 holds_job 1 k
    assert_equal "$(count_of "done")" 1
}

# ---- the queue ---------------------------------------------------------------------------

@test "full: refuse: the one that comes is told so, and what waits is done" {
    pool_up "size: 1, queue: 2, full: refuse"
    wait_until 10 pool_is_up 1
    occupy 1
    in_background_ask a work a
    wait_until 10 count_is queued 1
    in_background_ask b work b
    wait_until 10 count_is queued 2
    run ask work c
    assert_failure 8
    assert_output "overloaded queue full"
    release 1
    wait_until 10 answered a "1 a"
    wait_until 10 answered b "1 b"
    assert_equal "$(count_of full)" 1
    books_balance
}

@test "full: oldest: the one that waits longest makes room, and is told so" {
    pool_up "size: 1, queue: 2, full: oldest"
    wait_until 10 pool_is_up 1
    occupy 1
    for job in "a 2" "b 3" "c 4"; do
        in_background_ask "${job% *}" work "${job% *}"
        wait_until 10 count_is taken "${job#* }"
    done
    wait_until 10 answered a "overloaded queue full"
    release 1
    wait_until 10 answered b "1 b"
    wait_until 10 answered c "1 c"
    assert_equal "$(count_of discarded)" 1
    books_balance
}

@test "full: newest: the youngest of the least urgent goes, urgent ones are let in" {
    pool_up "size: 1, queue: 2, full: newest, priorities: work=2 note=0"
    wait_until 10 pool_is_up 1
    occupy 1
    for job in "a 2" "b 3"; do
        in_background_ask "${job% *}" work "${job% *}"
        wait_until 10 count_is taken "${job#* }"
    done
    run ask work c
    assert_failure 8
    assert_output "overloaded queue full"
    in_background_ask d note d urgent
    wait_until 10 answered b "overloaded queue full"
    release 1
    wait_until 10 answered a "1 a"
    assert_equal "$(say -c t/crew/1 heard)" "busy1 d a"
    books_balance
}

@test "bytes: what waits is bounded by its size as well, and large jobs that cannot wait are told so" {
    pool_up "size: 1, queue: 100, bytes: 1k, full: oldest"
    wait_until 10 pool_is_up 1
    occupy 1
    in_background_ask a work "$(printf '%0400d' 1)"
    wait_until 10 count_is queued 1
    in_background_ask b work "$(printf '%0400d' 2)"
    wait_until 10 count_is queued 2
    (($(count_of queued_bytes) >= 800 && $(count_of queued_bytes) <= 1024))
    in_background_ask c work "$(printf '%0900d' 3)"
    wait_until 10 answered a "overloaded queue full"
    wait_until 10 answered b "overloaded queue full"
    run ask work "$(printf '%02000d' 4)"
    assert_failure 8
    assert_output "overloaded queue full"
    release 1
    wait_until 10 grep -q '^1 0' c.out
    assert_equal "$(count_of queued_bytes) $(count_of discarded) $(count_of full)" "0 2 1"
    run ask work "$(printf '%02000d' 5)" # a free worker has it at once
    assert_success
    books_balance
}

@test "priorities: a field of the message says what goes first" {
    pool_up "size: 1, priority: 2"
    wait_until 10 pool_is_up 1
    occupy 1
    for job in "low 3" "usual 1" "first 0" "usual2 1" "second 0"; do
        # shellcheck disable=SC2086
        tell note $job
        wait_until 10 count_is queued $((++queued))
    done
    release 1
    wait_until 10 count_is "done" 6
    assert_equal "$(say -c t/crew/1 heard)" "busy1 first second usual usual2 low"
    run ask note k 4
    assert_failure 8
    assert_output "bad_message note: argument 2: expected a priority from 0 to 3"
    books_balance
}

@test "ttl: a job that waited too long is answered, and never done" {
    pool_up "size: 1, ttl: 300ms"
    wait_until 10 pool_is_up 1
    occupy 1
    run ask work late
    assert_failure 8
    assert_output "timeout expired in queue"
    tell note latecast x
    wait_until 10 count_is expired 2
    release 1
    assert_equal "$(ask work now)" "1 now"
    assert_equal "$(say -c t/crew/1 heard)" "busy1 now"
    books_balance
}

@test "ttl: nor when the pool itself was held up, and the worker is free when it goes on" {
    pool_up "size: 1, ttl: 300ms"
    wait_until 10 pool_is_up 1
    pool=$(pid_of t/pool)
    occupy 1
    tell note late x
    wait_until 10 count_is queued 1
    kill -STOP "$pool"
    release 1
    holds_for 400 true
    kill -CONT "$pool"
    wait_until 10 count_is expired 1
    assert_equal "$(ask work now)" "1 now"
    assert_equal "$(say -c t/crew/1 heard)" "busy1 now"
}

@test "a job whose asker has given up is not done any more" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    occupy 1
    run say -c t/talker call t/pool 200 nobody_waits
    assert_output --regexp '^!timeout'
    wait_until 10 count_is expired 1
    assert_equal "$(count_of queued)" 0
    release 1
    books_balance
}

@test "rate: the burst passes, the rest is told so, and time brings more" {
    pool_up "size: 1, rate: 1, burst: 3"
    wait_until 10 pool_is_up 1
    for key in a b c; do
        tell note $key x
    done
    wait_until 10 count_is "done" 3
    for key in d e f; do
        tell note $key x
    done
    wait_until 10 count_is taken 6
    # however slow this machine is, one second has brought one at most
    limited=$(count_of rate_limited)
    ((limited >= 1))
    wait_until 10 ask work later
    run ask work at_once
    run ask work at_once
    assert_failure 8
    assert_output "overloaded rate limit"
    books_balance
}

# ---- who works ---------------------------------------------------------------------------

@test "resize: more workers take what waits; fewer finish what they have before they go" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    occupy 1
    in_background_ask a hold a
    in_background_ask b hold b
    wait_until 10 count_is queued 2
    assert_equal "$(ask resize 3)" 3
    wait_until 10 count_is running 3
    in_background shrink say -c t/pool resize 1
    wait_until 10 answered shrink 1
    assert_equal "$(worker_stat_lines | grep -c state=leaving)" 2
    state_is t/crew/2 ready
    release 3 2
    wait_until 10 grep -q '^[23] a$' a.out
    wait_until 10 grep -q '^[23] b$' b.out
    wait_until 10 tree_is_exactly t t/crew t/crew/1 t/pool t/talker
    release 1
    books_balance
}

@test "resize: back and forth, faster than workers can leave: their names are always the first ones" {
    pool_up "size: 2, route: field"
    wait_until 10 pool_is_up 2
    for n in 6 1 5 2 8 3; do
        assert_equal "$(ask resize $n)" $n
        assert_equal "$(ask work $n)" "$n $n"
    done
    wait_until 10 tree_is_exactly t t/crew t/crew/{1..3} t/pool t/talker
    assert_equal "$(count_of lost) $(count_of bad)" "0 0"
    books_balance
}

@test "resize: the size outlives the pool, killed or restarted" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    assert_equal "$(ask resize 3)" 3
    kill -KILL "$(pid_of t/pool)"
    wait_until 10 is_restarted t/pool 1
    wait_until 10 pool_is_up 3
    assert_equal "$(ask resize 2)" 2
    troupe restart t/pool
    wait_until 10 is_restarted t/pool 2
    wait_until 10 pool_is_up 2
    wait_until 10 tree_is_exactly t t/crew t/crew/{1,2} t/pool t/talker
}

@test "resize: what cannot be is said" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    run ask resize 0
    assert_failure 8
    assert_output "error expected a size from 1 to 10000"
    run ask resize 9
    assert_failure 8
    assert_output --partial "max_children is reached: 8"
    assert_equal "$(ask resize 2)" 2
    wait_until 10 pool_is_up 2
    wait_until 10 tree_is_exactly t t/crew t/crew/1 t/crew/2 t/pool t/talker
}

@test "resize: workers that are let go before they are up are no failure of the next size" {
    touch go
    pool_up "size: 1" "args: {after: $DIR/go}"
    wait_until 10 pool_is_up 1
    rm -f go
    in_background_ask three resize 3
    wait_until 10 state_is t/crew/3 starting
    kill -STOP "$(pid_of t/crew)" # that the start was cancelled is heard after the next order
    assert_equal "$(ask resize 1)" 1
    in_background_ask two resize 2
    are_ordered() { (($(troupe log -n 100 t/pool | grep -c pool.resize) == 3)); }
    wait_until 10 are_ordered
    touch go
    kill -CONT "$(pid_of t/crew)"
    wait_until 10 answered two 2
    wait_until 10 tree_is_exactly t t/crew t/crew/1 t/crew/2 t/pool t/talker
}

@test "a worker that somebody removes is replaced, one that somebody adds is let go" {
    pool_up "size: 2"
    wait_until 10 pool_is_up 2
    troupe rm t/crew/1
    wait_until 10 tree_is_exactly t t/crew t/crew/1 t/crew/2 t/pool t/talker
    run troupe add t/crew
    assert_success
    assert_output t/crew/3
    wait_until 10 tree_is_exactly t t/crew t/crew/1 t/crew/2 t/pool t/talker
    assert_equal "$(ask work x | cut -d' ' -f2)" x
}

@test "a killed supervisor of the workers comes back, with the same names, and what waited is done" {
    pool_up "size: 3, route: field, retries: 1"
    wait_until 10 pool_is_up 3
    kill -KILL "$(pid_of t/crew)"
    in_background_ask a work 3
    wait_until 20 answered a "3 3"
    wait_until 10 pool_is_up 3
    assert_tree_is_exactly t t/crew t/crew/1 t/crew/2 t/crew/3 t/pool t/talker
}

@test "a killed pool comes back, and finds the workers that it had" {
    pool_up "size: 3"
    wait_until 10 pool_is_up 3
    worker=$(pid_of t/crew/2)
    incarnation=$(incarnation_of t/pool)
    kill -KILL "$(pid_of t/pool)"
    wait_until 10 is_restarted t/pool "$incarnation"
    wait_until 10 pool_is_up 3
    assert_equal "$(pid_of t/crew/2)" "$worker"
    assert_tree_is_exactly t t/crew t/crew/1 t/crew/2 t/crew/3 t/pool t/talker
}

@test "without size, the pool works with the children that there are" {
    yaml fixed.yaml <<'END'
troupe: 1
application: t
supervisor:
  children:
    - name: crew
      supervisor:
        children:
          - {name: anna, module: laborer}
          - {name: bert, module: laborer}
    - {name: pool, module: pool, args: {workers: t/crew, route: field}}
END
    node_up fixed.yaml
    assert_equal "$(ask work bert)" "bert bert"
    assert_equal "$(ask work anna)" "anna anna"
    run ask resize 3
    assert_failure 8
    assert_output --partial "its args have no size"
}

@test "a worker that cannot start is said, and tried again" {
    pool_up "size: 2" "args: {sick: has a cold}"
    wait_until 10 said t/pool "has a cold"
    count_is workers 2 || count_is workers 0 || count_is workers 1
    state_is t/pool ready
}

@test "the example works" {
    node_up "$TOP/etc/examples/factory.yaml"
    wait_for_state factory/crew/4 ready
    assert_equal "$(say -c factory/pool echo hello)" hello
    assert_equal "$(say -c factory/pool resize 8)" 8
    assert_tree_is_exactly factory factory/crew factory/crew/{1..8} factory/pool
    say -c factory/pool drain
    wait_for_state factory/pool exited
}

@test "wrong arguments are errors that say which, and what was expected" {
    pool_wrong "size: none" 'args: size: "none": expected a number from 1 to 10000'
    pool_wrong "retrys: 3" "args: retrys: a pool knows no such argument; did you mean retries?"
    pool_wrong "burst: 3" "args: burst: expected only with rate"
}

pool_wrong() { # ARGS TEXT
    run pool_up "$1"
    assert_failure
    assert_output --partial "$2"
    node_down
}

# ---- what goes wrong ---------------------------------------------------------------------

@test "a worker's error is the asker's, and is not tried again" {
    pool_up "size: 1, retries: 5"
    wait_until 10 pool_is_up 1
    run ask fail x
    assert_failure 8
    assert_output "error no good"
    assert_equal "$(say -c t/crew/1 heard)" x
    assert_equal "$(count_of failed) $(count_of retried)" "1 0"
}

@test "a job whose worker crashes is answered with that, and not done again unasked" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    ask work first
    run ask crash x
    assert_failure 8
    assert_output "down signal:SEGV"
    assert_equal "$(count_of lost) $(count_of retried)" "1 0"
    wait_until 10 pool_is_up 1
    assert_equal "$(ask work after)" "1 after"
    wait_until 10 said t/pool "worker=t/crew/1"
    books_balance
}

@test "retries: a job whose worker crashed is done again, so many times and not more" {
    pool_up "size: 1, retries: 2"
    wait_until 10 pool_is_up 1
    first=$(incarnation_of t/crew/1)
    assert_equal "$(ask crash_until x $((first + 2)))" "1 x"
    assert_equal "$(count_of retried) $(count_of "done") $(count_of lost)" "2 1 0"
    wait_until 10 pool_is_up 1
    run ask crash_until x $((first + 6))
    assert_failure 8
    assert_output "down signal:SEGV"
    assert_equal "$(count_of retried) $(count_of "done") $(count_of lost)" "4 1 1"
    books_balance
}

@test "a job that its worker has never seen is done by its next life, without retries" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    crew=$(pid_of t/crew)
    worker=$(pid_of t/crew/1)
    kill -STOP "$crew" # so that nobody hears of the end
    kill -KILL "$worker"
    in_background_ask a work a
    wait_until 10 count_is running 1
    kill -CONT "$crew"
    wait_until 10 answered a "1 a"
    assert_equal "$(count_of retried) $(count_of lost) $(count_of "done")" "1 0 1"
    books_balance
}

@test "stuck: the dead man's switch answers, has the worker restarted, and the next job is done" {
    pool_up "size: 1, stuck: 500ms, retries: 3"
    wait_until 10 pool_is_up 1
    incarnation=$(incarnation_of t/crew/1)
    in_background_ask hung hang x
    wait_until 10 count_is taken 1
    run ask work y
    assert_success
    assert_output "1 y"
    wait_until 10 answered hung "timeout stuck for 500ms in t/crew/1"
    ((incarnation < $(incarnation_of t/crew/1)))
    assert_equal "$(count_of stuck) $(count_of restarted) $(count_of retried)" "1 1 0"
    books_balance
}

# orders_are CUT_OR_HEAL: what the pool says to the supervisor of its workers.
orders_are() {
    echo "$1" >&"$CUTTER"
    wait_until 5 grep -q "^$1" cutter.out
}

@test "stuck: a restart that nobody could be told of is ordered when somebody can" {
    pool_up "size: 1, stuck: 500ms"
    mkfifo cutter.in
    exec {CUTTER}<>cutter.in
    in_background cutter sh -c "exec python3 '$TOP/tests/helpers/cut_socket.py' '$TROUPE_RUN/t/crew/.supervisor' <cutter.in"
    wait_until 5 grep -q ready cutter.out
    troupe restart t/pool # by its new life, the supervisor is reached through the wire
    wait_until 10 pool_is_up 1
    incarnation=$(incarnation_of t/crew/1)
    in_background_ask hung hang x
    wait_until 10 count_is taken 1
    orders_are cut
    wait_until 10 answered hung "timeout stuck for 500ms in t/crew/1"
    assert_equal "$(count_of restarted) $(incarnation_of t/crew/1)" "1 $incarnation"
    orders_are heal
    wait_until 10 pool_is_up 1
    assert_equal "$(ask work y)" "1 y"
    assert_equal "$(incarnation_of t/crew/1)" "$((incarnation + 1))" # told once is enough
}

@test "stuck: others go on meanwhile" {
    pool_up "size: 2, stuck: 500ms" "stop_signal: TERM"
    wait_until 10 pool_is_up 2
    in_background_ask hung hang x
    for key in a b c d; do
        assert_equal "$(ask work $key | cut -d' ' -f2)" $key
    done
    wait_until 10 count_is stuck 1
}

@test "casts that are thrown away are counted, and told to a sender who wants to hear" {
    pool_up "size: 1, queue: 0"
    wait_until 10 pool_is_up 1
    occupy 1
    assert_equal "$(say -c t/talker cast t/pool note 1)" cast
    wait_until 10 talker_heard "undelivered t/pool note overloaded queue full"
    tell note nobody listens
    wait_until 10 count_is full 2
    release 1
    books_balance
}

talker_heard() {
    [[ $(say -c t/talker heard) == *"$1"* ]]
}

@test "a cast that its worker handles badly is no news for its sender" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    say -c t/talker cast t/pool balk 1
    wait_until 10 count_is failed 1
    say -c t/talker cast t/pool nonsense 1
    wait_until 10 talker_heard "undelivered t/pool nonsense unknown_message nonsense"
    assert_equal "$(say -c t/talker heard)" \
        "undelivered t/pool nonsense unknown_message nonsense"
}

# ---- the end -----------------------------------------------------------------------------

@test "drain: nothing new is taken, what is there is finished, then the pool ends and says so" {
    pool_up "size: 1" "" "restart: transient"
    wait_until 10 pool_is_up 1
    occupy 1
    in_background_ask waiting work waiting
    wait_until 10 count_is queued 1
    in_background_ask drain drain
    wait_until 10 draining
    assert_equal "$(cat "$DIR/drain.out")" ""
    release 1
    wait_until 10 answered held1 "1 busy1"
    wait_until 10 answered waiting "1 waiting"
    wait_for_state t/pool exited
    run troupe why t/pool
    assert_output --partial "shutdown drained"
}

draining() { # a question that is answered at once: a job that came too early would wait for its turn
    [[ $(ask stats) == "overloaded draining" ]]
}

@test "a stop finishes what the pool has, before the workers are stopped" {
    pool_up "size: 1"
    wait_until 10 pool_is_up 1
    occupy 1
    in_background_ask waiting work waiting
    wait_until 10 count_is queued 1
    in_background stop troupe stop t/pool
    wait_until 10 draining
    release 1
    wait_until 10 answered held1 "1 busy1"
    wait_until 10 answered waiting "1 waiting"
    wait_for_state t/pool stopped
}

@test "a pool that is ended by force of time leaves nobody without an answer" {
    pool_up "size: 1" "" "shutdown: 300ms"
    wait_until 10 pool_is_up 1
    occupy 1
    in_background_ask waiting work waiting
    wait_until 10 count_is queued 1
    assert_equal "$(say -c t/talker heard)" ""
    in_background held_typed say -c t/talker call t/pool 20000 work
    wait_until 10 count_is queued 2
    troupe stop t/pool
    wait_until 10 grep -q '^!down' "$DIR/held_typed.out"
}

# ---- much --------------------------------------------------------------------------------

@test "stats: each job is counted once, in all and at its worker" {
    pool_up "size: 3, route: round_robin"
    wait_until 10 pool_is_up 3
    for key in a b c d e f; do
        ask work $key >/dev/null
    done
    run ask fail x
    assert_equal "$(count_of taken) $(count_of "done") $(count_of failed)" "7 6 1"
    for n in 1 2 3; do
        assert_equal "$(($(count_of "done" $n) + $(count_of failed $n)))" "$(count_of taken $n)"
        ((2 <= $(count_of taken $n)))
    done
    wait_until 10 status_says "3 of 3 workers up, 0 jobs running, 0 queued"
    books_balance
}

status_says() {
    troupe status t/pool | grep -qF "$1"
}

@test "thousands of jobs from several senders while workers are killed: each is counted once, none is done twice" {
    pool_up "size: 4, queue: 100000"
    wait_until 10 pool_is_up 4
    for sender in 1 2 3; do
        in_background "sender$sender" nng_client dial push "$TROUPE_RUN/t/pool" 2000 "work	s$sender"
        senders+=($!)
    done
    for n in 1 2 3 4; do
        kill -KILL "$(pid_of t/crew/$n)" || true
        wait_until 10 state_is "t/crew/$n" ready
    done
    for pid in "${senders[@]}"; do
        wait_until 30 process_is_gone "$pid"
    done
    wait_until 30 count_is taken 6000
    wait_until 30 count_is running 0
    books_balance
    assert_equal "$(($(count_of "done") + $(count_of lost)))" 6000
    ((4 >= $(count_of lost)))
    assert_equal "$(count_of queued)" 0
}

# What the pool itself has worked, in clock ticks: others on the machine do not count.
pool_ticks() {
    awk '{ print $14 + $15 }' "/proc/$(pid_of t/pool)/stat"
}

# queue_time N: for how long the pool works, in TIME, to do N jobs that wait behind one, once that is done.
queue_time() {
    local before=$((taken + 1)) start

    taken=$((taken + 1 + $1))
    tell hold "busy$taken"
    wait_until 10 count_is running 1
    nng_client dial push "$TROUPE_RUN/t/pool" "$1" "work	k" >/dev/null
    wait_until 30 count_is taken $taken
    count_is "done" $((before - 1))
    start=$(pool_ticks)
    release 1
    wait_until 60 count_is "done" $taken
    TIME=$(($(pool_ticks) - start))
}

@test "a queue that is ten times as long takes no more than in proportion, with priorities and times to live" {
    pool_up "size: 1, queue: 100000, ttl: 1h, priorities: hold=0"
    wait_until 10 pool_is_up 1
    taken=0
    queue_time 3000
    short=$TIME
    queue_time 30000
    echo "3000 jobs: $short ticks, 30000: $TIME ticks"
    ((TIME < 30 * (short + 1))) # in proportion would be 10
    books_balance
}

@test "D.6 65: ten keyed workers, five by hand and five by the pool; one crashes on its message, and nobody else notices" {
    yaml d6.yaml <<'END'
troupe: 1
application: d6
supervisor:
  children:
    - name: crew
      supervisor:
        intensity: 100
        template: {module: laborer}
END
    yaml pool.yaml <<'END'
name: pool
module: pool
args: {workers: crew, size: 10, route: field}
END
    node_up d6.yaml
    for n in 1 2 3 4 5; do
        assert_equal "$(troupe add d6/crew)" "d6/crew/$n"
    done
    run troupe add -f pool.yaml d6
    assert_success
    wait_for_state d6/crew/10 ready
    crew=(d6/crew/{1..10})
    wait_until 10 tree_is_exactly d6 d6/crew "${crew[@]}" d6/pool
    for key in {1..10} {1..10}; do
        assert_equal "$(say -c d6/pool work "$key")" "$key $key"
    done
    declare -A before
    for n in {1..10}; do
        before[$n]=$(pid_of "d6/crew/$n")
    done
    say d6/pool crash 7
    wait_until 10 said d6/pool "worker=d6/crew/7"
    wait_until 10 pid_is_other d6/crew/7 "${before[7]}"
    run troupe why d6/crew/7
    assert_output --partial "signal:SEGV"
    for n in 1 2 3 4 5 6 8 9 10; do
        assert_equal "$(pid_of "d6/crew/$n")" "${before[$n]}"
        assert_equal "$(say -c d6/pool work "$n")" "$n $n"
    done
    assert_equal "$(say -c d6/pool work 7)" "7 7"
    # numbers that the pool has given are passed over
    assert_equal "$(troupe add d6/crew)" d6/crew/11
    node_down
    wait_until 5 no_node_process
}

pid_is_other() { # ADDRESS PID
    local now

    now=$(pid_of "$1") && [[ $now != "$2" && $now != 0 && $now != - ]] && state_is "$1" ready
}
