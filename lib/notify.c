/* Programs that link libtroupe speak to their supervisor by the descriptor in TROUPE_CONTROL. */
#include "ctl.h"
#include "text.h"
#include "troupe.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { NOTIFY_LINE_MAX = 1024 };

static int control_fd(void)
{
    const char *text = getenv("TROUPE_CONTROL");
    uint64_t fd;

    if (text && text_unsigned(text, 0, INT_MAX, &fd) == 0)
        return (int)fd;
    errno = ENOTCONN;
    return -1;
}

static int say(enum ctl_verb verb, const char *text, const char *need)
{
    char line[NOTIFY_LINE_MAX];
    int fd = control_fd();
    int length;

    if (fd < 0)
        return -1;
    length = snprintf(line, sizeof line, "%s%s%s%s%s", ctl_verb_text(verb), text ? " " : "",
                      text ? text : "", need ? " | " : "", need ? need : "");
    if (length >= (int)sizeof line)
        length = sizeof line - 1;
    for (int i = 0; i < length; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    return send(fd, line, (size_t)length, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int troupe_notify_ready(const char *text)
{
    return say(CTL_READY, text, NULL);
}

int troupe_notify_status(const char *text)
{
    return say(CTL_STATUS, text ? text : "", NULL);
}

int troupe_notify_heartbeat(void)
{
    return say(CTL_HEARTBEAT, NULL, NULL);
}

int troupe_notify_exit(const char *need, const char *reason)
{
    return say(CTL_EXIT, reason ? reason : "", need);
}
