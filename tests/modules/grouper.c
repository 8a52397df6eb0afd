/* Joins, leaves, watches and sends to process groups at a test's bidding, and remembers what it heard. */
#include <troupe.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HEARD_MAX = 65536 };

struct grouper {
    char heard[HEARD_MAX]; /* parts with " | " between them */
    uint64_t watch;
};

static void append(char *text, const char *part)
{
    size_t length = strlen(text);

    snprintf(text + length, HEARD_MAX - length, "%s%s", length ? " | " : "", part);
}

static void hear(struct troupe *self, const char *part)
{
    append(((struct grouper *)troupe_state(self))->heard, part);
}

static void reply_outcome(struct troupe_message *message, const char *failure)
{
    troupe_reply(message, failure ? failure : "ok");
}

static void on_join(struct troupe *self, struct troupe_message *message)
{
    reply_outcome(message, troupe_join(self, troupe_text(message, 0), (unsigned)troupe_int(message, 1)));
}

static void on_leave(struct troupe *self, struct troupe_message *message)
{
    reply_outcome(message, troupe_leave(self, troupe_text(message, 0), (unsigned)troupe_int(message, 1)));
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Small things that a session carries apart, one after the other: replies how many ms they took. */
static void on_turns(struct troupe *self, struct troupe_message *message)
{
    int64_t begin = now_ms();
    const char *failure = NULL;

    for (int64_t n = troupe_int(message, 1); n > 0 && !failure; n--) {
        struct troupe_message *answer;

        failure = troupe_join(self, "turns", 1);
        if (!failure)
            failure = troupe_leave(self, "turns", 1);
        answer = troupe_call(self, troupe_text(message, 0), 0, "forget");
        if (!failure && troupe_failure(answer))
            failure = "no answer";
        troupe_free(answer);
    }
    if (failure)
        troupe_fail(message, "%s", failure);
    else
        troupe_reply(message, now_ms() - begin);
}

static void collect(const char *text, void *data)
{
    append(data, text);
}

static enum troupe_where where_of(struct troupe_message *message, unsigned argument)
{
    return strcmp(troupe_text(message, argument), "local") ? TROUPE_ALL_NODES : TROUPE_THIS_NODE;
}

static void reply_list(struct troupe_message *message, int count, char *list)
{
    if (count < 0)
        troupe_fail(message, "%s", strerror(errno));
    else
        troupe_reply(message, count, list);
    free(list);
}

static void on_members(struct troupe *self, struct troupe_message *message)
{
    char *list = calloc(1, HEARD_MAX);

    reply_list(message,
               troupe_members(self, troupe_text(message, 0), where_of(message, 1), collect, list), list);
}

static void on_groups(struct troupe *self, struct troupe_message *message)
{
    char *list = calloc(1, HEARD_MAX);

    reply_list(message,
               troupe_groups(self, troupe_text(message, 0), where_of(message, 1), collect, list), list);
}

static void on_change(struct troupe *self, enum troupe_group_event event, const char *group,
                      const char *member, void *data)
{
    char text[1024];

    (void)data;
    snprintf(text, sizeof text, "%c%s %s", event == TROUPE_GROUP_JOINED ? '+' : '-', group, member);
    hear(self, text);
}

static void on_watch(struct troupe *self, struct troupe_message *message)
{
    struct grouper *grouper = troupe_state(self);

    grouper->watch = troupe_watch_group(self, troupe_text(message, 0), on_change, NULL);
    troupe_reply(message, grouper->watch ? "ok" : strerror(errno));
}

static void on_unwatch(struct troupe *self, struct troupe_message *message)
{
    troupe_unwatch_group(self, ((struct grouper *)troupe_state(self))->watch);
    troupe_reply(message);
}

static enum troupe_spread spread_of(const char *text)
{
    return !strcmp(text, "one")       ? TROUPE_TO_ONE
           : !strcmp(text, "a_node")  ? TROUPE_TO_ONE_A_NODE
           : !strcmp(text, "nearest") ? TROUPE_TO_NEAREST
                                      : TROUPE_TO_ALL;
}

static void on_send(struct troupe *self, struct troupe_message *message)
{
    int sent = troupe_cast_group(self, troupe_text(message, 0), spread_of(troupe_text(message, 1)),
                                 "note", troupe_text(message, 2));

    if (sent < 0)
        troupe_fail(message, "%s", strerror(errno));
    else
        troupe_reply(message, sent);
}

static void on_pour(struct troupe *self, struct troupe_message *message)
{
    static char piece[65536];
    size_t size = (size_t)troupe_int(message, 2) % sizeof piece;
    int64_t n = 0;

    memset(piece, 'x', size);
    piece[size] = '\0';
    while (n < troupe_int(message, 1) &&
           troupe_cast_group(self, troupe_text(message, 0), TROUPE_TO_ALL, "note", piece) > 0)
        n++;
    troupe_reply(message, n);
}

/* Notes 1, 2, 3, … by turns to all of GROUP and to one of its members: to the group first, several large ones,
 * more than the kernel takes for one that does not read. */
static void on_mix(struct troupe *self, struct troupe_message *message)
{
    enum { TO_GROUP_FIRST = 20, LARGE = 30000 };
    int64_t count = troupe_int(message, 2), sent = 0;
    char number[LARGE + 1];

    for (int64_t i = 1; i <= count; i++) {
        snprintf(number, sizeof number, "%-*lld", i <= TO_GROUP_FIRST ? LARGE : 1, (long long)i);
        if (i <= TO_GROUP_FIRST || i % 2)
            sent += troupe_cast_group(self, troupe_text(message, 0), TROUPE_TO_ALL, "note", number) > 0;
        else
            sent += troupe_cast(self, troupe_text(message, 1), "note", number) == 0;
    }
    troupe_reply(message, sent);
}

static void on_note(struct troupe *self, struct troupe_message *message)
{
    char text[1024];

    snprintf(text, sizeof text, "%s from %s", troupe_text(message, 0), troupe_from(message));
    hear(self, text);
}

static void on_heard(struct troupe *self, struct troupe_message *message)
{
    struct grouper *grouper = troupe_state(self);

    troupe_reply(message, grouper->heard);
}

static void on_forget(struct troupe *self, struct troupe_message *message)
{
    struct grouper *grouper = troupe_state(self);

    *grouper->heard = '\0';
    troupe_reply(message);
}

static const struct troupe_handler messages[] = {
    {"join", "sI", "s", on_join, "joins GROUP so many times"},
    {"leave", "sI", "s", on_leave, "leaves GROUP so many times"},
    {"turns", "sI", "I", on_turns, "joins, leaves, and calls forget of ADDRESS, so many times"},
    {"members", "ss", "Is", on_members, "who is in GROUP, in all or local"},
    {"groups", "ss", "Is", on_groups, "groups of SCOPE, in all or local"},
    {"watch", "s", "s", on_watch, "hears who joins and leaves GROUP"},
    {"unwatch", "", "", on_unwatch, "no longer"},
    {"send", "sss", "I", on_send, "sends to GROUP: all, one, a_node or nearest, TEXT"},
    {"pour", "sII", "I", on_pour, "sends notes of SIZE bytes to all of GROUP, so many"},
    {"mix", "ssI", "I", on_mix, "sends notes 1, 2 … N by turns to GROUP and to ADDRESS, a member"},
    {"note", "s", "", on_note, "remembers TEXT"},
    {"heard", "", "s", on_heard, "what it remembers"},
    {"forget", "", "", on_forget, "nothing any more"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct grouper), .messages = messages);
