/*
 * Who of a group's members gets a message (SEMANTICS 8): all, one by chance, one of each node, or
 * one of those that are here, when there are any. Pure but for chance, which is the caller's.
 */
#ifndef TROUPE_CLI_SPREAD_H
#define TROUPE_CLI_SPREAD_H

#include "addr.h"

enum spread { SPREAD_ALL, SPREAD_ONE, SPREAD_ONE_PER_NODE, SPREAD_NEAREST };

/* Puts those who get it first, as indices below count into chosen, which has room for all of them,
 * and returns how many they are. node_of(data, i) is the node of the i-th, "" for this one;
 * chance(n) is any number below n, each as likely as the others. */
size_t spread_choose(enum spread spread, size_t count, const char *(*node_of)(void *data, size_t i),
                     void *data, size_t (*chance)(size_t n), size_t chosen[]);

#endif
