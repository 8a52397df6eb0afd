#include "inquiries.h"

#include "backplane.h"
#include "control.h"
#include "fellows.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct inquiry {
    struct backplane *plane;
    struct watched waiting;   /* the watches of those who want to know */
    struct question question; /* while it is asked */
    char *reason;             /* NULL: not known yet */
    bool ordered;
    uint64_t incarnation;
    struct inquiry *prev, *next; /* among the known */
    UT_hash_handle hh;
    char address[ADDR_TEXT_MAX + 1];
    char path[ADDR_PATH_MAX + 1];
};

static void destroy(struct inquiry *inquiry)
{
    struct inquiries *inquiries = &inquiry->plane->inquiries;

    HASH_DEL(inquiries->all, inquiry);
    if (inquiry->reason) {
        DL_DELETE(inquiries->known, inquiry);
        inquiries->known_count--;
    }
    question_forget(&inquiry->question);
    free(inquiry->reason);
    free(inquiry);
}

static struct inquiry *find(struct backplane *plane, const struct watch *watch)
{
    char address[ADDR_TEXT_MAX + 1];
    struct inquiry *inquiry;

    addr_write(watch->path, watch->asked, address, sizeof address);
    HASH_FIND_STR(plane->inquiries.all, address, inquiry);
    return inquiry;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void remember(struct inquiry *inquiry, const char *reason, bool ordered)
{
    struct inquiries *inquiries = &inquiry->plane->inquiries;

    inquiry->reason = strdup(reason);
    inquiry->ordered = ordered;
    if (!inquiry->reason)
        return;
    DL_APPEND(inquiries->known, inquiry);
    if (++inquiries->known_count > INQUIRIES_KNOWN)
        destroy(inquiries->known);
}

/* What is no end, but a failure to learn of one, is told and not remembered. */
static void fail(struct inquiry *inquiry, const char *why)
{
    struct backplane *plane = inquiry->plane;
    uint64_t incarnation = inquiry->incarnation;
    struct watched waiting = inquiry->waiting;

    for (struct watch *watch = waiting.watches; watch; watch = watch->next)
        watch->watched = &waiting;
    destroy(inquiry);
    backplane_end(plane, &waiting, incarnation, why, true);
}

static void take_down(struct inquiry *inquiry, const struct words *words)
{
    char reason[REASON_MAX];

    if (words->count < 3)
        return;
    reason_copy(words->at[1], "unknown", reason);
    question_forget(&inquiry->question);
    inquiry->ordered = !strcmp(words->at[2], "1");
    backplane_end(inquiry->plane, &inquiry->waiting, inquiry->incarnation, reason,
                  inquiry->ordered);
    remember(inquiry, reason, inquiry->ordered);
    if (!inquiry->reason)
        destroy(inquiry);
}

/* The reply says that it is not over yet: then the event does. */
static void on_answer(struct question *question, const struct envelope *env, const char *why)
{
    struct inquiry *inquiry = container_of(question, struct inquiry, question);
    struct words words = {0};
    char reason[REASON_MAX];

    if (!env) {
        fail(inquiry, why);
    } else if (env->kind == ENVELOPE_ERROR) {
        backplane_refusal(env, reason);
        fail(inquiry, reason);
    } else if (env->kind == ENVELOPE_EVENT && envelope_text_equals(env->type, EVENT_DOWN) &&
               wire_unpack_words(env->payload, env->payload_size, &words) == 0) {
        take_down(inquiry, &words);
        words_finish(&words);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static struct inquiry *create(struct backplane *plane, const struct watch *watch)
{
    struct inquiry *inquiry = calloc(1, sizeof *inquiry);

    if (!inquiry)
        return NULL;
    inquiry->plane = plane;
    inquiry->incarnation = watch->asked;
    inquiry->question.on_answer = on_answer;
    snprintf(inquiry->path, sizeof inquiry->path, "%s", watch->path);
    addr_write(watch->path, watch->asked, inquiry->address, sizeof inquiry->address);
    HASH_ADD_STR(plane->inquiries.all, address, inquiry);
    return inquiry;
}

static int ask(struct inquiry *inquiry, const struct party *party)
{
    char above[ADDR_PATH_MAX + 1], whom[ADDR_TEXT_MAX + 1];
    struct words words = {3, (char *[]){CONTROL_WATCH_ENDED, whom, inquiry->address}};

    party_text(party, whom);
    if (addr_supervisor(inquiry->path, above, sizeof above) < 0)
        return -1;
    return fellows_ask(&inquiry->plane->supervisor->fellows, above, CONTROL_WATCH, &words,
                       &inquiry->question);
}

int inquiries_join(struct party *party, struct watch *watch)
{
    struct inquiry *inquiry = find(party->plane, watch);

    if (!inquiry) {
        inquiry = create(party->plane, watch);
        if (!inquiry)
            return -1;
        if (ask(inquiry, party) < 0) {
            destroy(inquiry);
            return -1;
        }
    }
    watch_stand(watch, &inquiry->waiting, inquiry->incarnation);
    if (inquiry->reason)
        backplane_end(inquiry->plane, &inquiry->waiting, inquiry->incarnation, inquiry->reason,
                      inquiry->ordered);
    return 0;
}

static void withdraw(struct inquiry *inquiry)
{
    char above[ADDR_PATH_MAX + 1], ref[24];
    struct words words = {1, (char *[]){ref}};

    if (inquiry->question.fellow && addr_supervisor(inquiry->path, above, sizeof above) == 0) {
        snprintf(ref, sizeof ref, "%llu", (unsigned long long)inquiry->question.ref);
        fellows_tell(&inquiry->plane->supervisor->fellows, above, CONTROL_UNWATCH, &words);
    }
    destroy(inquiry);
}

void inquiries_leave(struct backplane *plane, struct watch *watch)
{
    struct inquiry *inquiry = find(plane, watch);

    watch_destroy(watch);
    if (inquiry && !inquiry->reason && !inquiry->waiting.watches)
        withdraw(inquiry);
}

void inquiries_finish(struct backplane *plane)
{
    struct inquiry *inquiry, *next;

    HASH_ITER (hh, plane->inquiries.all, inquiry, next)
        destroy(inquiry);
}
