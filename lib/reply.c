/* What a handler does with its message: answers it, keeps it, gives it up. */
#include "runtime.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <string.h>

/* After the one answer that a kept message is owed. */
static void settle(struct troupe_message *message)
{
    if (message->is_kept)
        mailbox_release(message);
}

static int refuse_reply(struct troupe_message *message, const char *why)
{
    char text[2 * MESSAGE_WHY_SIZE];

    snprintf(text, sizeof text, "error reply to %.64s: %s", message->name, why);
    troupe_log(message->self, "error", "reply.mismatch", "message", message->name, "why", why,
               NULL);
    mailbox_answer_error(message, text);
    errno = EINVAL;
    return -1;
}

static int answer(struct troupe_message *message, const struct troupe_value *values)
{
    union wire_value out[MESSAGE_ARGUMENTS_MAX];
    char format[MESSAGE_ARGUMENTS_MAX + 1], why[MESSAGE_WHY_SIZE];
    const char *declared = NULL;

    if (message->handler)
        declared = message->handler->reply ? message->handler->reply : "";
    if (values_convert(values, declared, out, format, why) < 0)
        return refuse_reply(message, why);
    return mailbox_answer(message, format, out);
}

int troupe_reply_values(struct troupe_message *message, const struct troupe_value *values)
{
    int result, saved;

    if (message_is_given_away(message))
        return -1;
    result = message->is_call ? answer(message, values) : 0;
    saved = errno;
    settle(message);
    errno = saved;
    return result;
}

int troupe_fail(struct troupe_message *message, const char *format, ...)
{
    char text[512] = "error ";
    size_t head = strlen(text);
    va_list args;
    int result, saved;

    if (message_is_given_away(message))
        return -1;
    va_start(args, format);
    vsnprintf(text + head, sizeof text - head, format, args);
    va_end(args);
    result = message->is_call ? mailbox_answer_error(message, text) : 0;
    saved = errno;
    settle(message);
    errno = saved;
    return result;
}

int troupe_refuse(struct troupe_message *message, const char *format, ...)
{
    char text[512];
    va_list args;
    int result, saved;

    if (message_is_given_away(message))
        return -1;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    result = mailbox_answer_error(message, text);
    saved = errno;
    settle(message);
    errno = saved;
    return result;
}

/* An answer and an event are their giver's again when the function that hears them returns. */
static void __attribute__((noreturn)) misused(const struct troupe_message *message)
{
    fprintf(stderr, "bug: %s: kept, though it is no message that came, but an answer or an event\n",
            message->failure ? message->failure : message->name);
    fflush(stderr);
    abort();
}

struct troupe_message *troupe_keep(struct troupe_message *message)
{
    if (message->origin == MESSAGE_ANSWER)
        misused(message);
    if (message_settle(message) < 0) {
        mailbox_answer_error(message, "error out of memory");
        return NULL;
    }
    message->is_kept = true;
    return message;
}

void troupe_drop(struct troupe_message *message)
{
    if (message)
        troupe_fail(message, "dropped");
}
