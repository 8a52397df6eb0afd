/* The names of groups that people write. */
#include "group_name.h"
#include "tap.h"

#include <string.h>

static bool parses(const char *text, const char *scope, const char *group)
{
    struct group_name name;
    const char *why;

    return group_name_parse(text, &name, &why) == 0 && !strcmp(name.scope, scope) &&
           !strcmp(name.group, group);
}

static bool fails(const char *text, const char *word)
{
    struct group_name name;
    const char *why = "";

    return group_name_parse(text, &name, &why) < 0 && strstr(why, word);
}

int main(void)
{
    char longest[GROUP_NAME_MAX + 2];

    memset(longest, 'a', sizeof longest);
    longest[0] = longest[64] = longest[128] = longest[192] = '/';
    longest[0] = 'a';
    longest[63] = '/', longest[64] = 'a', longest[127] = '/', longest[128] = 'a',
    longest[191] = '/', longest[192] = 'a';
    longest[GROUP_NAME_MAX] = '\0';
    CHECK(parses("pages", "pg", "pages"), "a group of the default scope");
    CHECK(parses("rooms/42", "pg", "rooms/42"), "a group's name has the form of a path");
    CHECK(parses("chat:rooms/42", "chat", "rooms/42"), "a scope may stand before it");
    CHECK(parses(longest, "pg", longest), "200 characters are a name");
    strcpy(longest + GROUP_NAME_MAX, "b");
    CHECK(fails(longest, "200"), "201 are not");
    CHECK(fails(":pages", "scope"), "an empty scope is refused");
    CHECK(fails("a/b:pages", "scope"), "a scope is one part");
    CHECK(fails("chat:", "group"), "an empty group is refused");
    CHECK(fails("", "group"), "an empty text is refused");
    CHECK(fails("a:b:c", "group"), "a second colon is refused");
    CHECK(fails("a b", "group"), "a space is refused");
    return tap_done();
}
