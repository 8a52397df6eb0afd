#include "feeds.h"

#include "loop.h"
#include "memory.h"
#include "sp.h"

#include <stdlib.h>
#include <unistd.h>

enum { AGAIN_MS = 500 };

struct feed {
    struct feeds *feeds;
    const char *path;
    struct sp_conn *conn; /* NULL: it is dialled again soon */
    ev_timer again;
};

static void dial(struct feed *feed);

static void dial_again(struct feed *feed)
{
    ev_timer_set(&feed->again, AGAIN_MS / 1000., 0.);
    ev_timer_start(feed->feeds->loop, &feed->again);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    dial(container_of(timer, struct feed, again));
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct feed *feed = sp_conn_data(conn);

    if (fd >= 0)
        close(fd);
    feed->feeds->on_news(feed->feeds->data, feed->path, body, size);
}

static void on_close(struct sp_conn *conn, const char *why)
{
    struct feed *feed = sp_conn_data(conn);

    (void)why;
    feed->conn = NULL;
    dial_again(feed);
}

static void dial(struct feed *feed)
{
    static const struct sp_handlers handlers = {.on_message = on_message, .on_close = on_close};

    feed->conn = sp_dial(feed->feeds->loop, feed->feeds->run_dir, feed->path, SP_SUB,
                         (struct mono){0}, NULL, &handlers, feed);
    if (!feed->conn)
        dial_again(feed);
}

static void begin(struct feeds *feeds)
{
    feeds->all = memory_zeroed((feeds->count + 1) * sizeof *feeds->all);
    for (size_t i = 0; i < feeds->count; i++) {
        feeds->all[i].feeds = feeds;
        feeds->all[i].path = feeds->publishers[i];
        ev_init(&feeds->all[i].again, on_again);
        dial(&feeds->all[i]);
    }
}

static void end(struct feeds *feeds)
{
    for (size_t i = 0; i < feeds->count; i++) {
        ev_timer_stop(feeds->loop, &feeds->all[i].again);
        if (feeds->all[i].conn)
            sp_conn_close(feeds->all[i].conn, false);
    }
    free(feeds->all);
    feeds->all = NULL;
}

void feeds_want(struct feeds *feeds, bool is_wanted)
{
    if (feeds->is_wanted == is_wanted)
        return;
    feeds->is_wanted = is_wanted;
    if (is_wanted)
        begin(feeds);
    else
        end(feeds);
}
