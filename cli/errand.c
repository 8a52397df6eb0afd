#include "errand.h"

#include "output.h"
#include "raw.h"
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BODY_MAX = 16 << 20, CHUNK = 65536 };

/* Says what is wrong with the use of a described message; returns STATUS_USAGE. */
static int __attribute__((format(printf, 2, 3)))
refuse(const struct errand *errand, const char *format, ...)
{
    struct buf text = {0};
    char why[512];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    signature_write(errand->message, &text);
    cli_check_memory(buf_append(&text, "", 1));
    cli_fail(STATUS_USAGE, "%s: %s: %s; usage: %s", errand->recipient.to.path,
             errand->message->name, why, (const char *)buf_front(&text));
    buf_finish(&text);
    return STATUS_USAGE;
}

static int unknown_message(const struct errand *errand, const char *name)
{
    const char *path = errand->recipient.to.path;
    const char *nearest = description_nearest(&errand->description, name);

    if (nearest)
        return cli_fail(STATUS_USAGE, "%s: no message \"%s\"; did you mean %s?", path, name,
                        nearest);
    return cli_fail(STATUS_USAGE, "%s: no message \"%s\"; `troupe describe %s` lists them", path,
                    name, path);
}

static bool takes_texts(const struct errand *errand)
{
    return errand->description.count == 0 || errand->description.takes_others;
}

/* ---- from the command line --------------------------------------------------------------- */

static void take_image(struct letter *letter, struct wire_image *image)
{
    letter->is_typed = image->size > 0;
    if (image->size)
        cli_check_memory(buf_append(&letter->payload, image->data, image->size));
    wire_image_finish(image);
}

static void pack(struct errand *errand, const union wire_value *values)
{
    struct wire_image image;

    cli_check_memory(wire_pack_values(errand->message->arguments, values, &image));
    take_image(&errand->letter, &image);
}

static int pack_arguments(struct errand *errand, char **fields, int count)
{
    const char *format = errand->message->arguments;
    union wire_value values[WIRE_VALUES_MAX];
    int bad = 0, wanted = (int)strlen(format);

    if (count != wanted)
        return refuse(errand, "%d argument%s: expected %d", count, count == 1 ? "" : "s", wanted);
    if (wire_values_of_text(format, fields, count, values, &bad) != 0) {
        cli_check_memory(errno == ENOMEM);
        return refuse(errand, "argument %d, \"%.64s\"%s: expected %s", bad + 1, fields[bad],
                      errno == ERANGE ? ", is out of range" : "", type_text(format[bad]));
    }
    pack(errand, values);
    wire_values_finish(format, values);
    return 0;
}

/* MESSAGE and its arguments as one line of text. */
static int write_line(struct errand *errand, char **fields, int count)
{
    errand->letter.style = LETTER_RAW;
    for (int i = 0; i < count; i++)
        cli_check_memory(raw_put(&errand->letter.payload, i == 0, fields[i], strlen(fields[i])));
    return 0;
}

static int write_arguments(struct cli *cli, struct errand *errand)
{
    if (cli->arg_count < 2)
        return cli_usage(cli->verb);
    errand->message = description_find(&errand->description, cli->args[1]);
    if (errand->message)
        return pack_arguments(errand, cli->args + 2, cli->arg_count - 2);
    if (takes_texts(errand))
        return write_line(errand, cli->args + 1, cli->arg_count - 1);
    return unknown_message(errand, cli->args[1]);
}

/* ---- from standard input ----------------------------------------------------------------- */

static int read_body(struct buf *body)
{
    uint8_t *to;
    ssize_t got;

    do {
        to = buf_reserve(body, CHUNK);
        cli_check_memory(!to);
        got = read(STDIN_FILENO, to, CHUNK);
        body->end += got > 0 ? (size_t)got : 0;
    } while (buf_length(body) <= BODY_MAX && (got > 0 || (got < 0 && errno == EINTR)));
    if (got < 0)
        return cli_fail(STATUS_USAGE, "standard input: %s", strerror(errno));
    if (buf_length(body) > BODY_MAX)
        return cli_fail(STATUS_USAGE, "standard input: more than 16 MiB");
    return 0;
}

/* The body is the message's only argument. */
static int pack_body(struct errand *errand, struct buf *body)
{
    const char *format = errand->message->arguments;
    union wire_value value = {.bytes = {(char *)buf_front(body), buf_length(body)}};

    if (strcmp(format, "B") != 0 && strcmp(format, "s") != 0)
        return refuse(errand, "--raw gives one argument of bytes or text");
    if (*format == 's' && memchr(value.bytes.at, '\0', value.bytes.size))
        return refuse(errand, "standard input has a NUL byte");
    cli_check_memory(buf_append(body, "", 1));
    value.bytes.at = (char *)buf_front(body);
    pack(errand, &value);
    return 0;
}

static int write_named_body(struct errand *errand, const char *name, struct buf *body)
{
    errand->message = description_find(&errand->description, name);
    if (errand->message)
        return pack_body(errand, body);
    if (errand->recipient.is_program)
        return cli_fail(STATUS_USAGE, "%s: a program takes whole bodies: leave out \"%s\"",
                        errand->recipient.to.path, name);
    if (!takes_texts(errand))
        return unknown_message(errand, name);
    cli_check_memory(buf_append(&errand->letter.payload, buf_front(body), buf_length(body)));
    return 0;
}

static int write_body(struct cli *cli, struct errand *errand)
{
    struct buf body = {0};
    int status;

    if (cli->arg_count > 2)
        return cli_fail(STATUS_USAGE, "--raw: the argument comes from standard input");
    status = read_body(&body);
    if (!status && cli->arg_count == 2) {
        status = write_named_body(errand, cli->args[1], &body);
    } else if (!status) {
        errand->letter.style = LETTER_RAW;
        errand->letter.payload = body;
        body = (struct buf){0};
    }
    buf_finish(&body);
    return status;
}

/* ---- both -------------------------------------------------------------------------------- */

static bool needs_description(const struct cli *cli)
{
    return !cli_option(cli, "raw") || cli->arg_count > 1;
}

static int take_name(struct cli *cli, struct letter *letter)
{
    const char *name = cli->arg_count > 1 ? cli->args[1] : "";

    if (strlen(name) >= sizeof letter->name)
        return cli_fail(STATUS_USAGE, "a message's name has at most %zu bytes",
                        sizeof letter->name - 1);
    snprintf(letter->name, sizeof letter->name, "%s", name);
    return 0;
}

static int prepare(struct cli *cli, const char *address, struct errand *errand)
{
    int status = take_name(cli, &errand->letter);

    if (!status)
        status = recipient_find(cli, address, &errand->recipient);
    if (!status && needs_description(cli))
        status = recipient_describe(cli, &errand->recipient, &errand->description);
    if (status)
        return status;
    return cli_option(cli, "raw") ? write_body(cli, errand) : write_arguments(cli, errand);
}

static int send_letter(struct cli *cli, struct errand *errand, struct reply *reply)
{
    mail_deliver(&cli->client, &errand->recipient.to, &errand->letter, errand->recipient.deadline,
                 reply);
    if (!reply->failure)
        return 0;
    return recipient_failed(cli, &errand->recipient, reply);
}

static void finish(struct errand *errand)
{
    letter_finish(&errand->letter);
    description_finish(&errand->description);
}

/* ---- to one, or to many ------------------------------------------------------------------ */

static int run_one(struct cli *cli, const char *address, errand_done *done, void *data)
{
    struct errand errand = {.letter = {.is_call = done != NULL}};
    struct reply reply;
    int status = prepare(cli, address, &errand);

    if (!status) {
        status = send_letter(cli, &errand, &reply);
        if (!status && done)
            status = done(cli, &errand, &reply, data);
        reply_finish(&reply);
    }
    finish(&errand);
    return status;
}

static int run_many(struct cli *cli, errand_done *done, void *data)
{
    struct targets targets = {0};
    int worst, status;

    if (cli_option(cli, "raw"))
        return cli_fail(STATUS_USAGE, "%s: --raw goes to one actor, not to a pattern",
                        cli->args[0]);
    worst = cli_open_node(cli);
    if (!worst)
        worst = targets_of_glob(cli, cli->args[0], &targets);
    for (size_t i = 0; i < targets.count; i++) {
        status = run_one(cli, targets.at[i].path, done, data);
        worst = status > worst ? status : worst;
    }
    targets_finish(&targets);
    return worst;
}

int errand_send(struct cli *cli, const char *address)
{
    return run_one(cli, address, NULL, NULL);
}

bool errand_is_to_many(const struct cli *cli)
{
    struct addr addr;
    const char *why;
    bool is_glob = false;

    return addr_parse_glob(cli->args[0], &addr, &is_glob, &why) == 0 && is_glob;
}

int errand_run(struct cli *cli, errand_done *done, void *data)
{
    return errand_is_to_many(cli) ? run_many(cli, done, data)
                                  : run_one(cli, cli->args[0], done, data);
}
