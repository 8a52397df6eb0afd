#include "cli.h"

#include "control.h"
#include "ending.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int make_words(struct cli *cli, struct words *words)
{
    for (int i = 0; i < cli->arg_count; i++) {
        if (!addr_is_part(cli->args[i], strlen(cli->args[i])))
            return cli_fail(STATUS_USAGE,
                            "%s: expected the name of an application; `troupe stop` stops an actor",
                            cli->args[i]);
        cli_check_memory(words_append(words, cli->args[i]));
    }
    return 0;
}

/* A node that boots holds its lock before it can be reached, one that ends for a while after: what
 * reached nobody is asked again while the node lives. A connection that breaks later may be one that
 * the node was too busy or too poor for. Whether it has heard to go down itself, it shows by its end:
 * until then it is asked again. Of an application a few times more are enough. */
static int ask(struct cli *cli, const struct words *words, struct answer *answer)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int tries = 3;

    for (;;) {
        if (client_call(&cli->client, RUNDIR_SUPERVISOR, CONTROL_DOWN, words, 0, answer) != 0)
            return -1;
        if (answer->kind != ANSWER_CLOSED || !rundir_is_alive(&cli->client.dir) ||
            (words->count && strcmp(answer->text, CONTROL_E_NOPROC) != 0 && --tries == 0))
            return 0;
        answer_finish(answer);
        nanosleep(&pause, NULL);
    }
}

static int run(struct cli *cli)
{
    struct words words = {0};
    struct ending *ending = NULL;
    struct answer answer;
    int status = make_words(cli, &words);

    if (status)
        goto out;
    ending = ending_create(&cli->client);
    cli_check_memory(ask(cli, &words, &answer));
    /* A node that goes down may close before its answer is out: its lock tells. */
    if (answer.kind != ANSWER_WORDS && !(cli->arg_count == 0 && answer.kind == ANSWER_CLOSED))
        status = cli_answer_status(cli, cli->arg_count ? cli->args[0] : ".", &answer);
    answer_finish(&answer);
    if (!status && cli->arg_count == 0)
        ending_wait(ending, false);
out:
    ending_destroy(ending);
    words_finish(&words);
    return status;
}

const struct verb verb_down = {
    .name = "down",
    .synopsis = "[APP...]",
    .line = "stop applications, or the node",
    .text =
        "Stops in the opposite of the start order, and returns when every process is gone. Without "
        "an APP: the whole node, which then leaves nothing in its run directory.",
    .examples = "troupe down\tthe node\n"
                "troupe down shop\tone application; the node goes on",
    .min_args = 0,
    .max_args = -1,
    .flags = NEEDS_NODE,
    .takes = TAKES_APPLICATIONS,
    .run = run,
};
