/*
 * Tells sys/node of reminders that were set (CONTROL_REMINDER_SET), so that it need not ask for
 * them again and again. It is told once that this store has begun, and then only of what is due
 * sooner than all that it was told: at that time it looks by itself, and sees the rest. Where there
 * is no sys/node nobody is told; one that begins looks by itself.
 */
#ifndef TROUPE_STORE_HERALD_H
#define TROUPE_STORE_HERALD_H

#include <ev.h>
#include <stdint.h>

struct herald;

/* run_dir (NULL: there is nobody to be told) and self are borrowed. NULL with errno. */
struct herald *herald_create(struct ev_loop *loop, const char *run_dir, const char *self);
/* Takes NULL. */
void herald_destroy(struct herald *herald);

/* wall clock, us; 0: nothing is known of what there is. */
void herald_tell(struct herald *herald, int64_t due_us);

#endif
