/*
 * What SQLite itself takes: saves of 64 bytes into rows, WAL and synchronous FULL, a batch of them
 * in each transaction.
 *
 *   rows FOLDER BATCH MS             prints saves a second
 *   rows FOLDER BATCH MS sockets     the same of as many processes: each sends what it saves over a
 * socket, and waits for the answer; those that have come are one transaction
 */
#include "measure.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static sqlite3 *db;

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        return;
    fprintf(stderr, "rows: %s: %s\n", sql, sqlite3_errmsg(db));
    exit(1);
}

static void save(sqlite3_stmt *statement, int row, uint64_t value)
{
    uint64_t bytes[8] = {value};
    char id[16];

    snprintf(id, sizeof id, "%d", row);
    sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, bytes, sizeof bytes, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, (int64_t)value);
    if (sqlite3_step(statement) != SQLITE_DONE)
        exit(1);
    sqlite3_reset(statement);
}

static void open_db(const char *folder)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/bare.db", folder);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        exit(1);
    run("pragma journal_mode = wal; pragma synchronous = full;"
        "create table if not exists state (service text not null, id text not null, name text not "
        "null,"
        " value blob not null, version integer not null, primary key (service, id, name))");
}

static sqlite3_stmt *prepare(void)
{
    sqlite3_stmt *statement;

    if (sqlite3_prepare_v2(db, "insert or replace into state values ('bench', ?, 'value', ?, ?)",
                           -1, &statement, NULL) != SQLITE_OK)
        exit(1);
    return statement;
}

/* ---- by this process itself -------------------------------------------------------------------
 */

static uint64_t save_alone(sqlite3_stmt *statement, int batch, int64_t end)
{
    uint64_t count = 0;

    while (measure_now() < end) {
        run("begin immediate");
        for (int i = 0; i < batch; i++)
            save(statement, i, count++);
        run("commit");
    }
    return count;
}

/* ---- of others, over sockets ------------------------------------------------------------------
 */

enum { SAVERS_MAX = 256 };

static _Noreturn void save_and_wait(int fd)
{
    uint64_t bytes[8] = {0}, answer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        bytes[0]++;
        if (write(fd, bytes, sizeof bytes) != sizeof bytes ||
            read(fd, &answer, sizeof answer) != sizeof answer)
            _exit(0);
    }
}

static void begin_saver(int loop, int fds[], int i)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        exit(1);
    if (fork() == 0) {
        close(ends[0]);
        save_and_wait(ends[1]);
    }
    close(ends[1]);
    fds[i] = ends[0];
    epoll_ctl(loop, EPOLL_CTL_ADD, fds[i], &event);
}

/* One transaction of all that have asked. Returns how many. */
static int serve(sqlite3_stmt *statement, const int fds[], const struct epoll_event *events, int n)
{
    uint64_t bytes[8];

    run("begin immediate");
    for (int i = 0; i < n; i++) {
        if (read(fds[events[i].data.u32], bytes, sizeof bytes) != sizeof bytes)
            exit(1);
        save(statement, (int)events[i].data.u32, bytes[0]);
    }
    run("commit");
    for (int i = 0; i < n; i++)
        if (write(fds[events[i].data.u32], bytes, sizeof *bytes) != sizeof *bytes)
            exit(1);
    return n;
}

static uint64_t save_of_others(sqlite3_stmt *statement, int savers, int64_t end)
{
    struct epoll_event events[SAVERS_MAX];
    int fds[SAVERS_MAX], loop = epoll_create1(EPOLL_CLOEXEC);
    uint64_t count = 0;

    if (savers > SAVERS_MAX)
        exit(2);
    for (int i = 0; i < savers; i++)
        begin_saver(loop, fds, i);
    while (measure_now() < end)
        count += (uint64_t)serve(statement, fds, events, epoll_wait(loop, events, savers, -1));
    return count;
}

int main(int argc, char **argv)
{
    int batch = argc > 3 ? atoi(argv[2]) : 0;
    int64_t ms = argc > 3 ? atoll(argv[3]) : 0, begin;
    sqlite3_stmt *statement;
    uint64_t count;

    if (batch < 1 || ms < 1)
        return 2;
    open_db(argv[1]);
    statement = prepare();
    begin = measure_now();
    if (argc > 4 && !strcmp(argv[4], "sockets"))
        count = save_of_others(statement, batch, begin + ms * 1000000);
    else
        count = save_alone(statement, batch, begin + ms * 1000000);
    printf("%.0f\n", (double)count * 1e9 / (double)(measure_now() - begin));
    return 0;
}
