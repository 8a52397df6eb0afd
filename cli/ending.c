#include "ending.h"

#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The lock can only be tried, not waited for without taking it, so it is looked at now and then.
 * What clears the directory does so just after: it is given this long. */
static const double look_s = 0.02;
enum { CLEAR_MS = 2000 };

struct ending {
    struct client *client;
    int lock_fd; /* of the node that is meant; -1 when its lock is not ours to read */
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

/* Another node has the directory by now. */
static bool is_taken_over(const struct ending *ending)
{
    char path[PATH_MAX + 16];
    struct stat ours, there;

    snprintf(path, sizeof path, "%s/" RUNDIR_LOCK, ending->client->dir.path);
    return ending->lock_fd >= 0 && fstat(ending->lock_fd, &ours) == 0 && stat(path, &there) == 0 &&
           (ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
}

static bool is_held(const struct ending *ending)
{
    if (ending->lock_fd < 0)
        return rundir_is_alive(&ending->client->dir);
    if (flock(ending->lock_fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    flock(ending->lock_fd, LOCK_UN);
    return false;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct ending *ending = container_of(timer, struct ending, timer);

    (void)events;
    if (is_held(ending))
        return;
    if (!mono_is_set(ending->free_at))
        ending->free_at = mono_now();
    if (ending->killed || is_taken_over(ending) || is_empty(ending->client->dir.path) ||
        mono_diff_ms(mono_now(), ending->free_at) > CLEAR_MS)
        ev_break(loop, EVBREAK_ALL);
}

struct ending *ending_create(struct client *client)
{
    struct ending *ending = cli_alloc(sizeof *ending);
    char path[PATH_MAX + 16];

    *ending = (struct ending){.client = client};
    snprintf(path, sizeof path, "%s/" RUNDIR_LOCK, client->dir.path);
    ending->lock_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return ending;
}

void ending_wait(struct ending *ending, bool killed)
{
    struct ev_loop *loop = ending->client->loop;

    ending->killed = killed;
    ev_timer_init(&ending->timer, on_look, 0, look_s);
    ev_timer_start(loop, &ending->timer);
    ev_run(loop, 0);
    ev_timer_stop(loop, &ending->timer);
}

void ending_destroy(struct ending *ending)
{
    if (!ending)
        return;
    if (ending->lock_fd >= 0)
        close(ending->lock_fd);
    free(ending);
}
