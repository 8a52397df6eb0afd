#!/usr/bin/env bats
#
# The benches of talking and of ends: that each row can be produced, not what is in it.

load helper

# bench GROUP: with tiny counts; what it starts can be told by its environment
bench() {
    QUICK=1 BENCH_MARK=$DIR timeout $((120 * TEST_SCALE)) "$TOP/tests/bench/run" "$1" 3>&- 4>&- 2>"$DIR/err"
}

marked_processes() {
    grep -l -z -x "BENCH_MARK=$DIR" /proc/[0-9]*/environ 2>/dev/null
}

nothing_is_left() {
    [[ -z $(marked_processes) ]]
}

# assert_rows N PATTERN: so many rows of the table
assert_rows() {
    local n

    n=$(grep -c -E -e "$2" <<<"$output") || true
    [[ $n == "$1" ]] || {
        echo "$n rows, not $1, are like: $2"
        echo "$output"
        cat "$DIR/err"
        return 1
    }
}

@test "every row of talking is produced, and nothing of it is left" {
    run bench talk
    assert_success
    assert_rows 2 '^round trip, 64 B, one core, p(50|99) +raw [0-9.]+ us .* [0-9.]+ us +[0-9.]+ '
    assert_rows 2 '^round trip, 64 B, two cores, p(50|99) +raw [0-9.]+ us .* [0-9.]+ us +[0-9.]+ '
    assert_rows 1 '^one way, 64 B  .* [0-9]+\.[0-9]+ million/s '
    assert_rows 1 '^one way, 64 B, processor time a message .* sender [0-9]+ ns, receiver [0-9]+ ns'
    assert_rows 1 '^64 senders to one, in all .* [0-9.]+ million/s '
    assert_rows 1 '^64 senders to one, each .* slowest [0-9.]+ k/s '
    assert_rows 1 '^calls, 1,000 outstanding .* [0-9]+\.[0-9]+ million/s '
    assert_rows 1 '^one way, 1 MiB +raw [0-9.]+ GB/s .* [0-9.]+ GB/s '
    wait_until 5 nothing_is_left
}

@test "the notice of an end and all seventeen lives are produced, and nothing of it is left" {
    run bench ends
    assert_success
    assert_rows 2 '^DOWN after SIGKILL, p(50|99) .* [0-9.]+ us +[0-9.]+ '
    assert_rows 17 '^life: .* [0-9.]+ us +- +[0-9.]+ us +[0-9.]+ '
    wait_until 5 nothing_is_left
}

@test "every row across nodes is produced, and nothing of it is left" {
    run bench cluster
    assert_success
    assert_rows 1 '^across nodes: round trip, 64 B, p50 +relay [0-9.]+ us .* [0-9.]+ us +[0-9.]+'
    assert_rows 1 '^across nodes: one way, 64 B +relay .* [0-9]+\.[0-9]+ million/s '
    assert_rows 1 '^across nodes: round trip, TLS +TCP [0-9.]+ us .* [0-9.]+ us +[0-9.]+ '
    assert_rows 1 '^across nodes: one way, TLS +TCP [0-9.]+ million/s .* [0-9.]+ million/s '
    assert_rows 1 '^across nodes: a join is seen, p50 .* [0-9.]+ us '
    assert_rows 1 '^10,000 joins of 64 actors, each +10,000 more [0-9.]+ us .* [0-9.]+ us '
    assert_rows 1 '^connect, until 20,000 memberships are heard of .* [0-9.]+ us '
    wait_until 5 nothing_is_left
}

@test "every row of services is produced, and nothing of it is left" {
    run bench services
    assert_success
    assert_rows 1 '^durable save, SQLite, 64 savers +SQLite [0-9.]+ k/s .* [0-9.]+ k/s +[0-9.]+ '
    wait_until 5 nothing_is_left
}

@test "a bench that is ended in the middle leaves no node behind" {
    local bench

    export QUICK=1 BENCH_MARK=$DIR
    in_background bench "$TOP/tests/bench/run" cluster
    bench=$!
    has_west() { marked_processes | xargs -r grep -l -z '^TROUPE_RUN=.*/west$' 2>/dev/null | grep -q .; }
    wait_until 60 has_west
    kill -TERM "$bench"
    unset BENCH_MARK
    wait_until 60 nothing_is_left
}

@test "a bench without Erlang says so, and has its rows all the same" {
    mkdir bin
    ln -s /usr/bin/* bin
    rm -f bin/erl bin/erlc bin/epmd
    PATH=$BUILD/bin:$DIR/bin run bench talk
    assert_success
    assert_rows 1 '^one way, 64 B  .* [0-9]+\.[0-9]+ million/s '
    run cat "$DIR/err"
    assert_line "bench: skipped: erlang is not installed"
}
