/* The process title that ps(1) shows. */
#ifndef TROUPE_TITLE_H
#define TROUPE_TITLE_H

/* Call first in main: takes the room of argv and the environment (which is moved away). */
void title_init(int argc, char **argv);
/* Sets title and thread name: "troupe: shop/web". */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
