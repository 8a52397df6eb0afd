/* Many callers in one: calls an actor n times with one text, some of them at once, and tells what
 * became of them: how many were answered with that text, and the rest by the first word of their
 * failures. */
#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = 16, WORD = 32 };

struct crowd {
    struct troupe_message *asker;
    char to[256], name[64], text[64];
    int64_t left, timeout_ms;
    uint64_t waiting;
    struct {
        char word[WORD];
        uint64_t count;
    } kinds[KINDS];
};

static void count(struct crowd *crowd, const char *outcome)
{
    char word[WORD];
    int i = 0;

    snprintf(word, sizeof word, "%.*s", (int)strcspn(outcome, " "), outcome);
    while (i < KINDS - 1 && *crowd->kinds[i].word && strcmp(crowd->kinds[i].word, word) != 0)
        i++;
    strcpy(crowd->kinds[i].word, word);
    crowd->kinds[i].count++;
}

static void ask(struct troupe *self);

static void tell(struct crowd *crowd)
{
    char text[KINDS * (WORD + 24)] = "";

    for (int i = 0; i < KINDS && *crowd->kinds[i].word; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s=%" PRIu64, i ? " " : "",
                 crowd->kinds[i].word, crowd->kinds[i].count);
    troupe_reply(crowd->asker, text);
    crowd->asker = NULL;
}

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct crowd *crowd = data;
    const char *failure = troupe_failure(answer);

    if (failure)
        count(crowd, failure);
    else if (troupe_count(answer) == 1 && strcmp(troupe_text(answer, 0), crowd->text) == 0)
        count(crowd, "answered");
    else
        count(crowd, "wrong");
    crowd->waiting--;
    ask(self);
    if (crowd->waiting == 0)
        tell(crowd);
}

static void ask(struct troupe *self)
{
    struct crowd *crowd = troupe_state(self);

    if (crowd->left == 0)
        return;
    crowd->left--;
    if (troupe_ask(self, crowd->to, crowd->timeout_ms, on_answer, crowd, crowd->name,
                   crowd->text) == 0)
        crowd->waiting++;
    else
        count(crowd, "unasked");
}

static void on_ask(struct troupe *self, struct troupe_message *message)
{
    struct crowd *crowd = troupe_state(self);
    int64_t at_once = troupe_int(message, 4);

    if (crowd->asker) {
        troupe_fail(message, "it asks already");
        return;
    }
    memset(crowd, 0, sizeof *crowd);
    snprintf(crowd->to, sizeof crowd->to, "%s", troupe_text(message, 0));
    snprintf(crowd->name, sizeof crowd->name, "%s", troupe_text(message, 1));
    snprintf(crowd->text, sizeof crowd->text, "%s", troupe_text(message, 2));
    crowd->left = troupe_int(message, 3);
    crowd->timeout_ms = troupe_int(message, 5);
    crowd->asker = troupe_keep(message);
    while (at_once-- > 0)
        ask(self);
    if (crowd->waiting == 0)
        tell(crowd);
}

static const struct troupe_handler messages[] = {
    {"ask", "sssIII", "s", on_ask,
     "calls ADDRESS NAME TEXT, N times, so many AT-ONCE, each for MS"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct crowd), .messages = messages);
