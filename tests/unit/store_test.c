/* The store, and the move of what is below a supervisor's spec into it. */
#include "../../supervisord/spec.h"
#include "../../supervisord/store.h"
#include "../../supervisord/texts.h"
#include "tap.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, ENOUGH = 1000 };

static unsigned takes_left;

static void *take_rationed(size_t size)
{
    return takes_left && takes_left-- ? store_take(size) : NULL;
}

static char **list(const char *first, const char *second)
{
    char **texts = texts_create();

    if (!texts || texts_append(&texts, first) < 0 || texts_append(&texts, second) < 0)
        abort();
    return texts;
}

/* shop, with three children of which the last is a supervisor with a template. */
static struct spec make_shop(void)
{
    struct spec shop = {.name = strdup("shop"), .kind = SPEC_SUPERVISOR};
    struct spec_supervisor *supervisor = calloc(1, sizeof *supervisor), *inner;

    supervisor->children = calloc(CHILDREN, sizeof *supervisor->children);
    supervisor->child_count = CHILDREN;
    for (int i = 0; i < CHILDREN; i++) {
        struct spec *child = &supervisor->children[i];

        child->name = strdup(i == 0 ? "a" : i == 1 ? "b" : "c");
        child->kind = i == 2 ? SPEC_SUPERVISOR : SPEC_PROGRAM;
        child->exec = list("sleep", "1000");
        child->env = list("A=1", "B=2");
    }
    supervisor->children[0].limits = calloc(1, sizeof(struct spec_limit));
    supervisor->children[0].limit_count = 1;
    supervisor->children[0].limits[0].value = 77;
    inner = calloc(1, sizeof *inner);
    inner->template = calloc(1, sizeof *inner->template);
    inner->template->module = strdup("cart");
    supervisor->children[2].supervisor = inner;
    shop.supervisor = supervisor;
    return shop;
}

static bool is_shop(const struct spec *shop)
{
    const struct spec_supervisor *supervisor = shop->supervisor;
    const struct spec *children = supervisor->children;

    return supervisor->child_count == CHILDREN && !strcmp(children[0].name, "a") &&
           !strcmp(children[1].name, "b") && !strcmp(children[1].exec[1], "1000") &&
           !children[1].exec[2] && !strcmp(children[2].env[0], "A=1") &&
           children[0].limit_count == 1 && children[0].limits[0].value == 77 &&
           !strcmp(children[2].supervisor->template->module, "cart");
}

/* How a fork of this process fares that reads the spec. */
static int status_of_reader(const struct spec *shop)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(is_shop(shop) ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return status;
}

/* However little there is, nothing is lost. */
static void check_want(void)
{
    unsigned taken = 0;
    bool moved = false, whole = true;

    for (; !moved && taken < ENOUGH; taken++) {
        struct spec shop = make_shop();
        const struct spec_supervisor *before = shop.supervisor;

        takes_left = taken;
        spec_move_below(&shop, take_rationed);
        moved = shop.supervisor != before;
        whole = whole && is_shop(&shop);
        if (moved)
            shop.supervisor = NULL; /* the store's */
        spec_finish(&shop);
    }
    CHECK(whole, "a spec for which the memory does not suffice stays as it was");
    CHECK(moved && taken > CHILDREN, "and is moved when it does");
}

static void check_forks(void)
{
    struct spec shop = make_shop();
    int status;

    spec_move_below(&shop, store_take);
    CHECK(is_shop(&shop), "a moved spec says what it said");
    status = status_of_reader(&shop);
    CHECK(WIFSIGNALED(status), "a fork does not have it");
    store_lend(true);
    status = status_of_reader(&shop);
    CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "unless it is lent");
    store_lend(false);
    status = status_of_reader(&shop);
    CHECK(WIFSIGNALED(status), "and no longer than that");
    shop.supervisor = NULL;
    spec_finish(&shop);
}

static void check_sizes(void)
{
    char *small = store_take(1), *large = store_take(3 << 20), *next = store_take(1);

    CHECK(small && large && next, "what is larger than a block has one of its own");
    if (large)
        memset(large, 1, 3 << 20);
    CHECK(next && !*next && small && !*small, "and is nobody else's");
}

int main(void)
{
    check_want();
    check_forks();
    check_sizes();
    return tap_done();
}
