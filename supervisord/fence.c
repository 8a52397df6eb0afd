#include "fence.h"

#include "mono.h"

#include <signal.h>
#include <sys/mman.h>

static int make_timer(struct fence *fence)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

    if (!fence->has_timer && timer_create(CLOCK_BOOTTIME, &event, &fence->timer) < 0)
        return -1;
    fence->has_timer = true;
    return 0;
}

static void mark(struct fence *fence, int64_t until_ms)
{
    if (fence->mark)
        fence->mark->until_ms = until_ms;
}

/* The mark comes first: the timer may strike before the next line. */
int fence_set(struct fence *fence, int64_t until_ms)
{
    struct itimerspec at = {.it_value = {until_ms / 1000, until_ms % 1000 * 1000000}};

    if (until_ms <= fence->until_ms || until_ms <= boottime_now_ms())
        return 0;
    if (make_timer(fence) < 0)
        return -1;
    mark(fence, until_ms);
    if (timer_settime(fence->timer, TIMER_ABSTIME, &at, NULL) < 0) {
        mark(fence, fence->until_ms);
        return -1;
    }
    fence->until_ms = until_ms;
    return 0;
}

bool fence_holds(const struct fence *fence)
{
    return fence->until_ms > boottime_now_ms();
}

void fence_finish(struct fence *fence)
{
    if (fence->has_timer)
        timer_delete(fence->timer);
    *fence = (struct fence){0};
}

/* ---- what the parent sees of it ------------------------------------------------------------------ */

struct fence_mark *fence_mark_create(void)
{
    struct fence_mark *mark =
        mmap(NULL, sizeof *mark, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (mark == MAP_FAILED)
        return NULL;
    fence_mark_lend(mark, false);
    return mark;
}

void fence_mark_destroy(struct fence_mark *mark)
{
    if (mark)
        munmap(mark, sizeof *mark);
}

void fence_mark_lend(struct fence_mark *mark, bool lent)
{
    if (mark)
        madvise(mark, sizeof *mark, lent ? MADV_DOFORK : MADV_DONTFORK);
}

void fence_mark_clear(struct fence_mark *mark)
{
    if (mark)
        mark->until_ms = 0;
}

bool fence_has_struck(const struct fence_mark *mark)
{
    int64_t until_ms = mark ? mark->until_ms : 0;

    return until_ms && until_ms <= boottime_now_ms();
}
