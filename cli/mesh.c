#include "mesh.h"

#include "control.h"
#include "output.h"
#include "peer.h"
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LOOK_MS = 5000, START_MS = 5000, AGAIN_MS = 20 };

void mesh_mailbox(const char *place, char out[MAILBOX_MAX])
{
    snprintf(out, MAILBOX_MAX, PEER_NODE "%s", addr_node_part(place));
}

static bool is_absent(const struct answer *answer)
{
    return answer->kind == ANSWER_CLOSED && strcmp(answer->text, CONTROL_E_NOPROC) == 0;
}

static void ask(struct cli *cli, const char *place, const char *verb, const struct words *words,
                struct answer *answer)
{
    char mailbox[MAILBOX_MAX];

    mesh_mailbox(place, mailbox);
    cli_check_memory(client_call(&cli->client, mailbox, verb, words, LOOK_MS, answer));
}

int mesh_look(struct cli *cli, const char *place, const char *verb, const struct words *words,
              struct words *out)
{
    char mailbox[MAILBOX_MAX];
    struct answer answer;
    int status = 0;

    *out = (struct words){0};
    ask(cli, place, verb, words, &answer);
    if (answer.kind == ANSWER_WORDS) {
        *out = answer.words;
        answer.words = (struct words){0};
    } else if (!is_absent(&answer) || !rundir_is_alive(&cli->client.dir)) {
        mesh_mailbox(place, mailbox);
        status = cli_answer_status(cli, mailbox, &answer);
    }
    answer_finish(&answer);
    return status;
}

static int want(struct cli *cli)
{
    struct answer answer;
    int status = 0;

    cli_check_memory(
        client_call(&cli->client, RUNDIR_SUPERVISOR, CONTROL_WANT_NODE, NULL, LOOK_MS, &answer));
    if (answer.kind != ANSWER_WORDS)
        status = cli_answer_status(cli, PEER_NODE, &answer);
    answer_finish(&answer);
    return status;
}

/* The root answers when it has been told to start; its mailbox is there a moment later. */
static void ask_until_there(struct cli *cli, const char *verb, const struct words *words,
                            struct answer *answer)
{
    static const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};
    struct mono deadline = mono_add_ms(mono_now(), START_MS);

    ask(cli, "", verb, words, answer);
    while (is_absent(answer) && mono_diff_ms(deadline, mono_now()) > 0) {
        answer_finish(answer);
        nanosleep(&pause, NULL);
        ask(cli, "", verb, words, answer);
    }
}

int mesh_order(struct cli *cli, const char *what, const char *verb, const struct words *words)
{
    struct answer answer;
    int status = 0;

    ask(cli, "", verb, words, &answer);
    if (is_absent(&answer)) {
        answer_finish(&answer);
        status = want(cli);
        if (status)
            return status;
        ask_until_there(cli, verb, words, &answer);
    }
    if (answer.kind != ANSWER_WORDS)
        status = cli_answer_status(cli, what, &answer);
    answer_finish(&answer);
    return status;
}

int mesh_own_node(struct cli *cli, char out[ADDR_PART_MAX + 1])
{
    struct answer answer;
    const char *name;
    int status = 0;

    cli_check_memory(
        client_call(&cli->client, RUNDIR_SUPERVISOR, CONTROL_NODE, NULL, LOOK_MS, &answer));
    name = answer.kind == ANSWER_FACTS ? facts_get(&answer.facts, "node") : NULL;
    if (name)
        snprintf(out, ADDR_PART_MAX + 1, "%s", name);
    else
        status = cli_answer_status(cli, ".", &answer);
    answer_finish(&answer);
    return status;
}

/* ---- groups ----------------------------------------------------------------------------- */

int mesh_read_group(const char *text, struct group_name *name)
{
    const char *why;

    if (group_name_parse(text, name, &why) == 0)
        return 0;
    return cli_fail(STATUS_USAGE, "group \"%s\": %s", text, why);
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* The words are sorted: who has joined several times comes several times in a row. */
static void take_members(const struct words *words, const char *own_node,
                         struct mesh_members *members)
{
    const char *why;

    members->at = cli_alloc((words->count + 1) * sizeof *members->at);
    for (size_t i = 0; i < words->count; i++) {
        struct mesh_member *member = &members->at[members->count];

        if (i && strcmp(words->at[i - 1], words->at[i]) == 0) {
            member[-1].times++;
            continue;
        }
        if (addr_parse(words->at[i], &member->addr, &why) != 0)
            continue;
        if (strcmp(member->addr.node, own_node) == 0)
            *member->addr.node = '\0';
        member->times = 1;
        members->count++;
    }
}

int mesh_find_members(struct cli *cli, const char *which, const struct group_name *group,
                      struct mesh_members *members)
{
    char *at[] = {(char *)which, (char *)group->scope, (char *)group->group};
    const struct words request = {3, at};
    char own_node[ADDR_PART_MAX + 1];
    struct words found;
    int status = mesh_own_node(cli, own_node);

    *members = (struct mesh_members){0};
    if (!status)
        status = mesh_look(cli, "", CONTROL_MEMBERS, &request, &found);
    if (status)
        return status;
    if (found.count)
        qsort(found.at, found.count, sizeof *found.at, compare);
    take_members(&found, own_node, members);
    words_finish(&found);
    return 0;
}

void mesh_members_finish(struct mesh_members *members)
{
    free(members->at);
    *members = (struct mesh_members){0};
}
