/*
 * Lists of texts as exec wants them: an allocated array of allocated texts that ends with NULL.
 * NULL stands for no list. Everything may fail with ENOMEM and then leaves the list as it was.
 */
#ifndef TROUPE_TEXTS_H
#define TROUPE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>

size_t texts_count(char *const *texts);
/* An empty list, or NULL. */
char **texts_create(void);
void texts_destroy(char **texts);
/* Appends a copy of text. 0 or -1. */
int texts_append(char ***texts, const char *text);
bool texts_contain(char *const *texts, const char *text);

#endif
