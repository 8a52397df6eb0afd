/*
 * What SQLite itself takes: saves of 64 bytes into rows, WAL and synchronous FULL, a batch of them
 * in each transaction.
 *
 *   rows FOLDER BATCH MS     prints saves a second
 */
#include "measure.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

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

int main(int argc, char **argv)
{
    int batch = argc > 3 ? atoi(argv[2]) : 0;
    int64_t ms = argc > 3 ? atoll(argv[3]) : 0, begin, now;
    sqlite3_stmt *statement;
    uint64_t count = 0;

    if (batch < 1 || ms < 1)
        return 2;
    open_db(argv[1]);
    sqlite3_prepare_v2(db, "insert or replace into state values ('bench', ?, 'value', ?, ?)", -1,
                       &statement, NULL);
    begin = now = measure_now();
    for (; now < begin + ms * 1000000; now = measure_now()) {
        run("begin immediate");
        for (int i = 0; i < batch; i++)
            save(statement, i, count++);
        run("commit");
    }
    printf("%.0f\n", (double)count * 1e9 / (double)(now - begin));
    return 0;
}
