#include "../../workers/port_table.h"
#include "tap.h"

static struct port_table table;

static void handle(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
}

/* NULL, or why it was refused. */
static const char *add(const char *name, const char *arguments, const char *reply)
{
    char *fields[] = {(char *)name, (char *)arguments, (char *)reply, NULL};
    const char *why;

    return port_table_add(&table, fields, handle, &why) < 0 ? why : NULL;
}

int main(void)
{
    char name[300];
    int many = 0;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK(!add("add", "II", "I") && !add("ping", NULL, NULL), "messages are added");
    CHECK(table.count == 2 && !strcmp(table.entries[0].arguments, "II") &&
              !strcmp(table.entries[1].reply, "") && !strcmp(table.entries[0].help, "") &&
              !table.entries[2].name,
          "what was left out is empty, and the table has its end");
    CHECK(port_table_find(&table, "ping") == &table.entries[1] && !port_table_find(&table, "pong"),
          "and found by their names");
    CHECK(strstr(add("add", "", ""), "twice"), "a name is said once");
    CHECK(strstr(add("x", "Iz", ""), "types") && strstr(add("x", "", "int"), "types"),
          "types are letters");
    CHECK(strstr(add("x", "sssssssssssssssssssssssssssssssss", ""), "types"),
          "and no more of them than travel");
    CHECK(strstr(add("", "", ""), "name") && strstr(add("describe", "", ""), "name") &&
              strstr(add(name, "", ""), "name"),
          "a name is not empty, nor too long, nor the runtime's own");
    CHECK(strstr(add(".dot", "", ""), "name") && strstr(add("two\nlines", "", ""), "name") &&
              strstr(add("tab\t", "", ""), "name") && strstr(add("caf\xe9", "", ""), "name") &&
              strstr(add("\x7f", "", ""), "name"),
          "nor a name that begins with a dot, or does not fit on a line");
    while (many < 1000 && !add((snprintf(name, sizeof name, "m%d", many), name), "", ""))
        many++;
    tap_is_int(many + 2, PORT_TABLE_MAX, "there is an end to their number");
    CHECK(!table.entries[PORT_TABLE_MAX].name, "and to the table");
    port_table_finish(&table);
    CHECK(table.count == 0 && !table.entries[0].name, "all is freed");
    return tap_done();
}
