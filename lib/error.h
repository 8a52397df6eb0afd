/*
 * One error that people will read: a code and one line of text that names the place and what was
 * expected. Used at the borders (config, command line, spawn, protocol); inside, functions return
 * 0 or -1 with errno.
 */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include <stdarg.h>

enum { ERROR_TEXT_SIZE = 512 };

struct error {
    int code; /* an errno value, or 0 when nothing went wrong */
    char text[ERROR_TEXT_SIZE];
};

/* Fills err (NULL is allowed); always returns -1, so that `return error_set(...)` reads well. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(code) at the end. */
int error_set_errno(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
