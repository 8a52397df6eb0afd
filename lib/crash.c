#include "crash.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unwind.h>

static const struct fatal {
    int number;
    const char *name;
} FATAL[] = {
    {SIGSEGV, "SEGV"}, {SIGBUS, "BUS"}, {SIGFPE, "FPE"},   {SIGILL, "ILL"},
    {SIGABRT, "ABRT"}, {SIGSYS, "SYS"}, {SIGTRAP, "TRAP"},
};
enum { FATAL_COUNT = sizeof FATAL / sizeof *FATAL };

/* A signal handler has nothing but globals: set once by crash_install(), then only read. */
static int report_fd = -1;
static uintptr_t module_base;
static _Alignas(16) char alternate_stack[64 * 1024];

/* ---- formatting: async-signal-safe --------------------------------------------------------- */

struct line {
    char *out;
    size_t length;
};

static bool put(struct line *line, const char *text, size_t length)
{
    if (line->length + length >= CRASH_LINE_MAX)
        return false;
    memcpy(line->out + line->length, text, length);
    line->length += length;
    return true;
}

static bool put_text(struct line *line, const char *text)
{
    return put(line, text, strlen(text));
}

static bool put_hex(struct line *line, uintptr_t value)
{
    char digits[2 + 2 * sizeof value + 1];
    char *at = digits + sizeof digits;

    do {
        *--at = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    *--at = ' ';
    return put(line, at, (size_t)(digits + sizeof digits - at));
}

size_t crash_format(char out[CRASH_LINE_MAX], const char *signal, uintptr_t address, uintptr_t base,
                    void *const *frames, int count)
{
    struct line line = {out, 0};

    put_text(&line, "CRASH ");
    put_text(&line, signal);
    put_hex(&line, address);
    put_hex(&line, base);
    for (int i = 0; i < count && put_hex(&line, (uintptr_t)frames[i]); i++)
        ;
    out[line.length] = '\0';
    return line.length;
}

/* ---- the stack ----------------------------------------------------------------------------- */

struct walk {
    void **frames;
    int count, most;
    _Unwind_Word last; /* the frame that was seen last: one that does not move is the end */
    bool is_begun;     /* our own has been seen */
};

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *data)
{
    struct walk *walk = data;
    _Unwind_Word frame = _Unwind_GetCFA(context);
    void *at = (void *)_Unwind_GetIP(context);

    if (!walk->is_begun) {
        walk->is_begun = true;
        return _URC_NO_REASON;
    }
    if (!at || walk->count == walk->most || (walk->count > 0 && frame == walk->last))
        return _URC_END_OF_STACK;
    walk->frames[walk->count++] = at;
    walk->last = frame;
    return _URC_NO_REASON;
}

/* Not backtrace(3), which loads a library for it into each process. */
__attribute__((noinline)) static int take_frames(void *frames[CRASH_FRAMES_MAX])
{
    struct walk walk = {.frames = frames, .most = CRASH_FRAMES_MAX};

    _Unwind_Backtrace(on_frame, &walk);
    return walk.count;
}

/* ---- the handler --------------------------------------------------------------------------- */

static const char *fatal_name(int number)
{
    for (size_t i = 0; i < FATAL_COUNT; i++)
        if (FATAL[i].number == number)
            return FATAL[i].name;
    return "?";
}

/* Faults in here end the process: all fatal signals are blocked and the default action is set. */
static void on_fatal(int number, siginfo_t *info, void *context)
{
    void *frames[CRASH_FRAMES_MAX];
    char line[CRASH_LINE_MAX];
    bool is_fault = info->si_code > 0 && number != SIGABRT;
    int count;

    (void)context;
    signal(number, SIG_DFL);
    count = take_frames(frames);
    send(report_fd, line,
         crash_format(line, fatal_name(number), is_fault ? (uintptr_t)info->si_addr : 0,
                      module_base, frames, count),
         MSG_DONTWAIT | MSG_NOSIGNAL);
    raise(number); /* blocked until we return: the frame of the fault is what a core shows */
}

void crash_install(int control_fd, const void *base)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    report_fd = control_fd;
    module_base = (uintptr_t)base;
    sigaltstack(&stack, NULL);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < FATAL_COUNT; i++)
        sigaddset(&action.sa_mask, FATAL[i].number);
    for (size_t i = 0; i < FATAL_COUNT; i++)
        sigaction(FATAL[i].number, &action, NULL);
}
