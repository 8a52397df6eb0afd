#include "ending.h"

#include <dirent.h>
#include <string.h>

/* The lock can only be tried, not waited for without taking it, so it is looked at now and then.
 * What clears the directory does so just after: it is given this long. */
static const double look_s = 0.02;
enum { CLEAR_MS = 2000 };

struct ending {
    struct client *client;
    struct mono free_at;
    bool killed;
    ev_timer timer;
};

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool empty = true;

    while (dir && empty && (entry = readdir(dir)))
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, RUNDIR_LOCK) == 0;
    if (dir)
        closedir(dir);
    return empty;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct ending *ending = container_of(timer, struct ending, timer);

    (void)events;
    if (rundir_is_alive(&ending->client->dir))
        return;
    if (!mono_is_set(ending->free_at))
        ending->free_at = mono_now();
    if (ending->killed || is_empty(ending->client->dir.path) || mono_diff_ms(mono_now(), ending->free_at) > CLEAR_MS)
        ev_break(loop, EVBREAK_ALL);
}

void ending_wait(struct client *client, bool killed)
{
    struct ending ending = {.client = client, .killed = killed};

    ev_timer_init(&ending.timer, on_look, 0, look_s);
    ev_timer_start(client->loop, &ending.timer);
    ev_run(client->loop, 0);
    ev_timer_stop(client->loop, &ending.timer);
}
