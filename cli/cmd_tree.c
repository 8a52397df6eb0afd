#include "cli.h"

#include "addr.h"
#include "listing.h"
#include "place.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

struct lines {
    const char *branch, *last, *through, *blank;
};

static const struct lines drawn = {"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   "};
static const struct lines typed = {"|- ", "`- ", "|  ", "   "};

/* "rest_for_one 1/3 in 5s" */
static void supervision(const struct row *row, struct buf *text)
{
    char period[32];

    if (!row_supervises(row) || !*row->strategy)
        return;
    if (row->intensity == UINT32_MAX)
        buf_printf(text, "%s, unlimited", row->strategy);
    else
        buf_printf(text, "%s %" PRIu32 "/%" PRIu32 " in %s", row->strategy, row->used,
                   row->intensity,
                   text_of_duration((int64_t)row->period_ms, period, sizeof period));
}

/* open[d]: more siblings follow at depth d, so a line runs through. */
static void label(const struct actor *actor, const struct lines *lines, const bool open[],
                  struct buf *text)
{
    char name[ADDR_PATH_MAX + 1];

    for (unsigned d = 1; d < actor->depth && d < DEPTH_MAX; d++)
        buf_printf(text, "%s", open[d] ? lines->through : lines->blank);
    if (actor->depth)
        buf_printf(text, "%s", actor->is_last ? lines->last : lines->branch);
    place_path(addr_name(actor->row.path), name); /* the first says which node it is */
    buf_printf(text, "%s", actor->depth ? name : actor->row.path);
}

static void add_text(struct grid *grid, struct buf *text, enum colour colour)
{
    cli_check_memory(buf_append(text, "", 1));
    grid_add(grid, (const char *)buf_front(text), colour);
    buf_consume(text, buf_length(text));
}

static void add_columns(struct grid *grid, const struct row *row, const struct column_view *view)
{
    static const char *const names[] = {"state", "pid", "up", "rst", "last"};
    char scratch[COLUMN_TEXT_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        grid_add(grid, column_show(column_find(names[i]), row, view, scratch),
                 i ? COLOUR_NONE : output_state_colour((enum row_state)row->state));
}

static void print_tree(const struct output *out, const struct actors *actors,
                       const struct column_view *view)
{
    static const struct grid_column shown[] = {
        {"TREE", false, 16}, {"STATE", false, 0}, {"PID", true, 0},          {"UP", true, 0},
        {"RST", true, 0},    {"LAST", false, 6},  {"SUPERVISION", false, 0},
    };
    struct grid *grid = grid_create(shown, sizeof shown / sizeof shown[0]);
    bool open[DEPTH_MAX] = {false};
    struct buf text = {0};

    for (size_t i = 0; i < actors->count; i++) {
        const struct actor *actor = &actors->at[i];

        label(actor, out->is_ascii ? &typed : &drawn, open, &text);
        if (actor->depth < DEPTH_MAX)
            open[actor->depth] = !actor->is_last;
        add_text(grid, &text, COLOUR_NONE);
        add_columns(grid, &actor->row, view);
        supervision(&actor->row, &text);
        add_text(grid, &text, COLOUR_FAINT);
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
    int status = listing_collect(cli, &actors, &view);

    if (!status && !listing_print(&cli->out, &actors, &view))
        print_tree(&cli->out, &actors, &view);
    actors_finish(&actors);
    return status;
}

const struct verb verb_tree = {
    .name = "tree",
    .synopsis = "[ADDRESS...]",
    .line = "draw the tree of supervisors and actors",
    .text =
        "In start order. A supervisor's line shows its strategy, and how many of the restarts that "
        "it allows within its period are used up.\n"
        "On a terminal that speaks UTF-8 it is drawn with box characters; with --ascii and in a "
        "pipe with ASCII ones.",
    .examples = "troupe tree\teverything\n"
                "troupe tree shop\tone application",
    .min_args = 0,
    .max_args = -1,
    .flags = NEEDS_NODE | HAS_OUTPUT | HAS_COLUMNS,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
