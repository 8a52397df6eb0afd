#include "error.h"

#include <stdio.h>
#include <string.h>

static void fill(struct error *err, int code, const char *format, va_list args)
{
    if (!err)
        return;
    err->code = code;
    vsnprintf(err->text, sizeof err->text, format, args);
}

int error_set(struct error *err, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    return -1;
}

int error_set_errno(struct error *err, int code, const char *format, ...)
{
    va_list args;
    size_t used;

    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    if (err) {
        used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(code));
    }
    return -1;
}
