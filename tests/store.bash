# shellcheck shell=bash
#
# Real servers that keep state, for scenarios: `load store` after `load helper`. Each stands in $DIR, is
# registered for the teardown, and listens on a socket there only.
#
#   start_postgres, start_redis   once; POSTGRES_URL, REDIS_URL; again after kill_server to come back
#   kill_server                   SIGKILL of the one that was started last

# PostgreSQL will not be root.
((EUID != 0)) || AS_POSTGRES=(setpriv --reuid postgres --regid postgres --clear-groups)

run_server() { # CMD…
    "$@" >>"$DIR/server.out" 2>&1 </dev/null 3>&- 4>&- 9>&- &
    SERVER_PID=$!
    register_pid "$SERVER_PID"
}

start_postgres() {
    local bin=(/usr/lib/postgresql/*/bin)

    bin=${bin[-1]}
    [[ -x $bin/postgres ]] || {
        echo "postgres is missing: run scripts/install-deps --test"
        return 1
    }
    if [[ ! -d $DIR/pg ]]; then
        mkdir "$DIR/pg"
        ((EUID != 0)) || chown postgres "$DIR/pg"
        "${AS_POSTGRES[@]}" "$bin/initdb" -D "$DIR/pg/data" -U postgres -A trust --no-sync >"$DIR/initdb.out" 2>&1
    fi
    POSTGRES_URL="postgres:///postgres?host=$DIR/pg&user=postgres"
    run_server "${AS_POSTGRES[@]}" "$bin/postgres" -D "$DIR/pg/data" -c unix_socket_directories="$DIR/pg" \
        -c listen_addresses= -c shared_buffers=16MB -c dynamic_shared_memory_type=mmap -c autovacuum=off
    wait_until 10 "$bin/pg_isready" -q -h "$DIR/pg" -U postgres
}

start_redis() {
    require redis-server redis-cli || return 1
    mkdir -p "$DIR/redis"
    REDIS_URL="redis://$DIR/redis/socket"
    run_server redis-server --port 0 --unixsocket "$DIR/redis/socket" --dir "$DIR/redis" --save '' \
        --appendonly yes --appendfsync "${1:-always}"
    wait_until 10 redis_answers
}

redis_answers() {
    [[ $(redis-cli -s "$DIR/redis/socket" ping) == PONG ]]
}

kill_server() {
    local children child
    children=$(pgrep -P "$SERVER_PID" || true) # PostgreSQL's go on serving for as long as they are busy
    # shellcheck disable=SC2086
    kill -KILL "$SERVER_PID" $children
    for child in $SERVER_PID $children; do
        wait_until 5 process_is_gone "$child"
    done
}
