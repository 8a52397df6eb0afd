#!/usr/bin/env bats
#
# The SP endpoint when the kernel refuses: the nth accept, read, write or allocation of the serving
# process fails, for every n that a conversation passes. That conversation may end, with a reason;
# the next one must not notice.

BUILD=${FAULT_BUILD:-${BUILD:-build}-fault}

load ../helper

setup() {
    troupe_setup
    [[ -x $BUILD/tests/helpers/sp_echo ]] || skip "the fault build is not there"
    LAST=${SOAK:+40}
}

serve_with() { # POINT:N:ERRNO
    in_background server env TROUPE_FAULT_POINT="$1" sp_echo serve "$DIR" box
    SERVER=$!
    wait_until 5 grep -q serving "$DIR/server.out"
}

talk() {
    timeout 20 sp_echo dial "$DIR" box req 20 hello
}

# As many conversations as it takes to pass the point n times, with the faulty one among them; then
# one that must be whole.
assert_survives() { # POINT ERRNO [PASSES: of one conversation, at least; 20]
    local n i

    for n in $(seq "${LAST:-12}"); do
        serve_with "$1:$n:$2"
        for ((i = 0; i <= n / ${3:-20}; i++)); do
            talk >"$DIR/first" 2>&1 || assert [ -s "$DIR/first" ]
        done
        run talk
        assert_success
        assert_line "+hello 19"
        assert [ "${#lines[@]}" -eq 20 ]
        kill -TERM "$SERVER"
        wait_until 5 process_is_gone "$SERVER"
    done
}

@test "an accept that finds no descriptors waits for them" {
    assert_survives accept EMFILE 1
}

@test "a dialer that goes away before accept costs nothing" {
    assert_survives accept ECONNABORTED 1
}

@test "a read that fails ends that connection" {
    assert_survives read ECONNRESET
}

@test "a write that fails ends that connection" {
    assert_survives write EPIPE
}

@test "a write for which the kernel has no memory is tried again" {
    local n
    for n in 1 2 3 5 8; do
        serve_with "write:$n:ENOBUFS"
        run talk
        assert_success
        kill -TERM "$SERVER"
        wait_until 5 process_is_gone "$SERVER"
    done
}

@test "an allocation that fails ends that connection" {
    assert_survives malloc ENOMEM 1
}

@test "a listening socket that cannot be had is an error that says so" {
    run env TROUPE_FAULT_POINT=socket:1:EMFILE timeout 5 sp_echo serve "$DIR" box
    assert_failure 1
    assert_output --partial "Too many open files"
}

@test "a dialer without descriptors says so" {
    serve_with none:1:EIO
    run env TROUPE_FAULT_POINT=socket:1:EMFILE timeout 5 sp_echo dial "$DIR" box req 1
    assert_failure 1
}

@test "a fault can be meant for one actor only" {
    run env TROUPE_PATH=shop/db TROUPE_FAULT_POINT=socket:1:EMFILE:shop/web timeout 5 \
        sp_echo dial "$DIR" nobody pair 1
    assert_output noproc
    run env TROUPE_PATH=shop/web TROUPE_FAULT_POINT=socket:1:EMFILE:shop/web timeout 5 \
        sp_echo dial "$DIR" nobody pair 1
    refute_output noproc
}
