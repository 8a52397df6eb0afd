/* troupe.yaml(5), printed from the table of keys. */
#include "config.h"
#include "config_keys.h"

#include <string.h>

/* Text for mdoc: a backslash is doubled, and a line never begins with a control character. */
static void print_text(const char *text, struct buf *out)
{
    if (*text == '.' || *text == '\'')
        buf_printf(out, "\\&");
    for (; *text; text++) {
        buf_printf(out, *text == '\\' ? "\\e" : "%c", *text);
        if (*text == '.' && text[1] == ' ' && text[2] != '.') {
            buf_printf(out, "\n"); /* each sentence on a line of its own */
            text++;
        }
    }
}

static void print_line(const char *text, struct buf *out)
{
    print_text(text, out);
    buf_printf(out, "\n");
}

static void print_expected(const struct config_key *key, struct buf *out)
{
    for (size_t i = 0; !key->expected && key->choices && key->choices[i]; i++)
        buf_printf(out, "%s%s", i ? ", " : "", key->choices[i]);
    if (key->expected)
        print_text(key->expected, out);
    else if (!key->choices)
        buf_printf(out, "a text");
}

static const char *beside(const struct config_key *key)
{
    switch (key->kinds) {
    case 0:
    case FOR_ALL:
        return NULL;
    case FOR_PROCESS:
        return "modules and programs";
    case FOR_MODULE:
        return "modules";
    case FOR_PROGRAM:
        return "programs";
    default:
        return NULL;
    }
}

static void print_key(const struct config_key *key, struct buf *out)
{
    const char *value = config_key_default(key);

    buf_printf(out, ".It Cm %s\n", key->name);
    print_line(key->help, out);
    buf_printf(out, "Value: ");
    print_expected(key, out);
    buf_printf(out, ".\n");
    if (key->required)
        buf_printf(out, "Required.\n");
    else if (value)
        buf_printf(out, "Default: %s.\n", value);
    if (beside(key))
        buf_printf(out, "Only for %s.\n", beside(key));
    if (key->later)
        buf_printf(out, "Refused as yet: %s.\n", key->later);
}

static void print_section(enum config_section section, const char *introduction, struct buf *out)
{
    buf_printf(out, "%s.Bl -tag -width Ds\n", introduction);
    for (const struct config_key *key = config_keys(section); key->name; key++)
        print_key(key, out);
    buf_printf(out, ".El\n");
}

static const char head[] =
    ".Dd November 21, 2026\n"
    ".Dt TROUPE.YAML 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm troupe.yaml\n"
    ".Nd declaration of a Troupe application\n"
    ".Sh DESCRIPTION\n"
    "A config file declares one application: a supervisor and its children.\n"
    "It is read by\n"
    ".Ql troupe up ,\n"
    "which takes several of them, and by\n"
    ".Ql troupe check ,\n"
    "which starts nothing.\n"
    "A file is read once, whole.\n"
    "When anything is wrong in it, every error is told at once, nothing is started, and the\n"
    "exit status is 7.\n"
    ".Ss Format\n"
    "The format is YAML.\n"
    "Scalars have no types: a value is the text as it is written, so that\n"
    ".Ql [x, 6399, no]\n"
    "is a list of three texts, and needs no quotes.\n"
    "A key whose value is left out counts as not given; an empty text is written\n"
    ".Ql \\(dq\\(dq .\n"
    "Anchors, aliases and merge keys\n"
    ".Pq Ql <<\n"
    "work, up to 100000 values in one file.\n"
    "Tags do not, and neither does a second document.\n"
    "Unknown keys are errors, and so are keys that are given twice.\n"
    ".Pp\n"
    "A time is a whole number with a unit:\n"
    ".Ql 250ms ,\n"
    ".Ql 5s ,\n"
    ".Ql 2m ,\n"
    ".Ql 1h .\n"
    "A size is a number of bytes, or of powers of 1024:\n"
    ".Ql 512k ,\n"
    ".Ql 8M ,\n"
    ".Ql 1G .\n"
    "Names consist of letters, digits, and the characters\n"
    ".Ql _ ,\n"
    ".Ql \\&.\n"
    "and\n"
    ".Ql - ,\n"
    "up to 64 of them, and do not begin with a dot.\n"
    "The path of a child is the names from the application down to it, joined by slashes, up to\n"
    "511 characters.\n"
    "Relative paths of files are taken from the folder of the config file.\n"
    ".Ss Variables\n"
    "In values,\n"
    ".Ql ${VAR}\n"
    "stands for the variable\n"
    ".Ev VAR\n"
    "of the environment in which the file is read.\n"
    "It is an error when it is not set, unless a default is given:\n"
    ".Ql ${VAR:-default} ,\n"
    "which is also used when it is empty.\n"
    ".Ql $${\n"
    "stands for a plain\n"
    ".Ql ${ .\n"
    "In an entry with\n"
    ".Cm replicas ,\n"
    ".Ql ${replica}\n"
    "is the number of each.\n"
    ".Sh KEYS OF A FILE\n";

static const char tail[] =
    ".Sh EXAMPLES\n"
    "An application with a database and a web server, which starts when the database answers\n"
    "and is restarted with it:\n"
    ".Bd -literal -offset indent\n"
    "troupe: 1\n"
    "application: shop\n"
    "supervisor:\n"
    "  strategy: rest_for_one\n"
    "  children:\n"
    "    - name: db\n"
    "      exec: [redis-server, --port, 6399, --save, \"\"]\n"
    "      ready: {tcp: \"127.0.0.1:6399\"}\n"
    "    - name: web\n"
    "      exec: [python3, -m, http.server, 8099]\n"
    "      link: [shop/db]\n"
    "      env: {LANG: C.UTF-8}\n"
    "      limits: {nofile: 4096, core: 0}\n"
    ".Ed\n"
    ".Pp\n"
    "Two entries that have most in common:\n"
    ".Bd -literal -offset indent\n"
    "children:\n"
    "  - &page\n"
    "    name: page1\n"
    "    exec: [./page, 8099]\n"
    "    user: www-data\n"
    "  - {<<: *page, name: page2, exec: [./page, 8100]}\n"
    ".Ed\n"
    ".Sh DIAGNOSTICS\n"
    "Messages have the form\n"
    ".Dl file:line:column: path: what is wrong: what is expected\n"
    "for example\n"
    ".Bd -literal -offset indent\n"
    "shop.yaml:12:9: shop/web: restart: \"permanant\": expected permanent,\n"
    "transient or temporary\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr troupe 1 ,\n"
    ".Xr troupe 7 ,\n"
    ".Xr troupe-supervisord 8\n";

static const struct {
    enum config_section section;
    const char *introduction;
} sections[] = {
    {SECTION_FILE, head},
    {SECTION_SUPERVISOR, ".Sh KEYS OF A SUPERVISOR\n"},
    {SECTION_CHILD, ".Sh KEYS OF A CHILD\n"
                    "Exactly one of\n.Cm module ,\n.Cm exec ,\n.Cm supervisor\nand\n.Cm service\n"
                    "says what it is.\n"},
    {SECTION_READY, ".Ss Keys of ready\nExactly one of them.\n"},
    {SECTION_BACKOFF, ".Ss Keys of backoff\n"
                      "A back-off with which the\n.Cm intensity\nof the supervisor could never be "
                      "exceeded within its\n.Cm period\nis refused.\n"},
    {SECTION_MAILBOX, ".Ss Keys of mailbox\n"},
    {SECTION_SERVICE, ".Ss Keys of service\n"},
    {SECTION_NODE, ".Sh KEYS OF THE NODE\n"},
    {SECTION_TLS, ".Ss Keys of tls\n"},
    {SECTION_GATEWAY, ".Ss Keys of gateway\n"},
    {SECTION_LOG, ".Sh KEYS OF THE LOG\n"},
};

int config_print_manual(struct buf *out)
{
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
        print_section(sections[i].section, sections[i].introduction, out);
    return buf_printf(out, "%s", tail) < 0 ? -1 : 0;
}
