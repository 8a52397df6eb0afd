#include "storecall.h"

#include "control.h"
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORE "sys/store"

struct asked {
    const char *verb;
    struct wire_image image;
    struct mono deadline;
    bool may_go_again;
    storecall_done *done;
    void *data;
};

static void drop(void *data)
{
    struct asked *asked = data;

    wire_image_finish(&asked->image);
    free(asked);
}

static void finish(struct troupe *self, struct asked *asked, const char *failure,
                   const struct troupe_message *answer)
{
    storecall_done *done = asked->done;
    void *data = asked->data;

    drop(asked);
    done(self, failure, answer, data);
}

static int transmit(struct troupe *self, struct asked *asked);

/* Its mailbox is still there: the next one hears what is sent meanwhile. */
static bool goes_again(struct troupe *self, struct asked *asked, const char *failure)
{
    return asked->may_go_again && storecall_is(failure, "down") && !self->ending &&
           mono_diff_ms(asked->deadline, mono_now()) > 0 && transmit(self, asked) == 0;
}

static void on_answer(struct troupe *self, struct troupe_message **answer, void *data)
{
    const char *failure = (*answer)->failure;

    if (!failure || !goes_again(self, data, failure))
        finish(self, data, failure, *answer);
}

static int transmit(struct troupe *self, struct asked *asked)
{
    const struct call_request request = {.to = STORE,
                                         .name = asked->verb,
                                         .payload = asked->image.data,
                                         .size = asked->image.size,
                                         .is_typed = true,
                                         .is_control = true,
                                         .deadline = asked->deadline,
                                         .done = on_answer,
                                         .data = asked,
                                         .drop = drop};

    return call_start(self, &request);
}

int storecall_ask(struct troupe *self, const struct storecall *call)
{
    struct asked *asked = calloc(1, sizeof *asked);
    int saved;

    if (!asked)
        return -1;
    *asked = (struct asked){.verb = call->verb,
                            .deadline = call->deadline,
                            .may_go_again = call->may_go_again,
                            .done = call->done,
                            .data = call->data};
    if (wire_pack_values(call->format, call->values, &asked->image) == 0 &&
        transmit(self, asked) == 0)
        return 0;
    saved = errno;
    drop(asked);
    errno = saved;
    return -1;
}

/* ---- failures
 * ------------------------------------------------------------------------------------ */

bool storecall_is(const char *failure, const char *head)
{
    size_t length = strlen(head);

    return strncmp(failure, head, length) == 0 &&
           (failure[length] == '\0' || failure[length] == ' ');
}

bool storecall_is_open(const char *failure)
{
    return storecall_is(failure, "down") || storecall_is(failure, "timeout") ||
           strncmp(failure, CONTROL_E_UNREACHABLE " sent", strlen(CONTROL_E_UNREACHABLE " sent")) ==
               0;
}

/* Whether a write was sent is for machines. */
static const char *why_unreachable(const char *failure)
{
    const char *word = failure + strlen(CONTROL_E_UNREACHABLE);

    if (*word)
        word++;
    return word + strcspn(word, " ");
}

void storecall_explain(const char *failure, char out[REASON_MAX])
{
    static const char *const calls[] = {"noproc", "down", "timeout", "noconnection"};

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (storecall_is(failure, calls[i])) {
            snprintf(out, REASON_MAX, CONTROL_E_UNREACHABLE " " STORE ": %.200s", failure);
            return;
        }
    if (storecall_is(failure, CONTROL_E_UNREACHABLE))
        snprintf(out, REASON_MAX, CONTROL_E_UNREACHABLE "%.200s", why_unreachable(failure));
    else if (storecall_is(failure, CONTROL_E_CONFLICT))
        snprintf(out, REASON_MAX,
                 CONTROL_E_CONFLICT); /* the version there is says nothing to them */
    else
        snprintf(out, REASON_MAX, "%.200s", failure);
}
