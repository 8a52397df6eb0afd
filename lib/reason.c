#include "reason.h"

#include "text.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

int need_parse(const char *text, enum need *need, long *delay_ms)
{
    static const char after[] = "restart_after ";
    static const struct {
        const char *word;
        enum need need;
    } words[] = {
        {"", NEED_NONE}, {"restart", NEED_RESTART}, {"finish", NEED_FINISH}, {"abort", NEED_ABORT}};
    int64_t ms;

    if (!strncmp(text, after, sizeof after - 1)) {
        if (text_duration(text + sizeof after - 1, &ms))
            return -1;
        *need = NEED_RESTART_AFTER;
        *delay_ms = (long)ms;
        return 0;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(text, words[i].word)) {
            *need = words[i].need;
            return 0;
        }
    }
    return -1;
}

static bool is_answer_to_stop(int status, int stop_signal)
{
    if (WIFEXITED(status))
        return WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 128 + stop_signal;
    return WIFSIGNALED(status) && WTERMSIG(status) == stop_signal;
}

void reason_of_status(int wait_status, bool asked, int stop_signal, bool killed,
                      char out[REASON_MAX])
{
    if (killed && WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL)
        snprintf(out, REASON_MAX, "killed");
    else if (asked && is_answer_to_stop(wait_status, stop_signal))
        snprintf(out, REASON_MAX, "shutdown");
    else if (WIFSIGNALED(wait_status))
        snprintf(out, REASON_MAX, "signal:%s%s", signal_name(WTERMSIG(wait_status)),
                 WCOREDUMP(wait_status) ? " core" : "");
    else if (WEXITSTATUS(wait_status) == 0)
        snprintf(out, REASON_MAX, "normal");
    else
        snprintf(out, REASON_MAX, "exit:%d", WEXITSTATUS(wait_status));
}

/* Of a path that is longer than room the first part and as many of the last as fit, else the last
 * only. `...` is no name that a part can have. */
static void shorten(const char *path, size_t room, char *out, size_t size)
{
    size_t first = strcspn(path, "/");
    const char *rest = path + first;

    if (strlen(path) <= room) {
        snprintf(out, size, "%s", path);
        return;
    }
    while (*rest && first + sizeof "/..." - 1 + strlen(rest) > room)
        rest += 1 + strcspn(rest + 1, "/");
    if (*rest)
        snprintf(out, size, "%.*s/...%s", (int)first, path, rest);
    else
        snprintf(out, size, "...%s", strrchr(path, '/') ? strrchr(path, '/') : "");
}

void reason_cascade(const char *path, const char *reason, char out[REASON_MAX])
{
    enum { HEAD = sizeof "cascade  " - 1, PLACE_MIN = 160 };
    size_t cause = strnlen(reason, REASON_MAX - 1 - HEAD - PLACE_MIN);
    char place[REASON_MAX], text[1024];

    if (!strncmp(reason, "cascade ", 8)) {
        reason_copy(reason, "cascade", out);
        return;
    }
    shorten(*path ? path : ".", REASON_MAX - 1 - HEAD - cause, place, sizeof place);
    snprintf(text, sizeof text, "cascade %s %s", place, reason);
    reason_copy(text, "cascade", out);
}

bool reason_is_orderly(const char *reason)
{
    return !strcmp(reason, "normal") || !strcmp(reason, "shutdown") ||
           !strncmp(reason, "shutdown ", 9);
}

static bool begins_with(const char *text, const char *head)
{
    return !strncmp(text, head, strlen(head));
}

/* The text between head and the next blank, in out; false when reason has no such head. */
static bool word_after(const char *head, const char *reason, char *out, size_t size)
{
    size_t length = strlen(head);

    if (strncmp(reason, head, length) != 0)
        return false;
    snprintf(out, size, "%.*s", (int)strcspn(reason + length, " "), reason + length);
    return true;
}

int reason_exit_status(const char *reason)
{
    char word[24];
    uint64_t code;
    int number;

    if (reason_is_orderly(reason))
        return 0;
    if (word_after("exit:", reason, word, sizeof word) && text_unsigned(word, 1, 255, &code) == 0)
        return (int)code;
    if (word_after("signal:", reason, word, sizeof word) && (number = signal_number(word)) > 0)
        return 128 + number;
    return 1;
}

bool reason_is_defeat(const char *reason)
{
    return begins_with(reason, "shutdown ") && !begins_with(reason, REASON_AUTO_SHUTDOWN);
}

void reason_copy(const char *text, const char *fallback, char out[REASON_MAX])
{
    size_t length = strlen(text);

    while (length && strchr(" \t\r\n", text[length - 1]))
        length--;
    if (length)
        text_escape(text, length, out, REASON_MAX);
    else
        text_escape(fallback, strlen(fallback), out, REASON_MAX);
}

const char *signal_name(int number)
{
    static _Thread_local char other[24] __attribute__((tls_model("initial-exec")));
    const char *name = number > 0 && number < NSIG ? sigabbrev_np(number) : NULL;

    if (name)
        return name;
    if (number == SIGRTMIN)
        return "RTMIN";
    if (number > SIGRTMIN && number <= SIGRTMAX)
        snprintf(other, sizeof other, "RTMIN+%d", number - SIGRTMIN);
    else
        snprintf(other, sizeof other, "%d", number);
    return other;
}

static int real_time_number(const char *offset)
{
    uint64_t n;

    if (!*offset)
        return SIGRTMIN;
    if (*offset != '+' || text_unsigned(offset + 1, 0, (uint64_t)(SIGRTMAX - SIGRTMIN), &n))
        return -1;
    return SIGRTMIN + (int)n;
}

int signal_number(const char *name)
{
    uint64_t n;

    if (!text_unsigned(name, 1, (uint64_t)SIGRTMAX, &n))
        return (int)n;
    if (!strncmp(name, "SIG", 3))
        name += 3;
    if (!strncmp(name, "RTMIN", 5))
        return real_time_number(name + 5);
    for (int i = 1; i < NSIG; i++) {
        const char *known = sigabbrev_np(i);

        if (known && !strcmp(known, name))
            return i;
    }
    return -1;
}
