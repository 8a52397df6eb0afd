/* Redis behind the store: a server of its own, in a scratch directory, on a Unix socket only. */
#include "store_servers.h"
#include "tap.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STORE_TRY_MS = 100 };

static char base[64], socket_path[96], relay_path[96];
static const char *is_cluster = "no";

static void become_redis(void)
{
    char log[96];

    snprintf(log, sizeof log, "%s/redis.log", base);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path, "--dir",
           base, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--logfile", log,
           "--cluster-enabled", is_cluster, (char *)NULL);
}

static int redis(const char *command)
{
    return suite_shell("redis-cli -e -s '%s' %s >/dev/null 2>&1", socket_path, command);
}

static bool wait_for_server(void)
{
    for (int i = 0; i < 200; i++) {
        if (redis("ping") == 0)
            return true;
        suite_run(50);
    }
    return false;
}

static const struct store_answer *get_soon(struct store *store)
{
    return ask(store, (struct store_request){.op = STORE_STATE_GET,
                                             .deadline = mono_add_ms(mono_now(), 500),
                                             .service = "shop/carts",
                                             .id = "old",
                                             .name = "main"});
}

static void check_migration(const struct store_config *config)
{
    struct store *store;

    redis("set troupe:schema 1");
    redis("hset 'troupe:{reminders}:epochs' shop/carts/7 78");
    CHECK(redis("hset 'troupe:state:{shop/carts/old}:main' value old version 7 epoch 3 writer w") ==
              0,
          "a database of the first schema");
    store = suite_open(config);
    CHECK(holds(get(store, "old"), "old") && get(store, "old")->version == 7,
          "what it kept is read after the migration");
    CHECK(put(store, "old", STORE_NO_FENCE, 7, "new")->version == 8 &&
              get(store, "old")->saved_us > 0,
          "and saved over, with what the second has added");
    CHECK(suite_shell("test $(redis-cli -s '%s' exists 'troupe:{reminders}:epochs') = 0",
                      socket_path) == 0,
          "what is of no use any more is gone");
    store_close(store);
    redis("set troupe:schema 99");
    store = suite_open(config);
    CHECK(get_soon(store)->status == STORE_UNREACHABLE && strstr(get_soon(store)->why, "newer"),
          "a database of a newer Troupe is left alone, and it is said");
    store_close(store);
    redis("set troupe:schema 5");
}

static void check_safety(const struct store_config *config)
{
    struct store_config unsafe = *config;
    struct store *store;

    unsafe.is_unsafe = true;
    redis("config set appendfsync everysec");
    store = suite_open(config);
    CHECK(get_soon(store)->status == STORE_UNREACHABLE &&
              strstr(get_soon(store)->why, "appendfsync is \"everysec\""),
          "a server that does not write before it answers is not used, and it is said");
    redis("config set appendfsync always");
    CHECK(holds(get(store, "old"), "new"), "until it does");
    store_close(store);
    redis("config set appendonly no");
    store = suite_open(config);
    CHECK(get_soon(store)->status == STORE_UNREACHABLE &&
              strstr(get_soon(store)->why, "appendonly is \"no\""),
          "nor one that keeps no file");
    store_close(store);
    store = suite_open(&unsafe);
    CHECK(holds(get(store, "old"), "new"), "unless one says that it may");
    store_close(store);
    redis("config set appendonly yes");
}

static void check_password(const struct store_config *config)
{
    struct store_config with = *config;
    struct store *store;

    redis("config set requirepass secret");
    store = suite_open(config);
    CHECK(get_soon(store)->status == STORE_UNREACHABLE && strstr(get_soon(store)->why, "NOAUTH"),
          "a server that wants a password is unreachable without, and says so");
    store_close(store);
    with.password = "secret";
    store = suite_open(&with);
    CHECK(holds(get(store, "old"), "new"), "and answers with it");
    store_close(store);
    redis("-a secret --no-auth-warning config set requirepass ''");
}

/* Its scripts are forgotten; it has no more memory. */
static void check_refusals(const struct store_config *config)
{
    struct store *store = suite_open(config);
    const struct store_answer *answer;

    get(store, "old");
    redis("script flush");
    CHECK(put(store, "old", STORE_NO_FENCE, STORE_ANY, "newer")->status == STORE_OK,
          "a server that has forgotten the scripts is told them again");
    redis("config set maxmemory 1");
    answer = put(store, "old", STORE_NO_FENCE, STORE_ANY, "newest");
    CHECK(answer->status == STORE_FAILED && strstr(answer->why, "OOM"),
          "a save for which it has no memory fails by name");
    redis("config set maxmemory 0");
    CHECK(holds(get(store, "old"), "newer"), "and nothing of it is there");
    store_close(store);
}

/* All the slots are its own, but it takes no command whose keys are of several. */
static void check_cluster(struct store_server_kind *kind)
{
    is_cluster = "yes";
    suite_shell("rm -rf '%s'/appendonlydir '%s'/dump.rdb", base, base);
    server_start(kind);
    CHECK(wait_for_server() && redis("cluster addslotsrange 0 16383") == 0,
          "a server of a cluster of one");
    for (int i = 0; i < 200 && redis("get troupe:schema") != 0; i++)
        suite_run(50);
    store_suite(&kind->config);
    server_end();
}

/* Takes whoever comes and lets go at once; how often within the time in which a pause that grew to
 * its bound by itself would let it be tried four times. */
static void check_pace(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct store_config config = {
        .backend = "redis", .where = relay_path, .again_max_ms = STORE_TRY_MS};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), tries = 0;
    struct store *store;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", relay_path);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listener, 1) == 0,
          "a server that is of no use");
    store = suite_open(&config);
    for (int i = 0; i < 30 && tries < 12; i++) {
        int fd;

        suite_run(STORE_TRY_MS);
        while ((fd = accept(listener, NULL, NULL)) >= 0) {
            close(fd);
            tries++;
        }
    }
    CHECK(tries >= 12, "one that is away is tried as often as is wanted: %d times", tries);
    store_close(store);
    close(listener);
    unlink(relay_path);
}

static void check_where(void)
{
    struct error err;
    struct store_config config = {.backend = "redis", .where = "localhost:6379"};

    CHECK(!store_open(suite_loop(), &config, &err) && strstr(err.text, "ADDRESS:PORT"),
          "a host's name, which hiredis would wait for, is refused at once");
}

int main(void)
{
    struct store_server_kind kind = {
        .become = become_redis, .socket = socket_path, .relay_socket = relay_path};

    check_where();
    snprintf(base, sizeof base, "%s", suite_dir());
    snprintf(socket_path, sizeof socket_path, "%s/redis", base);
    snprintf(relay_path, sizeof relay_path, "%s/relay", base);
    kind.config = (struct store_config){.backend = "redis", .where = socket_path};
    kind.relayed = (struct store_config){.backend = "redis", .where = relay_path};
    check_pace();
    server_start(&kind);
    if (tap_ok(wait_for_server(), "the server answers")) {
        check_migration(&kind.config);
        check_safety(&kind.config);
        check_password(&kind.config);
        check_refusals(&kind.config);
        store_suite(&kind.config);
        store_servers_suite(&kind);
    }
    server_end();
    check_cluster(&kind);
    return tap_done();
}
