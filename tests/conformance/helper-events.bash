# shellcheck shell=bash
#
# What happened, in the order in which it happened: `load helper-events` after helper-otp.
#
#   watch_events [ADDRESS]      from now on, into $DIR/events.out
#   happened EVENT PATH [TEXT]  it did; TEXT stands in its line
#   times_of EVENT PATH         how often
#   order_of EVENT [EVENT…]     the paths to which it happened, in order, on one line
#   order_is "PATHS" EVENT…

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

order_of() {
    awk -v events="$*" '
        BEGIN { split(events, list, " "); for (i in list) wanted["event=" list[i]] = 1 }
        {
            hit = 0; path = ""
            for (i = 1; i <= NF; i++) {
                if ($i in wanted) hit = 1
                if ($i ~ /^path=/ && path == "") path = substr($i, 6)
            }
            if (hit) out = out (out == "" ? "" : " ") path
        }
        END { print out }' "$DIR/events.out"
}

order_is() {
    local wanted=$1

    shift
    [[ $(order_of "$@") == "$wanted" ]]
}
