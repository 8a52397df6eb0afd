#include "rights.h"

const char *const rights_words[] = {"look", "send", "control", NULL};

unsigned rights_of(const struct rights *rights, uid_t uid, gid_t gid)
{
    unsigned bits = 0;

    if (uid == 0 || uid == rights->node_uid)
        return RIGHT_ALL;
    for (size_t i = 0; i < rights->send_count; i++) {
        if (rights->send_uids[i] == uid)
            bits |= RIGHT_SEND;
    }
    if (rights->has_group && gid == rights->group)
        bits |= rights->group_rights;
    return bits;
}
