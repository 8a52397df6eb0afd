/* Which file is a cookie: the rule of whoever checks a configuration, and of sys/node. */
#include "cookie.h"
#include "tap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char file[] = "/tmp/cookie.XXXXXX";

static const char *read_of(size_t size, const char *end, mode_t mode, struct cookie *cookie)
{
    FILE *out = fopen(file, "w");
    const char *why;

    for (size_t i = 0; i < size; i++)
        fputc('a' + (int)(i % 26), out);
    fputs(end, out);
    fclose(out);
    chmod(file, mode);
    return cookie_read(file, cookie, &why) == 0 ? "" : why;
}

static bool is_read(size_t size, const char *end, size_t expected)
{
    struct cookie cookie;

    return !*read_of(size, end, 0600, &cookie) && cookie.size == expected &&
           cookie.bytes[expected - 1] ==
               (end[0] && !end[1] ? 'a' + (int)((expected - 1) % 26) : '\n');
}

static bool is_refused(size_t size, const char *end, mode_t mode, const char *why)
{
    struct cookie cookie;

    return !strcmp(read_of(size, end, mode, &cookie), why);
}

int main(void)
{
    struct cookie cookie;
    const char *why;

    close(mkstemp(file));
    CHECK(is_read(COOKIE_MIN, "\n", COOKIE_MIN), "one newline at the end is no part of it");
    CHECK(is_read(COOKIE_MIN, "\n\n", COOKIE_MIN + 1), "the second is");
    CHECK(is_refused(COOKIE_MIN - 1, "\n", 0600, "too short"),
          "a newline does not make a short one long");
    CHECK(is_refused(COOKIE_MIN, "", 0600, ""), "without a newline it is as good");
    CHECK(is_read(COOKIE_MAX, "\n", COOKIE_MAX), "the longest");
    CHECK(is_refused(COOKIE_MAX, "\n\n", 0600, "too long"), "one more byte is too long");
    CHECK(is_refused(COOKIE_MAX + 1000, "", 0600, "too long"), "and many more are");
    CHECK(is_refused(COOKIE_MIN, "", 0640, "others may read or write it"), "read by a group");
    CHECK(is_refused(COOKIE_MIN, "", 0602, "others may read or write it"), "written by all");
    CHECK(cookie_read("/tmp", &cookie, &why) < 0 && !strcmp(why, "no ordinary file"), "a folder");
    unlink(file);
    CHECK(mkfifo(file, 0600) == 0 && cookie_read(file, &cookie, &why) < 0 &&
              !strcmp(why, "no ordinary file"),
          "a FIFO, which is not waited for");
    unlink(file);
    CHECK(cookie_read(file, &cookie, &why) < 0 && strstr(why, "No such file"), "none at all");
    return tap_done();
}
