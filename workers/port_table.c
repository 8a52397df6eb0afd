#include "port_table.h"

#include "text.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 255 };

const struct troupe_handler *port_table_find(const struct port_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->entries[i].name, name) == 0)
            return &table->entries[i];
    return NULL;
}

/* Those that begin with a dot, and `describe`, are the runtime's own. */
static bool is_name(const char *text)
{
    size_t length = strlen(text);

    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return length > 0 && length <= NAME_BYTES && *text != '.' && strcmp(text, "describe") != 0 &&
           text_is_utf8(text, length);
}

static bool are_types(const char *format)
{
    return strlen(format) <= WIRE_VALUES_MAX && !format[strspn(format, "iuIUfsB")];
}

static const char *fault(const struct port_table *table, char *const texts[4])
{
    if (!is_name(texts[0]))
        return "describe: not a name for a message";
    if (port_table_find(table, texts[0]))
        return "describe: said twice";
    if (!are_types(texts[1]) || !are_types(texts[2]))
        return "describe: expected types as letters of iuIUfsB";
    return table->count == PORT_TABLE_MAX ? "describe: too many messages" : NULL;
}

static void free_entry(struct troupe_handler *entry)
{
    free((char *)entry->name);
    free((char *)entry->arguments);
    free((char *)entry->reply);
    free((char *)entry->help);
    *entry = (struct troupe_handler){0};
}

int port_table_add(struct port_table *table, char *const *fields,
                   void (*handle)(struct troupe *self, struct troupe_message *message),
                   const char **why)
{
    char *texts[4] = {"", "", "", ""};
    struct troupe_handler entry;

    for (int i = 0; i < 4 && fields[i]; i++)
        texts[i] = fields[i];
    *why = fault(table, texts);
    if (*why)
        return -1;
    entry = (struct troupe_handler){strdup(texts[0]), strdup(texts[1]), strdup(texts[2]), handle,
                                    strdup(texts[3])};
    if (!entry.name || !entry.arguments || !entry.reply || !entry.help) {
        free_entry(&entry);
        *why = "out of memory";
        return -1;
    }
    table->entries[table->count++] = entry;
    return 0;
}

void port_table_finish(struct port_table *table)
{
    while (table->count)
        free_entry(&table->entries[--table->count]);
}
