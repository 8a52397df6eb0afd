#include "ties.h"

#include "ctl.h"
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* One number at our supervisor, which says DOWN for it once. */
struct tie {
    UT_hash_handle hh;
    uint64_t ref;
    struct troupe *self;
    /* a question; NULL: a monitor */
    void (*on_end)(struct troupe *self, const char *reason, void *data);
    void *data;
    ev_timer timer;
};

/* An end that the author's function is yet to hear of. */
struct news {
    struct agenda_item owed;
    uint64_t ref; /* 0: of a link */
    char who[ADDR_TEXT_MAX + 1];
    char reason[REASON_MAX];
};

/* ---- telling the author -------------------------------------------------------------------- */

static void drop_news(struct agenda_item *item)
{
    free(container_of(item, struct news, owed));
}

static struct tie *find(struct troupe *self, uint64_t ref)
{
    struct tie *tie;

    HASH_FIND(hh, self->ties.all, &ref, sizeof ref, tie);
    return tie;
}

static void forget(struct tie *tie)
{
    ev_timer_stop(tie->self->loop, &tie->timer);
    HASH_DEL(tie->self->ties.all, tie);
    free(tie);
}

/* A monitor that was taken back meanwhile is not told any more. */
static void tell(struct troupe *self, struct agenda_item *item)
{
    struct news *news = container_of(item, struct news, owed);
    struct tie *tie = news->ref ? find(self, news->ref) : NULL;

    if (tie) {
        forget(tie);
        if (self->actor.down)
            self->actor.down(self, news->ref, news->who, news->reason);
    } else if (!news->ref) {
        self->actor.exited(self, news->who, news->reason);
    }
    free(news);
}

/* An actor that cannot be told of an end must not live on as if there was none. */
static void owe(struct troupe *self, uint64_t ref, const char *who, const char *reason)
{
    struct news *news = calloc(1, sizeof *news);

    if (!news) {
        fprintf(stderr, "libtroupe: out of memory\n");
        abort();
    }
    news->owed = (struct agenda_item){.run = tell, .drop = drop_news};
    news->ref = ref;
    snprintf(news->who, sizeof news->who, "%s", who);
    reason_copy(reason, "unknown", news->reason);
    agenda_post(self, &news->owed);
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Does an address, perhaps with node and incarnation, mean this path? */
static bool is_at(const char *address, const char *path)
{
    struct addr addr;
    const char *why;

    return path && addr_parse(address, &addr, &why) == 0 && strcmp(addr.path, path) == 0;
}

static void link_answered(struct troupe *self, const char *failure)
{
    snprintf(self->ties.link_failure, sizeof self->ties.link_failure, "%s", failure);
    self->ties.linked = true;
}

void ties_on_down(struct troupe *self, char *rest)
{
    char *number = ctl_word(&rest), *who = ctl_word(&rest);
    uint64_t ref = number ? strtoull(number, NULL, 10) : 0;
    struct tie *tie = find(self, ref);

    if (!who)
        return;
    if (ref == 0 && is_at(who, self->ties.linking)) {
        link_answered(self, rest);
    } else if (tie && tie->on_end) {
        void (*on_end)(struct troupe *, const char *, void *) = tie->on_end;
        void *data = tie->data;

        forget(tie);
        on_end(self, rest, data);
    } else if (tie) {
        owe(self, ref, who, rest);
    }
}

void ties_on_linked(struct troupe *self, char *rest)
{
    char *who = ctl_word(&rest);

    if (who && is_at(who, self->ties.linking))
        link_answered(self, "");
}

/* The path alone goes into the cascade: causes are told by place. */
static void end_in_sympathy(struct troupe *self, const char *who, const char *cause)
{
    char reason[REASON_MAX], place[ADDR_TEXT_MAX + 1];
    struct addr addr;
    const char *why;

    if (addr_parse(who, &addr, &why) == 0) {
        addr.incarnation = 0;
        addr_format(&addr, place, sizeof place);
    } else {
        snprintf(place, sizeof place, "%s", who);
    }
    reason_cascade(place, cause, reason);
    actor_end(self, reason);
}

void ties_on_exit(struct troupe *self, char *rest)
{
    char *who = ctl_word(&rest);

    if (self->actor.exited)
        owe(self, 0, who ? who : "?", rest);
    else
        end_in_sympathy(self, who ? who : "?", rest);
}

/* ---- asking -------------------------------------------------------------------------------- */

static struct tie *create(struct troupe *self)
{
    struct tie *tie;

    if (!parent_is_there(&self->parent)) {
        errno = ENOTCONN;
        return NULL;
    }
    tie = calloc(1, sizeof *tie);
    if (!tie)
        return NULL;
    tie->self = self;
    tie->ref = ++self->ties.last_ref;
    HASH_ADD(hh, self->ties.all, ref, sizeof tie->ref, tie);
    return tie;
}

static void say(struct troupe *self, enum ctl_verb verb, uint64_t ref, const char *address)
{
    char text[ADDR_TEXT_MAX + 32];

    snprintf(text, sizeof text, "%llu%s%s", (unsigned long long)ref, *address ? " " : "", address);
    parent_say(&self->parent, verb, text);
}

static void on_silence(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct tie *tie = container_of(timer, struct tie, timer);
    void (*on_end)(struct troupe *, const char *, void *) = tie->on_end;
    struct troupe *self = tie->self;
    void *data = tie->data;

    (void)loop;
    (void)revents;
    say(self, CTL_DEMONITOR, tie->ref, "");
    forget(tie);
    on_end(self, "unknown", data);
}

uint64_t ties_ask_end(struct troupe *self, const char *address, int64_t ms,
                      void (*on_end)(struct troupe *self, const char *reason, void *data), void *data)
{
    struct tie *tie = create(self);

    if (!tie)
        return 0;
    tie->on_end = on_end;
    tie->data = data;
    ev_now_update(self->loop);
    ev_timer_init(&tie->timer, on_silence, (double)ms / 1000, 0.);
    ev_timer_start(self->loop, &tie->timer);
    say(self, CTL_ENDED, tie->ref, address);
    return tie->ref;
}

void ties_forget_question(struct troupe *self, uint64_t question)
{
    struct tie *tie = find(self, question);

    if (tie)
        forget(tie);
}

static bool is_address(const char *who)
{
    struct addr addr;
    const char *why;

    if (addr_parse(who, &addr, &why) == 0 && *addr.path)
        return true;
    errno = EINVAL;
    return false;
}

uint64_t troupe_monitor(struct troupe *self, const char *who)
{
    struct tie *tie = is_address(who) ? create(self) : NULL;

    if (!tie)
        return 0;
    say(self, CTL_MONITOR, tie->ref, who);
    return tie->ref;
}

void troupe_demonitor(struct troupe *self, uint64_t monitor)
{
    struct tie *tie = find(self, monitor);

    if (!tie || tie->on_end)
        return;
    say(self, CTL_DEMONITOR, monitor, "");
    forget(tie);
}

static const char *mode_text(enum troupe_link mode)
{
    switch (mode) {
    case TROUPE_LINK_MONITOR:
        return "MONITOR";
    case TROUPE_LINK_NOTIFY:
        return "NOTIFY";
    default:
        return "PEER";
    }
}

static void say_link(struct troupe *self, enum ctl_verb verb, enum troupe_link mode, const char *who)
{
    char text[ADDR_TEXT_MAX + 16];

    snprintf(text, sizeof text, "%s %s", mode_text(mode), who);
    parent_say(&self->parent, verb, text);
}

const char *troupe_link(struct troupe *self, enum troupe_link mode, const char *who)
{
    struct ties *ties = &self->ties;
    struct addr addr;
    const char *why;

    if (addr_parse(who, &addr, &why) < 0)
        return "refused no address";
    if (!parent_is_there(&self->parent) || ties->linking)
        return "refused no supervisor to ask";
    if (self->ending)
        return "refused ending";
    ties->linking = addr.path;
    ties->linked = false;
    say_link(self, CTL_LINK, mode, who);
    agenda_wait_for(self, &ties->linked, TIES_LINK_MS);
    ties->linking = NULL;
    if (!ties->linked)
        return self->ending ? "refused ending" : "timeout";
    return *ties->link_failure ? ties->link_failure : NULL;
}

void troupe_unlink(struct troupe *self, enum troupe_link mode, const char *who)
{
    say_link(self, CTL_UNLINK, mode, who);
}

/* ---- life ---------------------------------------------------------------------------------- */

void ties_init(struct troupe *self)
{
    if (self->actor.exited)
        parent_say(&self->parent, CTL_TRAP, "1");
}

void ties_finish(struct troupe *self)
{
    struct tie *tie, *next;

    HASH_ITER(hh, self->ties.all, tie, next)
    forget(tie);
}
