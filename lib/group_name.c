#include "group_name.h"

#include <string.h>

int group_name_parse(const char *text, struct group_name *name, const char **why)
{
    const char *colon = strchr(text, ':'), *group = colon ? colon + 1 : text;
    const char *scope = colon ? text : GROUP_SCOPE;
    size_t length = colon ? (size_t)(colon - text) : strlen(GROUP_SCOPE);

    if (!addr_is_part(scope, length)) {
        *why = "a scope of letters, digits, _ . - (at most 64, no leading dot) before the colon";
        return -1;
    }
    if (!addr_is_path(group) || strlen(group) > GROUP_NAME_MAX) {
        *why = "a name of a group: names joined by / (at most 200 characters), perhaps SCOPE: "
               "before it";
        return -1;
    }
    memcpy(name->scope, scope, length);
    name->scope[length] = '\0';
    strcpy(name->group, group);
    return 0;
}
