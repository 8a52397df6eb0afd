#include "cli.h"

#include "actors.h"
#include "columns.h"
#include "listing.h"
#include "target.h"

#include <string.h>

static bool is_shown(const struct column *column, const struct column_view *view, bool wide)
{
    if (!column->header)
        return false;
    return column->place == COLUMN_ALWAYS ||
           (column->place == COLUMN_WIDE ? wide : view->rates != NULL);
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
        if (!is_shown(&columns[i], view, wide))
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

static int collect(struct cli *cli, bool all, struct actors *actors, struct column_view *view)
{
    int status = listing_collect(cli, actors, view);

    return !status && all ? listing_collect_others(cli, actors) : status;
}

/* Are rates wanted, by the option or by name? */
static bool is_to_look_twice(const struct cli *cli)
{
    for (size_t i = 0; i < cli->out.column_count; i++)
        if (column_find(cli->out.columns[i])->place == COLUMN_RATES)
            return true;
    return cli_option(cli, "rates") != NULL;
}

static int look(struct cli *cli, bool all, struct rates *rates)
{
    struct actors actors = {0};
    struct column_view view;
    int status = collect(cli, all, &actors, &view);

    rates_begin(rates, &actors);
    actors_finish(&actors);
    if (!status)
        rates_wait(rates);
    return status;
}

static int run(struct cli *cli)
{
    struct actors actors = {0};
    struct rates rates = {0};
    struct column_view view;
    bool wide = cli_option(cli, "wide") || cli->out.format == OUTPUT_WIDE;
    bool all = cli_option(cli, "all") != NULL, twice = is_to_look_twice(cli);
    int status = 0;

    if (all && cli->arg_count)
        return cli_fail(STATUS_USAGE, "-a shows all there is: expected no ADDRESS beside it");
    if (twice)
        status = look(cli, all, &rates);
    if (!status)
        status = collect(cli, all, &actors, &view);
    rates_end(&rates);
    view.rates = twice ? &rates : NULL;
    if (!status && !listing_print(&cli->out, &actors, &view))
        print_table(&cli->out, &actors, &view, wide);
    actors_finish(&actors);
    rates_finish(&rates);
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
        "With --rates, or where a column of theirs is named, everybody is looked at twice: what an "
        "actor counts it writes where others read it, so one that hangs has its figures, too.\n"
        "A list of columns prints bare values without a header, a TAB between them and - where "
        "there is none; column names are the JSON keys.",
    .examples = "troupe ps\teverything\n"
                "troupe ps shop/web\tone supervisor and what is below it\n"
                "troupe ps 'shop/farm.*'\twhat a pattern matches\n"
                "troupe ps @west\teverything in another node\n"
                "troupe ps -a\teverything in all nodes\n"
                "troupe ps -o path,pid,rst\tthree values a line\n"
                "troupe ps -r shop\twith what each receives and sends in a second\n"
                "troupe ps -o json\tthe same as JSON",
    .options = {{'a', "all", NULL, "also of every node that there is a session with"},
                {'w', "wide", NULL,
                 "also processor time, messages, node, user, threads, descriptors and status"},
                {'r', "rates", NULL, "also messages a second, of the second that comes"}},
    .min_args = 0,
    .max_args = -1,
    .flags = NEEDS_NODE | HAS_OUTPUT | HAS_COLUMNS,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
