/*
 * An attached process that does what it is told, a line of standard input at a time, and tells what
 * it hears, a line of standard output each. Each command ends with a line "= RESULT".
 *
 *     actor [--path PATH] [--plain] [--traps] [--init HOW] [--last WHO]
 *
 * --plain: no actor (and so no mailbox). --traps: exits are told. --init: what init does (error,
 * ignore).
 * --last: in terminate(), links to WHO. The commands are in the table at the end.
 */
#include <troupe.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *path, *init, *last;
    bool plain, traps;
} options;

static struct troupe *self;

/* ---- what it hears ------------------------------------------------------------------------- */

static int on_init(struct troupe *actor)
{
    if (options.init && !strcmp(options.init, "error"))
        return troupe_error(actor, "disk full");
    if (options.init && !strcmp(options.init, "ignore"))
        return TROUPE_IGNORE;
    printf("init %s %s\n", troupe_path(actor), (const char *)troupe_state(actor));
    return TROUPE_READY;
}

static void on_down(struct troupe *actor, uint64_t monitor, const char *who, const char *reason)
{
    (void)actor;
    printf("down %" PRIu64 " %s %s\n", monitor, who, reason);
}

static void on_exited(struct troupe *actor, const char *who, const char *reason)
{
    (void)actor;
    printf("exited %s %s\n", who, reason);
}

static void on_terminate(struct troupe *actor, const char *reason)
{
    printf("terminate %s\n", reason);
    if (options.last) {
        const char *failure = troupe_link(actor, TROUPE_LINK_PEER, options.last);

        printf("last %s\n", failure ? failure : "linked");
    }
}

static void on_hello(struct troupe *actor, struct troupe_message *message)
{
    printf("hello %s\n", troupe_text(message, 0));
    troupe_reply(message, troupe_path(actor));
}

static const struct troupe_handler messages[] = {
    {"hello", "s", "s", on_hello, "is greeted"},
    {0},
};

static struct troupe *attach(const char **why)
{
    const struct troupe_actor *actor =
        options.traps
            ? TROUPE_ATTACHED(.state_size = 16, .init = on_init, .messages = messages,
                              .down = on_down, .exited = on_exited, .terminate = on_terminate)
            : TROUPE_ATTACHED(.state_size = 16, .init = on_init, .messages = messages,
                              .down = on_down, .terminate = on_terminate);

    return troupe_attach(options.plain ? NULL : actor, options.path, why);
}

/* ---- work ---------------------------------------------------------------------------------- */

static int work(void *data, struct troupe_work *helper)
{
    const char *kind = data;
    struct rlimit no_core = {0, 0};

    if (!strcmp(kind, "ok"))
        return troupe_result(helper, "done", 4);
    if (!strcmp(kind, "abort")) {
        setrlimit(RLIMIT_CORE, &no_core);
        abort();
    }
    if (!strcmp(kind, "hang"))
        for (;;)
            pause();
    return 1;
}

static void on_done(struct troupe *actor, const char *failure, struct troupe_bytes result,
                    void *data)
{
    (void)actor;
    (void)data;
    if (failure)
        printf("failed %s\n", failure);
    else
        printf("completed %.*s\n", (int)result.size, (const char *)result.at);
}

/* ---- commands ------------------------------------------------------------------------------ */

static enum troupe_link mode_of(const char *text)
{
    if (!strcmp(text, "peer"))
        return TROUPE_LINK_PEER;
    return !strcmp(text, "notify") ? TROUPE_LINK_NOTIFY : TROUPE_LINK_MONITOR;
}

static void do_link(char *mode, char *who)
{
    const char *failure = troupe_link(self, mode_of(mode), who);

    printf("= %s\n", failure ? failure : "linked");
}

static void do_unlink(char *mode, char *who)
{
    troupe_unlink(self, mode_of(mode), who);
    printf("= unlinked\n");
}

static void do_monitor(char *who, char *rest)
{
    uint64_t number = troupe_monitor(self, who);

    (void)rest;
    if (number)
        printf("= %" PRIu64 "\n", number);
    else
        printf("= %s\n", strerrorname_np(errno));
}

static void do_demonitor(char *number, char *rest)
{
    (void)rest;
    troupe_demonitor(self, strtoull(number, NULL, 10));
    printf("= demonitored\n");
}

static void do_serve(char *ms, char *rest)
{
    (void)rest;
    if (*ms && troupe_serve_for(self, strtoll(ms, NULL, 10)))
        printf("= served\n");
    else
        printf("= ended %s\n", troupe_serve(self));
}

static void do_watch(char *kind, char *rest)
{
    static const char *const first[] = {[TROUPE_FIRST_DONE] = "done",
                                        [TROUPE_FIRST_MESSAGE] = "message",
                                        [TROUPE_FIRST_ENDED] = "ended",
                                        [TROUPE_FIRST_FAILED] = "failed"};

    (void)rest;
    printf("= %s\n", first[troupe_watch_work(self, work, kind, on_done, NULL)]);
}

static void do_manage(char *kind, char *rest)
{
    (void)rest;
    printf("= %d\n", troupe_manage(self, work, kind));
}

static void do_part(char *kind, char *rest)
{
    (void)rest;
    printf("= %d\n", troupe_part_manage(self, work, kind, on_done, NULL));
}

static void do_call(char *who, char *text)
{
    struct troupe_message *answer = troupe_call(self, who, 0, "hello", text);

    printf("= %s\n", troupe_failure(answer) ? troupe_failure(answer) : troupe_text(answer, 0));
    troupe_free(answer);
}

static void do_status(char *text, char *rest)
{
    (void)rest;
    troupe_status(self, "%s", text);
    printf("= said\n");
}

static void do_address(char *a, char *b)
{
    (void)a;
    (void)b;
    printf("= %s#%" PRIu64 " %s\n", troupe_path(self), troupe_incarnation(self), troupe_node(self));
}

static void do_again(char *a, char *b)
{
    const char *why = "attached";

    (void)a;
    (void)b;
    attach(&why);
    printf("= %s\n", why);
}

/* Attaches anew, as soon as the name is free again: the process goes on. */
static void do_return(char *a, char *b)
{
    const struct timespec moment = {.tv_nsec = 10000000};
    const char *why = "attached";

    (void)a;
    (void)b;
    troupe_detach(self, NULL);
    for (int i = 0; i < 1000 && !(self = attach(&why)) && strstr(why, "taken"); i++)
        nanosleep(&moment, NULL);
    printf("= %s\n", self ? "attached" : why);
}

static void do_detach(char *reason, char *rest)
{
    char text[256];

    snprintf(text, sizeof text, "%s%s%s", reason, *rest ? " " : "", rest);
    troupe_detach(self, *text ? text : NULL);
    printf("= detached\n");
    exit(0);
}

static const struct command {
    const char *name;
    void (*run)(char *first, char *rest);
} commands[] = {
    {"address", do_address},     /* PATH#INCARNATION NODE */
    {"link", do_link},           /* MODE WHO */
    {"unlink", do_unlink},       /* MODE WHO */
    {"monitor", do_monitor},     /* WHO */
    {"demonitor", do_demonitor}, /* NUMBER */
    {"serve", do_serve},         /* [MS] */
    {"watch", do_watch},         /* KIND of work: ok fail abort hang */
    {"manage", do_manage},       /* KIND */
    {"part", do_part},           /* KIND */
    {"call", do_call},           /* WHO TEXT */
    {"status", do_status},       /* WORD */
    {"again", do_again},         {"return", do_return}, {"detach", do_detach}, /* [REASON] */
};

static void obey(char *line)
{
    char *rest = strchrnul(line, ' '), *first;

    if (*rest)
        *rest++ = '\0';
    first = rest;
    rest = strchrnul(first, ' ');
    if (*rest)
        *rest++ = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(commands[i].name, line)) {
            commands[i].run(first, rest);
            return;
        }
    printf("= no command %s\n", line);
}

static void read_options(char **argv)
{
    for (; *argv; argv++)
        if (!strcmp(*argv, "--path"))
            options.path = *++argv;
        else if (!strcmp(*argv, "--init"))
            options.init = *++argv;
        else if (!strcmp(*argv, "--last"))
            options.last = *++argv;
        else if (!strcmp(*argv, "--plain"))
            options.plain = true;
        else if (!strcmp(*argv, "--traps"))
            options.traps = true;
}

int main(int argc, char **argv)
{
    static char line[1024];
    const char *why;

    (void)argc;
    read_options(argv + 1);
    setvbuf(stdout, NULL, _IOLBF, 0);
    self = attach(&why);
    if (!self) {
        printf("= %s\n", why);
        return 1;
    }
    printf("= attached\n");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        obey(line);
    }
    troupe_detach(self, NULL);
    return 0;
}
