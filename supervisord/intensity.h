/*
 * Restart intensity: more than N restarts within a sliding period mean giving up (SEMANTICS 3;
 * OTP X01, X02, X17; ours is in milliseconds, X03). Pure: time is an argument.
 */
#ifndef TROUPE_INTENSITY_H
#define TROUPE_INTENSITY_H

#include <stdbool.h>
#include <stdint.h>

struct intensity {
    uint32_t limit;    /* INTENSITY_UNLIMITED: never gives up */
    int64_t period_ms;
    int64_t *at_ms;    /* ring of the last limit restarts (at most limit entries) */
    uint32_t size, head, used;
};

/* Allocates nothing until the first restart. */
void intensity_init(struct intensity *intensity, uint32_t limit, int64_t period_ms);
void intensity_finish(struct intensity *intensity);
/* Counts a restart at now_ms. True: go on; false: it was one too many. An allocation that fails
 * counts as false never: the restart is allowed and forgotten. */
bool intensity_add(struct intensity *intensity, int64_t now_ms);
/* Restarts within the window that ends now. For UNLIMITED: 0. */
uint32_t intensity_used(struct intensity *intensity, int64_t now_ms);

#endif
