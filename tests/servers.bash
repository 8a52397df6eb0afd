# shellcheck shell=bash
#
# Stores that are servers of their own, in scratch directories and on free ports of the loopback: `load servers`
# after `load helper`.
#
#   server_make KIND      postgres or redis: makes it, and starts it; its port is in $SERVER_PORT
#   server_url PORT       as `store:` has it, by this port or by that of a wire to it
#   server_kill           SIGKILL, and it stays away until
#   server_start          it is there (again), and answers
#   server_rows KIND      what it holds. node: NAME STATE BEAT; place: SERVICE/ID NODE

server_make() {
    SERVER=$1
    SERVER_PORT=$(free_port)
    mkdir "$DIR/server"
    "${SERVER}_make"
    server_start
}

server_url() {
    case $SERVER in
        postgres) echo "postgres://troupe@127.0.0.1:$1/postgres" ;;
        redis) echo "redis://127.0.0.1:$1" ;;
    esac
}

server_kill() {
    kill -KILL "$SERVER_PID"
    wait_until 10 process_is_gone "$SERVER_PID"
}

# One that does not start, because its predecessor's processes are not all gone, is started again.
server_start() {
    SERVER_PID=
    wait_until 30 server_is_up
}

server_is_up() {
    if [[ -z $SERVER_PID ]] || process_is_gone "$SERVER_PID"; then
        "${SERVER}_spawn"
        SERVER_PID=$!
    fi
    "${SERVER}_answers"
}

server_rows() {
    "${SERVER}_rows" "$1"
}

# ---- PostgreSQL, which does not run as root ------------------------------------------------------------------

postgres_bin() {
    printf '%s\n' /usr/lib/postgresql/*/bin | tail -n 1
}

postgres_make() {
    require psql
    POSTGRES_USER=()
    if ((EUID == 0)); then
        chown postgres "$DIR/server"
        POSTGRES_USER=(setpriv --reuid postgres --regid postgres --clear-groups)
    fi
    "${POSTGRES_USER[@]}" "$(postgres_bin)/initdb" -D "$DIR/server/data" -U troupe -A trust --no-sync --no-locale -E UTF8 \
        >initdb.out 2>&1
}

postgres_spawn() {
    in_background server "${POSTGRES_USER[@]}" "$(postgres_bin)/postgres" -D "$DIR/server/data" -p "$SERVER_PORT" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c shared_buffers=16MB -c max_connections=30 \
        -c dynamic_shared_memory_type=mmap \
        -c autovacuum=off
}

postgres_sql() {
    psql -q -A -t -F ' ' -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$SERVER_PORT" -U troupe postgres -c "$1"
}

postgres_answers() {
    postgres_sql 'select 1'
}

postgres_rows() {
    case $1 in
        node) postgres_sql "select name, state, beat from troupe.node" ;;
        place) postgres_sql "select service || '/' || id, node from troupe.place" ;;
    esac
}

# ---- Redis ---------------------------------------------------------------------------------------------------

redis_make() {
    require redis-server redis-cli
}

redis_spawn() {
    in_background server redis-server --bind 127.0.0.1 --port "$SERVER_PORT" --dir "$DIR/server" \
        --appendonly yes --appendfsync always --save ''
}

redis_ask() {
    redis-cli -e -p "$SERVER_PORT" "$@"
}

redis_answers() {
    redis_ask ping
}

redis_rows() {
    local key id

    case $1 in
        node)
            # shellcheck disable=SC2046 # each of its lines is a word
            for key in $(redis_ask smembers 'troupe:{nodes}'); do
                echo "${key%:*}" $(redis_ask hmget "troupe:{nodes}:$key" state beat)
            done
            ;;
        place)
            for key in $(redis_ask --scan --pattern 'troupe:place:{*}'); do
                id=${key#*\{}
                echo "${id%\}*} $(redis_ask hget "$key" node)"
            done
            ;;
    esac
}
