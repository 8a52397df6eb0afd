#include "listing.h"

#include "control.h"
#include "mesh.h"
#include "mono.h"
#include "place.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

/* ---- which actors ----------------------------------------------------------------------- */

static void append(struct actors *to, struct actor *actor)
{
    if (to->count == to->size) {
        to->size = to->size ? to->size * 2 : 64;
        to->at = realloc(to->at, to->size * sizeof *to->at);
        cli_check_memory(!to->at);
    }
    to->at[to->count++] = *actor;
    actor->row = (struct row){0};
}

/* Moves over what pattern matches; depths are counted from the match. */
static void take_matches(struct actors *to, struct actors *from, const char *pattern)
{
    unsigned base = 0;

    for (size_t i = 0; i < from->count; i++) {
        if (!actors_match(pattern, from->at[i].row.path, true))
            continue;
        if (actors_match(pattern, from->at[i].row.path, false))
            base = from->at[i].depth;
        from->at[i].depth -= base;
        append(to, &from->at[i]);
    }
}

/* The plain table shows nothing that costs more than a glance. */
static bool is_brief(const struct cli *cli)
{
    return (cli->out.format == OUTPUT_TABLE && !cli_option(cli, "wide")) ||
           cli->out.format == OUTPUT_PATHS;
}

static int collect_one(struct cli *cli, const char *text, struct actors *actors)
{
    char scope[ADDR_PATH_MAX + 1];
    struct actors found;
    struct addr addr;
    bool is_glob;
    size_t before = actors->count;
    int status = target_parse(cli, text, &addr, &is_glob);

    if (status)
        return status;
    actors_fixed_part(addr.path, scope);
    cli_check_memory(actors_collect(&cli->client, scope, is_brief(cli), &found));
    if (is_glob)
        take_matches(actors, &found, addr.path);
    for (size_t i = 0; !is_glob && i < found.count; i++)
        append(actors, &found.at[i]);
    if (found.refusal.kind != ANSWER_NONE)
        status = cli_answer_status(cli, addr.path, &found.refusal);
    actors_finish(&found);
    if (status || actors->count > before || place_is_root(addr.path))
        return status;
    if (is_glob)
        return cli_fail(STATUS_NOPROC, "%s: no actor matches", text);
    return target_unknown(cli, addr.path);
}

/* One that is lost meanwhile, or lets us see nothing, takes nothing from the others. */
static void collect_node(struct cli *cli, const char *node, struct actors *actors)
{
    char root[ADDR_PATH_MAX + 1];
    struct actors found;

    cli_check_memory(place_make("", node, root));
    cli_check_memory(actors_collect(&cli->client, root, is_brief(cli), &found));
    if (found.refusal.kind != ANSWER_NONE)
        cli_answer_status(cli, root, &found.refusal);
    for (size_t i = 0; i < found.count; i++)
        append(actors, &found.at[i]);
    actors_finish(&found);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

int listing_collect_others(struct cli *cli, struct actors *actors)
{
    struct words nodes;
    int status = mesh_look(cli, "", CONTROL_NODE_WATCH, NULL, &nodes);

    if (status)
        return status;
    if (nodes.count)
        qsort(nodes.at, nodes.count, sizeof *nodes.at, by_name);
    for (size_t i = 0; i < nodes.count; i++)
        collect_node(cli, nodes.at[i], actors);
    words_finish(&nodes);
    return 0;
}

int listing_collect(struct cli *cli, struct actors *actors, struct column_view *view)
{
    int status = 0;

    *actors = (struct actors){0};
    if (cli->arg_count == 0)
        cli_check_memory(actors_collect(&cli->client, "", is_brief(cli), actors));
    for (int i = 0; !status && i < cli->arg_count; i++)
        status = collect_one(cli, cli->args[i], actors);
    *view = (struct column_view){.node = cli->client.dir.node, .now_us = wall_now_us()};
    return status;
}

/* ---- formats for machines --------------------------------------------------------------- */

static void print_json(const struct output *out, const struct actors *actors,
                       const struct column_view *view)
{
    bool is_list = out->format == OUTPUT_JSON;
    struct facts record = {0};
    struct buf text = {0};

    if (is_list)
        json_list_begin("actors", &text);
    for (size_t i = 0; i < actors->count; i++) {
        columns_to_facts(&actors->at[i].row, view, &record);
        if (is_list)
            json_list_add(&record, i, &text);
        else
            json_write_line(&record, &text);
        if (!is_list)
            buf_append(&text, "\n", 1);
        facts_finish(&record);
    }
    if (is_list)
        json_list_end(actors->count, &text);
    output_write(&text);
    buf_finish(&text);
}

static void print_columns(const struct output *out, const struct actors *actors,
                          const struct column_view *view)
{
    struct buf text = {0};
    char scratch[COLUMN_TEXT_SIZE], shown[COLUMN_TEXT_SIZE];

    for (size_t i = 0; i < actors->count; i++) {
        for (size_t c = 0; c < out->column_count; c++) {
            const struct column *column = column_find(out->columns[c]);
            struct fact fact = {column->type, NULL,
                                (char *)column->value(&actors->at[i].row, view, scratch)};
            const char *value =
                column->type == 't' ? bare_fact(&fact, shown, sizeof shown) : fact.value;

            buf_printf(&text, "%s%s", c ? "\t" : "", *value ? value : "-");
        }
        buf_append(&text, "\n", 1);
    }
    output_write(&text);
    buf_finish(&text);
}

static void print_paths(const struct actors *actors)
{
    struct buf text = {0};

    for (size_t i = 0; i < actors->count; i++)
        buf_printf(&text, "%s\n", actors->at[i].row.path);
    output_write(&text);
    buf_finish(&text);
}

bool listing_print(const struct output *out, const struct actors *actors,
                   const struct column_view *view)
{
    switch (out->format) {
    case OUTPUT_JSON:
    case OUTPUT_JSONL:
        print_json(out, actors, view);
        return true;
    case OUTPUT_COLUMNS:
        print_columns(out, actors, view);
        return true;
    case OUTPUT_PATHS:
        print_paths(actors);
        return true;
    default:
        return false;
    }
}
