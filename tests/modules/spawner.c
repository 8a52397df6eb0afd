/* A spawner, or the launcher that tells its spawners to begin (args: launches, how many siblings
 * spawner.1 … it has). Both are counted at t/count. A spawner that is told to spawn adds a child to
 * its sibling `next`, by the command line, as a program would. */
#include <troupe.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 256 };

static void path_of_sibling(struct troupe *self, const char *name, char *out)
{
    const char *path = troupe_path(self);

    snprintf(out, PATH_SIZE, "%.*s/%s", (int)(strrchr(path, '/') - path), path, name);
}

static int init(struct troupe *self)
{
    int64_t launches = troupe_arg_int(self, "launches", 0);
    char name[32], path[PATH_SIZE];

    if (troupe_cast(self, "t/count", "add", 1) < 0)
        return troupe_error(self, "not counted: %m");
    for (int64_t i = 1; i <= launches; i++) {
        snprintf(name, sizeof name, "spawner.%d", (int)i);
        path_of_sibling(self, name, path);
        if (troupe_cast(self, path, "spawn") < 0)
            return troupe_error(self, "%s: not told: %m", path);
    }
    return TROUPE_READY;
}

static int add_one(void *path, struct troupe_work *work)
{
    (void)work;
    execlp("troupe", "troupe", "add", (const char *)path, (char *)NULL);
    return 1;
}

static void on_added(struct troupe *self, const char *failure, struct troupe_bytes result,
                     void *data)
{
    (void)result;
    (void)data;
    if (failure)
        troupe_exit(self, NULL, "error not spawned: %s", failure);
}

static void on_spawn(struct troupe *self, struct troupe_message *message)
{
    char path[PATH_SIZE];

    (void)message;
    path_of_sibling(self, "next", path);
    if (!troupe_work(self, add_one, path, on_added, NULL))
        troupe_exit(self, NULL, "error not spawned: %m");
}

static const struct troupe_handler messages[] = {
    {"spawn", "", "", on_spawn, "adds a child to its sibling `next`"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
