/* What dies in the benches of ends. Each life tells args.tell that it is there; args.watch is
 * monitored from the beginning of each. */
#include <troupe.h>

#include <unistd.h>

static void tell(struct troupe *self)
{
    troupe_cast(self, troupe_arg(self, "tell"), "here", troupe_path(self), (int64_t)getpid(),
                troupe_incarnation(self));
}

static int init(struct troupe *self)
{
    const char *watched = troupe_arg(self, "watch");

    if (!troupe_arg(self, "tell"))
        return troupe_error(self, "nobody to tell");
    if (watched && troupe_monitor(self, watched) == 0)
        return troupe_error(self, "cannot watch %s", watched);
    tell(self);
    return TROUPE_READY;
}

static void on_tell(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    tell(self);
}

static void on_fail(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "error as asked");
}

static const struct troupe_handler messages[] = {
    {"tell", "", "", on_tell, "tells again that it is there"},
    {"fail", "", "", on_fail, "ends with an error"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
