# shellcheck shell=bash
#
# OTP's words for what the conformance scenarios do: `load helper-otp`. A supervisor is an address
# like any other; the one under test is mostly the application `shop` itself.
#
#   sup_up FLAGS <<EOF       starts application shop: FLAGS are its supervisor's keys in YAML flow
#                            style, standard input is the list of its children
#   sup_file FLAGS <<EOF     only writes it, as $DIR/shop.yaml
#   counts SUP               count_children: "SPECS ACTIVE SUPERVISORS WORKERS"
#   which SUP                which_children, in start order, one "NAME STATE" a line
#   pids SUP                 "NAME PID" for those that run
#   crash PATH               message `die` (abnormal); finish PATH: message `stop` (normal)
#   kill_actor PATH          SIGKILL; deafen PATH: hears nothing from now on (w1)
#   add SUP SPEC|ARG…        start_child; fact_of PATH KEY: a line of its `status`
#   refused TEXT…            the file is refused, naming all these; accepted: it is not
#   last_of PATH             the reason of its last end, while its supervisor runs
#   ended PATH REASON [N]    its last end (that of incarnation N) in its supervisor's log
#   crash_and_wait PATH      crashes it and waits until its next incarnation is ready
#   wait_ready PATH…         until all are ready
#   sup_shutdown SUP         asks it to end and waits; took_ms CMD… tells in $took how long it was
#   sup_ended SUP            it has ended and stays so; sup_end_reason SUP says why
#   wait_sup_ended SUP       within 10 s
#   say, say -c              a cast, a call (tests/helpers/say.c)

load ../helper

troupe_now() {
    timeout $((15 * TEST_SCALE)) troupe "$@" </dev/null 3>&- 4>&- 9>&-
}

# ---- trees -------------------------------------------------------------------------------

sup_file() {
    local flags=$1 children

    children=$(sed 's/^/    /')
    {
        printf 'troupe: 1\napplication: shop\nsupervisor:\n'
        [[ -z $flags ]] || printf '  <<: {%s}\n' "$flags"
        printf '  children:%s\n' "${children:+$'\n'}${children:- []}"
    } >"$DIR/shop.yaml"
}

sup_up() {
    sup_file "$@"
    node_up "$DIR/shop.yaml"
}

# template_up FLAGS TEMPLATE (a child spec, flow style): a supervisor with a template, OTP's simple_one_for_one.
template_file() {
    {
        printf 'troupe: 1\napplication: shop\nsupervisor:\n'
        [[ -z $1 ]] || printf '  <<: {%s}\n' "$1"
        printf '  template: %s\n' "$2"
    } >"$DIR/shop.yaml"
}

template_up() {
    template_file "$@"
    node_up "$DIR/shop.yaml"
}

# refused TEXT…: `check` says all of these of $DIR/shop.yaml, with status 7, and `up` starts nothing.
refused() {
    local text

    run troupe_now check "$DIR/shop.yaml"
    assert_failure 7
    for text in "$@"; do
        assert_output --partial "$text"
    done
    run node_up "$DIR/shop.yaml"
    assert_failure 7
    run no_node_process
    assert_success
}

accepted() {
    run troupe_now check "$DIR/shop.yaml"
    assert_success
}

# add SUP SPEC|ARG…: start_child.
add() {
    troupe_now add "$@"
}

# fact_of PATH KEY: one line of its spec or state, as `troupe status` knows it.
fact_of() {
    troupe_now status "$1" | awk -v key="$2:" '$1 == key { sub(/^[^ ]+ +/, ""); print; exit }'
}

# ---- looking -----------------------------------------------------------------------------

counts() {
    troupe_now counts -o specs,active,supervisors,workers "$1" | tr '\t' ' '
}

counts_are() { # SUP "S A Su W"
    [[ $(counts "$1") == "$2" ]]
}

# Direct children only.
which() {
    troupe_now ps -o "path,${2:-state}" "$1" |
        awk -v sup="$1" 'index($1, sup "/") == 1 {
            name = substr($1, length(sup) + 2)
            if (name !~ /\//) { sub(/^[^ \t]+[ \t]*/, ""); print name " " $0 }
        }'
}

pids() {
    which "$1" pid | awk '$2 ~ /^[1-9]/'
}

last_of() {
    column_of last "$1"
}

last_is() { # PATH REASON
    [[ $(last_of "$1") == "$2" ]]
}

# "NAME INCARNATION REASON" of every end among SUP's children since it was first started.
logged_ends() {
    troupe_now log -n 10000 "$1" | sed -En -e "s|.* path=$1/([^ /]+) event=child\\.exit |\\1 |" \
        -e 's/^([^ ]+) .* incarnation=([0-9]+) .* reason=("([^"]*)"|([^ ]+)) .*/\1 \2 \4\5/p'
}

last_logged_end() { # PATH
    logged_ends "${1%/*}" | awk -v name="${1##*/}" '$1 == name { sub(/^[^ ]+ /, ""); last = $0 }
        END { print last }'
}

has_ended() { # PATH REASON [INCARNATION]
    local last
    last=$(last_logged_end "$1")
    [[ ${last#* } == "$2" && ${last%% *} == "${3:-${last%% *}}" ]]
}

# The log is written by another process: it may come a moment later.
ended() {
    wait_until 5 has_ended "$@" && return 0
    echo "$1: wanted: ${3:-N} $2; the log says: $(last_logged_end "$1")"
    return 1
}

sup_ended() {
    [[ $(state_of "$1") == @(exited|failed) ]]
}

sup_end_reason() {
    last_of "$1"
}

# No process of what was below it is left, either.
wait_sup_ended() {
    wait_until "${2:-10}" sup_ended "$1"
}

wait_ready() {
    local path

    for path in "$@"; do
        wait_for_state "$path" ready || return 1
    done
}

wait_restarted() { # PATH INCARNATION
    wait_until 10 is_restarted "$1" "$2"
}

wait_gone() { # PID…
    local pid

    for pid in "$@"; do
        wait_until 10 process_is_gone "$pid" || return 1
    done
}

process_lives() {
    ! process_is_gone "$1"
}

# ---- ending ------------------------------------------------------------------------------

crash() {
    say "$1" die
}

finish() {
    say "$1" stop
}

# deafen PATH: it is busy for a long time, and known to be so: a request to stop comes too late.
deafen() {
    say "$1" sleep 200000 && wait_until 5 is_busy "$1"
}

is_busy() {
    (($(column_of busy "$1") > 0))
}

kill_actor() {
    kill -KILL "$(pid_of "$1")"
}

crash_and_wait() {
    local incarnation
    incarnation=$(incarnation_of "$1")
    crash "$1" && wait_restarted "$1" "$incarnation"
}

# took_ms CMD…: runs it, $took is how long that was.
took_ms() {
    local start
    start=$(now_ms)
    "$@" || return 1
    took=$(($(now_ms) - start))
}

# sup_shutdown: OTP's `shutdown` sent to the supervisor under test; a person's stop is its like.
sup_shutdown() {
    troupe_now stop "$1"
}
