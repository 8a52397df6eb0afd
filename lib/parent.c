#include "parent.h"

#include "mono.h"

#include <errno.h>
#include <string.h>

enum {
    PARENT_TOGETHER = 8192,          /* bytes of lines that are sent together */
    PARENT_OUTBOX_MAX = 1024 * 1024, /* more than that nobody reads: signs of life are left out */
};

void parent_init(struct parent *parent, struct ev_loop *loop,
                 void (*on_line)(struct parent *, struct ctl_line *),
                 void (*on_gone)(struct parent *))
{
    *parent = (struct parent){.loop = loop, .fd = -1, .on_line = on_line, .on_gone = on_gone};
}

bool parent_is_there(const struct parent *parent)
{
    return parent->way != NULL;
}

void parent_start(struct parent *parent)
{
    if (parent->way)
        parent->way->start(parent);
}

void parent_finish(struct parent *parent)
{
    if (parent->way)
        parent->way->finish(parent);
    parent->way = NULL;
    buf_finish(&parent->outbox);
}

/* ---- from the supervisor ------------------------------------------------------------------- */

void parent_take(struct parent *parent, char *bytes, size_t size)
{
    struct ctl_line line;
    size_t at = 0;

    while (ctl_next(bytes, size, &at, &line))
        parent->on_line(parent, &line);
}

void parent_poll(struct parent *parent)
{
    if (parent->way)
        parent->way->poll(parent);
}

/* ---- to the supervisor --------------------------------------------------------------------- */

/* As many whole lines as go together; one that is longer goes alone. */
static size_t next_lines(const struct buf *outbox)
{
    size_t length = buf_length(outbox);
    const uint8_t *front = buf_front(outbox), *newline;

    if (length <= PARENT_TOGETHER)
        return length;
    newline = memrchr(front, '\n', PARENT_TOGETHER);
    if (!newline)
        newline = memchr(front, '\n', length);
    return newline ? (size_t)(newline - front) + 1 : length;
}

int parent_flush(struct parent *parent)
{
    struct buf *outbox = &parent->outbox;

    while (parent->way && buf_length(outbox) > 0) {
        size_t size = next_lines(outbox);

        if (parent->way->send(parent, (const char *)buf_front(outbox), size) < 0)
            return -1;
        buf_consume(outbox, size);
    }
    return 0;
}

static bool is_dispensable(enum ctl_verb verb)
{
    return verb == CTL_STATUS || verb == CTL_HEARTBEAT;
}

static int put_line(struct buf *outbox, const char *verb, const char *text)
{
    size_t from = buf_length(outbox);

    if (buf_printf(outbox, "%s%s%s\n", verb, *text ? " " : "", text) < 0)
        return -1;
    for (uint8_t *at = buf_front(outbox) + from; at < outbox->data + outbox->end - 1; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    return 0;
}

void parent_say(struct parent *parent, enum ctl_verb verb, const char *text)
{
    if (!parent->way)
        return;
    if (buf_length(&parent->outbox) > PARENT_OUTBOX_MAX && is_dispensable(verb))
        return;
    if (put_line(&parent->outbox, ctl_verb_text(verb), text ? text : "") == 0)
        parent_flush(parent);
}

void parent_drain(struct parent *parent, int ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);
    int64_t left = ms;

    while ((parent_flush(parent) == 0 || errno == EAGAIN) && left > 0 && parent->way &&
           parent->way->wait(parent, (int)left))
        left = mono_diff_ms(deadline, mono_now());
}
