/*
 * A command written in one line, cut into its words as a shell would: at blanks, with '…', "…" and
 * backslashes; nothing is expanded. Pure.
 */
#ifndef TROUPE_PORT_WORDS_H
#define TROUPE_PORT_WORDS_H

/* The words, NULL at their end, in one piece of memory for the caller to free(). Or NULL with *why,
 * a static phrase: an open quote, no word at all, no memory. */
char **port_words(const char *command, const char **why);

#endif
