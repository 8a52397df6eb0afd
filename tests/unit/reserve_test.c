/*
 * The reserve, in a process whose memory this test rations: the linker sends its malloc, realloc,
 * free, mmap and munmap here.
 */
#include "reserve.h"
#include "tap.h"

#include <ev.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMERS = 200 };

static bool rationed;
static size_t left; /* bytes that may still be had */

void *__real_malloc(size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *at, size_t size);

static bool grant(size_t size)
{
    if (!rationed)
        return true;
    if (size > left)
        return false;
    left -= size;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return grant(size) ? __real_malloc(size) : NULL;
}

void *__wrap_realloc(void *block, size_t size)
{
    size_t before = block ? malloc_usable_size(block) : 0;

    return size <= before || grant(size - before) ? __real_realloc(block, size) : NULL;
}

void __wrap_free(void *block)
{
    if (rationed && block)
        left += malloc_usable_size(block);
    __real_free(block);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    return grant(size) ? __real_mmap(at, size, protection, flags, fd, offset) : MAP_FAILED;
}

int __wrap_munmap(void *at, size_t size)
{
    if (rationed)
        left += size;
    return __real_munmap(at, size);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    ++*(int *)timer->data;
}

/* A loop with many timers, made and run without a byte but the reserve. */
static void check_libev(void)
{
    struct ev_loop *loop;
    ev_timer timers[TIMERS];
    int fired = 0;

    rationed = true;
    left = 0;
    loop = ev_loop_new(EVFLAG_AUTO);
    for (int i = 0; i < TIMERS; i++) {
        ev_timer_init(&timers[i], on_timer, 0., 0.);
        timers[i].data = &fired;
        ev_timer_start(loop, &timers[i]);
    }
    ev_run(loop, 0);
    tap_is_int(fired, TIMERS, "a loop goes on with the reserve");
    CHECK(reserve_is_in_use(), "the reserve is in use while memory is short");
    ev_loop_destroy(loop);
    left = 0;
    CHECK(reserve_is_in_use(), "and for as long as it is");
    rationed = false;
    CHECK(!reserve_is_in_use(), "when memory is back, so is the reserve");
}

struct entry {
    int key;
    UT_hash_handle hh;
};

static void check_uthash(void)
{
    static struct entry entries[TIMERS];
    struct entry *table = NULL, *found = NULL;
    int number = TIMERS - 1;

    rationed = true;
    left = 0;
    for (int i = 0; i < TIMERS; i++) {
        entries[i].key = i;
        HASH_ADD_INT(table, key, &entries[i]);
    }
    HASH_FIND_INT(table, &number, found);
    CHECK(found == &entries[TIMERS - 1], "a hash table goes on with the reserve");
    HASH_CLEAR(hh, table);
    rationed = false;
    CHECK(!reserve_is_in_use(), "and it is laid in again");
}

/* A forked process has none until it lays one in, and may then use it up. */
static void check_fork(void)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        bool laid = reserve_init() == 0;

        rationed = true;
        left = 0;
        _exit(laid && reserve_malloc(1) && reserve_is_in_use() ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a forked process lays in its own");
    CHECK(!reserve_is_in_use(), "and leaves its parent's alone");
}

/* There is an end to it, and it is not silent. */
static void check_end(void)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        rationed = true;
        left = 0;
        close(STDERR_FILENO);
        reserve_malloc(1);
        left = 0;
        reserve_malloc(1U << 20);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
          "without memory and without a reserve the process ends");
}

int main(void)
{
    CHECK(reserve_init() == 0 && !reserve_is_in_use(), "the reserve is laid in");
    CHECK(reserve_init() == 0, "twice is harmless");
    check_libev();
    check_uthash();
    check_fork();
    check_end();
    return tap_done();
}
