#include "switchboard.h"

#include "callees.h"
#include "callers.h"
#include "channel.h"

#include <stdio.h>

enum {
    CHANNEL_MAX = 16384, /* of one session, and never more than a part of all descriptors */
    CHANNEL_PART = 4,
    PARTING_PART = 8,
};

int switchboard_receive(struct switchboard_side *side, const uint8_t *bytes, size_t size,
                        const char **why)
{
    struct channel_frame frame;

    if (channel_decode(bytes, size, &frame, why) < 0)
        return -1;
    *why = NULL;
    switch (frame.kind) {
    case CHANNEL_OPEN:
        *why = callees_take_open(side, &frame);
        break;
    case CHANNEL_FORTH:
        *why = callees_take_forth(side, &frame);
        break;
    case CHANNEL_BACK:
        *why = callers_take_back(side, &frame);
        break;
    case CHANNEL_SHUT:
        callees_take_shut(side, &frame);
        break;
    case CHANNEL_ENDED:
        callers_take_ended(side, &frame);
        break;
    case CHANNEL_RETURN:
        *why = callers_take_return(side, &frame);
        break;
    }
    return *why ? -1 : 0;
}

/* ---- sessions ------------------------------------------------------------------------------- */

void switchboard_begin(struct switchboard *board, struct switchboard_side *side, const char *node)
{
    *side = (struct switchboard_side){.board = board};
    snprintf(side->node, sizeof side->node, "%s", node);
    HASH_ADD_STR(board->sides, node, side);
}

void switchboard_end(struct switchboard_side *side)
{
    HASH_DEL(side->board->sides, side);
    callers_end(side);
    callees_end(side);
}

void switchboard_drained(struct switchboard_side *side)
{
    side->is_full = false;
    callees_drained(side);
}

struct switchboard_counts switchboard_counts(const struct switchboard_side *side)
{
    return (struct switchboard_counts){callers_count(side), callees_count(side)};
}

/* ---- life ----------------------------------------------------------------------------------- */

int switchboard_start(struct switchboard *board, int mailbox_fd, unsigned descriptors)
{
    const struct sp_limits limits = {.max_conns = descriptors / 2};

    callers_init(board);
    board->partings = (struct partings){
        .losses = board->losses, .on_over = callees_on_parted, .max = descriptors / PARTING_PART};
    board->channel_max = descriptors / CHANNEL_PART;
    if (board->channel_max > CHANNEL_MAX)
        board->channel_max = CHANNEL_MAX;
    board->listener = sp_listen(board->loop, mailbox_fd, &limits, &callers_handlers, board);
    return board->listener ? 0 : -1;
}

void switchboard_finish(struct switchboard *board)
{
    struct switchboard_side *side, *next;

    HASH_ITER (hh, board->sides, side, next)
        switchboard_end(side);
    callers_finish(board);
    partings_finish(&board->partings);
    sp_listener_destroy(board->listener, false);
}
