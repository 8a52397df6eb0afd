/* The nest: blocks that lie together, and calls of libc that take their memory there. */
#include "nest.h"
#include "tap.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM = 4 << 20, MOST = 1 << 17, HEAD = 16 };

static bool is_filled(const uint8_t *block, size_t size, int byte)
{
    for (size_t i = 0; i < size; i++)
        if (block[i] != byte)
            return false;
    return true;
}

static void test_without_one(void)
{
    char *block = malloc(10);

    CHECK(!nest_take(10), "before it is opened there is nothing to take");
    CHECK(block && !nest_has(block), "and malloc() gives of the heap");
    CHECK(nest_open(ROOM) == 0, "it is opened");
    block = realloc(block, 100);
    CHECK(block && !nest_has(block), "what is of the heap grows there");
    free(block);
}

static void test_sizes(void)
{
    size_t wrong = 0;

    for (size_t size = 0; size <= MOST - HEAD; size = size * 5 / 4 + 1) {
        void *block = nest_take(size);

        wrong += !block || !nest_has(block) || nest_size(block) < size || (uintptr_t)block % 16 ||
                 nest_size(block) > size * 5 / 4 + 32;
        if (block)
            nest_give(block);
        wrong += nest_take(size) != block;
        if (block)
            nest_give(block);
    }
    CHECK(wrong == 0, "each size is aligned, has room for it and little more, and is taken again");
    CHECK(!nest_take(MOST), "what is larger is not taken here");
    CHECK(!nest_take(SIZE_MAX), "nor is what nothing has room for");
}

static void test_together(void)
{
    char *first = malloc(100), *second = malloc(700), *third = malloc(20);

    CHECK(first < second && second < third && third - first < 1200,
          "blocks of all sizes lie one behind the other");
    memset(first, 1, 100);
    memset(second, 2, 700);
    memset(third, 3, 20);
    CHECK(is_filled((uint8_t *)first, 100, 1) && is_filled((uint8_t *)second, 700, 2),
          "and do not overlap");
    free(first);
    free(second);
    free(third);
}

static void test_calls(void)
{
    uint8_t *block = malloc(50), *grown;
    char *copy = strdup("a text");
    uintptr_t was_at;

    memset(block, 7, 50);
    free(block);
    block = calloc(5, 10);
    CHECK(nest_has(block) && is_filled(block, 50, 0), "calloc() clears what was used before");
    memset(block, 9, 50);
    grown = realloc(block, 5000);
    CHECK(nest_has(grown) && is_filled(grown, 50, 9), "realloc() takes the content along");
    was_at = (uintptr_t)grown;
    grown = realloc(grown, 4000);
    CHECK((uintptr_t)grown == was_at, "and leaves a block where it is when that has room");
    grown = realloc(grown, MOST * 2);
    CHECK(!nest_has(grown) && is_filled(grown, 50, 9),
          "out of the nest, too, when it becomes too large");
    free(grown);
    CHECK(nest_has(copy) && !strcmp(copy, "a text"), "strdup() copies into the nest");
    free(copy);
    free(NULL);
    block = realloc(NULL, 30);
    CHECK(nest_has(block), "realloc() of nothing takes a block");
    CHECK(!realloc(block, 0), "and to nothing gives it back");
}

static void *elsewhere(void *block)
{
    void *own = calloc(1, 40);
    bool is_of_nest = nest_has(own);

    free(block);
    free(own);
    return is_of_nest ? block : NULL;
}

static void test_threads(void)
{
    void *block = malloc(3000), *result;
    pthread_t thread;

    pthread_create(&thread, NULL, elsewhere, block);
    pthread_join(thread, &result);
    CHECK(!result, "another thread takes of the heap");
    CHECK(malloc(3000) == block, "and gives blocks of the nest back to it");
    free(block);
}

static void test_full(void)
{
    size_t taken = 0, foreign = 0;
    void *block;

    while (nest_take(1000))
        taken++;
    CHECK(taken > 500, "it holds what it has room for");
    while ((block = nest_take(0)))
        foreign += !nest_has(block);
    CHECK(foreign == 0, "to the last byte, and an empty block is its own as well");
    block = malloc(1000);
    CHECK(block != NULL, "and when it is full there is the heap");
    free(block);
}

static int child_of_fork(void *block, const void *given_elsewhere)
{
    if (nest_open(ROOM) < 0)
        return 1;
    nest_give(block);
    if (nest_take(200) == block)
        return 2;
    if (nest_take(600) == given_elsewhere)
        return 3;
    nest_leave();
    return nest_has(block) || nest_take(200) ? 4 : 0;
}

static void test_next_life(void)
{
    void *block = nest_take(200), *given = nest_take(600);
    int status = -1;
    pthread_t thread;
    pid_t pid;

    pthread_create(&thread, NULL, elsewhere, given);
    pthread_join(thread, NULL);
    pid = fork();
    if (pid == 0)
        _exit(child_of_fork(block, given));
    waitpid(pid, &status, 0);
    CHECK(status == 0,
          "a next life does not take what an earlier one has given back, and may leave");
}

/* Can a process that is forked now read it? By the kernel, which says so without a signal. */
static bool is_forked(const char *block)
{
    int status = 0, ends[2];
    pid_t pid;

    if (pipe(ends) < 0)
        return false;
    pid = fork();
    if (pid == 0)
        _exit(write(ends[1], block, 1) != 1);
    waitpid(pid, &status, 0);
    close(ends[0]);
    close(ends[1]);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_withheld(void)
{
    char *block = nest_take(10);

    *block = 3;
    nest_withhold(true);
    CHECK(!is_forked(block), "who is forked while it is withheld has none of it");
    nest_withhold(false);
    CHECK(is_forked(block), "and after that has it");
    nest_give(block);
}

int main(void)
{
    test_without_one();
    test_together();
    test_sizes();
    test_calls();
    test_threads();
    test_next_life();
    test_withheld();
    test_full();
    return tap_done();
}
