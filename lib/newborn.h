/*
 * What a process sheds that was forked from an actor, or from a command that stands for one, before
 * it is something else: signals that would be handled in its parent's name, and the names of what
 * is its parent's alone.
 */
#ifndef TROUPE_NEWBORN_H
#define TROUPE_NEWBORN_H

/* All are as after exec, and none is blocked. */
void newborn_reset_signals(void);
/* Descriptors and sockets by which the parent talks to its supervisor. */
void newborn_forget_environment(void);

#endif
