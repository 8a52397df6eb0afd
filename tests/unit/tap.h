/*
 * TAP for unit tests: one line `ok N - sentence` or `not ok N - sentence` for each check, the plan
 * at the end. A test's main does its checks and returns tap_done().
 *
 *   CHECK(text_duration("5s", &ms) == 0 && ms == 5000, "a duration in seconds is read");
 */
#ifndef TROUPE_TESTS_TAP_H
#define TROUPE_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One count for all files of a program. */
__attribute__((weak)) int tap_run, tap_failed;

static inline void tap_line(bool ok, const char *format, va_list args)
{
    printf("%s %d - ", ok ? "ok" : "not ok", ++tap_run);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    if (!ok)
        tap_failed++;
}

/* One check, named by a sentence. Returns ok, so that a test can stop where going on makes no sense. */
__attribute__((format(printf, 2, 3))) static inline bool tap_ok(bool ok, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tap_line(ok, format, args);
    va_end(args);
    return ok;
}

/* A line for whoever reads why something failed. */
__attribute__((format(printf, 1, 2))) static inline void tap_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("# ");
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    va_end(args);
}

/* A check that cannot be made here; the sentence ends with the reason. */
static inline void tap_skip(const char *sentence, const char *reason)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_run, sentence, reason);
    fflush(stdout);
}

/* Compares numbers, and shows both when they differ. */
static inline bool tap_is_int(long long got, long long wanted, const char *sentence)
{
    bool ok = tap_ok(got == wanted, "%s", sentence);

    if (!ok)
        tap_note("got %lld, wanted %lld", got, wanted);
    return ok;
}

/* Compares texts (NULL equals only NULL), and shows both when they differ. */
static inline bool tap_is_text(const char *got, const char *wanted, const char *sentence)
{
    bool ok = tap_ok(got && wanted ? !strcmp(got, wanted) : got == wanted, "%s", sentence);

    if (!ok)
        tap_note("got \"%s\", wanted \"%s\"", got ? got : "(null)", wanted ? wanted : "(null)");
    return ok;
}

/* Prints the plan. Returns main's exit status. */
static inline int tap_done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed ? 1 : 0;
}

#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!tap_ok((condition), __VA_ARGS__))                                                     \
            tap_note("%s:%d: %s", __FILE__, __LINE__, #condition);                                 \
    } while (0)

#endif
