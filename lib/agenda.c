#include "agenda.h"

#include "runtime.h"

void agenda_post(struct troupe *self, struct agenda_item *item)
{
    if (item->is_posted)
        return;
    item->is_posted = true;
    TAILQ_INSERT_TAIL(&self->agenda, item, link);
    mailbox_wake(self);
}

void agenda_withdraw(struct troupe *self, struct agenda_item *item)
{
    if (!item->is_posted)
        return;
    item->is_posted = false;
    TAILQ_REMOVE(&self->agenda, item, link);
}

void agenda_run(struct troupe *self, int bound)
{
    struct agenda_item *item;

    while (bound-- > 0 && !self->ending && !self->enough && !self->saving &&
           (item = TAILQ_FIRST(&self->agenda))) {
        agenda_withdraw(self, item);
        agenda_enter(self);
        item->run(self, item);
        agenda_leave(self);
    }
}

void agenda_finish(struct troupe *self)
{
    struct agenda_item *item;

    while ((item = TAILQ_FIRST(&self->agenda))) {
        agenda_withdraw(self, item);
        if (item->drop)
            item->drop(item);
    }
}

bool agenda_is_free(const struct troupe *self)
{
    return !self->busy && !self->waiting && !self->held && !self->ending && !self->enough &&
           !self->saving && TAILQ_EMPTY(&self->agenda);
}

void agenda_hold(struct troupe *self)
{
    self->held++;
}

void agenda_let_go(struct troupe *self)
{
    self->held--;
}

void agenda_enter(struct troupe *self)
{
    self->busy++;
}

void agenda_leave(struct troupe *self)
{
    if (--self->busy > 0)
        return;
    self->enough |= self->is_watching;
    state_look(self);
}

static void wait_until_either(struct troupe *self, const bool *done, const bool *is_late)
{
    if (self->waiting++ == 0)
        descriptors_hold(self, true);
    mailbox_rest(self);
    while (!*done && !*is_late && !self->ending)
        ev_run(self->loop, EVRUN_ONCE);
    if (--self->waiting == 0)
        descriptors_hold(self, false);
    if (!TAILQ_EMPTY(&self->agenda) || self->mailbox.depth > 0 || self->draining)
        mailbox_wake(self);
}

void agenda_wait(struct troupe *self, const bool *done)
{
    wait_until_either(self, done, &(const bool){false});
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
    bool *is_late = timer->data;

    (void)loop;
    (void)revents;
    *is_late = true;
}

bool agenda_wait_for(struct troupe *self, const bool *done, int64_t ms)
{
    bool is_late = false;
    ev_timer limit;

    ev_now_update(self->loop);
    ev_timer_init(&limit, on_late, (double)ms / 1000, 0.);
    limit.data = &is_late;
    ev_timer_start(self->loop, &limit);
    wait_until_either(self, done, &is_late);
    ev_timer_stop(self->loop, &limit);
    return *done;
}
