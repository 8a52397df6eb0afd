#include "fault.h"

#ifdef TROUPE_FAULT

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ERRNO_MAX = 256 };

static struct {
    bool read, armed, from_then_on;
    char point[64], path[512], own_path[512];
    uint64_t nth, passes;
    int code;
} fault;

static int errno_of_name(const char *name)
{
    for (int i = 1; i < ERRNO_MAX; i++) {
        const char *known = strerrorname_np(i);

        if (known && !strcmp(known, name))
            return i;
    }
    return 0;
}

/* POINT:N:ERRNO[:PATH]; "N+" means the nth and all after it. */
static bool parse(char *spec)
{
    char *rest = spec, *point = strsep(&rest, ":"), *nth = strsep(&rest, ":");
    char *name = strsep(&rest, ":");
    size_t length;

    if (!nth || !name)
        return false;
    length = strlen(nth);
    fault.from_then_on = length > 0 && nth[length - 1] == '+';
    if (fault.from_then_on)
        nth[length - 1] = '\0';
    fault.code = errno_of_name(name);
    snprintf(fault.point, sizeof fault.point, "%s", point);
    snprintf(fault.path, sizeof fault.path, "%s", rest ? rest : "");
    return fault.code && !text_unsigned(nth, 1, UINT64_MAX, &fault.nth);
}

/* By the bare system calls: write and open may be points themselves. */
static void record_hit(void)
{
    const char *file = getenv("TROUPE_FAULT_HITS");
    char line[700];
    int saved = errno, length;
    long fd;

    if (!file)
        return;
    length = snprintf(line, sizeof line, "%s %llu %s %d\n", fault.point,
                      (unsigned long long)fault.passes, fault.own_path, (int)getpid());
    fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
        syscall(SYS_write, fd, line, (size_t)length);
        syscall(SYS_close, fd);
    }
    errno = saved;
}

static void read_spec(void)
{
    const char *spec = getenv("TROUPE_FAULT_POINT");
    char copy[1024];

    fault.read = true;
    if (!spec || !*spec)
        return;
    snprintf(copy, sizeof copy, "%s", spec);
    fault.armed = parse(copy);
    if (!fault.armed)
        fprintf(stderr, "TROUPE_FAULT_POINT=%s: expected POINT:N:ERRNO[:PATH]\n", spec);
}

static bool is_meant(void)
{
    const char *path = fault.own_path[0] ? fault.own_path : getenv("TROUPE_PATH");

    return !fault.path[0] || (path && !strcmp(path, fault.path));
}

void fault_set_path(const char *path)
{
    snprintf(fault.own_path, sizeof fault.own_path, "%s", path);
    fault.passes = 0;
}

bool fault_hits(const char *point)
{
    if (!fault.read)
        read_spec();
    if (!fault.armed || strcmp(point, fault.point) || !is_meant())
        return false;
    fault.passes++;
    if (fault.passes != fault.nth && !(fault.from_then_on && fault.passes > fault.nth))
        return false;
    record_hit();
    errno = fault.code;
    return true;
}

#else

typedef int fault_is_off; /* ISO C wants a declaration in every file */

#endif
