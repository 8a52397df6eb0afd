#include "fence.h"

#include <signal.h>

int64_t fence_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int make_timer(struct fence *fence)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};

    if (!fence->has_timer && timer_create(CLOCK_BOOTTIME, &event, &fence->timer) < 0)
        return -1;
    fence->has_timer = true;
    return 0;
}

int fence_set(struct fence *fence, int64_t until_ms)
{
    struct itimerspec at = {.it_value = {until_ms / 1000, until_ms % 1000 * 1000000}};

    if (until_ms <= fence->until_ms)
        return 0;
    if (make_timer(fence) < 0 || timer_settime(fence->timer, TIMER_ABSTIME, &at, NULL) < 0)
        return -1;
    fence->until_ms = until_ms;
    return 0;
}

bool fence_holds(const struct fence *fence)
{
    return fence->until_ms > fence_now_ms();
}

void fence_finish(struct fence *fence)
{
    if (fence->has_timer)
        timer_delete(fence->timer);
    *fence = (struct fence){0};
}
