#include "verdict.h"

#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

struct verdict {
    struct agenda_item owed;
    troupe_on_saved *on_saved;
    void *data;
    char failure[REASON_MAX]; /* "": it is done */
};

static void drop(struct agenda_item *item)
{
    free(container_of(item, struct verdict, owed));
}

static void tell(struct troupe *self, struct agenda_item *item)
{
    struct verdict *verdict = container_of(item, struct verdict, owed);

    verdict->on_saved(self, *verdict->failure ? verdict->failure : NULL, verdict->data);
    free(verdict);
}

struct verdict *verdict_create(troupe_on_saved *on_saved, void *data)
{
    struct verdict *verdict = calloc(1, sizeof *verdict);

    if (verdict)
        *verdict = (struct verdict){
            .owed = {.run = tell, .drop = drop}, .on_saved = on_saved, .data = data};
    return verdict;
}

void verdict_post(struct troupe *self, const char *failure, void *data)
{
    struct verdict *verdict = data;

    snprintf(verdict->failure, sizeof verdict->failure, "%s", failure ? failure : "");
    if (verdict->on_saved)
        agenda_post(self, &verdict->owed);
    else
        free(verdict);
}
