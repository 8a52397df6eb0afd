#include "target.h"

#include "actors.h"
#include "control.h"
#include "place.h"
#include "text.h"
#include "whereabouts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 5000, ACT_WINDOW = 64 };

/* The node's own name may be another than its directory's when $TROUPE_RUN says where it is. */
static bool is_this_node(struct cli *cli, const char *node)
{
    struct answer answer;
    const char *name;
    bool same;

    if (strcmp(node, cli->client.dir.node) == 0)
        return true;
    if (client_call(&cli->client, RUNDIR_SUPERVISOR, CONTROL_NODE, NULL, LOOK_MS, &answer) != 0)
        return false;
    name = answer.kind == ANSWER_FACTS ? facts_get(&answer.facts, "node") : NULL;
    same = name && strcmp(name, node) == 0;
    answer_finish(&answer);
    return same;
}

/* In the address of another node its name becomes part of the path. */
static int fold_node(struct cli *cli, const char *text, struct addr *addr)
{
    char path[ADDR_PATH_MAX + 1];

    if (*addr->node && !is_this_node(cli, addr->node)) {
        strcpy(path, addr->path);
        if (place_make(path, addr->node, addr->path) != 0)
            return cli_fail(STATUS_USAGE, "address \"%s\": too long", text);
    }
    *addr->node = '\0';
    return 0;
}

int target_parse(struct cli *cli, const char *text, struct addr *addr, bool *is_glob)
{
    char root[ADDR_TEXT_MAX + 1];
    const char *why;
    int bad;

    if (*text == '@') { /* that node, as a whole */
        snprintf(root, sizeof root, ".%s", text);
        return target_parse(cli, root, addr, is_glob);
    }
    bad = is_glob ? addr_parse_glob(text, addr, is_glob, &why) : addr_parse(text, addr, &why);
    if (bad)
        return cli_fail(STATUS_USAGE, "address \"%s\": %s", text, why);
    return fold_node(cli, text, addr);
}

int target_parse_here(struct cli *cli, const char *text, struct addr *addr)
{
    int status = target_parse(cli, text, addr, NULL);

    if (!status && place_is_elsewhere(addr->path))
        return cli_fail(STATUS_USAGE, "%s: expected a path of this node", text);
    return status;
}

/* ---- suggestions ------------------------------------------------------------------------ */

int target_unknown(struct cli *cli, const char *path)
{
    struct actors actors;
    const char **paths;
    const char *nearest = NULL;
    char node[ADDR_PART_MAX + 1];

    if (whereabouts_find(cli, path, node) && !is_this_node(cli, node))
        return cli_fail(STATUS_NOPROC, "%s: it is at %s: %s@%s", path, node, path, node);
    if (actors_collect(&cli->client, addr_node_part(path), true, &actors) == 0) {
        paths = cli_alloc((actors.count + 1) * sizeof *paths);
        for (size_t i = 0; i < actors.count; i++)
            paths[i] = actors.at[i].row.path;
        nearest = text_nearest(path, paths);
        free(paths);
    }
    if (nearest && strcmp(nearest, path) != 0)
        cli_fail(STATUS_NOPROC, "%s: no such actor; did you mean %s?", path, nearest);
    else if (nearest)
        cli_fail(STATUS_NOPROC, "%s: is not running", path);
    else
        cli_fail(STATUS_NOPROC, "%s: no such actor", path);
    actors_finish(&actors);
    return STATUS_NOPROC;
}

static bool is_noproc(const struct answer *answer)
{
    if (answer->kind == ANSWER_ERROR)
        return strcmp(answer->head, CONTROL_E_NOPROC) == 0;
    return answer->kind == ANSWER_CLOSED && strcmp(answer->text, CONTROL_E_NOPROC) == 0;
}

int target_answer_status(struct cli *cli, const char *path, const struct answer *answer)
{
    if (is_noproc(answer) && rundir_is_alive(&cli->client.dir))
        return target_unknown(cli, path);
    return cli_answer_status(cli, path, answer);
}

/* ---- spreading out ---------------------------------------------------------------------- */

static void add_target(struct targets *targets, const char *path)
{
    struct target *target;

    for (size_t i = 0; i < targets->count && targets->count < 256; i++)
        if (strcmp(targets->at[i].path, path) == 0)
            return; /* named twice */
    if (targets->count == targets->size) {
        targets->size = targets->size ? targets->size * 2 : 8;
        targets->at = realloc(targets->at, targets->size * sizeof *targets->at);
        cli_check_memory(!targets->at);
    }
    target = &targets->at[targets->count++];
    snprintf(target->path, sizeof target->path, "%s", path);
    if (addr_supervisor(path, target->parent, sizeof target->parent) != 0)
        *target->parent = '\0';
}

static int expand_glob(struct cli *cli, const char *text, const struct addr *addr,
                       bool with_supervisors, struct targets *targets)
{
    char scope[ADDR_PATH_MAX + 1];
    struct actors actors;
    size_t before = targets->count;
    int status;

    actors_fixed_part(addr->path, scope);
    cli_check_memory(actors_collect(&cli->client, scope, true, &actors));
    if (actors.refusal.kind != ANSWER_NONE) {
        status = cli_answer_status(cli, text, &actors.refusal);
        actors_finish(&actors);
        return status;
    }
    for (size_t i = 0; i < actors.count; i++) {
        const struct row *row = &actors.at[i].row;

        if (actors_match(addr->path, row->path, false) &&
            (with_supervisors || !row_supervises(row)))
            add_target(targets, row->path);
    }
    actors_finish(&actors);
    if (targets->count == before)
        return cli_fail(STATUS_NOPROC, "%s: no actor matches", text);
    return 0;
}

/* An address with an incarnation means that one and no other. */
static int check_incarnation(struct cli *cli, const struct addr *addr)
{
    struct answer answer;
    int status = 0;

    cli_check_memory(client_ask_about(&cli->client, addr->path, CONTROL_PS, LOOK_MS, &answer));
    if (answer.kind != ANSWER_ROWS)
        status = target_answer_status(cli, addr->path, &answer);
    else if (answer.rows.count != 1)
        status = target_unknown(cli, addr->path);
    else if (answer.rows.at[0].incarnation != addr->incarnation)
        status = cli_fail(STATUS_NOPROC, "%s#%" PRIu64 ": it is #%" PRIu64 " now", addr->path,
                          addr->incarnation, answer.rows.at[0].incarnation);
    answer_finish(&answer);
    return status;
}

int targets_expand(struct cli *cli, int first, struct targets *targets)
{
    struct addr addr;
    bool is_glob;
    int status;

    for (int i = first; i < cli->arg_count; i++) {
        status = target_parse(cli, cli->args[i], &addr, &is_glob);
        if (!status && place_is_root(addr.path))
            status =
                cli_fail(STATUS_USAGE, "%s: the root is the node itself: `troupe down` stops it",
                         cli->args[i]);
        if (!status && addr.incarnation && !is_glob)
            status = check_incarnation(cli, &addr);
        if (!status && is_glob)
            status = expand_glob(cli, cli->args[i], &addr, true, targets);
        else if (!status)
            add_target(targets, addr.path);
        if (status)
            return status;
    }
    return 0;
}

int targets_of_glob(struct cli *cli, const char *text, struct targets *targets)
{
    struct addr addr;
    bool is_glob;
    int status = target_parse(cli, text, &addr, &is_glob);

    if (!status && addr.incarnation)
        status = cli_fail(STATUS_USAGE, "%s: a pattern means no one life", text);
    return status ? status : expand_glob(cli, text, &addr, false, targets);
}

void targets_finish(struct targets *targets)
{
    free(targets->at);
    *targets = (struct targets){0};
}

/* ---- asking ----------------------------------------------------------------------------- */

/* Asks the supervisor of each target `verb` with its name as the only word, all in parallel or one
 * by one. Says what went wrong; returns the first failure's exit status. */
static int ask_all(struct cli *cli, struct targets *targets, const char *verb, bool one_by_one)
{
    struct ask *asks = cli_alloc(targets->count * sizeof *asks);
    char name[ADDR_PATH_MAX + 1];
    int status = 0, one;

    for (size_t i = 0; i < targets->count; i++) {
        asks[i].verb = verb;
        client_supervisor(targets->at[i].parent, asks[i].mailbox);
        place_child_name(targets->at[i].path, name);
        cli_check_memory(words_append(&asks[i].words, name));
    }
    if (!one_by_one)
        cli_check_memory(client_gather(&cli->client, asks, targets->count, ACT_WINDOW, 0));
    for (size_t i = 0; i < targets->count; i++) {
        /* One by one ends at the first that fails: the rest is left as it was. */
        if (one_by_one && !status)
            cli_check_memory(client_gather(&cli->client, &asks[i], 1, 1, 0));
        if (asks[i].answer.kind != ANSWER_WORDS && !(one_by_one && status)) {
            one = target_answer_status(cli, targets->at[i].path, &asks[i].answer);
            status = status ? status : one;
        }
    }
    for (size_t i = 0; i < targets->count; i++) {
        words_finish(&asks[i].words);
        answer_finish(&asks[i].answer);
    }
    free(asks);
    return status;
}

int targets_order(struct cli *cli, const char *verb)
{
    struct targets targets = {0};
    int status = targets_expand(cli, 0, &targets);

    if (!status)
        status = ask_all(cli, &targets, verb, cli_option(cli, "one-by-one") != NULL);
    targets_finish(&targets);
    return status;
}

int target_ask(struct cli *cli, const char *address, const char *verb, struct answer *answer,
               struct target *target)
{
    struct addr addr;
    int status = target_parse(cli, address, &addr, NULL);

    if (!status && place_is_root(addr.path))
        status = cli_fail(STATUS_USAGE, "%s: expected an actor below the root", address);
    if (!status && addr.incarnation)
        status = check_incarnation(cli, &addr);
    if (status)
        return status;
    snprintf(target->path, sizeof target->path, "%s", addr.path);
    addr_supervisor(addr.path, target->parent, sizeof target->parent);
    cli_check_memory(client_ask_about(&cli->client, addr.path, verb, LOOK_MS, answer));
    if (answer->kind == ANSWER_WORDS || answer->kind == ANSWER_FACTS)
        return 0;
    status = target_answer_status(cli, addr.path, answer);
    answer_finish(answer);
    return status;
}
