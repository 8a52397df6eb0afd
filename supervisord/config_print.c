/* What `troupe check` shows, and the table of keys as completions and as a sample. */
#include "config.h"
#include "config_keys.h"
#include "text.h"
#include "texts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tree ------------------------------------------------------------------------------ */

static void print_argument(const char *text, struct buf *out)
{
    bool is_plain = *text && !strpbrk(text, " \t\n\"'");
    const char *quote = is_plain ? "" : strchr(text, '"') && !strchr(text, '\'') ? "'" : "\"";
    char shown[256];

    text_escape(text, strlen(text), shown, sizeof shown);
    buf_printf(out, " %s%s%s", quote, shown, quote);
}

static void print_arguments(char *const *exec, struct buf *out)
{
    for (; exec && *exec; exec++)
        print_argument(*exec, out);
}

/* As the process will get them. */
static void print_exec(const struct spec *spec, struct buf *out)
{
    for (char **argument = spec->exec; argument && *argument; argument++) {
        char *text = spec_expand_replica(*argument, spec->replica);

        print_argument(text ? text : *argument, out);
        free(text);
    }
}

static void print_intensity(const struct spec_supervisor *supervisor, struct buf *out)
{
    char period[32];

    text_of_duration(supervisor->period_ms, period, sizeof period);
    if (supervisor->intensity == INTENSITY_UNLIMITED)
        buf_printf(out, ", unlimited");
    else
        buf_printf(out, ", %u in %s", supervisor->intensity, period);
}

/* Shards are nobody's business: what they make their actors of is. */
static void print_service(const struct spec_supervisor *supervisor, struct buf *out)
{
    const struct spec_service *service = supervisor->service;
    const struct spec *template =
        supervisor->template ? supervisor->template : supervisor->children[0].supervisor->template;
    char idle[32];

    buf_printf(out, " %s, at most %u", template->module, service->max);
    if (service->idle_ms)
        buf_printf(out, ", idle %s", text_of_duration(service->idle_ms, idle, sizeof idle));
    if (service->state)
        buf_printf(out, ", state");
    buf_printf(out, ", placement %s", spec_placement_text(service->placement));
}

static void print_what(const struct spec *spec, struct buf *out)
{
    buf_printf(out, "%s", spec_kind_text(spec->kind));
    if (spec->kind == SPEC_SERVICE) {
        print_service(spec->supervisor, out);
    } else if (spec->supervisor) {
        buf_printf(out, " %s", spec_strategy_text(spec->supervisor->strategy));
        print_intensity(spec->supervisor, out);
    } else if (spec->module) {
        buf_printf(out, " %s", spec->module);
    } else {
        print_exec(spec, out);
    }
}

static void print_ready(const struct spec *spec, struct buf *out)
{
    if (spec->ready == READY_NOTIFY)
        buf_printf(out, "; ready: notify");
    else if (spec->ready == READY_TCP)
        buf_printf(out, "; ready: tcp %s port %s", spec->ready_host, spec->ready_port);
    else if (spec->ready == READY_LOG)
        buf_printf(out, "; ready: log %s", spec->ready_log);
    else if (spec->ready == READY_EXEC)
        buf_printf(out, "; ready: exec");
    if (spec->ready == READY_EXEC)
        print_arguments(spec->ready_exec, out);
}

static void print_list(const char *title, char *const *texts, struct buf *out)
{
    for (size_t i = 0; texts && texts[i]; i++)
        buf_printf(out, "%s%s", i ? ", " : title, texts[i]);
}

static void print_spec(const struct spec *spec, unsigned depth, struct buf *out)
{
    int width = 24 - 2 * (int)depth;

    buf_printf(out, "%*s%-*s ", 2 * (int)depth, "", width > 1 ? width : 1,
               spec->name ? spec->name : "(template)");
    print_what(spec, out);
    if (spec->restart != RESTART_PERMANENT)
        buf_printf(out, "; %s", spec_restart_text(spec->restart));
    print_ready(spec, out);
    print_list("; link: ", spec->link, out);
    print_list("; groups: ", spec->groups, out);
    if (spec->user)
        buf_printf(out, "; user: %s", spec->user);
    buf_printf(out, "\n");
    if (spec->kind == SPEC_SERVICE)
        return;
    for (size_t i = 0; spec->supervisor && i < spec->supervisor->child_count; i++)
        print_spec(&spec->supervisor->children[i], depth + 1, out);
    if (spec->supervisor && spec->supervisor->template)
        print_spec(spec->supervisor->template, depth + 1, out);
}

/* Every printer goes on when memory runs out; whether it did shows here. */
static int done(const struct buf *out)
{
    return buf_length(out) ? 0 : -1;
}

int config_print_tree(const struct spec_tree *tree, struct buf *out)
{
    for (size_t i = 0; i < tree->application_count; i++) {
        print_spec(&tree->applications[i].root, 0, out);
        print_list("  depends_on: ", tree->applications[i].depends_on, out);
        if (*tree->applications[i].depends_on)
            buf_printf(out, "\n");
    }
    return done(out);
}

/* ---- the table ----------------------------------------------------------------------------- */

static void print_expected(const struct config_key *key, struct buf *out)
{
    if (key->expected) {
        buf_printf(out, "%s", key->expected);
        return;
    }
    for (size_t i = 0; key->choices && key->choices[i]; i++)
        buf_printf(out, "%s%s", !i ? "" : key->choices[i + 1] ? ", " : " or ", key->choices[i]);
    if (!key->choices)
        buf_printf(out, "a text");
}

/* One key a line: section, name, default, what is expected, help; tabs between. */
int config_print_keys(struct buf *out)
{
    for (unsigned section = 0; section < SECTION_COUNT; section++)
        for (const struct config_key *key = config_keys(section); key->name; key++) {
            const char *value = config_key_default(key);

            buf_printf(out, "%s\t%s\t%s\t", config_section_title(section), key->name,
                       key->required ? "required"
                       : value       ? value
                                     : "");
            print_expected(key, out);
            buf_printf(out, "\t%s\n", key->help);
        }
    return done(out);
}

/* ---- the sample ---------------------------------------------------------------------------- */

enum { SAMPLE_WIDTH = 96 };

/* A comment, folded to the width of the page. */
static void print_comment(const char *text, int indent, struct buf *out)
{
    size_t room = (size_t)(SAMPLE_WIDTH - indent - 2);

    while (*text) {
        size_t length = strlen(text);

        if (length > room)
            for (length = room; length > 1 && text[length] != ' ';)
                length--;
        buf_printf(out, "%*s# %.*s\n", indent, "", (int)length, text);
        text += length;
        text += strspn(text, " ");
    }
}

static void print_sample_section(enum config_section section, int indent, bool commented,
                                 struct buf *out);

static void print_help(const struct config_key *key, int indent, struct buf *out)
{
    const char *value = config_key_default(key);
    struct buf text = {0};

    buf_printf(&text, "%s", key->help);
    if (key->required)
        buf_printf(&text, " Required.");
    else if (value)
        buf_printf(&text, " Default: %s.", value);
    if (key->later)
        buf_printf(&text, " (%c%s.)", toupper((unsigned char)*key->later), key->later + 1);
    buf_append(&text, "", 1);
    if (text.data)
        print_comment((char *)buf_front(&text), indent, out);
    buf_finish(&text);
}

static void print_sample_key(const struct config_key *key, int indent, bool commented,
                             struct buf *out)
{
    const char *mark = commented || key->sample == SAMPLE_COMMENTED ? "# " : "";

    print_help(key, indent, out);
    if (key->example) {
        buf_printf(out, "%*s%s%s: %s\n", indent, "", mark, key->name, key->example);
        return;
    }
    buf_printf(out, "%*s%s%s:\n", indent, "", mark, key->name);
    print_sample_section(key->section, indent + 2, *mark, out);
}

static void print_sample_section(enum config_section section, int indent, bool commented,
                                 struct buf *out)
{
    for (const struct config_key *key = config_keys(section); key->name; key++)
        if (key->sample != SAMPLE_APART)
            print_sample_key(key, indent, commented, out);
}

/* A key that has its place elsewhere than in the table's order. */
static void print_apart(enum config_section section, const char *name, int indent, struct buf *out)
{
    const struct config_key *key = config_key_find(section, name);

    print_help(key, indent, out);
    if (key->example)
        buf_printf(out, "%*s%s: %s\n", indent, "", name, key->example);
    else
        buf_printf(out, "%*s%s:\n", indent, "", name);
}

/* The children: one of each kind; the first shows what a program can have. */
static void print_sample_children(int indent, struct buf *out)
{
    print_apart(SECTION_SUPERVISOR, "children", indent, out);
    indent += 2;
    buf_printf(out, "%*s- name: db\n%*s  exec: [sleep, infinity]\n\n", indent, "", indent, "");
    buf_printf(out, "%*s# A program, with every key that programs have.\n%*s-\n", indent, "",
               indent, "");
    print_sample_section(SECTION_CHILD, indent + 2, false, out);
    buf_printf(out,
               "\n%*s# A module. Most of what is said above goes for modules too.\n"
               "%*s- name: counter\n",
               indent, "", indent, "");
    print_apart(SECTION_CHILD, "module", indent + 2, out);
    print_apart(SECTION_CHILD, "args", indent + 2, out);
    print_apart(SECTION_CHILD, "raw", indent + 2, out);
    print_apart(SECTION_CHILD, "last_state", indent + 2, out);
    print_apart(SECTION_CHILD, "state", indent + 2, out);
    buf_printf(out, "\n%*s# A supervisor, here with a template.\n%*s- name: pool\n", indent, "",
               indent, "");
    print_apart(SECTION_CHILD, "supervisor", indent + 2, out);
    print_apart(SECTION_SUPERVISOR, "template", indent + 4, out);
    buf_printf(out, "%*sexec: [sleep]\n%*srestart: temporary\n", indent + 6, "", indent + 6, "");
}

int config_print_sample(struct buf *out)
{
    for (const struct config_key *key = config_keys(SECTION_FILE); key->name; key++) {
        buf_printf(out, "%s", key == config_keys(SECTION_FILE) ? "" : "\n");
        if (key->type == TYPE_PATHS)
            print_apart(SECTION_FILE, key->name, 0, out);
        else
            print_sample_key(key, 0, false, out);
        if (key->type == TYPE_SUPERVISOR)
            print_sample_children(2, out);
    }
    return done(out);
}
