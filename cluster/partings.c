#include "partings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { READ_MS = 50 }; /* between two looks whether it is read */

struct parting {
    struct partings *partings;
    struct sp_conn *conn;
    struct parting *prev, *next;
    char name[];
};

bool partings_have(const struct partings *partings, const char *name)
{
    const struct parting *parting;

    DL_FOREACH(partings->first, parting)
    if (strcmp(parting->name, name) == 0)
        return true;
    return false;
}

static void forget(struct parting *parting)
{
    struct partings *partings = parting->partings;

    DL_DELETE(partings->first, parting);
    partings->count--;
    if (*parting->name && !partings_have(partings, parting->name))
        partings->on_over(partings, parting->name);
    free(parting);
}

static void part(struct parting *parting)
{
    sp_conn_close(parting->conn, true);
    forget(parting);
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    (void)conn;
    (void)body;
    (void)size;
    if (fd >= 0)
        close(fd);
}

/* Who owned it may have asked to hear earlier. What has a name ends when it is read, for what comes after
 * that, and not by this, must not be read before. */
static void on_drain(struct sp_conn *conn)
{
    struct parting *parting = sp_conn_data(conn);

    if (sp_conn_queued(conn) > 0)
        sp_conn_ask_drain(conn, 1);
    else if (*parting->name)
        sp_conn_set_idle_close(conn, READ_MS);
    else
        part(parting);
}

static void on_close(struct sp_conn *conn, const char *why)
{
    struct parting *parting = sp_conn_data(conn);
    struct buf left = sp_conn_leftover(conn);

    (void)why;
    losses_add_frames(parting->partings->losses, &left);
    buf_finish(&left);
    forget(parting);
}

void partings_take(struct partings *partings, struct sp_conn *conn, const char *name)
{
    static const struct sp_handlers handlers = {
        .on_message = on_message, .on_close = on_close, .on_drain = on_drain};
    struct parting *parting = NULL;

    if ((sp_conn_queued(conn) > 0 || (*name && sp_conn_is_unread(conn))) &&
        partings->count < partings->max)
        parting = calloc(1, sizeof *parting + strlen(name) + 1);
    if (!parting) {
        sp_conn_close(conn, true);
        return;
    }
    parting->partings = partings;
    parting->conn = conn;
    strcpy(parting->name, name);
    partings->count++;
    DL_APPEND(partings->first, parting);
    sp_conn_set_handlers(conn, &handlers);
    sp_conn_set_data(conn, parting);
    sp_conn_pause(conn, false);
    sp_conn_ask_drain(conn, 1);
}

void partings_finish(struct partings *partings)
{
    while (partings->first)
        part(partings->first);
}
