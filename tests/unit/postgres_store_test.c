/* PostgreSQL behind the store: a cluster of its own, in a scratch directory, on Unix sockets only.
 */
#include "store_servers.h"
#include "tap.h"

#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

static char bin[256], base[64], socket_path[96], relay_path[96], where[128], relayed[128];

static void become_postgres(void)
{
    char program[300], data[96], directory[96];

    become_user("postgres");
    snprintf(program, sizeof program, "%s/postgres", bin);
    snprintf(data, sizeof data, "%s/data", base);
    snprintf(directory, sizeof directory, "unix_socket_directories=%s/s", base);
    execl(program, program, "-D", data, "-c", directory, "-c", "listen_addresses=", "-c",
          "shared_buffers=16MB", "-c", "dynamic_shared_memory_type=mmap", "-c",
          "max_connections=20", "-c", "autovacuum=off", (char *)NULL);
}

static bool find_programs(void)
{
    glob_t found;

    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        return false;
    snprintf(bin, sizeof bin, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    return true;
}

/* A command as the user of the cluster. */
static int as_postgres(const char *command)
{
    return geteuid() == 0 ? suite_shell("cd / && setpriv --reuid postgres --regid postgres "
                                        "--clear-groups sh -c \"%s\"",
                                        command)
                          : suite_shell("%s", command);
}

static bool make_cluster(void)
{
    char command[512];

    snprintf(base, sizeof base, "%s/pg", suite_dir());
    suite_shell("chmod 755 '%s'; mkdir -p '%s/s' '%s/r'", suite_dir(), base, base);
    if (geteuid() == 0)
        suite_shell("chown -R postgres '%s'", base);
    snprintf(
        command, sizeof command,
        "%s/initdb -D %s/data -U troupe -A trust --no-sync --no-locale -E UTF8 >/dev/null 2>&1",
        bin, base);
    return as_postgres(command) == 0;
}

static int sql(const char *text)
{
    return suite_shell(
        "psql -q -v ON_ERROR_STOP=1 -h '%s/s' -U troupe postgres -c \"%s\" >/dev/null 2>&1", base,
        text);
}

static bool wait_for_server(void)
{
    for (int i = 0; i < 200; i++) {
        if (sql("select 1") == 0)
            return true;
        suite_run(50);
    }
    return false;
}

/* The first schema, as it was. */
static const char first_schema[] =
    "create schema troupe; create table troupe.schema (version int not null); insert into "
    "troupe.schema values (1);"
    "create table troupe.state (service text collate \\\"C\\\", id text collate \\\"C\\\", name "
    "text collate \\\"C\\\","
    " value bytea not null, version bigint not null, epoch bigint not null, writer text not null,"
    " primary key (service, id, name));"
    "create table troupe.place (service text collate \\\"C\\\", id text collate \\\"C\\\", node "
    "text not null,"
    " generation text not null, epoch bigint not null, writer text not null, primary key (service, "
    "id));"
    "create table troupe.node (name text collate \\\"C\\\", generation text collate \\\"C\\\", "
    "state text not null,"
    " beat bigint not null, url text not null, services text not null, load text not null,"
    " primary key (name, generation));"
    "create sequence troupe.epoch as bigint;"
    "insert into troupe.state values ('shop/carts', 'old', 'main', 'old', 7, 3, 'w')";

static void check_migration(const struct store_config *config)
{
    struct store *store;

    CHECK(sql(first_schema) == 0, "a database of the first schema");
    store = suite_open(config);
    CHECK(holds(get(store, "old"), "old") && get(store, "old")->version == 7,
          "what it kept is read after the migration");
    CHECK(put(store, "old", STORE_NO_FENCE, 7, "new")->version == 8 &&
              get(store, "old")->saved_us > 0,
          "and saved over, with what the second has added");
    store_close(store);
}

static void check_newer(const struct store_config *config)
{
    const struct store_answer *answer;
    struct store *store;

    sql("update troupe.schema set version = 99");
    store = suite_open(config);
    answer = ask(store, (struct store_request){.op = STORE_STATE_GET,
                                               .deadline = mono_add_ms(mono_now(), 1000),
                                               .service = "shop/carts",
                                               .id = "old",
                                               .name = "main"});
    CHECK(answer->status == STORE_UNREACHABLE && strstr(answer->why, "newer"),
          "a database of a newer Troupe is left alone, and it is said");
    store_close(store);
    sql("update troupe.schema set version = 5");
}

static void check_where(void)
{
    struct error err;
    struct store_config config = {.backend = "postgres", .where = "nonsense=1"};

    CHECK(!store_open(suite_loop(), &config, &err) && strstr(err.text, "nonsense"),
          "a connection string that is none is refused at once");
}

static void check_name(void)
{
    struct store_config config = {.backend = "postgres",
                                  .where = "host=no-such-host.invalid connect_timeout=1"};
    struct store *store = suite_open(&config);
    struct mono start = mono_now();
    const struct store_answer *answer = ask(
        store, (struct store_request){.op = STORE_EPOCH, .deadline = mono_add_ms(mono_now(), 500)});

    CHECK(answer->status == STORE_UNREACHABLE && mono_diff_ms(mono_now(), start) < 1500,
          "a host whose name is not found, or not soon, keeps nobody waiting");
    store_close(store);
}

int main(void)
{
    struct store_server_kind kind = {
        .become = become_postgres, .socket = socket_path, .relay_socket = relay_path};

    check_where();
    check_name();
    if (!tap_ok(find_programs() && make_cluster(), "a cluster is made"))
        return tap_done();
    snprintf(socket_path, sizeof socket_path, "%s/s/.s.PGSQL.5432", base);
    snprintf(relay_path, sizeof relay_path, "%s/r/.s.PGSQL.5432", base);
    snprintf(where, sizeof where, "host=%s/s user=troupe dbname=postgres", base);
    snprintf(relayed, sizeof relayed, "host=%s/r user=troupe dbname=postgres", base);
    kind.config = (struct store_config){.backend = "postgres", .where = where};
    kind.relayed = (struct store_config){.backend = "postgres", .where = relayed};
    server_start(&kind);
    if (tap_ok(wait_for_server(), "the server answers")) {
        check_migration(&kind.config);
        check_newer(&kind.config);
        store_suite(&kind.config);
        store_servers_suite(&kind);
    }
    server_end();
    return tap_done();
}
