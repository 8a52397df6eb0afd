#include "status.h"

#include "buf.h"
#include "files.h"
#include "supervisor.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum row_kind spec_row_kind(enum spec_kind kind)
{
    static const enum row_kind kinds[] = {
        [SPEC_MODULE] = ROW_MODULE,
        [SPEC_PROGRAM] = ROW_PROGRAM,
        [SPEC_SUPERVISOR] = ROW_SUPERVISOR,
        [SPEC_SERVICE] = ROW_SERVICE,
    };

    return kinds[kind];
}

/* ---- /proc --------------------------------------------------------------------------------------- */

static ssize_t read_proc(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return read_small_file(path, out, size);
}

static void read_memory(pid_t pid, struct row *row)
{
    char text[128];
    unsigned long resident, shared;

    if (read_proc(pid, "statm", text, sizeof text) > 0 &&
        sscanf(text, "%*u %lu %lu", &resident, &shared) == 2 && resident > shared)
        row->memory = (uint64_t)(resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void read_times(pid_t pid, struct row *row)
{
    char text[1024], *after;
    unsigned long user, system;
    long threads;

    if (read_proc(pid, "stat", text, sizeof text) <= 0 || !(after = strrchr(text, ')')))
        return;
    if (sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %ld",
               &user, &system, &threads) != 3)
        return;
    row->cpu_ms = (uint64_t)(user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
    row->threads = (uint32_t)threads;
}

static uint32_t count_descriptors(pid_t pid)
{
    char path[64];
    uint32_t n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    dir = opendir(path);
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n > 2 ? n - 2 : 0;
}

static uint32_t owner_of(pid_t pid)
{
    char path[64];
    struct stat st;

    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return stat(path, &st) < 0 ? 0 : st.st_uid;
}

/* ---- rows ---------------------------------------------------------------------------------------- */

static void read_stats(const struct child *child, struct row *row)
{
    const struct stats_page page = pages_read(child);
    uint64_t now_us = (uint64_t)mono_now().us;

    row->messages_in = page.messages_in;
    row->messages_out = page.messages_out;
    row->expired = page.expired;
    row->dropped = page.dropped;
    row->mailbox_depth = (uint32_t)page.mailbox_depth;
    row->mailbox_bytes = page.mailbox_bytes;
    if (page.busy_since_us && page.busy_since_us < now_us)
        row->busy_us = now_us - page.busy_since_us;
}

static void fill_supervisor(struct row *row, const struct spec_supervisor *spec, uint32_t used)
{
    row->strategy = strdup(spec_strategy_text(spec->strategy));
    row->intensity = spec->intensity;
    row->period_ms = (uint64_t)spec->period_ms;
    row->used = used;
}

static void read_process(pid_t pid, bool brief, struct row *row)
{
    if (!pid)
        return;
    read_memory(pid, row);
    if (brief)
        return;
    read_times(pid, row);
    row->fds = count_descriptors(pid);
    row->uid = owner_of(pid);
}

static int fill_row(struct child *child, bool brief, struct row *row)
{
    struct table_slot *slot = child->slot;

    *row = (struct row){
        .path = strdup(child->path),
        .kind = (uint8_t)spec_row_kind(child->spec->kind),
        .state = (uint8_t)child_row_state(child),
        .pid = (uint32_t)child->pid,
        .incarnation = slot->incarnation,
        .restarts_in_window = intensity_used(&child->restarts, mono_now().us / 1000),
        .restarts_total = slot->restarts_total,
        .last = strdup(slot->last),
        .since_us = (uint64_t)slot->since_us,
        .started_us = (uint64_t)slot->started_us,
        .status = strdup(slot->status),
        .restart = strdup(spec_restart_text(child->spec->restart)),
    };
    if (spec_supervises(child->spec))
        fill_supervisor(row, child->spec->supervisor, 0);
    else
        row->strategy = strdup("");
    read_process(child->pid, brief, row);
    read_stats(child, row);
    return row->path && row->last && row->status && row->restart && row->strategy ? 0 : -1;
}

static int fill_attached(const struct attached *attached, bool brief, struct row *row)
{
    *row = (struct row){
        .path = strdup(attached->path),
        .kind = ROW_ATTACHED,
        .state = attached->is_stopping ? ROW_STOPPING : ROW_READY,
        .pid = (uint32_t)attached->pid,
        .incarnation = attached->incarnation,
        .last = strdup(""),
        .since_us = (uint64_t)attached->started_us,
        .started_us = (uint64_t)attached->started_us,
        .status = strdup(attached->status),
        .restart = strdup(spec_restart_text(RESTART_TEMPORARY)),
        .strategy = strdup(""),
    };
    read_process(attached->pid, brief, row);
    return row->path && row->last && row->status && row->restart && row->strategy ? 0 : -1;
}

static struct row *new_row(struct rows *rows)
{
    struct row *grown = realloc(rows->at, (rows->count + 1) * sizeof *grown);

    if (!grown)
        return NULL;
    rows->at = grown;
    return &grown[rows->count++];
}

static int add_row(struct rows *rows, struct child *child, bool brief)
{
    struct row *row = new_row(rows);

    return row ? fill_row(child, brief, row) : -1;
}

static int add_attached(struct rows *rows, const struct attached *attached, bool brief)
{
    struct row *row = new_row(rows);

    return row ? fill_attached(attached, brief, row) : -1;
}

static int add_named(struct supervisor *supervisor, const char *name, bool brief, struct rows *rows)
{
    struct child *child = supervisor_find(supervisor, name);
    const struct attached *attached = child ? NULL : attached_find(&supervisor->attached, name);

    if (child)
        return add_row(rows, child, brief);
    if (attached)
        return add_attached(rows, attached, brief);
    errno = ENOENT;
    return -1;
}

int status_rows(struct supervisor *supervisor, const struct words *names, bool brief,
                struct rows *rows)
{
    *rows = (struct rows){0};
    if (names && names->count) {
        for (size_t i = 0; i < names->count; i++)
            if (add_named(supervisor, names->at[i], brief, rows) < 0)
                goto fail;
        return 0;
    }
    for (size_t i = 0; i < supervisor->count; i++)
        if (add_row(rows, supervisor->children[i], brief) < 0)
            goto fail;
    for (const struct attached *a = supervisor->attached.first; a; a = a->next)
        if (add_attached(rows, a, brief) < 0)
            goto fail;
    return 0;
fail:
    rows_finish(rows);
    return -1;
}

int status_self(struct supervisor *supervisor, struct rows *rows)
{
    struct row *row = calloc(1, sizeof *row);

    *rows = (struct rows){row ? 1 : 0, row};
    if (!row)
        return -1;
    *row = (struct row){
        .path = strdup(supervisor->path),
        .kind = ROW_SUPERVISOR,
        .state = supervisor->mode == SUPERVISOR_BOOTING  ? ROW_STARTING
                 : supervisor->mode == SUPERVISOR_ENDING ? ROW_STOPPING
                                                         : ROW_READY,
        .pid = (uint32_t)getpid(),
        .incarnation = supervisor->incarnation,
        .last = strdup(""),
        .status = strdup(""),
        .restart = strdup(""),
    };
    fill_supervisor(row, supervisor->spec, supervisor_used(supervisor));
    read_process(getpid(), false, row);
    return 0;
}

/* ---- status -------------------------------------------------------------------------------------- */

static void add_words(struct facts *facts, const char *key, char *const *words)
{
    struct buf text = {0};

    for (size_t i = 0; words && words[i]; i++)
        buf_printf(&text, "%s%s", i ? " " : "", words[i]);
    buf_append(&text, "", 1);
    if (text.data)
        facts_add(facts, 's', key, (const char *)buf_front(&text));
    buf_finish(&text);
}

static void add_what(struct facts *facts, const struct spec *spec)
{
    facts_add(facts, 's', "kind", spec_kind_text(spec->kind));
    if (spec->kind == SPEC_PROGRAM)
        add_words(facts, "exec", spec->exec);
    if (spec->kind == SPEC_MODULE)
        facts_add(facts, 's', "module", spec->module);
    if (spec->description)
        facts_add(facts, 's', "description", spec->description);
    if (spec->at.line)
        facts_addf(facts, 's', "declared", "%s:%d:%d", spec->at.file, spec->at.line,
                   spec->at.column);
}

static void add_shutdown(struct facts *facts, int64_t ms)
{
    if (ms == SHUTDOWN_INFINITY)
        facts_add(facts, 's', "shutdown", "infinity");
    else if (ms == SHUTDOWN_BRUTAL_KILL)
        facts_add(facts, 's', "shutdown", "brutal_kill");
    else
        facts_addf(facts, 'd', "shutdown", "%lld", (long long)ms);
}

static void add_spec(struct facts *facts, const struct spec *spec)
{
    facts_add(facts, 's', "restart", spec_restart_text(spec->restart));
    add_shutdown(facts, spec->shutdown_ms);
    facts_add(facts, 'b', "significant", spec->significant ? "true" : "false");
    if (spec->backoff.initial_ms)
        facts_addf(facts, 'd', "backoff", "%lld", (long long)spec->backoff.initial_ms);
    if (*spec->link)
        add_words(facts, "link", spec->link);
    if (spec->cwd)
        facts_add(facts, 's', "cwd", spec->cwd);
    if (spec->user)
        facts_add(facts, 's', "user", spec->user);
    for (size_t i = 0; i < spec->limit_count; i++) {
        char key[48];

        snprintf(key, sizeof key, "limit_%s", spec->limits[i].name);
        if (spec->limits[i].value == RLIM_INFINITY)
            facts_add(facts, 's', key, "unlimited");
        else
            facts_addf(facts, 'n', key, "%llu", (unsigned long long)spec->limits[i].value);
    }
    if (!spec_supervises(spec))
        return;
    facts_add(facts, 's', "strategy", spec_strategy_text(spec->supervisor->strategy));
    if (spec->supervisor->intensity == INTENSITY_UNLIMITED)
        facts_add(facts, 's', "intensity", "unlimited");
    else
        facts_addf(facts, 'n', "intensity", "%u", spec->supervisor->intensity);
    facts_addf(facts, 'd', "period", "%lld", (long long)spec->supervisor->period_ms);
}

static void add_process(struct facts *facts, struct child *child)
{
    struct row row = {0};

    facts_addf(facts, 'n', "pid", "%d", (int)child->pid);
    if (!child->pid)
        return;
    read_process(child->pid, false, &row);
    read_stats(child, &row);
    facts_addf(facts, 't', "started", "%lld", (long long)child->slot->started_us);
    facts_addf(facts, 'd', "ready_after", "%lld", (long long)child->start_took_ms);
    facts_addf(facts, 'z', "memory", "%llu", (unsigned long long)row.memory);
    facts_addf(facts, 'd', "cpu", "%llu", (unsigned long long)row.cpu_ms);
    facts_addf(facts, 'n', "threads", "%u", row.threads);
    facts_addf(facts, 'n', "descriptors", "%u", row.fds);
    facts_addf(facts, 'n', "uid", "%u", row.uid);
    if (child->mailbox_fd < 0 || spec_supervises(child->spec))
        return;
    facts_addf(facts, 'n', "mailbox", "%u", row.mailbox_depth);
    facts_addf(facts, 'n', "messages_in", "%llu", (unsigned long long)row.messages_in);
    facts_addf(facts, 'n', "messages_out", "%llu", (unsigned long long)row.messages_out);
    facts_addf(facts, 'n', "expired", "%llu", (unsigned long long)row.expired);
    facts_addf(facts, 'n', "dropped", "%llu", (unsigned long long)row.dropped);
    facts_addf(facts, 'd', "busy", "%llu", (unsigned long long)row.busy_us / 1000);
}

static void add_ends(struct facts *facts, const struct child *child)
{
    for (unsigned i = 0;; i++) {
        const struct table_end *end = table_end(child->slot, i);
        char key[24], when[WALL_TEXT_SIZE], ran[32];

        if (!end)
            return;
        snprintf(key, sizeof key, "end_%u", i + 1);
        wall_text(end->wall_us, when);
        facts_addf(facts, 's', key, "#%llu %s after %s: %s", (unsigned long long)end->incarnation,
                   when, text_of_duration(end->ran_ms, ran, sizeof ran), end->reason);
    }
}

int status_facts(struct child *child, struct facts *facts)
{
    int64_t left_ms = mono_diff_ms(child->not_before, mono_now());

    *facts = (struct facts){0};
    facts_add(facts, 's', "path", child->path);
    facts_add(facts, 's', "state", child_state_text(child));
    add_what(facts, child->spec);
    add_process(facts, child);
    facts_addf(facts, 'n', "incarnation", "%llu", (unsigned long long)child->slot->incarnation);
    facts_addf(facts, 'n', "restarts_in_window", "%u",
               intensity_used(&child->restarts, mono_now().us / 1000));
    facts_addf(facts, 'n', "restarts_total", "%llu",
               (unsigned long long)child->slot->restarts_total);
    if (child->state == CHILD_BACKOFF && left_ms > 0)
        facts_addf(facts, 'd', "restart_in", "%lld", (long long)left_ms);
    if (*child->slot->status)
        facts_add(facts, 's', "status", child->slot->status);
    add_spec(facts, child->spec);
    party_facts(&child->party, facts);
    add_ends(facts, child);
    return 0;
}

int status_attached(struct attached *attached, struct facts *facts)
{
    struct row row = {0};

    *facts = (struct facts){0};
    read_process(attached->pid, false, &row);
    facts_add(facts, 's', "path", attached->path);
    facts_add(facts, 's', "state",
              row_state_text(attached->is_stopping ? ROW_STOPPING : ROW_READY));
    facts_add(facts, 's', "kind", row_kind_text(ROW_ATTACHED));
    facts_addf(facts, 'n', "pid", "%d", (int)attached->pid);
    facts_addf(facts, 't', "started", "%lld", (long long)attached->started_us);
    facts_addf(facts, 'z', "memory", "%llu", (unsigned long long)row.memory);
    facts_addf(facts, 'd', "cpu", "%llu", (unsigned long long)row.cpu_ms);
    facts_addf(facts, 'n', "threads", "%u", row.threads);
    facts_addf(facts, 'n', "descriptors", "%u", row.fds);
    facts_addf(facts, 'n', "uid", "%u", row.uid);
    facts_addf(facts, 'n', "incarnation", "%llu", (unsigned long long)attached->incarnation);
    if (*attached->status)
        facts_add(facts, 's', "status", attached->status);
    party_facts(&attached->party, facts);
    return 0;
}

static unsigned count_attached(const struct supervisor *supervisor)
{
    unsigned n = 0;

    for (const struct attached *a = supervisor->attached.first; a; a = a->next)
        n++;
    return n;
}

int status_counts(const struct supervisor *supervisor, struct facts *facts)
{
    unsigned specs = (unsigned)supervisor->count, active = 0, supervisors = 0;

    for (size_t i = 0; i < supervisor->count; i++) {
        active += supervisor->children[i]->pid && supervisor->children[i]->was_ready;
        supervisors += spec_supervises(supervisor->children[i]->spec);
    }
    *facts = (struct facts){0};
    facts_addf(facts, 'n', "specs", "%u", supervisor->spec->template ? 1 : specs);
    facts_addf(facts, 'n', "active", "%u", active);
    facts_addf(facts, 'n', "supervisors", "%u", supervisors);
    if (count_attached(supervisor)) /* which OTP has no word for */
        facts_addf(facts, 'n', "attached", "%u", count_attached(supervisor));
    return facts_addf(facts, 'n', "workers", "%u", specs - supervisors);
}
