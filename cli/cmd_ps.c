#include "cli.h"

#include "actors.h"
#include "columns.h"
#include "listing.h"
#include "target.h"

#include <string.h>

static bool is_shown(const struct column *column, bool wide)
{
    return column->header && (wide || !column->is_wide);
}

static void print_table(const struct output *out, const struct actors *actors,
                        const struct column_view *view, bool wide)
{
    struct grid_column shown[OUTPUT_COLUMNS_MAX];
    const struct column *source[OUTPUT_COLUMNS_MAX];
    char scratch[COLUMN_TEXT_SIZE];
    struct buf text = {0};
    struct grid *grid;
    size_t count = 0;

    for (size_t i = 0; i < column_count; i++) {
        if (!is_shown(&columns[i], wide))
            continue;
        source[count] = &columns[i];
        shown[count++] =
            (struct grid_column){columns[i].header, columns[i].is_right, columns[i].shrinks_to};
    }
    grid = grid_create(shown, count);
    for (size_t i = 0; i < actors->count; i++) {
        const struct row *row = &actors->at[i].row;

        for (size_t c = 0; c < count; c++)
            grid_add(grid, column_show(source[c], row, view, scratch),
                     strcmp(source[c]->name, "state") == 0
                         ? output_state_colour((enum row_state)row->state)
                         : COLOUR_NONE);
    }
    grid_write(grid, out, &text);
    output_write(&text);
    buf_finish(&text);
    grid_destroy(grid);
}

static int run(struct cli *cli)
{
    struct actors actors = {0};
    struct column_view view;
    bool wide = cli_option(cli, "wide") || cli->out.format == OUTPUT_WIDE;
    bool all = cli_option(cli, "all") != NULL;
    int status;

    if (all && cli->arg_count)
        return cli_fail(STATUS_USAGE, "-a shows all there is: expected no ADDRESS beside it");
    status = listing_collect(cli, &actors, &view);
    if (!status && all)
        status = listing_collect_others(cli, &actors);
    if (!status && !listing_print(&cli->out, &actors, &view))
        print_table(&cli->out, &actors, &view, wide);
    actors_finish(&actors);
    return status;
}

const struct verb verb_ps = {
    .name = "ps",
    .synopsis = "[ADDRESS...]",
    .line = "list the actors that are there",
    .text =
        "One line an actor, in start order, what a supervisor runs below it; sys comes last. "
        "With an ADDRESS: that actor and everything below it.\n"
        "What is in another node is shown as PATH@NODE.\n"
        "Every supervisor is asked itself. One that does not answer within a second is shown "
        "as lost, with what its table file says of its children.\n"
        "RST counts restarts within the supervisor's window and in all; MEM is resident memory "
        "minus what is shared; MBOX counts messages that wait, and says for how long the present "
        "one has been handled when that is a second or more.\n"
        "A list of columns prints bare values without a header, a TAB between them and - where "
        "there is none; column names are the JSON keys.",
    .examples = "troupe ps\teverything\n"
                "troupe ps shop/web\tone supervisor and what is below it\n"
                "troupe ps 'shop/farm.*'\twhat a pattern matches\n"
                "troupe ps @west\teverything in another node\n"
                "troupe ps -a\teverything in all nodes\n"
                "troupe ps -o path,pid,rst\tthree values a line\n"
                "troupe ps -o json\tthe same as JSON",
    .options = {{'a', "all", NULL, "also of every node that there is a session with"},
                {'w', "wide", NULL,
                 "also processor time, messages, node, user, threads, descriptors and status"}},
    .min_args = 0,
    .max_args = -1,
    .flags = NEEDS_NODE | HAS_OUTPUT | HAS_COLUMNS,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
