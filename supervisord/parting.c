#include "parting.h"

#include "environment.h"
#include "nest.h"

#include <string.h>

/* False: no room. */
static bool keep(const void **what, size_t size)
{
    if (*what)
        *what = environment_keep(*what, size);
    return *what || size == 0;
}

static bool keep_text(const char **text)
{
    return !*text || keep((const void **)text, strlen(*text) + 1);
}

static bool keep_args(struct troupe_boot *boot)
{
    size_t n = 0;
    const char **args;

    while (boot->args && boot->args[n])
        n++;
    if (!boot->args)
        return true;
    args = environment_keep(boot->args, (n + 1) * sizeof *args);
    boot->args = args;
    for (size_t i = 0; args && i < n; i++)
        if (!keep_text(&args[i]))
            return false;
    return args != NULL;
}

static bool keep_blocks(struct troupe_boot *boot)
{
    return (!boot->last_state || keep(&boot->last_state, boot->last_state_size)) &&
           (!boot->uids || keep((const void **)&boot->uids, boot->uid_count * sizeof *boot->uids));
}

void parting_take_leave(struct troupe_boot *boot)
{
    struct troupe_boot kept = *boot;

    if (environment_borrows() || !keep_text(&kept.path) || !keep_text(&kept.node) ||
        !keep_text(&kept.run_dir) || !keep_args(&kept) || !keep_blocks(&kept))
        return;
    *boot = kept;
    nest_leave();
}
