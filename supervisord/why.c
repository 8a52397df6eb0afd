#include "why.h"

#include "ctl.h"
#include "elf_symbols.h"
#include "supervisor.h"
#include "text.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- crashes --------------------------------------------------------------------------------------- */

/* The runtime's entry: what called it is the supervisor that the actor was forked from. And the
 * handler that took the signal, which the kernel called through a trampoline. */
static const char outermost[] = "troupe_actor_run", handler[] = "on_fatal";

enum frame { FRAME, FRAME_HANDLER, FRAME_OUTERMOST };

/* "counter.so: on_add+0x1c", by the maps of our own image: a module was forked from it. */
static enum frame frame_text(unsigned long address, char *out, size_t size)
{
    Dl_info info;
    char function[64];
    const char *name;
    uint64_t into;

    if (!dladdr((void *)address, &info) || !info.dli_fname) { // NOLINT: another process's address
        snprintf(out, size, "0x%lx", address);
        return FRAME;
    }
    name = strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname;
    into = address - (unsigned long)info.dli_fbase;
    if (elf_function_at(info.dli_fname, into, function, sizeof function, &into) < 0) {
        snprintf(out, size, "%s+0x%llx", name, (unsigned long long)into);
        return FRAME;
    }
    snprintf(out, size, "%s: %s+0x%llx", name, function, (unsigned long long)into);
    return !strcmp(function, outermost) ? FRAME_OUTERMOST
           : !strcmp(function, handler) ? FRAME_HANDLER
                                        : FRAME;
}

/* What any member may have written ends on somebody's terminal: nothing but what a crash's line has. */
static bool is_made_of(const char *word, const char *bytes)
{
    return word && *word && !word[strspn(word, bytes)];
}

void why_record_crash(struct child *child, char *rest)
{
    static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", hex[] = "0123456789abcdef";
    char *signal = ctl_word(&rest), *address = ctl_word(&rest), *base = ctl_word(&rest), *frame;
    char *out = child->slot->crash;
    size_t size = sizeof child->slot->crash, used;
    enum frame kind = FRAME;

    if (!is_made_of(signal, capitals) || !is_made_of(address, hex) || !is_made_of(base, hex))
        return;
    used = (size_t)snprintf(out, size, "SIG%s at address 0x%s in #%llu", signal, address,
                            (unsigned long long)child->slot->incarnation);
    while (kind != FRAME_OUTERMOST && (frame = ctl_word(&rest)) && used < size) {
        char text[128];

        kind = frame_text(strtoul(frame, NULL, 16), text, sizeof text);
        if (kind == FRAME_HANDLER) {
            ctl_word(&rest); /* the trampoline */
            continue;
        }
        used += (size_t)snprintf(out + used, size - used, "\n%s", text);
    }
}

/* ---- the story --------------------------------------------------------------------------------------- */

static void say(struct words *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct words *lines, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    words_append(lines, text);
}

static const char *ago(int64_t wall_us, char *out, size_t size)
{
    int64_t ms = (wall_now_us() - wall_us) / 1000;

    return text_of_duration(ms < 1 ? 1 : ms < 1000 ? ms : ms / 1000 * 1000, out, size);
}

static void say_state(struct words *lines, const struct child *child)
{
    const struct spec *spec = child->spec;
    char span[32];

    ago(child->slot->since_us, span, sizeof span);
    switch (child_row_state(child)) {
    case ROW_READY:
        say(lines, "%s is ready, and has been for %s (incarnation %llu, pid %d).", child->path, span,
            (unsigned long long)child->slot->incarnation, (int)child->pid);
        break;
    case ROW_STARTING:
        say(lines, "%s is starting since %s: it has a process (pid %d) that is not ready yet.",
            child->path, span, (int)child->pid);
        break;
    case ROW_WAITING:
        if (*spec->link)
            say(lines, "%s waits for %s to be ready, which it is linked to.", child->path,
                spec->link[0]);
        else
            say(lines, "%s waits for its turn to start.", child->path);
        break;
    case ROW_BACKOFF:
        if (child->scarce_ms)
            say(lines, "%s cannot be started for want of resources; the next try is under way soon.",
                child->path);
        else
            say(lines, "%s is in back-off: it will be started again in %s.", child->path,
                text_of_duration(mono_diff_ms(child->not_before, mono_now()), span, sizeof span));
        break;
    case ROW_STOPPED:
        say(lines, "%s was stopped by a person %s ago, and stays down until `troupe start %s`.",
            child->path, span, child->path);
        break;
    case ROW_EXITED:
        if (child->ignored || child->need == NEED_FINISH) {
            say(lines, "%s has ended %s ago and stays down, as it asked for itself.", child->path,
                span);
            break;
        }
        say(lines, "%s has ended %s ago and stays down: it is %s%s.", child->path, span,
            spec_restart_text(spec->restart),
            spec->restart == RESTART_TRANSIENT ? ", and its end was in order" : "");
        break;
    case ROW_FAILED:
        say(lines, "%s has failed %s ago.", child->path, span);
        break;
    case ROW_PAUSED:
        say(lines, "%s is paused by SIGSTOP; SIGCONT to pid %d lets it go on.", child->path,
            (int)child->pid);
        break;
    default:
        say(lines, "%s is %s since %s.", child->path, child_state_text(child), span);
    }
}

static void say_reason(struct words *lines, const char *path, const struct table_end *end)
{
    char when[32], ran[32], reason[REASON_MAX], *cause, *rest;

    ago(end->wall_us, when, sizeof when);
    text_of_duration(end->ran_ms, ran, sizeof ran);
    say(lines, "Incarnation %llu of %s ended %s ago after %s: %s.",
        (unsigned long long)end->incarnation, path, when, ran, end->reason);
    snprintf(reason, sizeof reason, "%s", end->reason);
    if (strncmp(reason, "cascade ", 8))
        return;
    rest = reason + 8;
    cause = ctl_word(&rest);
    if (cause)
        say(lines, "It was linked to %s, the first that failed: %s.", cause, rest);
}

/* A leader that ends at once, in order, and leaves processes behind has most likely daemonized. */
static void say_hints(struct words *lines, const struct child *child)
{
    if (child->left_members)
        say(lines, "Its first process ended in order but left others behind, which were stopped: "
                   "it seems to daemonize: run it in the foreground.");
    if (child->slot->crash[0]) {
        char text[TABLE_CRASH], *save = NULL;

        snprintf(text, sizeof text, "%s", child->slot->crash);
        say(lines, "Its last crash: %s", strtok_r(text, "\n", &save));
        for (char *frame; (frame = strtok_r(NULL, "\n", &save));)
            say(lines, "  %s", frame);
    }
}

static void say_restarts(struct words *lines, struct child *child)
{
    const struct supervisor *supervisor = child->supervisor;
    uint32_t used = supervisor_used(child->supervisor);
    char period[32];

    text_of_duration(supervisor->spec->period_ms, period, sizeof period);
    if (child->slot->restarts_total)
        say(lines, "It was restarted %llu time%s in all.",
            (unsigned long long)child->slot->restarts_total,
            child->slot->restarts_total == 1 ? "" : "s");
    if (used && supervisor->spec->intensity != INTENSITY_UNLIMITED)
        say(lines, "Its supervisor has used %u of %u restarts in %s.", used,
            supervisor->spec->intensity, period);
}

static int gone_lines(struct supervisor *supervisor, const char *name, struct words *lines)
{
    const struct table_gone *gone = table_gone(supervisor->table, name);
    char path[ADDR_PATH_MAX + 1];

    if (!gone) {
        errno = ENOENT;
        return -1;
    }
    addr_join(supervisor->path, name, path, sizeof path);
    say(lines, "%s is gone: its supervisor has forgotten it.", path);
    say_reason(lines, path, &gone->end);
    return 0;
}

/* An attached process has no record of its own: only the end of one of the same name before it. */
static int attached_lines(struct supervisor *supervisor, const struct attached *attached,
                          struct words *lines)
{
    const struct table_gone *gone = table_gone(supervisor->table, addr_child_name(attached->path));
    char span[32];

    say(lines, "%s is attached, and has been for %s (incarnation %llu, pid %d).", attached->path,
        ago(attached->started_us, span, sizeof span), (unsigned long long)attached->incarnation,
        (int)attached->pid);
    if (gone)
        say_reason(lines, attached->path, &gone->end);
    return 0;
}

int why_lines(struct supervisor *supervisor, const char *name, struct words *lines)
{
    struct child *child = supervisor_find(supervisor, name);

    *lines = (struct words){0};
    if (!child && attached_find(&supervisor->attached, name))
        return attached_lines(supervisor, attached_find(&supervisor->attached, name), lines);
    if (!child)
        return gone_lines(supervisor, name, lines);
    say_state(lines, child);
    for (unsigned i = 0; i < TABLE_ENDS && table_end(child->slot, i); i++)
        say_reason(lines, child->path, table_end(child->slot, i));
    if (!table_end(child->slot, 0))
        say(lines, "It has not ended before in this run of the node.");
    say_hints(lines, child);
    say_restarts(lines, child);
    return 0;
}
