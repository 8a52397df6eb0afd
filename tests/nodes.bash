# shellcheck shell=bash
#
# Several nodes on one host, for scenarios across them: `load nodes` after `load helper`.
#
#   cookie                    makes $DIR/cookie
#   node NAME [LINE…]         starts a node of $DIR/tree.yaml by that name, listening on a free port of the loopback; LINEs go
#                             below `node:`. Its directories are those of `use_node NAME`
#   two_nodes [LINE…]         east, of LINEs, and west, which dials it: with a session
#   kill_actor NAME ADDRESS   its process dies
#   url_of NAME               where it listens
#   at NAME CMD…              runs CMD as its clients do
#   all_of NAME               every process of it
#   kill_host NAME            they die at once, as when their host does: nobody has the time to stop in order
#   are_connected NAME…       has each a session with each?

cookie() {
    printf 'the cookie of this test\n' >"$DIR/cookie"
    chmod 600 "$DIR/cookie"
}

node() {
    local name=$1 listen="listen: tcp://127.0.0.1:$(free_port)"

    shift
    [[ " $* " == *" listen: "* ]] && listen=
    {
        cat "$DIR/tree.yaml"
        printf 'node:\n  name: %s\n  cookie_file: %s/cookie\n' "$name" "$DIR"
        [[ -n $listen ]] && printf '  %s\n' "$listen"
        [[ $# -gt 0 ]] && printf '  %s\n' "$@"
    } >"$DIR/$name.yaml"
    use_node "$name"
    node_up "$name.yaml"
    wait_until 10 is_listening "$name"
}

is_listening() {
    [[ -n $(url_of "$1") ]]
}

url_of() {
    at "$1" troupe log -n 1000 sys/node | sed -n 's/.*event=node.listen url=\([^ ]*\).*/\1/p' | tail -n 1
}

at() {
    TROUPE_RUN=$DIR/$1 TROUPE_STATE=$DIR/$1.state "${@:2}"
}

# Whom has this one a session with, by what its sys/node has written?
sessions_of() {
    at "$1" troupe log -n 10000 sys/node | awk '
        /event=node.(up|down)/ {
            for (i = 1; i <= NF; i++)
                if ($i ~ /^node=/) name = substr($i, 6)
            up[name] = /event=node.up/
        }
        END { for (name in up) if (up[name]) print name }'
}

are_connected() {
    local one other

    for one in "$@"; do
        for other in "$@"; do
            [[ $one == "$other" ]] || sessions_of "$one" | grep -q -x "$other" || return 1
        done
    done
}

all_of() {
    local root

    root=$(ps -o ppid= -p "$(at "$1" pid_of sys)" | tr -d ' ')
    # the guard last: without it the root would begin an orderly end
    echo "$root $(at "$1" troupe ps -o json | jq -r '.. | .pid? // empty') $(ps -o ppid= -p "$root")"
}

kill_host() {
    local pids pid

    pids=$(all_of "$1")
    # shellcheck disable=SC2086
    kill -STOP $pids
    # shellcheck disable=SC2086
    kill -KILL $pids
    for pid in $pids; do
        wait_until 10 process_is_gone "$pid"
    done
}

two_nodes() {
    node east "$@"
    node west "peers: [$(url_of east)]"
    wait_until 10 are_connected east west
}

kill_actor() {
    kill -KILL "$(at "$1" pid_of "$2")"
}
