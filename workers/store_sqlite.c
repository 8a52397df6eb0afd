/*
 * The embedded store: two files in one directory, one connection, one thread. All that was
 * submitted in one turn of the loop is one transaction, and so one fsync (group commit).
 *
 *   state.db         state rows, reminders; WAL, synchronous FULL. An accepted save outlives the machine
 *   place-BOOT.db    node and place rows; WAL, synchronous OFF. It need not outlive the boot that
 *                    names it: whoever it speaks of has not either. A file of another boot is
 * removed
 *
 * The second is attached to the first: a save tests its place row in the transaction that writes
 * it, whose BEGIN IMMEDIATE keeps every other process from changing either. The epochs' counter is
 * in the second; what makes them unique for ever is a bound in the first, which the counter never
 * passes and a new file begins at.
 *
 * Several nodes of one host may open the same directory, each with a process of its own.
 */
#include "store_queue.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BUSY_MS = 100,         /* how long the loop waits for another process */
    AGAIN_BUSY_MS = 20,    /* then it serves its own for that long */
    AGAIN_BROKEN_MS = 200, /* and this long a file that cannot be used is left alone */
    SCHEMA = 4,
};

/* Each brings state.db from the version before to its own. What is here is never changed, only
 * added. */
static const char *const migrations[SCHEMA] = {
    /* 1 */
    "create table state (service text not null, id text not null, name text not null, value blob "
    "not null,"
    " version integer not null, epoch integer not null, writer text not null,"
    " primary key (service, id, name));"
    "create table bound (epoch integer not null);"
    "insert into bound values (0);",
    /* 2: when it was saved */
    "alter table state add column saved_us integer not null default 0;",
    /* 3: the schema of the value */
    "alter table state add column schema integer not null default 0;",
    /* 4: reminders */
    "create table reminder (service text not null, id text not null, name text not null,"
    " due integer not null, period integer not null, message text not null, version integer not null,"
    " writer text not null, primary key (service, id, name));"
    "create index reminder_due on reminder (due);",
};

/* The file of one boot is never older than the program that made it. */
static const char place_schema[] =
    "create table if not exists p.node (name text not null, generation text not null, state text "
    "not null,"
    " beat integer not null, url text not null, services text not null, load text not null,"
    " primary key (name, generation));"
    "create table if not exists p.place (service text not null, id text not null, node text not "
    "null,"
    " generation text not null, epoch integer not null, writer text not null, primary key "
    "(service, id));"
    "create table if not exists p.counter (one integer primary key check (one = 1), epoch integer "
    "not null);"
    "insert or ignore into p.counter select 1, epoch from bound;";

enum statement {
    BEGIN,
    BEGIN_WRITE,
    COMMIT,
    ROLLBACK,
    STATE_GET,
    STATE_VERSION,
    STATE_WRITE,
    STATE_CHANGE,
    STATE_REMOVE,
    STATE_LIST,
    PLACE_GET,
    PLACE_WRITE,
    PLACE_FREE,
    PLACE_LIST,
    REMINDER_VERSION,
    REMINDER_WRITE,
    REMINDER_MOVE,
    REMINDER_REMOVE,
    REMINDER_DUE,
    EPOCH_NEXT,
    BOUND_RAISE,
    NODE_GET,
    NODE_INSERT,
    NODE_BEAT,
    NODE_SET,
    NODE_REMOVE,
    NODE_LIST,
    NODE_OTHER,
    STATEMENTS
};

static const char *const texts[STATEMENTS] = {
    [BEGIN] = "begin",
    [BEGIN_WRITE] = "begin immediate",
    [COMMIT] = "commit",
    [ROLLBACK] = "rollback",
    [STATE_GET] =
        "select value, version, epoch, saved_us, schema from state where service = ? and id = ? "
        "and name = ?",
    [STATE_VERSION] =
        "select version, writer, rowid from state where service = ? and id = ? and name = ?",
    [STATE_WRITE] = "insert into state"
                    " (service, id, name, value, version, epoch, writer, saved_us, schema)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    /* In its place: replaced, it would move, and its entry in the index with it. */
    [STATE_CHANGE] = "update state set value = ?2, version = ?3, epoch = ?4, writer = ?5,"
                     " saved_us = ?6, schema = ?7 where rowid = ?1",
    [STATE_REMOVE] = "delete from state where service = ? and id = ? and name = ?",
    [STATE_LIST] = "select id, name, version, length(value), saved_us from state"
                   " where service = ?1 and (id, name) > (?2, ?3) order by id, name limit ?4",
    [PLACE_GET] =
        "select node, generation, epoch, writer from p.place where service = ? and id = ?",
    [PLACE_WRITE] = "insert or replace into p.place (service, id, node, generation, epoch, writer)"
                    " values (?, ?, ?, ?, ?, ?)",
    [PLACE_FREE] = "delete from p.place where service = ? and id = ?",
    [PLACE_LIST] =
        "select service, id, node, generation, epoch from p.place"
        " where (?1 = '' or service = ?1) and (?2 = '' or (node = ?2 and generation = ?3))"
        " and (service, id) > (?4, ?5) order by service, id limit ?6",
    [REMINDER_VERSION] =
        "select version, writer, rowid from reminder where service = ? and id = ? and name = ?",
    [REMINDER_WRITE] = "insert or replace into reminder"
                       " (service, id, name, due, period, message, version, writer)"
                       " values (?, ?, ?, ?, ?, ?, ?, ?)",
    [REMINDER_MOVE] = "update reminder set due = ?4, version = ?5, writer = ?6"
                      " where service = ?1 and id = ?2 and name = ?3",
    [REMINDER_REMOVE] = "delete from reminder where service = ? and id = ? and name = ?",
    [REMINDER_DUE] = "select service, id, name, due, period, message, version from reminder"
                     " where due <= ? order by due, service, id, name limit ?",
    [EPOCH_NEXT] = "update p.counter set epoch = epoch + 1 returning epoch",
    /* A thousand at a time: an epoch costs an fsync no more often. */
    [BOUND_RAISE] = "update bound set epoch = ?1 + 999 where epoch < ?1",
    [NODE_GET] = "select state, beat from p.node where name = ? and generation = ?",
    [NODE_INSERT] = "insert into p.node (name, generation, state, beat, url, services, load)"
                    " values (?, ?, ?, 0, ?, ?, ?)",
    [NODE_BEAT] =
        "update p.node set beat = beat + 1, load = ?3 where name = ?1 and generation = ?2",
    [NODE_SET] = "update p.node set state = ?3 where name = ?1 and generation = ?2",
    [NODE_REMOVE] = "delete from p.node where name = ? and generation = ?",
    [NODE_LIST] = "select name, generation, state, beat, url, services, load from p.node"
                  " order by name, generation",
    [NODE_OTHER] = "select generation, state, beat from p.node"
                   " where name = ? and generation <> ? and state <> 'dead'",
};

struct sqlite_store {
    struct store *store;
    char dir[PATH_MAX];
    sqlite3 *db; /* NULL: to be opened */
    sqlite3_stmt *statements[STATEMENTS];
    ev_timer again;
};

/* ---- statements ---------------------------------------------------------------------------------
 */

static void bind_values(sqlite3_stmt *statement, const char *format, va_list args)
{
    for (int i = 1; *format; format++, i++) {
        if (*format == 's') {
            const char *text = va_arg(args, const char *);
            sqlite3_bind_text(statement, i, text ? text : "", -1, SQLITE_STATIC);
        } else if (*format == 'b') {
            const void *bytes = va_arg(args, const void *);
            sqlite3_bind_blob64(statement, i, bytes, va_arg(args, size_t), SQLITE_STATIC);
        } else {
            sqlite3_bind_int64(statement, i, va_arg(args, int64_t));
        }
    }
}

/* Binds (s text, i int64_t, b bytes and size_t) and steps once: SQLITE_ROW, SQLITE_DONE or an
 * error. */
static int step(struct sqlite_store *self, enum statement which, const char *format, ...)
{
    sqlite3_stmt *statement = self->statements[which];
    va_list args;
    int code;

    sqlite3_reset(statement);
    va_start(args, format);
    bind_values(statement, format, args);
    va_end(args);
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW)
        sqlite3_reset(statement);
    return code;
}

/* The same for one that gives no row: 0 or an error. */
#define STEP(...) done(step(__VA_ARGS__))

static int done(int code)
{
    return code == SQLITE_DONE || code == SQLITE_ROW ? 0 : code;
}

static int64_t number(struct sqlite_store *self, enum statement which, int column)
{
    return sqlite3_column_int64(self->statements[which], column);
}

static const char *text(struct sqlite_store *self, enum statement which, int column)
{
    const unsigned char *at = sqlite3_column_text(self->statements[which], column);

    return at ? (const char *)at : "";
}

static void reset_all(struct sqlite_store *self)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_reset(self->statements[i]);
}

/* All rows of a statement that has given its first, as texts. */
static int take_rows(struct sqlite_store *self, enum statement which, int code, struct words *rows)
{
    for (; code == SQLITE_ROW; code = sqlite3_step(self->statements[which])) {
        for (int i = 0; i < sqlite3_column_count(self->statements[which]); i++) {
            if (words_append(rows, text(self, which, i)) < 0)
                return SQLITE_NOMEM;
        }
    }
    return done(code);
}

/* ---- the operations: each 0, or SQLite's error, after which the transaction is rolled back --- */

static int settle(struct store_job *job, enum store_status status)
{
    job->answer.status = status;
    return 0;
}

static int state_get(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    int code = step(self, STATE_GET, "sss", request->service, request->id, request->name);
    sqlite3_stmt *row = self->statements[STATE_GET];

    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? settle(job, STORE_NOT_FOUND) : code;
    job->answer.version = number(self, STATE_GET, 1);
    job->answer.epoch = number(self, STATE_GET, 2);
    job->answer.saved_us = number(self, STATE_GET, 3);
    job->answer.schema = number(self, STATE_GET, 4);
    if (store_answer_value(&job->answer, sqlite3_column_blob(row, 0),
                           (size_t)sqlite3_column_bytes(row, 0)) < 0)
        return SQLITE_NOMEM;
    return settle(job, STORE_OK);
}

/* Is the saver still the owner? The transaction keeps it so until its end. */
static int test_fence(struct sqlite_store *self, const struct store_request *request,
                      bool *is_owner)
{
    int code;

    *is_owner = request->epoch == STORE_NO_FENCE;
    if (*is_owner)
        return 0;
    code = step(self, PLACE_GET, "ss", request->service, request->id);
    *is_owner = code == SQLITE_ROW && *text(self, PLACE_GET, 0) &&
                number(self, PLACE_GET, 2) == request->epoch;
    return done(code);
}

/* What a save or a removal finds. */
struct found {
    int64_t version; /* 0: no row */
    int64_t row;
    bool is_mine;    /* this very request has written it, before its answer was lost */
};

static int find(struct sqlite_store *self, enum statement which, const struct store_job *job,
                struct found *found)
{
    const struct store_request *request = &job->request;
    int code = step(self, which, "sss", request->service, request->id, request->name);

    *found = (struct found){0};
    if (code == SQLITE_ROW) {
        found->version = number(self, which, 0);
        found->row = number(self, which, 2);
        found->is_mine = !strcmp(text(self, which, 1), job->writer);
    }
    return done(code);
}

/* May this row be written, now that this was found? Fills the answer, with the new version if so. */
static int test_write(struct sqlite_store *self, enum statement which, struct store_job *job,
                      struct found *found, bool *may)
{
    const struct store_request *request = &job->request;
    bool is_owner;
    int code;

    *may = false;
    if ((code = test_fence(self, request, &is_owner)) || (code = find(self, which, job, found)))
        return code;
    job->answer.version = found->version;
    if (found->is_mine)
        return settle(job, STORE_OK);
    if (!is_owner)
        return settle(job, STORE_FENCED);
    if (request->version != STORE_ANY && request->version != found->version)
        return settle(job, STORE_CONFLICT);
    *may = true;
    job->answer.version = found->version ? found->version + 1 : job->now_us;
    return settle(job, STORE_OK);
}

static int state_put(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    struct found found;
    bool may;
    int code = test_write(self, STATE_VERSION, job, &found, &may);

    if (code || !may)
        return code;
    if (found.version)
        return STEP(self, STATE_CHANGE, "ibiisii", found.row, request->value, request->value_size,
                    job->answer.version, request->epoch, job->writer, job->now_us, request->schema);
    return STEP(self, STATE_WRITE, "sssbiisii", request->service, request->id, request->name,
                request->value, request->value_size, job->answer.version, request->epoch,
                job->writer, job->now_us, request->schema);
}

/* One row less, of states or of reminders. */
static int remove_row(struct sqlite_store *self, struct store_job *job, enum statement version,
                      enum statement removal)
{
    const struct store_request *request = &job->request;
    struct found found;
    bool is_owner;
    int code;

    if ((code = test_fence(self, request, &is_owner)) || (code = find(self, version, job, &found)))
        return code;
    job->answer.version = found.version;
    if (!is_owner)
        return settle(job, STORE_FENCED);
    if (!found.version)
        return settle(job, job->is_again ? STORE_OK : STORE_NOT_FOUND);
    if (request->version != STORE_ANY && request->version != found.version)
        return settle(job, STORE_CONFLICT);
    settle(job, STORE_OK);
    return STEP(self, removal, "sss", request->service, request->id, request->name);
}

static int state_remove(struct sqlite_store *self, struct store_job *job)
{
    return remove_row(self, job, STATE_VERSION, STATE_REMOVE);
}

static int reminder_put(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    struct found found;
    bool may;
    int code = test_write(self, REMINDER_VERSION, job, &found, &may);

    if (code || !may)
        return code;
    return STEP(self, REMINDER_WRITE, "sssiisis", request->service, request->id, request->name,
                request->due, request->period, request->message, job->answer.version, job->writer);
}

static int reminder_remove(struct sqlite_store *self, struct store_job *job)
{
    return remove_row(self, job, REMINDER_VERSION, REMINDER_REMOVE);
}

static int reminder_advance(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    struct found found;
    int code;

    if (!request->due)
        return reminder_remove(self, job);
    if ((code = find(self, REMINDER_VERSION, job, &found)))
        return code;
    job->answer.version = found.version;
    if (!found.version)
        return settle(job, STORE_NOT_FOUND);
    if (found.is_mine)
        return settle(job, STORE_OK);
    if (request->version != STORE_ANY && request->version != found.version)
        return settle(job, STORE_CONFLICT);
    job->answer.version++;
    settle(job, STORE_OK);
    return STEP(self, REMINDER_MOVE, "sssiis", request->service, request->id, request->name,
                request->due, job->answer.version, job->writer);
}

static int reminder_due(struct sqlite_store *self, struct store_job *job)
{
    int code = step(self, REMINDER_DUE, "ii", job->request.due, (int64_t)job->request.limit);

    settle(job, STORE_OK);
    return take_rows(self, REMINDER_DUE, code, &job->answer.rows);
}

static int state_list(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    int code = step(self, STATE_LIST, "sssi", request->service, request->id, request->name,
                    (int64_t)request->limit);

    settle(job, STORE_OK);
    return take_rows(self, STATE_LIST, code, &job->answer.rows);
}

static int epoch_take(struct sqlite_store *self, struct store_job *job)
{
    int code = step(self, EPOCH_NEXT, "");

    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? SQLITE_CORRUPT : code;
    job->answer.epoch = number(self, EPOCH_NEXT, 0);
    sqlite3_reset(self->statements[EPOCH_NEXT]);
    settle(job, STORE_OK);
    return STEP(self, BOUND_RAISE, "i", job->answer.epoch);
}

/* Nobody of that name and generation is alive: its row is dead, or was, and is removed. */
static int is_dead(struct sqlite_store *self, const char *node, const char *generation, bool *dead)
{
    int code = step(self, NODE_GET, "ss", node, generation);

    *dead = code == SQLITE_DONE || (code == SQLITE_ROW && !strcmp(text(self, NODE_GET, 0), "dead"));
    return done(code);
}

/* L4: may the claimer have it? The answer holds who has it. */
static int test_claim(struct sqlite_store *self, struct store_job *job, bool *may)
{
    const struct store_request *request = &job->request;
    struct store_answer *answer = &job->answer;
    int code = step(self, PLACE_GET, "ss", request->service, request->id);

    *may = code == SQLITE_DONE;
    if (code != SQLITE_ROW)
        return done(code);
    store_answer_holder(answer, text(self, PLACE_GET, 0), text(self, PLACE_GET, 1));
    answer->epoch = number(self, PLACE_GET, 2);
    *may = !*answer->node ||
           (answer->epoch == request->epoch && !strcmp(answer->node, request->node) &&
            !strcmp(answer->generation, request->generation));
    return *may ? 0 : is_dead(self, answer->node, answer->generation, may);
}

static int place_claim(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    bool may, dead;
    int code;

    if ((code = is_dead(self, request->node, request->generation, &dead)))
        return code;
    if (dead)
        return settle(job, STORE_FENCED);
    if ((code = test_claim(self, job, &may)))
        return code;
    if (!may && !strcmp(text(self, PLACE_GET, 3), job->writer))
        return settle(job, STORE_OK);
    if (!may)
        return settle(job, STORE_CONFLICT);
    if ((code = epoch_take(self, job)))
        return code;
    store_answer_holder(&job->answer, request->node, request->generation);
    return STEP(self, PLACE_WRITE, "ssssis", request->service, request->id, request->node,
                request->generation, job->answer.epoch, job->writer);
}

static int place_read(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    int code = step(self, PLACE_GET, "ss", request->service, request->id);

    if (code != SQLITE_ROW)
        return code == SQLITE_DONE ? settle(job, STORE_NOT_FOUND) : code;
    store_answer_holder(&job->answer, text(self, PLACE_GET, 0), text(self, PLACE_GET, 1));
    job->answer.epoch = number(self, PLACE_GET, 2);
    return settle(job, STORE_OK);
}

static int place_free(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    int code = place_read(self, job);

    if (code || job->answer.status == STORE_NOT_FOUND)
        return code;
    if (job->answer.epoch != request->epoch)
        return settle(job, STORE_CONFLICT);
    return STEP(self, PLACE_FREE, "ss", request->service, request->id);
}

static int place_list(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    int code = step(self, PLACE_LIST, "sssssi", request->service, request->node, request->generation,
                    request->after, request->id, (int64_t)request->limit);

    settle(job, STORE_OK);
    return take_rows(self, PLACE_LIST, code, &job->answer.rows);
}

/* A name has one generation that is not dead. */
static int node_insert(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    enum statement which = NODE_GET;
    int code = step(self, NODE_GET, "ss", request->node, request->generation);

    if (code == SQLITE_ROW && job->is_again && !strcmp(text(self, NODE_GET, 0), request->state))
        return settle(job, STORE_OK);
    if (code == SQLITE_DONE)
        code = step(self, which = NODE_OTHER, "ss", request->node, request->generation);
    if (code == SQLITE_ROW) {
        store_answer_holder(&job->answer, request->node,
                            which == NODE_OTHER ? text(self, NODE_OTHER, 0) : request->generation);
        store_answer_set_state(&job->answer, text(self, which, which == NODE_OTHER));
        return settle(job, STORE_CONFLICT);
    }
    settle(job, STORE_OK);
    return code != SQLITE_DONE
               ? code
               : STEP(self, NODE_INSERT, "ssssss", request->node, request->generation,
                      request->state, request->url, request->services, request->load);
}

/* Fills the answer with the node's row. *found: there is one; else the answer says so. */
static int find_node(struct sqlite_store *self, struct store_job *job, bool *found)
{
    int code = step(self, NODE_GET, "ss", job->request.node, job->request.generation);

    *found = code == SQLITE_ROW;
    settle(job, STORE_NOT_FOUND);
    if (*found) {
        store_answer_set_state(&job->answer, text(self, NODE_GET, 0));
        job->answer.beat = number(self, NODE_GET, 1);
    }
    return done(code);
}

static int node_beat(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    bool found;
    int code = find_node(self, job, &found);

    if (code || !found)
        return code;
    if (strcmp(job->answer.state, request->state) != 0)
        return settle(job, STORE_CONFLICT);
    job->answer.beat++;
    settle(job, STORE_OK);
    return STEP(self, NODE_BEAT, "sss", request->node, request->generation, request->load);
}

static int node_set(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    bool found;
    int code = find_node(self, job, &found);

    if (code || !found)
        return code;
    if (!strcmp(job->answer.state, request->wanted))
        return settle(job, STORE_OK);
    if (!strcmp(job->answer.state, "dead") || strcmp(job->answer.state, request->state) != 0 ||
        (request->beat != STORE_ANY && request->beat != job->answer.beat))
        return settle(job, STORE_CONFLICT);
    store_answer_set_state(&job->answer, request->wanted);
    settle(job, STORE_OK);
    return STEP(self, NODE_SET, "sss", request->node, request->generation, request->wanted);
}

static int node_remove(struct sqlite_store *self, struct store_job *job)
{
    const struct store_request *request = &job->request;
    bool found;
    int code = find_node(self, job, &found);

    if (code || !found)
        return code;
    if (strcmp(job->answer.state, "dead") != 0)
        return settle(job, STORE_CONFLICT);
    settle(job, STORE_OK);
    return STEP(self, NODE_REMOVE, "ss", request->node, request->generation);
}

static int node_list(struct sqlite_store *self, struct store_job *job)
{
    settle(job, STORE_OK);
    return take_rows(self, NODE_LIST, step(self, NODE_LIST, ""), &job->answer.rows);
}

static int (*const operations[])(struct sqlite_store *, struct store_job *) = {
    [STORE_STATE_GET] = state_get,       [STORE_STATE_PUT] = state_put,
    [STORE_STATE_REMOVE] = state_remove, [STORE_STATE_LIST] = state_list,
    [STORE_EPOCH] = epoch_take,          [STORE_PLACE_CLAIM] = place_claim,
    [STORE_PLACE_FREE] = place_free,     [STORE_PLACE_READ] = place_read,
    [STORE_PLACE_LIST] = place_list,
    [STORE_REMINDER_PUT] = reminder_put, [STORE_REMINDER_REMOVE] = reminder_remove,
    [STORE_REMINDER_DUE] = reminder_due, [STORE_REMINDER_ADVANCE] = reminder_advance,
    [STORE_NODE_INSERT] = node_insert,   [STORE_NODE_BEAT] = node_beat,
    [STORE_NODE_SET] = node_set,         [STORE_NODE_REMOVE] = node_remove,
    [STORE_NODE_LIST] = node_list,
};

/* ---- opening ------------------------------------------------------------------------------------
 */

/* SQLite's error, kept for people. */
static int complain(struct sqlite_store *self, const char *doing, const char *why)
{
    char line[160];

    snprintf(line, sizeof line, "%.80s: %.72s", doing, why);
    store_set_trouble(self->store, line);
    return -1;
}

static int execute(struct sqlite_store *self, const char *sql)
{
    return sqlite3_exec(self->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : complain(self, "state.db", sqlite3_errmsg(self->db));
}

static int schema_of(struct sqlite_store *self)
{
    sqlite3_stmt *statement;
    int version = -1;

    if (sqlite3_prepare_v2(self->db, "pragma main.user_version", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

static int migrate(struct sqlite_store *self)
{
    int version = schema_of(self);
    char line[64];

    if (version > SCHEMA)
        return complain(self, "state.db", "was written by a newer Troupe");
    for (; version >= 0 && version < SCHEMA; version++) {
        snprintf(line, sizeof line, "pragma main.user_version = %d", version + 1);
        if (execute(self, migrations[version]) < 0 || execute(self, line) < 0)
            return -1;
    }
    return version < 0 ? complain(self, "state.db", sqlite3_errmsg(self->db))
                       : execute(self, place_schema);
}

static void close_db(struct sqlite_store *self)
{
    for (int i = 0; i < STATEMENTS; i++) {
        sqlite3_finalize(self->statements[i]);
        self->statements[i] = NULL;
    }
    sqlite3_close(self->db);
    self->db = NULL;
}

/* The name of this boot's file; those of others go. */
static void place_file(struct sqlite_store *self, char *out, size_t size)
{
    char boot[37] = "", name[64];
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    struct dirent *entry;
    DIR *dir;

    if (file && !fgets(boot, sizeof boot, file))
        boot[0] = '\0';
    if (file)
        fclose(file);
    snprintf(name, sizeof name, "place-%s.db", boot);
    snprintf(out, size, "%s/%s", self->dir, name);
    dir = opendir(self->dir);
    while (dir && (entry = readdir(dir))) {
        if (!strncmp(entry->d_name, "place-", 6) && strncmp(entry->d_name, name, strlen(name)) != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

static int attach(struct sqlite_store *self)
{
    char file[PATH_MAX + 64], *sql;
    int result;

    place_file(self, file, sizeof file);
    sql = sqlite3_mprintf("attach %Q as p", file);
    result = sql ? execute(self, sql) : -1;
    sqlite3_free(sql);
    return result;
}

static int prepare_all(struct sqlite_store *self)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (sqlite3_prepare_v3(self->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &self->statements[i], NULL) != SQLITE_OK)
            return complain(self, "state.db", sqlite3_errmsg(self->db));
    }
    return 0;
}

/* 0, or -1: said to store_set_trouble(), and to be tried again. */
static int open_db(struct sqlite_store *self)
{
    char file[PATH_MAX + 16];

    if (mkdir(self->dir, 0700) < 0 && errno != EEXIST)
        return complain(self, self->dir, strerror(errno));
    snprintf(file, sizeof file, "%s/state.db", self->dir);
    if (sqlite3_open_v2(file, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK) {
        complain(self, file, self->db ? sqlite3_errmsg(self->db) : "out of memory");
        goto fail;
    }
    sqlite3_extended_result_codes(self->db, 1);
    sqlite3_busy_timeout(self->db, BUSY_MS);
    if (attach(self) < 0 ||
        execute(self, "pragma main.journal_mode = wal; pragma main.synchronous = full;"
                      "pragma p.journal_mode = wal; pragma p.synchronous = off;") < 0)
        goto fail;
    if (execute(self, "begin immediate") < 0 || migrate(self) < 0 || execute(self, "commit") < 0 ||
        prepare_all(self) < 0)
        goto fail;
    store_set_trouble(self->store, NULL);
    return 0;
fail:
    close_db(self);
    return -1;
}

/* ---- batches ------------------------------------------------------------------------------------
 */

static int run_all(struct sqlite_store *self, struct store_job **jobs, int n)
{
    enum statement begin = BEGIN;
    int code;

    for (int i = 0; i < n; i++)
        begin = store_op_is_read(jobs[i]->request.op) ? begin : BEGIN_WRITE;
    code = STEP(self, begin, "");
    for (int i = 0; i < n && !code; i++)
        code = operations[jobs[i]->request.op](self, jobs[i]);
    reset_all(self);
    return code ? code : STEP(self, COMMIT, "");
}

/* Runs them as one transaction. 0, or SQLite's error: then there was none, as far as one can know.
 */
static int run(struct sqlite_store *self, struct store_job **jobs, int n, char why[160])
{
    int code = run_all(self, jobs, n);

    if (!code)
        return 0;
    snprintf(why, 160, "state.db: %s", sqlite3_errmsg(self->db));
    reset_all(self);
    if (!sqlite3_get_autocommit(self->db))
        step(self, ROLLBACK, "");
    for (int i = 0; i < n; i++)
        store_answer_reset(&jobs[i]->answer);
    return code;
}

static void finish_all(struct sqlite_store *self, struct store_job **jobs, int n)
{
    for (int i = 0; i < n; i++)
        store_finish(self->store, jobs[i]);
}

static void later(struct sqlite_store *self, int64_t ms)
{
    ev_timer_stop(store_loop(self->store), &self->again);
    ev_timer_set(&self->again, (double)ms / 1000., 0.);
    ev_timer_start(store_loop(self->store), &self->again);
}

/* They wait for better times, and answer by the store's trouble if these do not come. Whether the
 * commit that failed is in the file is seen then, by its writer. */
static void put_back(struct sqlite_store *self, struct store_job **jobs, int n, bool may_be_there)
{
    while (n-- > 0)
        store_put_back(self->store, jobs[n], may_be_there);
}

static bool is_its_own_fault(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return true;
    default:
        return false;
    }
}

static void run_batch(struct sqlite_store *self, struct store_job **jobs, int n)
{
    char why[160];
    int code = run(self, jobs, n, why);

    if (!code) {
        store_set_trouble(self->store, NULL);
        finish_all(self, jobs, n);
    } else if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) {
        store_set_trouble(self->store, why);
        put_back(self, jobs, n, false);
        later(self, AGAIN_BUSY_MS);
    } else if (!is_its_own_fault(code)) {
        store_set_trouble(self->store, why);
        put_back(self, jobs, n, true);
        close_db(self);
        later(self, AGAIN_BROKEN_MS);
    } else if (n == 1) {
        store_finish_as(self->store, jobs[0], STORE_FAILED, why);
    } else { /* one is too large, or there is room for some */
        for (int i = 0; i < n; i++) {
            if (self->db)
                run_batch(self, &jobs[i], 1);
            else
                store_put_back(self->store, jobs[i], false);
        }
    }
}

static void on_work(void *data)
{
    struct sqlite_store *self = data;
    struct store_job *jobs[STORE_BATCH_MAX];
    int n = 0;

    if (ev_is_active(&self->again))
        return;
    if (!self->db && open_db(self) < 0) {
        later(self, AGAIN_BROKEN_MS);
        return;
    }
    while (n < STORE_BATCH_MAX && (jobs[n] = store_take(self->store)))
        n++;
    if (n > 0)
        run_batch(self, jobs, n);
    if (store_has_work(self->store) && !ev_is_active(&self->again))
        store_wake(self->store);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct sqlite_store *self = container_of(timer, struct sqlite_store, again);

    (void)loop;
    (void)events;
    if (!self->db && open_db(self) < 0)
        later(self, AGAIN_BROKEN_MS);
    else
        store_wake(self->store);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void *create(struct store *store, const struct store_config *config, struct error *err)
{
    struct sqlite_store *self;

    if (!config->where || strlen(config->where) >= PATH_MAX || !*config->where) {
        error_set(err, EINVAL, "sqlite: expected a directory");
        return NULL;
    }
    self = calloc(1, sizeof *self);
    if (!self) {
        error_set_errno(err, errno, "sqlite");
        return NULL;
    }
    self->store = store;
    strcpy(self->dir, config->where);
    ev_init(&self->again, on_again);
    later(self, 0);
    return self;
}

static void destroy(void *data)
{
    struct sqlite_store *self = data;

    ev_timer_stop(store_loop(self->store), &self->again);
    close_db(self);
    free(self);
}

const struct store_backend store_sqlite = {
    .name = "sqlite",
    .create = create,
    .destroy = destroy,
    .on_work = on_work,
};
