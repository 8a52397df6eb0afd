#include "port_deaf.h"

#include <stdio.h>
#include <string.h>

static int find(const struct port_deaf *deaf, const char *address)
{
    for (int i = 0; *address && i < PORT_DEAF_MOST; i++)
        if (strcmp(deaf->addresses[i], address) == 0)
            return i;
    return -1;
}

bool port_deaf_is(const struct port_deaf *deaf, const char *address)
{
    return find(deaf, address) >= 0;
}

void port_deaf_add(struct port_deaf *deaf, const char *address)
{
    if (port_deaf_is(deaf, address))
        return;
    snprintf(deaf->addresses[deaf->next], sizeof deaf->addresses[0], "%s", address);
    deaf->next = (deaf->next + 1) % PORT_DEAF_MOST;
}

void port_deaf_remove(struct port_deaf *deaf, const char *address)
{
    int i = find(deaf, address);

    if (i >= 0)
        *deaf->addresses[i] = '\0';
}
