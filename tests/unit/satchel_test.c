/* The satchel, and an environment that is put together in it before it is worn. */
#include "../../supervisord/environment.h"
#include "../../supervisord/satchel.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_room(void)
{
    size_t room, taken = 0;
    char *first, *text;

    satchel_open();
    text = satchel_keep_text("text");
    first = satchel_take(1);
    CHECK(text && !strcmp(text, "text"), "a text is kept");
    CHECK((uintptr_t)first % 16 == 0 && first > text, "what is taken is aligned");
    CHECK(!satchel_keep(NULL, 10) && !satchel_keep_text(NULL), "nothing is kept of nothing");
    while (satchel_take(100))
        taken++;
    CHECK(taken > (SATCHEL_SIZE - 64) / 112 - 1, "it holds what it says: %zu times 100", taken);
    satchel_room(&room);
    CHECK(room < 112 && satchel_take(room) && !satchel_take(1), "to the last byte");
    CHECK(!satchel_keep_text("more"), "a full one keeps nothing");
    satchel_open();
    CHECK(satchel_keep_text("anew") == text, "opened, it is empty");
    CHECK(!satchel_take(SIZE_MAX), "no size is too large to be refused");
}

/* What getenv() says of it, in the process that wears the environment. */
static bool wears(const struct environment *environment, const char *name, const char *value)
{
    int status = 1;
    pid_t pid = fork();

    if (pid == 0) {
        char own[16];

        snprintf(own, sizeof own, "%d", (int)getpid());
        if (environment_wear(environment) < 0 || !getenv(name))
            _exit(1);
        _exit(strcmp(getenv(name), value ? value : own) != 0);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

static void test_environment(void)
{
    struct environment environment;
    char of_spec[] = "NAME=of its spec", other[] = "OTHER=of its spec";

    setenv("OTHER", "of the node", 1);
    setenv("LAST", "of the node", 1);
    satchel_open();
    environment_begin(&environment, 2);
    environment_set(&environment, "NAME", "%s %d", "told", 1);
    environment_set_pid(&environment, "PID");
    environment_set_pid(&environment, "AGAIN");
    environment_add(&environment, of_spec);
    environment_add(&environment, other);
    environment_end(&environment);
    CHECK(!environment.failed && !environment.borrows, "it lies in the satchel");
    CHECK(wears(&environment, "NAME", "told 1"), "who names a variable first has it");
    CHECK(wears(&environment, "OTHER", "of its spec"), "the spec before the node");
    CHECK(wears(&environment, "LAST", "of the node"), "what nobody names is the node's");
    CHECK(wears(&environment, "PID", NULL) && wears(&environment, "AGAIN", NULL),
          "a number is that of the process that wears it, not of the one that packed");
    CHECK(!strcmp(getenv("OTHER"), "of the node"), "who packs keeps his own");
    environment_finish(&environment);
}

static void test_too_much(void)
{
    struct environment environment;
    char large[SATCHEL_SIZE], name[32];

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    satchel_open();
    environment_begin(&environment, 0);
    environment_set(&environment, "LARGE", "%s", large);
    environment_end(&environment);
    CHECK(environment.failed && environment_wear(&environment) < 0,
          "what does not fit is not worn");
    environment_finish(&environment);

    for (int i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "MANY_%d", i);
        setenv(name, "1", 1);
    }
    satchel_open();
    environment_begin(&environment, 0);
    environment_end(&environment);
    CHECK(environment.borrows, "a long list lies elsewhere, and says so");
    CHECK(wears(&environment, "MANY_599", "1"), "and is worn all the same");
    environment_finish(&environment);
}

int main(void)
{
    test_room();
    test_environment();
    test_too_much();
    return tap_done();
}
