/*
 * The config reader against tests/config: each FILE.yaml, and each folder of files that are read
 * together, with the messages in FILE.err. good-… must be accepted, bad-… refused, warn-… accepted
 * with a warning. `CONFIG_TEST_WRITE=1 config_test` writes the messages anew, for a person to read.
 */
#include "../../supervisord/config.h"
#include "../../supervisord/config_expand.h"
#include "../../supervisord/elf_symbols.h"
#include "reason.h"
#include "tap.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CASES "tests/config"

static char scratch[] = "/tmp/troupe-config-XXXXXX";
static char *environment[] = {"PATH=/usr/bin:/bin", "TEST_WORD=word",
                              "TEST_EMPTY=", "TEST_TRICK=${replica}", NULL};
static const struct config_context context = {.environment = environment};
static const char *const existing[] = {"old", NULL};

/* ---- small help ------------------------------------------------------------------------- */

static char *path_in(const char *folder, const char *name)
{
    static char path[PATH_MAX * 2];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "w");

    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);

    if (file && text)
        text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
    if (file)
        fclose(file);
    return text;
}

/* The messages as a text, with what differs from machine to machine replaced. */
static char *text_of(struct buf *messages)
{
    char *text = calloc(1, buf_length(messages) * 4 + 1), *out = text;
    const char *from;
    char here[PATH_MAX], program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    if (!text || !getcwd(here, sizeof here) || length < 0)
        abort();
    program[length] = '\0';
    *strrchr(program, '/') = '\0';
    *strrchr(program, '/') = '\0';
    buf_append(messages, "", 1);
    for (from = (char *)buf_front(messages); *from;) {
        if (strncmp(from, scratch, strlen(scratch)) == 0) {
            out = stpcpy(out, "@SCRATCH@");
            from += strlen(scratch);
        } else if (strncmp(from, program, strlen(program)) == 0) {
            out = stpcpy(out, "@PROGRAM@");
            from += strlen(program);
        } else if (strncmp(from, here, strlen(here)) == 0) {
            out = stpcpy(out, "@HERE@");
            from += strlen(here);
        } else {
            *out++ = *from++;
        }
    }
    buf_finish(messages);
    return text;
}

/* The smallest shared object that has a table of one dynamic symbol. */
static void write_module(const char *path, const char *symbol)
{
    struct {
        ElfW(Ehdr) header;
        ElfW(Shdr) sections[3];
        ElfW(Sym) symbols[2];
        char texts[64];
    } elf = {0};
    static const uint16_t one = 1;
    char *self = read_file("/proc/self/exe");

    memcpy(elf.header.e_ident, ELFMAG, SELFMAG);
    elf.header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    elf.header.e_ident[EI_DATA] = *(const char *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    elf.header.e_machine = ((ElfW(Ehdr) *)self)->e_machine;
    elf.header.e_type = ET_DYN;
    elf.header.e_shentsize = sizeof(ElfW(Shdr));
    elf.header.e_shnum = 3;
    elf.header.e_shoff = (size_t)((char *)elf.sections - (char *)&elf);
    elf.sections[1].sh_type = SHT_DYNSYM;
    elf.sections[1].sh_offset = (size_t)((char *)elf.symbols - (char *)&elf);
    elf.sections[1].sh_size = sizeof elf.symbols;
    elf.sections[1].sh_link = 2;
    elf.sections[2].sh_type = SHT_STRTAB;
    elf.sections[2].sh_offset = (size_t)(elf.texts - (char *)&elf);
    elf.sections[2].sh_size = sizeof elf.texts;
    snprintf(elf.texts + 1, sizeof elf.texts - 1, "%s", symbol);
    elf.symbols[1].st_name = 1;
    elf.symbols[1].st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
    elf.symbols[1].st_shndx = 1;
    write_file(path, &elf, sizeof elf);
    free(self);
}

/* ---- the cases in files ------------------------------------------------------------------- */

static int is_yaml(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 5 && strcmp(entry->d_name + length - 5, ".yaml") == 0;
}

static size_t list_files(const char *path, char *files[16])
{
    struct dirent **entries;
    struct stat st;
    int n;

    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        files[0] = strdup(path);
        return 1;
    }
    n = scandir(path, &entries, is_yaml, alphasort);
    for (int i = 0; i < n; i++) {
        files[i] = strdup(path_in(path, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return (size_t)n;
}

static void check_case(const char *name)
{
    char path[PATH_MAX], wanted_at[PATH_MAX], *files[16], *got, *wanted;
    struct buf messages = {0};
    struct spec_tree tree;
    size_t count;
    int result;

    snprintf(path, sizeof path, "%s/%s", CASES, name);
    snprintf(wanted_at, sizeof wanted_at, "%s/%.*s.err", CASES, (int)strcspn(name, "."), name);
    count = list_files(path, files);
    result = config_read(files, count, &context, existing, &tree, &messages);
    got = text_of(&messages);
    if (getenv("CONFIG_TEST_WRITE") && *got)
        write_file(wanted_at, got, strlen(got));
    wanted = read_file(wanted_at);
    tap_is_int(result, strncmp(name, "bad", 3) == 0 ? -1 : 0, name);
    tap_is_text(got, wanted, path);
    if (strncmp(name, "good", 4) == 0)
        CHECK(!*got, "%s gives no messages", name);
    if (result == 0)
        spec_tree_finish(&tree);
    for (size_t i = 0; i < count; i++)
        free(files[i]);
    free(got);
    free(wanted);
}

static int is_case(const struct dirent *entry)
{
    const char *name = entry->d_name;

    return (is_yaml(entry) || !strchr(name, '.')) &&
           (strncmp(name, "bad-", 4) == 0 || strncmp(name, "good-", 5) == 0 ||
            strncmp(name, "warn-", 5) == 0);
}

static void check_cases(void)
{
    struct dirent **entries;
    int n = scandir(CASES, &entries, is_case, alphasort);

    CHECK(n >= 60, "there are %d cases in files", n);
    for (int i = 0; i < n; i++) {
        check_case(entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* ---- what is read ---------------------------------------------------------------------------- */

static int read_text(const char *text, struct spec_tree *tree, struct buf *messages)
{
    return config_read_text(text, strlen(text), "text", "/tmp", &context, existing, tree, messages);
}

static struct spec *child_of(const struct spec_tree *tree, size_t i)
{
    return &tree->applications[0].root.supervisor->children[i];
}

static void check_everything(void)
{
    static const char text[] =
        "troupe: 1\napplication: shop\nrestart: transient\ndepends_on: old\n"
        "supervisor:\n  strategy: rest_for_one\n  intensity: 7\n  period: 90s\n"
        "  auto_shutdown: all_significant\n  max_children: 12\n  children:\n"
        "    - name: a\n      exec: [sleep, 1, \"\"]\n      description: some words\n"
        "      restart: transient\n      shutdown: 250ms\n      significant: true\n"
        "      stop_signal: INT\n      ready: {tcp: \"[::1]:80\"}\n      start_timeout: 2m\n"
        "      watchdog: 1h\n"
        "      backoff: {initial: 1s, factor: 1.5, max: 8s, jitter: 0.25, reset_after: 1m}\n"
        "      groups: [g, h]\n      cwd: /\n      env: {A: b, C: \"\"}\n      stdin: file\n"
        "      stderr: separate\n      mailbox: {messages: 5, bytes: 1M}\n      user: root\n"
        "      group: 5\n      umask: 027\n      nice: -3\n      oom_score_adj: 17\n"
        "      no_new_privs: false\n      limits: {nofile: 4096, as: 512M, core: unlimited}\n"
        "      exit_codes: {75: restart_after 30s, 78: abort}\n"
        "node: {name: east}\nlog: {files: 3, size: 1M, total: 20M, patience: 250ms}\n";
    struct buf messages = {0};
    struct spec_tree tree;
    const struct spec_supervisor *supervisor;
    const struct spec *a;

    if (!tap_is_int(read_text(text, &tree, &messages), 0, "a text with nearly every key is read"))
        return;
    supervisor = tree.applications[0].root.supervisor;
    a = child_of(&tree, 0);
    CHECK(tree.applications[0].root.restart == RESTART_TRANSIENT, "the application's restart");
    CHECK(strcmp(tree.applications[0].depends_on[0], "old") == 0, "one text stands for a list");
    CHECK(supervisor->strategy == REST_FOR_ONE && supervisor->intensity == 7 &&
              supervisor->period_ms == 90000 && supervisor->auto_shutdown == AUTO_ALL_SIGNIFICANT &&
              supervisor->max_children == 12,
          "the supervisor's keys are kept");
    CHECK(a->kind == SPEC_PROGRAM && strcmp(a->exec[2], "") == 0 && !a->exec[3], "exec");
    CHECK(a->restart == RESTART_TRANSIENT && a->shutdown_ms == 250 && a->significant, "restart");
    CHECK(a->stop_signal == SIGINT && a->start_timeout_ms == 120000 && a->watchdog_ms == 3600000,
          "stop signal, start timeout and watchdog");
    CHECK(a->ready == READY_TCP && strcmp(a->ready_host, "::1") == 0 &&
              strcmp(a->ready_port, "80") == 0,
          "ready by tcp");
    CHECK(a->backoff.initial_ms == 1000 && a->backoff.factor == 1.5 && a->backoff.max_ms == 8000 &&
              a->backoff.jitter == 0.25 && a->backoff.reset_after_ms == 60000,
          "backoff");
    CHECK(strcmp(a->groups[1], "h") == 0 && !a->groups[2] && !a->link[0], "groups and no links");
    CHECK(strcmp(a->cwd, "/") == 0 && strcmp(a->stdin_path, "/tmp/file") == 0 && a->stderr_separate,
          "cwd, stdin and stderr");
    CHECK(strcmp(a->env[0], "A=b") == 0 && strcmp(a->env[1], "C=") == 0 && !a->env[2], "env");
    CHECK(a->has_mailbox && a->mailbox_messages == 5 && a->mailbox_bytes == 1 << 20, "mailbox");
    CHECK(a->has_uid && a->uid == 0 && a->gid == 5, "user and group");
    CHECK(a->umask == 027 && a->has_nice && a->nice == -3 && a->has_oom && a->oom_score_adj == 17 &&
              !a->no_new_privs,
          "umask, nice, oom_score_adj and no_new_privs");
    CHECK(a->limit_count == 3 && a->limits[0].resource == RLIMIT_NOFILE &&
              a->limits[1].value == 512 << 20 && a->limits[2].value == RLIM_INFINITY,
          "limits");
    CHECK(a->exit_code_count == 2 && a->exit_codes[0].code == 75 &&
              a->exit_codes[0].need == NEED_RESTART_AFTER && a->exit_codes[0].delay_ms == 30000 &&
              a->exit_codes[1].need == NEED_ABORT,
          "exit codes");
    CHECK(a->at.line == 12 && a->at.column == 7 && strcmp(a->at.file, "text") == 0, "its place");
    CHECK(tree.node.given && strcmp(tree.node.name, "east") == 0, "the node's name");
    CHECK(tree.log_given && tree.log.files == 3 && tree.log.size_bytes == 1 << 20 &&
              tree.log.total_bytes == 20 << 20 && tree.log.patience_ms == 250,
          "the log's keys");
    spec_tree_finish(&tree);
    buf_finish(&messages);
}

static void check_defaults(void)
{
    static const char text[] =
        "troupe: 1\napplication: shop\nsupervisor:\n  children:\n"
        "    - {name: program, exec: [sleep, 1]}\n    - {name: module, module: counter}\n"
        "    - {name: supervisor, supervisor: {}}\n";
    struct buf messages = {0};
    struct spec_tree tree;
    const struct spec *root, *program, *module, *supervisor;

    if (!tap_is_int(read_text(text, &tree, &messages), 0, "a text with few keys is read"))
        return;
    root = &tree.applications[0].root;
    program = child_of(&tree, 0);
    module = child_of(&tree, 1);
    supervisor = child_of(&tree, 2);
    CHECK(root->restart == RESTART_TEMPORARY && root->supervisor->strategy == ONE_FOR_ONE &&
              root->supervisor->intensity == 3 && root->supervisor->period_ms == 5000 &&
              root->supervisor->max_children == 1000 &&
              root->supervisor->auto_shutdown == AUTO_NEVER && !tree.applications[0].depends_on[0],
          "S13: a supervisor is one_for_one, 3 in 5s; an application is temporary");
    CHECK(program->restart == RESTART_PERMANENT && program->shutdown_ms == 5000 &&
              !program->significant && program->ready == READY_DEFAULT &&
              program->start_timeout_ms == 30000 && program->stop_signal == SIGTERM &&
              !program->watchdog_ms && !program->backoff.initial_ms,
          "S13: a child is permanent and has 5s to end");
    CHECK(!program->has_mailbox && module->has_mailbox && module->mailbox_messages == 10000 &&
              module->mailbox_bytes == 8 << 20,
          "a module has a mailbox, a program has none");
    CHECK(program->umask == -1 && !program->has_nice && !program->has_oom && !program->has_uid &&
              program->no_new_privs && !program->stdin_path && strcmp(program->cwd, "/tmp") == 0,
          "what is not said of a process is inherited");
    CHECK(supervisor->shutdown_ms == SHUTDOWN_INFINITY &&
              supervisor->restart == RESTART_PERMANENT && !supervisor->supervisor->child_count,
          "S13: a supervisor has as long to end as it takes");
    CHECK(!tree.log_given && tree.log.files == 10 && tree.log.size_bytes == 10 << 20 &&
              tree.log.total_bytes == 1 << 30 && tree.log.patience_ms == 1000,
          "the log has defaults when nothing is said of it");
    spec_tree_finish(&tree);
    buf_finish(&messages);
}

static void check_replicas(void)
{
    static const char text[] =
        "troupe: 1\napplication: shop\nsupervisor:\n  children:\n"
        "    - {name: first, exec: [sleep, 1]}\n"
        "    - name: farm\n      replicas: 3\n      exec: [sleep, \"${replica}\", "
        "\"${TEST_TRICK}\"]\n"
        "      groups: [\"g${replica}\"]\n      link: [shop/first]\n"
        "    - name: deep\n      replicas: 2\n      supervisor:\n        children:\n"
        "          - {name: in, replicas: 2, exec: [sleep, \"${replica}\"]}\n"
        "    - {name: m, replicas: 2, module: counter, args: {start: \"${replica}\"}}\n";
    struct buf messages = {0};
    struct spec_tree tree;
    const struct spec *third, *deep;
    char *text_at_spawn;

    if (!tap_is_int(read_text(text, &tree, &messages), 0, "a text with replicas is read"))
        return;
    CHECK(tree.applications[0].root.supervisor->child_count == 8, "replicas are spread out");
    third = child_of(&tree, 3);
    CHECK(strcmp(third->name, "farm.3") == 0 && third->replica == 3 && third->replicas == 3,
          "a replica knows its number");
    tap_is_text(third->groups[0], "g3", "${replica} is expanded where nobody else does it");
    text_at_spawn = spec_expand_replica(third->exec[1], third->replica);
    tap_is_text(text_at_spawn, "3", "${replica} in exec is expanded at the spawn");
    free(text_at_spawn);
    text_at_spawn = spec_expand_replica(third->exec[2], third->replica);
    tap_is_text(text_at_spawn, "${replica}", "what a variable holds is not expanded again");
    free(text_at_spawn);
    tap_is_text(child_of(&tree, 7)->args[1], "2", "a module's arguments know the number too");
    deep = child_of(&tree, 5);
    CHECK(strcmp(deep->name, "deep.2") == 0 && deep->supervisor->child_count == 2 &&
              strcmp(deep->supervisor->children[1].name, "in.2") == 0,
          "replicas of supervisors have replicas of their own");
    spec_tree_finish(&tree);
    buf_finish(&messages);
}

static void check_env_file(void)
{
    char *files[] = {CASES "/good-env-file.yaml"}, *value;
    struct buf messages = {0};
    struct spec_tree tree;
    char **env;

    if (!tap_is_int(config_read(files, 1, &context, NULL, &tree, &messages), 0,
                    "a file with an env_file is read"))
        return;
    env = child_of(&tree, 0)->env;
    tap_is_text(env[0], "A=one two", "a line of an env_file is taken as it stands");
    tap_is_text(env[1], "B=over it", "env goes over env_file");
    value = spec_expand_replica(env[2], 1);
    tap_is_text(value, "C=${replica} $HOME", "nothing is expanded in an env_file");
    free(value);
    CHECK(tree.applications[0].file[0] == '/', "the application knows its file");
    spec_tree_finish(&tree);
    buf_finish(&messages);
}

/* ---- files that are none ------------------------------------------------------------------- */

static void check_refusal(const char *file, const char *wanted, const char *sentence)
{
    char *files[] = {(char *)file}, *got;
    struct buf messages = {0};
    struct spec_tree tree;

    CHECK(config_read(files, 1, &context, NULL, &tree, &messages) < 0, "%s is refused", sentence);
    got = text_of(&messages);
    tap_is_text(got, wanted, sentence);
    free(got);
}

static void check_files(void)
{
    char path[PATH_MAX];
    int fd;

    snprintf(path, sizeof path, "%s/missing.yaml", scratch);
    check_refusal(path,
                  "@SCRATCH@/missing.yaml: No such file or directory: expected a config file\n",
                  "a missing file");
    check_refusal(scratch, "@SCRATCH@: a folder: expected a config file\n", "a folder");
    check_refusal("/dev/null", "/dev/null: neither a file nor a pipe: expected a config file\n",
                  "a device");
    snprintf(path, sizeof path, "%s/huge.yaml", scratch);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 17 << 20) == 0, "there is a huge file");
    close(fd);
    check_refusal(path, "@SCRATCH@/huge.yaml: larger than 16 MiB: expected a config file\n",
                  "a huge file");
    unlink(path);
}

/* ---- children that are added ------------------------------------------------------------------
 */

static int add(const char *text, struct spec *child, char **got)
{
    static const struct spec_supervisor supervisor = {
        .intensity = 3, .period_ms = 5000, .max_children = 10};
    struct buf messages = {0};
    int result = config_read_child(text, strlen(text), "spec", "/tmp", "shop/web", &supervisor,
                                   &context, child, &messages);

    *got = text_of(&messages);
    return result;
}

static void check_added(void)
{
    struct spec child;
    char *got;

    CHECK(add("{name: one, exec: [sleep, 1], link: [shop/db]}", &child, &got) == 0,
          "one child is read from text");
    tap_is_text(child.name, "one", "an added child has its name");
    tap_is_text(child.cwd, "/tmp", "an added child runs where it was added from");
    spec_finish(&child);
    free(got);
    CHECK(add("{exec: [sleep, 1], restart: x}", &child, &got) < 0, "a bad child is refused");
    tap_is_text(got,
                "spec:1:1: shop/web: name: missing: expected a name of letters, digits, _ . - (at "
                "most 64, no leading dot)\n"
                "spec:1:20: shop/web: restart: \"x\": expected permanent, transient or temporary\n",
                "with all of its errors");
    free(got);
    CHECK(add("{name: one, replicas: 2, significant: true, exec: [sleep, 1], link: [shop/web/one, "
              "shop]}",
              &child, &got) < 0,
          "rules hold for an added child too");
    tap_is_text(got,
                "spec:1:1: shop/web/one: replicas: expected only in a config file\n"
                "spec:1:1: shop/web/one: link: \"shop/web/one\": the child itself: expected "
                "another\n"
                "spec:1:1: shop/web/one: link: \"shop\": a supervisor above it: expected an actor "
                "that is not\n"
                "spec:1:26: shop/web/one: significant: true: expected false, or auto_shutdown: "
                "any_significant or all_significant at its supervisor\n"
                "spec:1:26: shop/web/one: significant: true: expected false, or restart: transient "
                "or temporary (a permanent child never ends for good)\n",
                "and are said of its path");
    free(got);
}

static void check_template(void)
{
    char *program_words[] = {"a b", "${replica}"}, *module_words[] = {"start=5", "new=x=y"};
    char *bad_words[] = {"word"};
    struct buf messages = {0};
    struct spec_tree tree;
    struct spec child;
    char *text;

    if (!tap_is_int(read_text("troupe: 1\napplication: shop\nsupervisor:\n  children:\n"
                              "    - {name: p, supervisor: {template: {exec: [sleep, 1]}}}\n"
                              "    - {name: m, supervisor: {template: {module: counter, args: "
                              "{start: 1}}}}\n"
                              "    - {name: s, supervisor: {template: {supervisor: {}}}}\n",
                              &tree, &messages),
                    0, "a text with templates is read"))
        return;
    CHECK(!child_of(&tree, 0)->supervisor->template->name, "a template has no name");
    CHECK(config_from_template(child_of(&tree, 0)->supervisor->template, "7", program_words, 2,
                               &child, &messages) == 0,
          "a child is made of a template");
    tap_is_text(child.name, "7", "the child has the name that it was given");
    tap_is_text(child.exec[2], "a b", "words are further arguments of a program");
    text = spec_expand_replica(child.exec[3], 0);
    tap_is_text(text, "${replica}", "and nothing is expanded in them");
    free(text);
    spec_finish(&child);
    CHECK(config_from_template(child_of(&tree, 1)->supervisor->template, "8", module_words, 2,
                               &child, &messages) == 0,
          "a module is made of a template");
    CHECK(strcmp(child.args[1], "5") == 0 && strcmp(child.args[2], "new") == 0 &&
              strcmp(child.args[3], "x=y") == 0 && !child.args[4],
          "words are arguments of a module by name, in place of the template's");
    spec_finish(&child);
    CHECK(config_from_template(child_of(&tree, 1)->supervisor->template, "9", bad_words, 1, &child,
                               &messages) < 0 &&
              config_from_template(child_of(&tree, 2)->supervisor->template, "9", bad_words, 1,
                                   &child, &messages) < 0 &&
              config_from_template(child_of(&tree, 0)->supervisor->template, "a/b", NULL, 0, &child,
                                   &messages) < 0,
          "what fits no template is refused");
    text = text_of(&messages);
    tap_is_text(text,
                "\"word\": not an argument of a module: expected NAME=VALUE\n"
                "\"word\": a supervisor takes no arguments: expected none\n"
                "\"a/b\": not a name: expected a name of letters, digits, _ . - (at most 64, no "
                "leading dot)\n",
                "with the reasons");
    free(text);
    spec_tree_finish(&tree);
}

static void check_copy(void)
{
    char *files[] = {CASES "/good-replicas.yaml", CASES "/good-nested.yaml"};
    struct buf messages = {0}, before = {0}, after = {0};
    struct spec_tree tree, copy = {0};
    struct spec_application application = {0};

    for (size_t i = 0; i < 2; i++) {
        if (config_read(&files[i], 1, &context, NULL, &tree, &messages) < 0 ||
            spec_copy(&tree.applications[0].root, "twin", &application.root) < 0)
            break;
        copy.application_count = 1;
        copy.applications = &application;
        application.depends_on = (char *[]){NULL};
        free(tree.applications[0].root.name);
        tree.applications[0].root.name = strdup("twin");
        config_print_tree(&tree, &before);
        spec_tree_finish(&tree);
        config_print_tree(&copy, &after);
        CHECK(buf_length(&before) == buf_length(&after) &&
                  memcmp(buf_front(&before), buf_front(&after), buf_length(&after)) == 0,
              "a copy of a tree prints the same when the tree is gone");
        spec_finish(&application.root);
    }
    buf_finish(&before);
    buf_finish(&after);
    buf_finish(&messages);
}

/* ---- what is printed ----------------------------------------------------------------------------
 */

static void check_printed(void)
{
    struct buf out = {0}, messages = {0};
    struct spec_tree tree;
    char *got, command[PATH_MAX * 2], path[PATH_MAX];

    CHECK(config_print_sample(&out) == 0, "the sample is printed");
    snprintf(path, sizeof path, "%s/sample.yaml", scratch);
    write_file(path, buf_front(&out), buf_length(&out));
    tap_is_int(config_read((char *[]){path}, 1, &context, NULL, &tree, &messages), 0,
               "the sample is itself accepted");
    got = text_of(&messages);
    tap_is_text(got, "", "without a warning");
    free(got);
    spec_tree_finish(&tree);
    buf_finish(&out);
    unlink(path);

    CHECK(config_print_manual(&out) == 0, "the manual page is printed");
    snprintf(path, sizeof path, "%s/troupe.yaml.5", scratch);
    write_file(path, buf_front(&out), buf_length(&out));
    snprintf(command, sizeof command, "mandoc -Tlint -W warning %s >&2", path);
    if (system("command -v mandoc >/dev/null") != 0)
        tap_skip("mandoc finds nothing to say of the manual page", "mandoc is not installed");
    else
        CHECK(system(command) == 0, "mandoc finds nothing to say of the manual page");
    buf_finish(&out);
    unlink(path);

    CHECK(config_print_keys(&out) == 0 && buf_append(&out, "", 1) == 0, "the keys are printed");
    CHECK(strstr((char *)buf_front(&out),
                 "child\trestart\tpermanent\tpermanent, transient or temporary\t"),
          "a line of it has section, key, default, what is expected, and help");
    buf_finish(&out);
}

/* ---- small parts ----------------------------------------------------------------------------- */

static void check_expansion(const char *text, bool for_spawn, unsigned replica, const char *wanted)
{
    struct expansion expansion = {
        .environment = environment, .for_spawn = for_spawn, .replica = replica};
    struct buf out = {0};
    char why[256];
    int result = config_expand(&expansion, text, &out, why, sizeof why);

    if (!wanted)
        CHECK(result < 0 && errno == EINVAL, "%s is refused", text);
    else
        CHECK(result == 0 && strcmp((char *)buf_front(&out), wanted) == 0, "%s becomes %s%s", text,
              wanted, for_spawn ? " for a spawn" : "");
    buf_finish(&out);
}

static void check_expansions(void)
{
    check_expansion("", false, 0, "");
    check_expansion("$", false, 0, "$");
    check_expansion("a$b$$c", false, 0, "a$b$$c");
    check_expansion("${TEST_WORD}", false, 0, "word");
    check_expansion("<${TEST_WORD}${TEST_WORD}>", false, 0, "<wordword>");
    check_expansion("${TEST_WORD:-x}", false, 0, "word");
    check_expansion("${NOT_THERE:-x y}", false, 0, "x y");
    check_expansion("${NOT_THERE:-}", false, 0, "");
    check_expansion("${TEST_EMPTY}", false, 0, "");
    check_expansion("${TEST_EMPTY:-x}", false, 0, "x");
    check_expansion("$${TEST_WORD}", false, 0, "${TEST_WORD}");
    check_expansion("$${TEST_WORD}", true, 0, "$${TEST_WORD}");
    check_expansion("${TEST_TRICK}", false, 0, "${replica}");
    check_expansion("${TEST_TRICK}", true, 0, "$${replica}");
    check_expansion("${replica}", false, 12, "12");
    check_expansion("${replica}", true, 12, "${replica}");
    check_expansion("${replica}", false, 0, NULL);
    check_expansion("${NOT_THERE}", false, 0, NULL);
    check_expansion("${", false, 0, NULL);
    check_expansion("${}", false, 0, NULL);
    check_expansion("${A-b}", false, 0, NULL);
    check_expansion("${9}", false, 0, NULL);
    check_expansion("${A:-${TEST_WORD}}", false, 0, NULL);
}

static void check_elf(void)
{
    char *bytes = read_file(path_in(scratch, "counter.so"));
    size_t whole;
    struct stat st;
    uint8_t *cut;

    CHECK(elf_exports(path_in(scratch, "counter.so"), "troupe_actor") == 1, "a symbol is found");
    CHECK(elf_exports(path_in(scratch, "nosymbol.so"), "troupe_actor") == 0, "or it is not");
    CHECK(elf_exports(path_in(scratch, "counter.so"), "troupe") == 0, "a longer one is another");
    CHECK(elf_exports(path_in(scratch, "notelf.so"), "troupe_actor") < 0 && errno == ENOEXEC,
          "what is no shared object is said to be none");
    stat(path_in(scratch, "counter.so"), &st);
    whole = (size_t)st.st_size - 64 + 1 + sizeof "troupe_actor"; /* the name's last byte */
    for (size_t size = 0; size <= (size_t)st.st_size; size++) {
        cut = malloc(size ? size : 1);
        memcpy(cut, bytes, size);
        if ((elf_bytes_export(cut, size, "troupe_actor") > 0) != (size >= whole))
            CHECK(false, "the first %zu bytes have the symbol only if it is whole", size);
        if (elf_bytes_point(cut, size, "troupe_actor", 8) > 0)
            CHECK(false, "the first %zu bytes have no table that could hold anything", size);
        free(cut);
    }
    CHECK(true, "a file that was cut off anywhere is survived");
    free(bytes);
}

int main(void)
{
    if (!mkdtemp(scratch))
        return 1;
    setenv("TROUPE_MODULE_PATH", scratch, 1);
    setenv("TROUPE_RUN", "/run/a-folder-of-forty-characters-at-least", 1);
    write_module(path_in(scratch, "counter.so"), "troupe_actor");
    write_module(path_in(scratch, "nosymbol.so"), "something_else");
    write_file(path_in(scratch, "notelf.so"),
               "a text, and long enough to be a header of an ELF "
               "file if that were all there is to it",
               80);
    check_cases();
    check_everything();
    check_defaults();
    check_replicas();
    check_env_file();
    check_files();
    check_added();
    check_template();
    check_copy();
    check_printed();
    check_expansions();
    check_elf();
    unlink(path_in(scratch, "counter.so"));
    unlink(path_in(scratch, "nosymbol.so"));
    unlink(path_in(scratch, "notelf.so"));
    rmdir(scratch);
    return tap_done();
}
