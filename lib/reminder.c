/* Reminders (troupe.h 9): rows in the store, told by whoever scans it. */
#include "control.h"
#include "runtime.h"
#include "saving.h"
#include "storecall.h"
#include "verdict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 5000 };

static void on_answer(struct troupe *self, const char *failure, const struct troupe_message *answer,
                      void *verdict)
{
    char text[REASON_MAX];

    (void)answer;
    if (failure)
        storecall_explain(failure, text);
    if (failure && storecall_is(failure, CONTROL_E_FENCED))
        actor_end(self, "error reminder: fenced");
    verdict_post(self, failure ? text : NULL, verdict);
}

/* One that is not there has been cleared. */
static void on_cleared(struct troupe *self, const char *failure,
                       const struct troupe_message *answer, void *verdict)
{
    if (failure && storecall_is(failure, CONTROL_E_NOT_FOUND))
        failure = NULL;
    on_answer(self, failure, answer, verdict);
}

static union wire_value text_value(const char *text)
{
    return (union wire_value){.bytes = {(char *)text, strlen(text)}};
}

/* values: the first five are filled in. */
static int ask(struct troupe *self, struct storecall *call, const char *name,
               union wire_value *values, troupe_on_saved *on_saved, void *data)
{
    char service[ADDR_PATH_MAX + 1];
    const char *id;
    int saved;

    saving_row(self, service, &id);
    values[0] = text_value(service);
    values[1] = text_value(id);
    values[2] = text_value(name);
    values[3].i = (int64_t)troupe_epoch(self);
    values[4].i = -1; /* whatever there is: it is this actor's own */
    call->values = values;
    call->deadline = mono_add_ms(mono_now(), ASK_MS);
    call->may_go_again = true;
    call->data = verdict_create(on_saved, data);
    if (!call->data)
        return -1;
    if (storecall_ask(self, call) == 0)
        return 0;
    saved = errno;
    free(call->data);
    errno = saved;
    return -1;
}

static bool is_name(const char *name)
{
    if (addr_is_part(name, strlen(name)))
        return true;
    errno = EINVAL;
    return false;
}

int troupe_reminder_set(struct troupe *self, const char *name, const char *message,
                        int64_t after_ms, int64_t period_ms, troupe_on_saved *on_saved, void *data)
{
    struct storecall call = {.verb = CONTROL_REMINDER_PUT, .format = "sssIIIIs", .done = on_answer};
    union wire_value values[8];

    if (!is_name(name) || !is_name(message))
        return -1;
    if (after_ms < 0 || period_ms < 0) {
        errno = EINVAL;
        return -1;
    }
    values[5].i = wall_now_us() + after_ms * 1000;
    values[6].i = period_ms * 1000;
    values[7] = text_value(message);
    return ask(self, &call, name, values, on_saved, data);
}

int troupe_reminder_clear(struct troupe *self, const char *name, troupe_on_saved *on_saved,
                          void *data)
{
    struct storecall call = {.verb = CONTROL_REMINDER_RM, .format = "sssII", .done = on_cleared};
    union wire_value values[5];

    return is_name(name) ? ask(self, &call, name, values, on_saved, data) : -1;
}
