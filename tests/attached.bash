# shellcheck shell=bash
#
# Attached processes that do what a scenario says (tests/helpers/actor.c has the commands). Load it
# after the helper.
#
#   actor_starts NAME [OPTION…]   attached as t/NAME unless --path or --run says otherwise
#   tell NAME COMMAND…            does it, and prints its result
#   begin NAME COMMAND…           does not wait; `result NAME` does, later, and prints it
#   actor_pid NAME, address_of NAME (t/NAME#1)
#   heard NAME LINE               it has heard that, once; wait_heard waits for it
#   assert_heard_only NAME LINE…  and nothing else (of ends and messages)
#   ends NAME success|error|drop  and the node knows

actor_starts() {
    local name=$1 where=(--path "t/$1")

    shift
    [[ ${1:-} == --path ]] && where=()
    [[ ${1:-} == --run ]] && where=() && shift
    mkfifo "$DIR/$name.do"
    : >"$DIR/$name.asked"
    # It holds its own input open, so that each command may come from another process.
    # shellcheck disable=SC2016
    in_background "$name" bash -c 'exec actor "$@" 0<>"$DIR/$0.do"' "$name" "${where[@]}" "$@"
    echo $! >"$DIR/$name.pid"
    result "$name" >/dev/null
    tell "$name" address >"$DIR/$name.address"
}

# With its incarnation.
address_of() {
    cut -d ' ' -f 1 "$DIR/$1.address"
}

actor_pid() {
    cat "$DIR/$1.pid"
}

has_results() { # NAME COUNT
    (($(grep -c '^= ' "$DIR/$1.out") >= $2))
}

begin() {
    local name=$1

    shift
    echo "$*" >>"$DIR/$name.asked"
    echo "$*" 1<>"$DIR/$name.do" # does not wait for somebody who reads
}

# One for each command, and one for the beginning.
result() {
    local count

    count=$(($(wc -l <"$DIR/$1.asked") + 1))
    wait_until 20 has_results "$1" "$count" || {
        cat "$DIR/$1.out"
        return 1
    }
    grep '^= ' "$DIR/$1.out" | sed -n "${count}s/^= //p"
}

tell() {
    begin "$@"
    result "$1"
}

heard() {
    [[ $(grep -c -x -F -e "$2" "$DIR/$1.out") == 1 ]]
}

wait_heard() {
    wait_until 10 heard "$1" "$2" || {
        cat "$DIR/$1.out"
        return 1
    }
}

assert_heard_only() {
    local name=$1

    shift
    diff <((($# == 0)) || printf '%s\n' "$@") \
        <(grep -v -e '^= ' -e '^init ' -e '^terminate ' "$DIR/$name.out")
}

is_gone() { # ADDRESS: no such actor runs
    ! column_of path "$1" . >/dev/null 2>&1
}

ends() {
    case $2 in
    success) tell "$1" detach >/dev/null ;;
    error) tell "$1" detach error boom >/dev/null ;;
    drop) kill -KILL "$(actor_pid "$1")" ;;
    esac
    wait_until 10 is_gone "t/$1"
}

# The reason that such an end has.
reason_of_end() {
    case $1 in
    success) echo normal ;;
    error) echo error boom ;;
    drop) echo dropped ;;
    esac
}
