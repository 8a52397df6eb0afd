#include "module_exec.h"

#include "module.h"
#include "slots.h"
#include "title.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The last state stands in an anonymous file, at the first free descriptor. */
static int put_last_state(const struct troupe_boot *boot)
{
    int fd;

    if (!boot->last_state_size)
        return 0;
    fd = memfd_create("troupe-last-state", 0);
    if (fd < 0)
        return -1;
    return write(fd, boot->last_state, boot->last_state_size) == (ssize_t)boot->last_state_size
               ? fd
               : -1;
}

static char *uids_text(const struct troupe_boot *boot)
{
    char *text = calloc(boot->uid_count + 1, 12), *at = text;

    for (size_t i = 0; text && i < boot->uid_count; i++)
        at += sprintf(at, "%s%u", i ? "," : "", boot->uids[i]);
    return text;
}

void module_exec(const char *program, const char *file, const struct troupe_boot *boot)
{
    char numbers[200], *uids = uids_text(boot), **argv;
    int state = put_last_state(boot);
    size_t n = 0;

    while (boot->args[n])
        n++;
    argv = calloc(n + 6, sizeof *argv);
    if (!argv || !uids || state < 0)
        return;
    snprintf(numbers, sizeof numbers, "%" PRIu64 ",%zu,%zu,%d,%d,%d,%d,%zu,%d,%" PRId64 ",%u", boot->stats_offset,
             boot->mailbox_messages, boot->mailbox_bytes, boot->raw_off, boot->raw_bytes,
             boot->mailbox_fd, state, boot->last_state_size, boot->is_of_service,
             boot->idle_ms, boot->node_uid);
    argv[0] = (char *)"troupe-supervisord";
    argv[1] = (char *)"--module";
    argv[2] = (char *)file;
    argv[3] = numbers;
    argv[4] = uids;
    for (size_t i = 0; i < n; i++)
        argv[5 + i] = (char *)boot->args[i];
    execv(program, argv);
}

static size_t read_uids(char *text, uint32_t **uids)
{
    size_t n = 0;

    *uids = calloc(strlen(text) / 2 + 1, sizeof **uids);
    for (char *at = strtok(text, ","); at && *uids; at = strtok(NULL, ","))
        (*uids)[n++] = (uint32_t)strtoul(at, NULL, 10);
    return n;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

static int fill(struct troupe_boot *boot, char **argv)
{
    int raw_off, raw_bytes, state, is_of_service;
    uint32_t *uids;

    *boot = (struct troupe_boot){
        .abi = TROUPE_BOOT_ABI,
        .path = environment("TROUPE_PATH"),
        .node = environment("TROUPE_NODE"),
        .run_dir = environment("TROUPE_RUN"),
        .incarnation = strtoull(environment("TROUPE_INCARNATION"), NULL, 10),
        .replica = (unsigned)strtoul(environment("TROUPE_REPLICA"), NULL, 10),
        .control_fd = BOOT_FD_CONTROL,
        .args = (const char *const *)argv + 3,
    };
    if (sscanf(argv[1], "%" SCNu64 ",%zu,%zu,%d,%d,%d,%d,%zu,%d,%" SCNd64 ",%u", &boot->stats_offset,
               &boot->mailbox_messages, &boot->mailbox_bytes, &raw_off, &raw_bytes,
               &boot->mailbox_fd, &state, &boot->last_state_size, &is_of_service,
               &boot->idle_ms, &boot->node_uid) != 11)
        return -1;
    boot->is_of_service = is_of_service;
    boot->raw_off = raw_off;
    boot->raw_bytes = raw_bytes;
    boot->stats_fd = boot->mailbox_fd >= 0 ? BOOT_FD_STATS : -1;
    boot->uid_count = read_uids(argv[2], &uids);
    boot->uids = uids;
    if (boot->last_state_size) {
        void *bytes = malloc(boot->last_state_size);

        if (!bytes || pread(state, bytes, boot->last_state_size, 0) != (ssize_t)boot->last_state_size)
            return -1;
        boot->last_state = bytes;
        close(state);
    }
    return 0;
}

static void let_go(const struct troupe_boot *boot)
{
    free((void *)boot->uids);
    free((void *)boot->last_state);
}

int module_exec_main(int argc, char **argv)
{
    const struct module_actor *actor;
    struct troupe_boot boot;
    struct error err;
    int status;

    if (argc < 3 || fill(&boot, argv) < 0) {
        fputs("troupe-supervisord: --module is for its own use\n", stderr);
        return 2;
    }
    actor = module_open(argv[0], &err);
    if (!actor) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    title_set("troupe: %s", boot.path);
    status = actor->run(actor, &boot);
    let_go(&boot);
    return status;
}
