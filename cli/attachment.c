#include "attachment.h"

#include "control.h"
#include "output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attachment {
    struct exchange *exchange;
    struct attachment_handlers handlers;
    void *data;
};

static void on_answer(struct exchange *exchange, struct answer *answer)
{
    struct attachment *attachment = exchange_data(exchange);
    const struct answer odd = {.kind = ANSWER_CLOSED, .text = "an answer of another shape"};

    if (answer->kind == ANSWER_WORDS && answer->words.count > 0)
        attachment->handlers.on_attached(attachment->data, answer->words.at[0]);
    else if (answer->kind == ANSWER_ERROR || answer->kind == ANSWER_CLOSED)
        attachment->handlers.on_lost(attachment->data, answer);
    else
        attachment->handlers.on_lost(attachment->data, &odd);
}

static void on_event(struct exchange *exchange, const struct envelope *env)
{
    struct attachment *attachment = exchange_data(exchange);
    struct ctl_line line;
    struct words words;

    if (!envelope_text_equals(env->type, EVENT_LINE) ||
        wire_unpack_words(env->payload, env->payload_size, &words) != 0)
        return;
    for (size_t i = 0; i < words.count; i++) {
        size_t at = 0;

        if (ctl_next(words.at[i], strlen(words.at[i]), &at, &line))
            attachment->handlers.on_line(attachment->data, &line);
    }
    words_finish(&words);
}

static void on_end(struct exchange *exchange)
{
    struct attachment *attachment = exchange_data(exchange);
    const struct answer closed = {.kind = ANSWER_CLOSED, .text = "noconnection"};

    attachment->handlers.on_lost(attachment->data, &closed);
}

/* NAME PID MAILBOX, to the supervisor above path. */
static int attach(struct attachment *attachment, struct client *client, const char *path)
{
    static const struct exchange_handlers handlers = {on_answer, on_event, on_end};
    char parent[ADDR_PATH_MAX + 1] = "", mailbox[MAILBOX_MAX], pid[16];
    struct words words = {0};

    if (*path)
        addr_supervisor(path, parent, sizeof parent);
    client_supervisor(parent, mailbox);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    cli_check_memory(words_append(&words, *path ? addr_child_name(path) : ""));
    cli_check_memory(words_append(&words, pid));
    cli_check_memory(words_append(&words, "0"));
    attachment->exchange =
        exchange_start(client, mailbox, CONTROL_ATTACH, &words, &handlers, attachment);
    words_finish(&words);
    return attachment->exchange ? 0 : -1;
}

struct attachment *attachment_create(struct client *client, const char *path,
                                     const struct attachment_handlers *handlers, void *data)
{
    struct attachment *attachment = cli_alloc(sizeof *attachment);
    int code;

    *attachment = (struct attachment){.handlers = *handlers, .data = data};
    if (attach(attachment, client, path) == 0)
        return attachment;
    code = errno;
    free(attachment);
    errno = code;
    return NULL;
}

int attachment_say(struct attachment *attachment, enum ctl_verb verb, const char *format, ...)
{
    char rest[ADDR_TEXT_MAX + 512], line[sizeof rest + 32], *at[] = {line};
    struct words words = {1, at};
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    snprintf(line, sizeof line, "%s%s%s", ctl_verb_text(verb), *rest ? " " : "", rest);
    return exchange_tell(attachment->exchange, CONTROL_LINE, &words);
}

void attachment_destroy(struct attachment *attachment)
{
    if (!attachment)
        return;
    exchange_flush(attachment->exchange);
    exchange_destroy(attachment->exchange);
    free(attachment);
}
