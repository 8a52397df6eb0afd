/* Lineage: what a forked process has of its ancestors becomes its own, and is as it was. */
#include "../../supervisord/lineage.h"
#include "tap.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LEAVES = 0 };
#else
enum { LEAVES = 1 };
#endif

enum { PAGES = 64, PAGE = 4096, WRITTEN = 5, LINE = PATH_MAX + 128 };

static char data[3 * PAGE] = "data";
static char zeroes[3 * PAGE];
static const char *const texts[] = {"what", "the", "linker", "binds"};
static uint8_t *pages; /* every WRITTENth is written */

/* ---- what /proc/self/smaps says ------------------------------------------------------------- */

struct account {
    size_t mappings;  /* private and readable ones */
    size_t shared_kb; /* written, and shared with ancestors; but for the stack */
    size_t pages_kb;  /* of `pages`, that take memory */
};

enum kind { COMMON, STACK, PAGES_OF_OURS, PRIVATE };

/* False: the line tells of the mapping before. */
static bool read_mapping(const char *line, enum kind *kind, struct account *account)
{
    unsigned long begin, end;
    char rights[5];

    if (sscanf(line, "%lx-%lx %4s", &begin, &end, rights) != 3)
        return false;
    *kind = rights[3] == 's' ? COMMON : strstr(line, "[stack]") ? STACK : PRIVATE;
    if (begin == (unsigned long)(uintptr_t)pages)
        *kind = PAGES_OF_OURS;
    account->mappings += rights[0] == 'r' && rights[3] == 'p';
    return true;
}

static struct account take_account(void)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    struct account account = {0};
    enum kind kind = COMMON;
    char line[LINE];
    size_t kb, dirty_kb = 0;

    while (file && fgets(line, sizeof line, file)) {
        if (read_mapping(line, &kind, &account))
            continue;
        if (sscanf(line, "Shared_Dirty: %zu", &kb) == 1)
            dirty_kb = kb;
        /* A file of which this process has no page of its own may be dirty, too. */
        if (sscanf(line, "Anonymous: %zu", &kb) == 1 && kb && kind >= PAGES_OF_OURS)
            account.shared_kb += dirty_kb;
        if (sscanf(line, "Rss: %zu", &kb) == 1 && kind == PAGES_OF_OURS)
            account.pages_kb += kb;
    }
    if (file)
        fclose(file);
    return account;
}

/* The rights of each address, whatever its mapping: "7f8182279000 r-xp, 7f81822b8000 r--p, …". */
static void list_rights(char *out, size_t size)
{
    FILE *file = fopen("/proc/self/maps", "re");
    unsigned long begin, end, last = 0;
    char line[LINE], rights[5], held[5] = "";

    *out = '\0';
    while (file && fgets(line, sizeof line, file)) {
        size_t length = strlen(out);

        if (sscanf(line, "%lx-%lx %4s", &begin, &end, rights) != 3 || strstr(line, "["))
            continue;
        if (begin != last || strcmp(held, rights) != 0)
            snprintf(out + length, size - length, "%lx %s, ", begin, rights);
        last = end;
        strcpy(held, rights);
    }
    if (file)
        fclose(file);
}

/* ---- a grandchild --------------------------------------------------------------------------- */

static int has_all(char *kept)
{
    int right = !strcmp(data, "data") && !strcmp(data + 2 * PAGE, "end of data") &&
                !strcmp(zeroes + PAGE, "written") && !*zeroes && !strcmp(kept, "kept") &&
                !strcmp(texts[3], "binds");

    for (int i = 0; i < PAGES; i++)
        right &= pages[i * PAGE] == (i % WRITTEN ? 0 : i + 1);
    return right;
}

static void fill(void)
{
    strcpy(data + 2 * PAGE, "end of data");
    strcpy(zeroes + PAGE, "written");
    for (int i = 0; i < PAGES; i += WRITTEN)
        pages[i * PAGE] = (uint8_t)(i + 1);
}

static void write_all(char *kept)
{
    memset(data, 1, sizeof data);
    memset(zeroes, 2, sizeof zeroes);
    memset(pages, 3, (size_t)PAGES * PAGE);
    strcpy(kept, "lost");
}

/* What it writes is its own, and the parent's stays. */
static void test_apart(char *kept)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        lineage_leave();
        write_all(kept);
        _exit(has_all(kept));
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it can be written");
    CHECK(has_all(kept), "and the parent's is as before");
}

static void test_grandchild(char *kept)
{
    static char before[32768], after[32768];
    struct account old = take_account(), new;

    list_rights(before, sizeof before);
    lineage_leave();
    list_rights(after, sizeof after);
    new = take_account();
    CHECK(*before && !strcmp(before, after), "all addresses may be used as before");
    CHECK(old.shared_kb > 0, "%zu kB were shared with ancestors", old.shared_kb);
    CHECK(LEAVES ? new.shared_kb == 0 : new.shared_kb > 0, "and %zu kB are now", new.shared_kb);
    CHECK(new.mappings <= old.mappings, "in %zu mappings instead of %zu", new.mappings,
          old.mappings);
    CHECK(old.pages_kb && new.pages_kb == old.pages_kb, "what nobody has written takes no memory");
    CHECK(has_all(kept), "all that was inherited is as it was");
    test_apart(kept);
}

/* Returns how it went. */
static int in_child(int (*test)(char *kept), char *kept)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0)
        exit(test(kept));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int be_grandchild(char *kept)
{
    test_grandchild(kept);
    return tap_done();
}

static int be_child(char *kept)
{
    return in_child(be_grandchild, kept);
}

/* Between pages that nobody may touch, so that it stays a mapping by itself. */
static uint8_t *map_apart(size_t size)
{
    uint8_t *at = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED || mprotect(at + PAGE, size, PROT_READ | PROT_WRITE) < 0)
        return NULL;
    return at + PAGE;
}

int main(void)
{
    char *kept = strdup("kept");
    int result;

    pages = map_apart((size_t)PAGES * PAGE);
    if (!kept || !pages)
        return 1;
    fill();
    result = in_child(be_child, kept);
    free(kept);
    return result;
}
