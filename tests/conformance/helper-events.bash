# shellcheck shell=bash
#
# What happened, in the order in which it happened: `load helper-events` after helper-otp.
#
#   watch_events [ADDRESS]      from now on, into $DIR/events.out
#   happened EVENT PATH [TEXT]  it did; TEXT stands in its line
#   times_of EVENT PATH         how often
#   order_in SUP EVENT          the names of SUP's children to which it happened, in order, on one
#                               line; SUP "" is the root. Of several supervisors nothing can be
#                               said: each tells its own children's, on a connection of its own
#   order_is "NAMES" SUP EVENT  that they are those; if not, says what they are
#   when EVENT PATH             the time at which it happened last

watch_events() {
    in_background events troupe events -f "$@"
    EVENTS_PID=$!
    wait_until 10 grep -q event=snapshot "$DIR/events.out"
}

lines_of() { # EVENT PATH
    grep -F " event=$1 " "$DIR/events.out" | grep -F " path=$2 "
}

happened() {
    lines_of "$1" "$2" | grep -qF -- "${3:-}"
}

times_of() {
    lines_of "$1" "$2" | wc -l
}

happened_times() { # NUMBER EVENT PATH
    (($(times_of "$2" "$3") == $1))
}

order_in() {
    awk -v sup="${1:+$1/}" -v wanted="event=$2" '
        {
            hit = 0; path = ""
            for (i = 1; i <= NF; i++) {
                if ($i == wanted) hit = 1
                if ($i ~ /^path=/ && path == "") path = substr($i, 6)
            }
            name = substr(path, length(sup) + 1)
            if (hit && index(path, sup) == 1 && name !~ /\// && path !~ /^sys/)
                out = out (out == "" ? "" : " ") name
        }
        END { print out }' "$DIR/events.out"
}

order_is() {
    local got
    got=$(order_in "$2" "$3")
    [[ $got == "$1" ]] && return 0
    echo "wanted $1, got $got"
    return 1
}

when() {
    lines_of "$1" "$2" | tail -n 1 | sed 's/^ts=\([^ ]*\) .*/\1/'
}
