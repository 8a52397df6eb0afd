#include "node_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t node_load_of(const char *path)
{
    return strlen(path) + sizeof " =4294967295/4294967295" - 1;
}

int node_load_write(const struct node_row *row, struct buf *out)
{
    size_t begin = buf_length(out);
    int result = buf_printf(out, "lease=%lld memory=%u load=%u", (long long)row->lease_ms,
                            row->memory_percent, row->load_percent);

    if (result >= 0 && *row->lock)
        result = buf_printf(out, " lock=%s", row->lock);
    for (size_t i = 0; result >= 0 && i < row->service_count; i++) {
        const struct node_service *service = &row->services[i];

        if (buf_length(out) - begin + node_load_of(service->path) > NODE_LOAD_MAX)
            break;
        result = buf_printf(out, " %s=%u/%u", service->path, service->instances, service->max);
    }
    return result < 0 ? -1 : buf_append(out, "", 1);
}

static void read_service(struct node_row *row, const char *path, const char *value,
                         struct node_service *room)
{
    struct node_service *service = &room[row->service_count];

    if (row->service_count == MEMBERSHIP_SERVICES_MAX || !addr_is_path(path) ||
        sscanf(value, "%u/%u", &service->instances, &service->max) != 2)
        return;
    snprintf(service->path, sizeof service->path, "%s", path);
    row->service_count++;
}

static void read_word(struct node_row *row, char *word, struct node_service *room)
{
    char *value = strchr(word, '=');

    if (!value)
        return;
    *value++ = '\0';
    if (!strcmp(word, "memory"))
        row->memory_percent = (uint32_t)strtoul(value, NULL, 10);
    else if (!strcmp(word, "load"))
        row->load_percent = (uint32_t)strtoul(value, NULL, 10);
    else if (!strcmp(word, "lease"))
        row->lease_ms = strtoll(value, NULL, 10);
    else if (!strcmp(word, "lock"))
        snprintf(row->lock, sizeof row->lock, "%s", value);
    else
        read_service(row, word, value, room);
}

void node_load_read(struct node_row *row, const char *text, struct node_service *room)
{
    char copy[NODE_LOAD_MAX + 1], *rest = NULL;

    row->lease_ms = LEASE_MAX_MS;
    row->service_count = 0;
    row->services = room;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        read_word(row, word, room);
    if (row->lease_ms < LEASE_MIN_MS || row->lease_ms > LEASE_MAX_MS)
        row->lease_ms = LEASE_MAX_MS;
}
