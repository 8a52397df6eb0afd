/* Directories that a node makes and takes away again, and small files of /proc and its like. */
#ifndef TROUPE_FILES_H
#define TROUPE_FILES_H

#include <stdbool.h>
#include <sys/types.h>

/* A small file whole, NUL-terminated, cut at size - 1; its length, or -1 with errno. */
ssize_t read_small_file(const char *path, char *out, size_t size);

/* run_dir/path with all that is missing above it, mode 0711. 0, or -1 with errno. */
int make_directory(const char *run_dir, const char *path);
/* A directory and everything in it, never leaving it through a symbolic link. A name in keep
 * (NULL: none) at its top stays, and with it the directory. 0, or -1 with errno. */
int empty_directory(const char *path, const char *keep);
/* Removes from a directory whatever keep() does not want to keep. 0, or -1 with errno. */
int keep_in_directory(const char *path, bool (*keep)(const char *name, void *ctx), void *ctx);
int remove_directory(const char *path);
/* False, too, when it cannot be read. */
bool directory_is_empty(const char *path);
/* Removes every socket in a directory and below it; the rest stays. */
void remove_sockets(const char *path);

#endif
