#include "seeking.h"

#include "backplane.h"
#include "summons.h"
#include "supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { AT_ONCE = 64 /* connections to sys/node */ };

struct seeking {
    struct seeking *prev, *next;
    struct party *party;
    struct seek seek;
    struct summons *summons; /* NULL: its turn has not come */
};

/* Where a link to an actor of a service has gone, for whoever takes it back by its path. */
struct away {
    struct away *next;
    char path[ADDR_PATH_MAX + 1], where[ADDR_PATH_MAX + 1];
};

static struct seekings *seekings_of(const struct party *party)
{
    return &party->plane->seekings;
}

/* ---- where links have gone
 * ------------------------------------------------------------------------ */

static struct away **find_away(struct party *party, const char *path)
{
    struct away **at = &party->away;

    while (*at && strcmp((*at)->path, path) != 0)
        at = &(*at)->next;
    return at;
}

static void forget_away(struct away **at)
{
    struct away *away = *at;

    *at = away->next;
    free(away);
}

/* Without memory for it the link can be taken back by its whole address only. */
static void keep_away(struct party *party, const char *path, const char *where)
{
    struct away **at = find_away(party, path);

    if (*at)
        forget_away(at);
    at = find_away(party, path);
    *at = strcmp(path, where) != 0 ? calloc(1, sizeof **at) : NULL;
    if (!*at)
        return;
    strcpy((*at)->path, path);
    strcpy((*at)->where, where);
}

/* ---- asking
 * -------------------------------------------------------------------------------------- */

static void finish(struct seeking *seeking)
{
    struct seekings *seekings = seekings_of(seeking->party);

    if (seeking->summons) {
        summons_cancel(seeking->summons);
        seekings->asked--;
    }
    DL_DELETE(seekings->all, seeking);
    free(seeking);
}

static void ask_next(struct backplane *plane);

/* That it lives nowhere is for those to say who know of ends; that nobody can tell is something
 * else. */
static const char *real_failure(const char *failure)
{
    return failure && strcmp(failure, CONTROL_E_NOPROC) != 0 ? failure : NULL;
}

static void take_place(struct seeking *seeking, const char *node, const char *failure)
{
    struct party *party = seeking->party;
    struct seek seek = seeking->seek;
    char path[ADDR_PATH_MAX + 1];

    strcpy(path, seek.addr.path);
    finish(seeking);
    failure = real_failure(failure);
    if (*node &&
        snprintf(seek.addr.path, sizeof seek.addr.path, "%s@%s", path, node) > ADDR_PATH_MAX) {
        strcpy(seek.addr.path, path);
        failure = "refused too long an address";
    }
    if (seek.verb == CTL_LINK && !failure)
        keep_away(party, path, seek.addr.path);
    party_found(party, &seek, failure);
}

static void on_found(void *data, const char *node, const char *failure)
{
    struct seeking *seeking = data;
    struct backplane *plane = seeking->party->plane;

    seeking->summons = NULL; /* it ends with this */
    plane->seekings.asked--;
    take_place(seeking, node, failure);
    ask_next(plane);
}

/* False: it cannot be asked for. */
static bool ask(struct seeking *seeking)
{
    struct supervisor *supervisor = seeking->party->plane->supervisor;

    seeking->summons =
        summons_find(&supervisor->hotlines, seeking->seek.addr.path, on_found, seeking);
    if (seeking->summons)
        seekings_of(seeking->party)->asked++;
    return seeking->summons != NULL;
}

static struct seeking *first_waiting(const struct seekings *seekings)
{
    for (struct seeking *seeking = seekings->all; seeking; seeking = seeking->next)
        if (!seeking->summons)
            return seeking;
    return NULL;
}

static void ask_next(struct backplane *plane)
{
    struct seeking *seeking;

    while (plane->seekings.asked < AT_ONCE && (seeking = first_waiting(&plane->seekings)))
        if (!ask(seeking))
            take_place(seeking, "", NULL);
}

/* ---- the interface
 * ------------------------------------------------------------------------------- */

bool seeking_begin(struct party *party, const struct seek *seek)
{
    struct supervisor *supervisor = party->plane->supervisor;
    struct seeking *seeking;

    if (!summons_can_find(supervisor->node->run_dir, seek->addr.path))
        return false;
    seeking = calloc(1, sizeof *seeking);
    if (!seeking)
        return false;
    seeking->party = party;
    seeking->seek = *seek;
    DL_APPEND(party->plane->seekings.all, seeking);
    ask_next(party->plane);
    return true;
}

bool seeking_undo_monitor(struct party *party, uint64_t ref)
{
    struct seeking *seeking, *next;

    for (seeking = seekings_of(party)->all; seeking; seeking = next) {
        next = seeking->next;
        if (seeking->party != party || seeking->seek.verb != CTL_MONITOR ||
            seeking->seek.ref != ref)
            continue;
        finish(seeking);
        ask_next(party->plane);
        return true;
    }
    return false;
}

void seeking_undo_link(struct party *party, struct addr *addr)
{
    struct seeking *seeking, *next;
    struct away **away = find_away(party, addr->path);

    for (seeking = seekings_of(party)->all; seeking; seeking = next) {
        struct seek seek = seeking->seek;

        next = seeking->next;
        if (seeking->party != party || seek.verb != CTL_LINK ||
            strcmp(seek.addr.path, addr->path) != 0)
            continue;
        finish(seeking);
        party_found(party, &seek, "refused it was unlinked");
    }
    if (*away)
        strcpy(addr->path, (*away)->where);
    ask_next(party->plane);
}

void seeking_drop_all(struct party *party)
{
    struct seeking *seeking, *next;

    for (seeking = seekings_of(party)->all; seeking; seeking = next) {
        next = seeking->next;
        if (seeking->party == party)
            finish(seeking);
    }
    while (party->away)
        forget_away(&party->away);
    ask_next(party->plane);
}
