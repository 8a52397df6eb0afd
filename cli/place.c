#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool place_is_elsewhere(const char *place)
{
    return *addr_node_part(place) != '\0';
}

const char *place_node(const char *place)
{
    const char *node = addr_node_part(place);

    return node + (*node == '@');
}

bool place_is_root(const char *place)
{
    return addr_node_part(place) == place;
}

void place_path(const char *place, char out[ADDR_PATH_MAX + 1])
{
    snprintf(out, ADDR_PATH_MAX + 1, "%.*s", (int)(addr_node_part(place) - place), place);
}

void place_child_name(const char *place, char out[ADDR_PATH_MAX + 1])
{
    place_path(addr_child_name(place), out);
}

int place_make(const char *path, const char *node, char out[ADDR_PATH_MAX + 1])
{
    int length = snprintf(out, ADDR_PATH_MAX + 1, "%s%s%s", path, *node ? "@" : "", node);

    if (length <= ADDR_PATH_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

bool place_is_within(const char *place, const char *ancestor)
{
    char path[ADDR_PATH_MAX + 1], above[ADDR_PATH_MAX + 1];

    if (strcmp(addr_node_part(place), addr_node_part(ancestor)) != 0)
        return false;
    place_path(place, path);
    place_path(ancestor, above);
    return addr_is_within(path, above);
}

const char *place_text(const char *place)
{
    return *place ? place : ".";
}
