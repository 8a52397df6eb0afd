/* An actor of a service that notes its lives in a file, and whose id says how it behaves: slow…
 * takes its time to start, poison… cannot, abort… crashes. Two of one id at a time would find each
 * other's lock. */
#include <troupe.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct entity {
    int64_t heard;
};

/* One line, whole: several processes write to that file. */
static void note(struct troupe *self, const char *what)
{
    const char *file = troupe_arg(self, "notes");
    char line[256];
    int n = snprintf(line, sizeof line, "%s %s %" PRIu64 "\n", what, troupe_id(self),
                     troupe_epoch(self));
    int fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644) : -1;

    if (fd < 0)
        return;
    if (write(fd, line, (size_t)n) < 0)
        perror("notes");
    close(fd);
}

static void nap(int64_t ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Held as long as this process lives, however it ends. */
static bool is_alone(struct troupe *self)
{
    const char *folder = troupe_arg(self, "locks");
    char path[512];
    int fd;

    if (!folder)
        return true;
    snprintf(path, sizeof path, "%s/%s", folder, troupe_id(self));
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static bool is_called(struct troupe *self, const char *prefix)
{
    return strncmp(troupe_id(self), prefix, strlen(prefix)) == 0;
}

static int init(struct troupe *self)
{
    note(self, "init");
    if (!is_alone(self)) {
        note(self, "overlap");
        return troupe_error(self, "there are two of me");
    }
    if (is_called(self, "slow"))
        nap(troupe_arg_int(self, "slow_ms", 500));
    if (is_called(self, "poison"))
        return troupe_error(self, "I am poison");
    if (is_called(self, "abort"))
        abort();
    note(self, "ready");
    return TROUPE_READY;
}

static void terminate(struct troupe *self, const char *reason)
{
    char text[128];

    snprintf(text, sizeof text, "end[%.100s]", reason);
    note(self, text);
}

static void on_hit(struct troupe *self, struct troupe_message *message)
{
    struct entity *entity = troupe_state(self);

    note(self, "hit");
    entity->heard++;
    if (troupe_is_call(message))
        troupe_reply(message, entity->heard);
}

static void on_who(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_id(self), (int64_t)troupe_epoch(self),
                 (int64_t)troupe_incarnation(self), (int64_t)getpid());
}

static void on_env(struct troupe *self, struct troupe_message *message)
{
    const char *id = getenv("TROUPE_ID"), *epoch = getenv("TROUPE_EPOCH");
    char text[128];

    (void)self;
    snprintf(text, sizeof text, "%s %s", id ? id : "-", epoch ? epoch : "-");
    troupe_reply(message, text);
}

static void on_fail(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_fail(message, "%s", troupe_text(message, 0));
}

static void on_crash(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
    abort();
}

static void on_leave(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message);
    troupe_exit(self, NULL, "normal");
}

static void on_rest(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    nap(troupe_int(message, 0));
    troupe_reply(message, troupe_int(message, 0));
}

/* Calls another, which may be itself, by a way that goes on: "shop/x shop/y" is told to shop/x with
 * "shop/y". */
static void on_through(struct troupe *self, struct troupe_message *message)
{
    const char *way = troupe_text(message, 0), *space = strchr(way, ' ');
    struct troupe_message *answer;
    char to[256];

    if (!*way) {
        troupe_reply(message, troupe_id(self));
        return;
    }
    snprintf(to, sizeof to, "%.*s", space ? (int)(space - way) : (int)strlen(way), way);
    answer = troupe_call(self, to, 2000, "through", space ? space + 1 : "");
    if (troupe_failure(answer))
        troupe_fail(message, "%s", troupe_failure(answer));
    else
        troupe_reply(message, troupe_text(answer, 0));
    troupe_free(answer);
}

static const struct troupe_handler messages[] = {
    {"hit", "", "I", on_hit, "counts, and tells how often it was hit in this life"},
    {"who", "", "sIII", on_who, "tells its id, epoch, incarnation and process"},
    {"env", "", "s", on_env, "tells what its environment says of it"},
    {"fail", "s", "", on_fail, "fails with this error"},
    {"crash", "", "", on_crash, "crashes"},
    {"leave", "", "", on_leave, "ends by itself"},
    {"rest", "I", "I", on_rest, "blocks for so many milliseconds"},
    {"through", "s", "s", on_through, "calls on along a way of paths; the last one tells its id"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct entity), .init = init, .messages = messages,
             .terminate = terminate);
