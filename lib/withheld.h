/*
 * Answers that go out only when what their handler has changed is kept (troupe.h 9,
 * `every_message`). Private to the runtime.
 */
#ifndef TROUPE_WITHHELD_H
#define TROUPE_WITHHELD_H

#include "message.h"

#include <sys/queue.h>

struct withheld;
TAILQ_HEAD(withheld_list, withheld);

/* Keeps an answer back: values by their format, copied; or with format NULL an error's text. The
 * message lives on until it has gone out. 0; or -1 (ENOMEM): it is to be sent as an error at once.
 */
int withheld_add(struct withheld_list *list, struct troupe_message *message, const char *format,
                 const union wire_value *values, const char *error);
/* Sends all. failure: instead of each that is no error, "error" and this. */
void withheld_release(struct withheld_list *list, const char *failure);

#endif
