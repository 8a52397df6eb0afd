#include "undelivered.h"

#include "runtime.h"
#include "sp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct notice {
    struct agenda_item owed;
    char to[ADDR_PATH_MAX + 1];
    char name[256];
    char why[REASON_MAX];
};

static void drop(struct agenda_item *item)
{
    free(container_of(item, struct notice, owed));
}

/* How many could not be told one by one. */
static void tell_lost(struct troupe *self, struct agenda_item *item)
{
    char why[64];

    (void)item;
    snprintf(why, sizeof why, "overloaded %llu more", (unsigned long long)self->undelivered.lost);
    self->undelivered.lost = 0;
    self->actor.undelivered(self, "", "", why);
}

static void lose(struct troupe *self)
{
    struct undelivered *undelivered = &self->undelivered;

    undelivered->lost++;
    undelivered->owed.run = tell_lost;
    agenda_post(self, &undelivered->owed);
}

static void tell(struct troupe *self, struct agenda_item *item)
{
    struct notice *notice = container_of(item, struct notice, owed);

    self->undelivered.waiting--;
    self->actor.undelivered(self, notice->to, notice->name, notice->why);
    free(notice);
}

int undelivered_flags(const struct troupe *self)
{
    return self->actor.undelivered ? ENVELOPE_WANTS_UNDELIVERED : 0;
}

void undelivered_cast(struct troupe *self, const char *to, const char *name, const char *why)
{
    struct notice *notice = NULL;

    if (!self->actor.undelivered)
        return;
    if (self->undelivered.waiting < UNDELIVERED_MAX)
        notice = calloc(1, sizeof *notice);
    if (!notice) {
        lose(self);
        return;
    }
    self->undelivered.waiting++;
    notice->owed = (struct agenda_item){.run = tell, .drop = drop};
    snprintf(notice->to, sizeof notice->to, "%s", to);
    snprintf(notice->name, sizeof notice->name, "%s", name);
    reason_copy(why, "unknown", notice->why);
    agenda_post(self, &notice->owed);
}

void undelivered_refused(struct troupe *self, const char *to, const struct envelope *env)
{
    char name[256], why[REASON_MAX];
    size_t size = env->payload_size < sizeof why - 1 ? env->payload_size : sizeof why - 1;

    if (size > 0)
        memcpy(why, env->payload, size);
    why[size] = '\0';
    envelope_text_copy(env->type, name, sizeof name);
    undelivered_cast(self, to, name, why);
}

void undelivered_frames(struct troupe *self, const char *to, const struct buf *frames, const char *why)
{
    const uint8_t *at = buf_front(frames);
    size_t left = buf_length(frames), size;
    struct envelope env;
    const char *phrase;
    char name[256];

    for (; sp_frame_size(at, left, &size) == 0; at += size, left -= size) {
        if (envelope_decode(at + SP_FRAME_HEADER, size - SP_FRAME_HEADER, &env, &phrase) < 0 ||
            env.kind != ENVELOPE_CAST || !(env.flags & ENVELOPE_WANTS_UNDELIVERED))
            continue;
        envelope_text_copy(env.type, name, sizeof name);
        undelivered_cast(self, to, name, why);
    }
}
