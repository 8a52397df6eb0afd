/* The embedded store: the suite, and what can happen to files. */
#include "store_suite.h"
#include "tap.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char where[128];

static const struct store_config *at(const char *name)
{
    static struct store_config config = {.backend = "sqlite", .where = where};

    snprintf(where, sizeof where, "%s/%s", suite_dir(), name);
    return &config;
}

static sqlite3 *raw_open(void)
{
    char file[160];
    sqlite3 *db = NULL;

    snprintf(file, sizeof file, "%s/state.db", where);
    sqlite3_open(file, &db);
    return db;
}

static bool raw(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static const struct store_answer *ask_soon(struct store *store, enum store_op op, const char *value)
{
    return ask(store, (struct store_request){.op = op,
                                             .deadline = mono_add_ms(mono_now(), 300),
                                             .service = "shop/carts",
                                             .id = "1",
                                             .name = "main",
                                             .version = STORE_ANY,
                                             .value = value,
                                             .value_size = value ? strlen(value) : 0});
}

/* ---- schemas ------------------------------------------------------------------------------------
 */

static void check_migration(void)
{
    const struct store_config *config = at("old");
    struct store *store;
    sqlite3 *db;

    mkdir(where, 0700);
    db = raw_open();
    raw(db, "create table state (service text not null, id text not null, name text not null,"
            " value blob not null, version integer not null, epoch integer not null,"
            " writer text not null, primary key (service, id, name));"
            "create table bound (epoch integer not null); insert into bound values (5000);"
            "insert into state values ('shop/carts', '1', 'main', 'old', 7, 3, 'w');"
            "pragma user_version = 1");
    sqlite3_close(db);
    store = suite_open(config);
    CHECK(holds(get(store, "1"), "old") && get(store, "1")->version == 7,
          "what the first schema kept is read after the migration");
    CHECK(put(store, "1", STORE_NO_FENCE, 7, "new")->version == 8 && get(store, "1")->saved_us > 0,
          "and saved over, with what the second has added");
    CHECK(ask(store, (struct store_request){.op = STORE_EPOCH})->epoch > 5000,
          "epochs begin above the bound that was left");
    store_close(store);
}

static void check_newer(void)
{
    const struct store_config *config = at("newer");
    struct store *store;
    const struct store_answer *answer;
    sqlite3 *db;

    mkdir(where, 0700);
    db = raw_open();
    raw(db, "pragma user_version = 99");
    sqlite3_close(db);
    store = suite_open(config);
    answer = ask_soon(store, STORE_STATE_GET, NULL);
    CHECK(answer->status == STORE_UNREACHABLE && strstr(answer->why, "newer"),
          "a file of a newer Troupe is left alone, and it is said");
    store_close(store);
}

/* ---- other processes ----------------------------------------------------------------------------
 */

static void check_locked(void)
{
    struct store *store = suite_open(at("locked"));
    const struct store_answer *answer;
    sqlite3 *db;

    put(store, "1", STORE_NO_FENCE, STORE_NONE, "before");
    db = raw_open();
    CHECK(raw(db, "begin immediate"), "another process locks the file");
    CHECK(holds(get(store, "1"), "before"), "reading goes on");
    answer = ask_soon(store, STORE_STATE_PUT, "meanwhile");
    CHECK(answer->status == STORE_UNREACHABLE && !answer->was_sent && strstr(answer->why, "locked"),
          "a save is unreachable by its deadline, and was never sent");
    raw(db, "rollback");
    sqlite3_close(db);
    CHECK(holds(get(store, "1"), "before"), "nor carried out later");
    CHECK(put(store, "1", STORE_NO_FENCE, STORE_ANY, "after")->status == STORE_OK,
          "it comes back by itself");
    store_close(store);
}

/* Another boot: the place file is of no use, and epochs do not come again. */
static void check_boot(void)
{
    const struct store_config *config = at("boot");
    struct store *store = suite_open(config);
    int64_t epoch = ask(store, (struct store_request){.op = STORE_EPOCH})->epoch;

    store_close(store);
    CHECK(suite_shell(
              "cd '%s' && mv place-*.db place-00000000-other.db && rm -f place-*-wal place-*-shm",
              where) == 0,
          "the place file is another boot's");
    store = suite_open(config);
    CHECK(ask(store, (struct store_request){.op = STORE_EPOCH})->epoch > epoch,
          "after a boot no epoch comes again");
    CHECK(suite_shell("test ! -e '%s/place-00000000-other.db'", where) == 0,
          "and its file is removed");
    store_close(store);
}

/* Saves 1, 2, 3 … and writes down each that was accepted. */
static _Noreturn void be_saver(const struct store_config *config, int accepted, int from)
{
    struct store *store = suite_open(config);
    char value[16];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = from;; i++) {
        snprintf(value, sizeof value, "%d", i);
        if (put(store, "counter", STORE_NO_FENCE, STORE_ANY, value)->status != STORE_OK ||
            write(accepted, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

/* Lets a saver run for a moment, kills it; returns the last number that was accepted. */
static int kill_a_saver(const struct store_config *config, int from, int64_t after_ms)
{
    int ends[2], i, last = from - 1;
    pid_t pid;

    if (pipe(ends) < 0)
        abort();
    pid = fork();
    if (pid == 0) {
        ev_loop_fork(suite_loop());
        be_saver(config, ends[1], from);
    }
    close(ends[1]);
    suite_run(after_ms);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (read(ends[0], &i, sizeof i) == sizeof i)
        last = i;
    close(ends[0]);
    return last;
}

static void check_killed(void)
{
    const struct store_config *config = at("killed");
    int rounds = getenv("SOAK") ? 200 : 10, last = 0, lost = 0, all = 0;

    for (int i = 0; i < rounds; i++) {
        struct store *store;
        int there;

        last = kill_a_saver(config, last + 1, 20 + 17 * i % 60);
        store = suite_open(config);
        there = last > 0 ? atoi(get(store, "counter")->value) : 0;
        store_close(store);
        lost += there != last && there != last + 1; /* the answer of one may be lost */
        all = last;
        last = there;
    }
    CHECK(lost == 0 && all > rounds, "%d kills during saves: no accepted one of %d is lost", rounds,
          all);
}

/* ---- a full disk --------------------------------------------------------------------------------
 */

static void check_full(void)
{
    const struct store_config *config = at("full");
    static char large[300000];
    const struct store_answer *answer;
    struct store *store;
    char ballast[160];

    memset(large, 'x', sizeof large - 1);
    mkdir(where, 0700);
    if (mount("tmpfs", where, "tmpfs", 0, "size=1m") < 0) {
        tap_skip("a full disk", "no right to mount a small file system");
        return;
    }
    store = suite_open(config);
    put(store, "1", STORE_NO_FENCE, STORE_NONE, "kept");
    snprintf(ballast, sizeof ballast, "%s/ballast", where);
    suite_shell("head -c 700000 /dev/zero >'%s' 2>/dev/null", ballast);
    answer = put(store, "2", STORE_NO_FENCE, STORE_NONE, large);
    CHECK(answer->status == STORE_FAILED && strstr(answer->why, "full"),
          "a save for which the disk has no room fails by name");
    CHECK(get(store, "2")->status == STORE_NOT_FOUND && holds(get(store, "1"), "kept"),
          "nothing of it is there, and what was is");
    unlink(ballast);
    CHECK(put(store, "1", STORE_NO_FENCE, STORE_ANY, "again")->status == STORE_OK &&
              holds(get(store, "1"), "again"),
          "with room it goes on by itself");
    store_close(store);
    CHECK(umount(where) == 0, "the store lets go of its files");
}

int main(void)
{
    store_suite(at("suite"));
    check_migration();
    check_newer();
    check_locked();
    check_boot();
    check_killed();
    check_full();
    return tap_done();
}
