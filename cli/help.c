/*
 * Help pages and the manual's section on verbs, made from the table of verbs. Pure.
 */
#include "cli.h"

#include "buf.h"

#include <stdio.h>
#include <string.h>

enum { HELP_WIDTH = 78 };

/* Writes one paragraph, broken at blanks, every line after `indent` blanks. */
static void put_paragraph(struct buf *out, const char *text, size_t length, int indent)
{
    size_t at = 0, end, blank;

    while (at < length) {
        end = at + HELP_WIDTH - (size_t)indent;
        if (end < length) {
            for (blank = end; blank > at && text[blank] != ' '; blank--)
                ;
            end = blank > at ? blank : end;
        } else {
            end = length;
        }
        buf_printf(out, "%*s%.*s\n", indent, "", (int)(end - at), text + at);
        at = end + (end < length && text[end] == ' ');
    }
}

static void put_text(struct buf *out, const char *text)
{
    size_t length;

    for (;; text += length + 1) {
        length = strcspn(text, "\n");
        put_paragraph(out, text, length, 0);
        buf_append(out, "\n", 1);
        if (!text[length])
            return;
    }
}

static void put_usage(struct buf *out, const struct verb *verb)
{
    buf_printf(out, "usage: troupe %s [options]%s%s\n\n", verb->name, *verb->synopsis ? " " : "",
               verb->synopsis);
}

static void put_option(struct buf *out, const struct option *option)
{
    char names[64], letter[8] = "    ";

    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(names, sizeof names, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
             option->value ? option->value : "");
    buf_printf(out, "  %-24s ", names);
    if (strlen(option->text) <= HELP_WIDTH - 27) {
        buf_printf(out, "%s\n", option->text);
        return;
    }
    buf_append(out, "\n", 1);
    put_paragraph(out, option->text, strlen(option->text), 27);
}

static void put_examples(struct buf *out, const char *examples)
{
    const char *tab;
    size_t length;

    if (!examples)
        return;
    buf_printf(out, "\nexamples:\n");
    for (;; examples += length + 1) {
        length = strcspn(examples, "\n");
        tab = memchr(examples, '\t', length);
        if (tab)
            buf_printf(out, "  %-42.*s %.*s\n", (int)(tab - examples), examples,
                       (int)(examples + length - tab - 1), tab + 1);
        else
            buf_printf(out, "  %.*s\n", (int)length, examples);
        if (!examples[length])
            return;
    }
}

void help_verb(const struct verb *verb, struct buf *out)
{
    const struct option *option;

    put_usage(out, verb);
    buf_printf(out, "%s: %s\n\n", verb->name, verb->line);
    put_text(out, verb->text);
    buf_printf(out, "options:\n");
    for (size_t i = 0; (option = option_at(verb, i)); i++)
        put_option(out, option);
    put_examples(out, verb->examples);
}

void help_overview(struct buf *out)
{
    char usage[64];

    buf_printf(out, "usage: troupe VERB [options] [ADDRESS...]\n\n");
    for (size_t i = 0; verbs[i]; i++) {
        snprintf(usage, sizeof usage, "%s %s", verbs[i]->name, verbs[i]->synopsis);
        buf_printf(out, "  %-32s %s\n", usage, verbs[i]->line);
    }
    buf_printf(out, "\nAn ADDRESS is a path such as shop/web/page, or a quoted pattern: "
                    "'shop/farm.*'. What is in\n"
                    "another node is shop/web/page@NODE; @NODE is that node as a whole.\n"
                    "`troupe help VERB` explains a verb; troupe(1) says the rest.\n");
}

/* ---- mdoc ------------------------------------------------------------------------------- */

/* Escapes what mdoc would take for its own. At a line's start a dot or quote is a request. */
static void put_mdoc(struct buf *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\')
            buf_printf(out, "\\e");
        else if (text[i] == '-')
            buf_printf(out, "\\-");
        else if (text[i] == '\'' && i == 0)
            buf_printf(out, "\\(aq");
        else if (text[i] == '.' && i == 0)
            buf_printf(out, "\\&.");
        else
            buf_append(out, text + i, 1);
    }
}

/* One sentence, broken at blanks. */
static void put_mdoc_sentence(struct buf *out, const char *text, size_t length)
{
    size_t end;

    while (length) {
        end = length;
        if (end > HELP_WIDTH)
            for (end = HELP_WIDTH; end > 0 && text[end] != ' '; end--)
                ;
        end = end ? end : length;
        put_mdoc(out, text, end);
        buf_append(out, "\n", 1);
        end += end < length;
        text += end;
        length -= end;
    }
}

/* Every sentence begins a line, as mdoc wants it. */
static void put_mdoc_text(struct buf *out, const char *text)
{
    size_t length;

    for (;;) {
        for (length = 0; text[length] && text[length] != '\n'; length++)
            if (text[length] == '.' && text[length + 1] == ' ') {
                length++;
                break;
            }
        put_mdoc_sentence(out, text, length);
        if (!text[length])
            return;
        if (text[length] == '\n')
            buf_printf(out, ".Pp\n");
        text += length + 1;
    }
}

/* The parts of a synopsis, one a line: brackets and dots are kept, names become arguments. */
static void put_mdoc_synopsis(struct buf *out, const char *synopsis)
{
    size_t length;

    for (; *synopsis; synopsis += length + (synopsis[length] == ' ')) {
        bool optional = *synopsis == '[';

        length = strcspn(synopsis, " ");
        buf_printf(out, "%s", optional ? ".Op Ar " : ".Ar ");
        for (size_t i = optional; i < length; i++) {
            if (strncmp(synopsis + i, "...", 3) == 0) {
                buf_printf(out, " ...");
                i += 2;
            } else if (synopsis[i] == '|') {
                buf_printf(out, " | ");
            } else if (synopsis[i] != ']') {
                buf_append(out, synopsis + i, 1);
            }
        }
        buf_append(out, "\n", 1);
    }
}

static void put_mdoc_option(struct buf *out, const struct option *option)
{
    buf_printf(out, ".It ");
    if (option->letter)
        buf_printf(out, "Fl %c , ", option->letter);
    buf_printf(out, "Fl \\-");
    put_mdoc(out, option->name, strlen(option->name));
    if (option->value)
        buf_printf(out, " Ar %s", option->value);
    buf_append(out, "\n", 1);
    put_mdoc_text(out, option->text);
}

void help_mdoc(struct buf *out)
{
    const struct option *option;

    for (size_t i = 0; verbs[i]; i++) {
        buf_printf(out, ".Ss %s\n.Nm\n.Cm %s\n.Op options\n", verbs[i]->name, verbs[i]->name);
        put_mdoc_synopsis(out, verbs[i]->synopsis);
        buf_printf(out, ".Pp\n");
        put_mdoc(out, verbs[i]->line, strlen(verbs[i]->line));
        buf_printf(out, "\n.Pp\n");
        put_mdoc_text(out, verbs[i]->text);
        buf_printf(out, ".Bl -tag -width Ds\n");
        for (size_t k = 0; (option = option_at(verbs[i], k)); k++)
            put_mdoc_option(out, option);
        buf_printf(out, ".El\n");
    }
}
