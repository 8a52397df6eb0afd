/* Where modules are (CONFIG): $TROUPE_MODULE_PATH, then beside the running program. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_there(const char *file, char *out)
{
    char real[PATH_MAX];

    if (access(file, F_OK) < 0 || !realpath(file, real))
        return false;
    strcpy(out, real);
    return true;
}

/* The folder above that of the running program, into out (PATH_MAX). */
static void folder_above(char *out)
{
    ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);

    if (length < 0)
        length = 0;
    out[length] = '\0';
    for (int i = 0; i < 2 && length > 0; i++) {
        while (length > 0 && out[--length] != '/')
            ;
        out[length] = '\0';
    }
}

/* All folders, joined by colons, in the order in which they are looked through. */
static void module_folders(char *out, size_t size)
{
    const char *path = getenv("TROUPE_MODULE_PATH");
    char own[PATH_MAX];

    folder_above(own);
    snprintf(out, size, "%s%s%s/workers:%s/lib/troupe/workers", path ? path : "",
             path && *path ? ":" : "", own, own);
}

int config_module_path(const char *module, const char *cwd, char *out)
{
    char folders[PATH_MAX * 3], file[PATH_MAX * 2];
    char *rest = folders, *folder;

    if (strchr(module, '/')) {
        snprintf(file, sizeof file, "%s%s%s", *module == '/' ? "" : cwd, *module == '/' ? "" : "/",
                 module);
        if (is_there(file, out))
            return 0;
        snprintf(out, PATH_MAX, "%.*s", PATH_MAX - 1, file);
        errno = ENOENT;
        return -1;
    }
    module_folders(folders, sizeof folders);
    while ((folder = strsep(&rest, ":"))) {
        snprintf(file, sizeof file, "%s/%s.so", *folder ? folder : ".", module);
        if (is_there(file, out))
            return 0;
    }
    module_folders(folders, sizeof folders);
    snprintf(out, PATH_MAX, "%.*s", PATH_MAX - 1, folders);
    errno = ENOENT;
    return -1;
}
