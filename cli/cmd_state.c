#include "cli.h"

#include "control.h"
#include "records.h"
#include "storage.h"
#include "target.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 8 << 20, LIST_COLUMNS = 5, VERSION_ANY = -1 };

static const char *const column_list[] = {"path", "name", "version", "size", "saved", NULL};

static const struct record_column shown[] = {
    {.name = "path", .header = "PATH", .shrinks_to = 16},
    {.name = "name", .header = "NAME"},
    {.name = "version", .header = "VERSION", .is_right = true},
    {.name = "size", .header = "SIZE", .is_right = true},
    {.name = "saved", .header = "SAVED"},
    {0},
};

/* "shop/carts/42 main" */
static const char *label(const struct storage_row *row)
{
    static char text[ADDR_PATH_MAX + ADDR_PART_MAX + 2];

    snprintf(text, sizeof text, "%s %s", row->path, row->name);
    return text;
}

static int read_number(struct cli *cli, const char *option, int64_t otherwise, int64_t *number)
{
    const char *text = cli_option(cli, option);
    uint64_t given;

    *number = otherwise;
    if (!text)
        return 0;
    if (text_unsigned(text, 0, INT64_MAX, &given) < 0)
        return cli_fail(STATUS_USAGE, "--%s %s: expected a whole number", option, text);
    *number = (int64_t)given;
    return 0;
}

/* ---- get ------------------------------------------------------------------------------------ */

/* In the order of CONTROL_STATE_GET's answer. */
enum { VERSION, EPOCH, SAVED, SCHEMA, VALUE };

static void describe(const struct storage_row *row, const union wire_value *values,
                     struct facts *record)
{
    int failed = facts_add(record, 's', "path", row->path);

    failed |= facts_add(record, 's', "name", row->name);
    failed |= facts_addf(record, 'n', "version", "%" PRId64, values[VERSION].i);
    failed |= facts_addf(record, 'z', "size", "%zu", values[VALUE].bytes.size);
    failed |= facts_addf(record, 't', "saved", "%" PRId64, values[SAVED].i);
    failed |= facts_addf(record, 'n', "schema", "%" PRId64, values[SCHEMA].i);
    failed |= facts_addf(record, 'n', "epoch", "%" PRId64, values[EPOCH].i);
    cli_check_memory(failed);
}

/* The record, and behind its facts the value. */
static void write_json(const struct facts *record, const union wire_value *value, struct buf *text)
{
    json_write_line(record, text);
    text->end--;
    buf_printf(text, ",\"value\":");
    json_write_bytes(value->bytes.at, value->bytes.size, text);
    buf_printf(text, "}");
}

static int print_value(const struct output *out, const struct storage_row *row,
                       const union wire_value *values)
{
    struct facts record = {0};
    struct buf text = {0};
    struct error err;
    int status = STATUS_DONE;

    describe(row, values, &record);
    if (out->format == OUTPUT_JSON) {
        json_value_begin("state", &text);
        write_json(&record, &values[VALUE], &text);
        json_value_end(&text);
        output_write(&text);
    } else if (out->format == OUTPUT_JSONL) {
        write_json(&record, &values[VALUE], &text);
        buf_printf(&text, "\n");
        output_write(&text);
    } else if (out->format == OUTPUT_COLUMNS || out->format == OUTPUT_PATHS) {
        if (output_record(out, "state", &record, &err) < 0)
            status = cli_fail(STATUS_USAGE, "%s", err.text);
    } else if (fwrite(values[VALUE].bytes.at, 1, values[VALUE].bytes.size, stdout) <
               values[VALUE].bytes.size) {
        status = cli_fail(STATUS_NOT, "standard output: %s", strerror(errno));
    }
    buf_finish(&text);
    facts_finish(&record);
    return status;
}

static int get(struct cli *cli)
{
    struct storage_row row;
    struct answer answer;
    int status = storage_row(cli, cli->args[1], cli->args[2], &row);

    if (status)
        return status;
    status = storage_ask(cli, label(&row), CONTROL_STATE_GET, "sss",
                         (union wire_value[]){storage_text(row.service), storage_text(row.id),
                                              storage_text(row.name)},
                         &answer);
    if (status)
        return status;
    status = print_value(&cli->out, &row, answer.values);
    answer_finish(&answer);
    return status;
}

/* ---- put ------------------------------------------------------------------------------------ */

static int read_stream(FILE *stream, const char *name, struct buf *value)
{
    char bytes[65536];
    size_t n;

    while ((n = fread(bytes, 1, sizeof bytes, stream)) > 0) {
        if (buf_length(value) + n > VALUE_MAX)
            return cli_fail(STATUS_USAGE, "%s: more than 8 MiB", name);
        cli_check_memory(buf_append(value, bytes, n));
    }
    return ferror(stream) ? cli_fail(STATUS_USAGE, "%s: %s", name, strerror(errno)) : 0;
}

/* The last argument, or --file, where - is standard input. */
static int read_value(struct cli *cli, struct buf *value)
{
    const char *file = cli_option(cli, "file");
    FILE *stream;
    int status;

    if (!file == (cli->arg_count < 4))
        return cli_fail(STATUS_USAGE, "expected a VALUE, or --file FILE in its place");
    if (!file) {
        cli_check_memory(buf_append(value, cli->args[3], strlen(cli->args[3])));
        return 0;
    }
    if (strcmp(file, "-") == 0)
        return read_stream(stdin, "standard input", value);
    stream = fopen(file, "re");
    if (!stream)
        return cli_fail(STATUS_USAGE, "%s: %s", file, strerror(errno));
    status = read_stream(stream, file, value);
    fclose(stream);
    return status;
}

static int send_put(struct cli *cli, const struct storage_row *row, const struct buf *value)
{
    union wire_value values[7] = {storage_text(row->service), storage_text(row->id),
                                  storage_text(row->name)};
    struct answer answer;
    int status = read_number(cli, "if-version", VERSION_ANY, &values[4].i);

    if (!status)
        status = read_number(cli, "schema", 0, &values[5].i);
    if (status)
        return status;
    values[3].i = 0; /* no fence: it is an administrator's */
    values[6].bytes.at = buf_length(value) ? (char *)buf_front(value) : (char *)"";
    values[6].bytes.size = buf_length(value);
    status = storage_ask(cli, label(row), CONTROL_STATE_PUT, "sssIIIB", values, &answer);
    if (!status)
        answer_finish(&answer);
    return status;
}

static int put(struct cli *cli)
{
    struct storage_row row;
    struct buf value = {0};
    int status = storage_row(cli, cli->args[1], cli->args[2], &row);

    if (!status)
        status = read_value(cli, &value);
    if (!status)
        status = send_put(cli, &row, &value);
    buf_finish(&value);
    return status;
}

/* ---- rm ------------------------------------------------------------------------------------- */

static int rm(struct cli *cli)
{
    struct storage_row row;
    union wire_value values[5];
    struct answer answer;
    int status = storage_row(cli, cli->args[1], cli->args[2], &row);

    if (!status)
        status = read_number(cli, "if-version", VERSION_ANY, &values[4].i);
    if (status)
        return status;
    values[0] = storage_text(row.service);
    values[1] = storage_text(row.id);
    values[2] = storage_text(row.name);
    values[3].i = 0;
    status = storage_ask(cli, label(&row), CONTROL_STATE_RM, "sssII", values, &answer);
    if (!status)
        answer_finish(&answer);
    return status;
}

/* ---- list ----------------------------------------------------------------------------------- */

static void add_row(struct records *records, const char *service, char *const *words)
{
    struct facts *record = records_add(records);
    int failed = facts_addf(record, 's', "path", "%s/%s", service, words[0]);

    failed |= facts_add(record, 's', "name", words[1]);
    failed |= facts_add(record, 'n', "version", words[2]);
    failed |= facts_add(record, 'z', "size", words[3]);
    failed |= facts_add(record, 't', "saved", words[4]);
    cli_check_memory(failed);
}

/* All rows of a service, page by page; or of one id of it. */
static int collect(struct cli *cli, const char *service, const char *only, struct records *records)
{
    char id[ADDR_PART_MAX + 1] = "", name[ADDR_PART_MAX + 1] = "";
    struct answer answer;
    size_t count;

    do {
        int status =
            storage_ask(cli, cli->args[1], CONTROL_STATE_LIST, "sssI",
                        (union wire_value[]){
                            storage_text(service), storage_text(id), storage_text(name), {.i = 0}},
                        &answer);

        if (status)
            return status;
        count = answer.words.count / LIST_COLUMNS;
        for (size_t i = 0; i < count; i++) {
            char *const *words = answer.words.at + i * LIST_COLUMNS;

            snprintf(id, sizeof id, "%s", words[0]);
            snprintf(name, sizeof name, "%s", words[1]);
            if (!only || strcmp(only, id) == 0)
                add_row(records, service, words);
        }
        answer_finish(&answer);
    } while (count > 0);
    return 0;
}

static int list(struct cli *cli)
{
    struct records records = {0};
    struct addr addr;
    char *slash;
    int status = target_parse_here(cli, cli->args[1], &addr);

    if (!status)
        status = collect(cli, addr.path, NULL, &records);
    slash = strrchr(addr.path, '/');
    if (!status && slash) {
        *slash = '\0';
        status = collect(cli, addr.path, slash + 1, &records);
    }
    if (!status)
        records_print(&cli->out, false, "states", shown, &records);
    records_finish(&records);
    return status;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static int run(struct cli *cli)
{
    static const struct {
        const char *name;
        int min_args, max_args;
        int (*run)(struct cli *cli);
    } orders[] = {{"get", 3, 3, get}, {"put", 3, 4, put}, {"rm", 3, 3, rm}, {"list", 2, 2, list}};

    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        if (strcmp(cli->args[0], orders[i].name) != 0)
            continue;
        if (cli->arg_count < orders[i].min_args || cli->arg_count > orders[i].max_args)
            return cli_usage(cli->verb);
        return orders[i].run(cli);
    }
    return cli_fail(STATUS_USAGE, "state %s: expected get, put, rm or list", cli->args[0]);
}

const struct verb verb_state = {
    .name = "state",
    .synopsis = "get|put|rm|list ADDRESS [NAME [VALUE]]",
    .line = "read and change what actors keep in the node's store",
    .text =
        "`state get ADDRESS NAME` prints a value, byte for byte; with -o json also its version, "
        "the "
        "schema it was saved by, its epoch and when it was saved. `state put ADDRESS NAME VALUE` "
        "replaces it, or begins it; `state rm ADDRESS NAME` removes it; `state list ADDRESS` lists "
        "what the actor keeps, or the children of a supervisor, whether they run or not.\n"
        "A running actor has loaded what there was: after put or rm its next save fails with "
        "`conflict`. Stop it first, or restart it then.\n"
        "Ends with 3 when nothing is kept by that name, with 6 when the store does not answer, "
        "with 1 "
        "when it refuses: these are never taken for one another.",
    .examples =
        "troupe state list shop/carts\twhat the children of shop/carts keep\n"
        "troupe state get shop/carts/42 cart\tone value\n"
        "troupe state get -o json shop/carts/42 cart\twith its version\n"
        "troupe state put shop/carts/42 cart --file cart.bin\treplace it by a file's bytes\n"
        "troupe state rm --if-version 7 shop/carts/42 cart\tunless it was saved since",
    .options = {{'f', "file", "FILE", "put: the value is what FILE holds; - is standard input"},
                {0, "if-version", "N",
                 "put, rm: only if this is its version; 0: only if there is none"},
                {0, "schema", "N", "put: it is of this schema; else of the module's present one"}},
    .min_args = 2,
    .max_args = 4,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .columns = column_list,
    .takes = TAKES_STATE,
    .run = run,
};
