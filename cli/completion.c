/*
 * Completion scripts for bash, zsh and fish, made from the table of verbs. Addresses are asked of
 * the running node when they are wanted. Pure.
 */
#include "cli.h"

#include "buf.h"

#include <stdio.h>
#include <string.h>

static void put_verbs(struct buf *out)
{
    for (size_t i = 0; verbs[i]; i++)
        buf_printf(out, "%s%s", i ? " " : "", verbs[i]->name);
}

static void put_options(struct buf *out, const struct verb *verb)
{
    const struct option *option;

    for (size_t i = 0; (option = option_at(verb, i)); i++) {
        buf_printf(out, "%s", i ? " " : "");
        if (option->letter)
            buf_printf(out, "-%c ", option->letter);
        buf_printf(out, "--%s", option->name);
    }
}

static const char *taken(const struct verb *verb)
{
    static const char *const words[] = {
        [TAKES_NOTHING] = "nothing",
        [TAKES_ADDRESSES] = "address",
        [TAKES_APPLICATIONS] = "application",
        [TAKES_FILES] = "file",
        [TAKES_VERBS] = "verb",
        [TAKES_SHELLS] = "shell",
        [TAKES_MESSAGE] = "message",
        [TAKES_GROUP] = "group",
        [TAKES_NODES] = "node",
        [TAKES_COMMAND] = "command",
        [TAKES_STATE] = "state",
    };

    return words[verb->takes];
}

/* ---- bash ------------------------------------------------------------------------------- */

static const char bash_end[] =
    "    case $previous in\n"
    "    -o | --output)\n"
    "        mapfile -t COMPREPLY < <(compgen -W 'table wide json jsonl paths' -- \"$word\")\n"
    "        return ;;\n"
    "    --for)\n"
    "        mapfile -t COMPREPLY < <(compgen -W 'ready down gone' -- \"$word\")\n"
    "        return ;;\n"
    "    -f | --file)\n"
    "        if [[ $verb == add ]]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "            return\n"
    "        fi ;;\n"
    "    esac\n"
    "    if [[ $word == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
    "        return\n"
    "    fi\n"
    "    case $takes in\n"
    "    address)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(troupe ps -o paths 2>/dev/null)\" -- "
    "\"$word\") ;;\n"
    "    message)\n"
    "        case ${COMP_WORDS[COMP_CWORD - 2]} in\n"
    "        --timeout | --node | -o | --output) actor= ;;\n"
    "        *) actor=$previous ;;\n"
    "        esac\n"
    "        if [[ -z $actor || $actor == \"$verb\" || $actor == -* ]]; then\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$(troupe ps -o paths 2>/dev/null)\" -- "
    "\"$word\")\n"
    "        else\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$(troupe describe -o message \"$actor\" "
    "2>/dev/null)\" -- \"$word\")\n"
    "        fi ;;\n"
    "    state)\n"
    "        case $previous in\n"
    "        state) mapfile -t COMPREPLY < <(compgen -W 'get put rm list' -- \"$word\") ;;\n"
    "        get | put | rm | list)\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$(troupe ps -o paths 2>/dev/null)\" -- "
    "\"$word\") ;;\n"
    "        *)\n"
    "            mapfile -t COMPREPLY < <(compgen -W \"$(troupe state list -o name \"$previous\" "
    "2>/dev/null)\" -- \"$word\") ;;\n"
    "        esac ;;\n"
    "    group)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(troupe groups -o group 2>/dev/null)\" -- "
    "\"$word\") ;;\n"
    "    node)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(troupe nodes -o name 2>/dev/null)\" -- "
    "\"$word\") ;;\n"
    "    application)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(troupe ps -o paths 2>/dev/null |\n"
    "            grep -v -e / -e '^sys$')\" -- \"$word\") ;;\n"
    "    command) mapfile -t COMPREPLY < <(compgen -c -- \"$word\") ;;\n"
    "    file) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
    "    verb) mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$word\") ;;\n"
    "    shell) mapfile -t COMPREPLY < <(compgen -W 'bash zsh fish' -- \"$word\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _troupe troupe\n";

static void put_bash(struct buf *out)
{
    buf_printf(out,
               "# bash completion for troupe\n_troupe() {\n"
               "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
               "    local verb=${COMP_WORDS[1]} options= takes= actor=\n    local verbs='");
    put_verbs(out);
    buf_printf(out, "'\n    COMPREPLY=()\n"
                    "    if ((COMP_CWORD == 1)); then\n"
                    "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$word\")\n"
                    "        return\n"
                    "    fi\n"
                    "    case $verb in\n");
    for (size_t i = 0; verbs[i]; i++) {
        buf_printf(out, "    %s) takes=%s options='", verbs[i]->name, taken(verbs[i]));
        put_options(out, verbs[i]);
        buf_printf(out, "' ;;\n");
    }
    buf_printf(out, "    esac\n%s", bash_end);
}

/* ---- zsh -------------------------------------------------------------------------------- */

/* Text within a single-quoted zsh _arguments specification. */
static void put_zsh_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buf_printf(out, "'\\''");
        else if (strchr("[]:\\", *text))
            buf_printf(out, "\\%c", *text);
        else
            buf_append(out, text, 1);
    }
}

static void put_zsh_value(struct buf *out, const struct option *option)
{
    if (!option->value)
        return;
    if (strcmp(option->name, "output") == 0)
        buf_printf(out, ":format:(table wide json jsonl paths)");
    else if (strcmp(option->name, "for") == 0)
        buf_printf(out, ":state:(ready down gone)");
    else if (strcmp(option->name, "file") == 0)
        buf_printf(out, ":file:_files");
    else
        buf_printf(out, ":%s: ", option->value);
}

static void put_zsh_option(struct buf *out, const struct option *option)
{
    for (int is_long = !option->letter; is_long < 2; is_long++) {
        if (is_long)
            buf_printf(out, " \\\n            '--%s[", option->name);
        else
            buf_printf(out, " \\\n            '-%c[", option->letter);
        put_zsh_text(out, option->text);
        buf_append(out, "]", 1);
        put_zsh_value(out, option);
        buf_append(out, "'", 1);
    }
}

static void put_zsh(struct buf *out)
{
    const struct option *option;

    buf_printf(out,
               "#compdef troupe\n"
               "_troupe_address() { compadd -- ${(f)\"$(troupe ps -o paths 2>/dev/null)\"} }\n"
               "_troupe_application() {\n"
               "    compadd -- ${${${(f)\"$(troupe ps -o paths 2>/dev/null)\"}:#*/*}:#sys}\n}\n"
               "_troupe_message() {\n"
               "    if ((NORMARG < 0 || CURRENT == NORMARG)); then\n"
               "        _troupe_address\n"
               "    elif ((CURRENT == NORMARG + 1)); then\n"
               "        compadd -- ${(f)\"$(troupe describe -o message $words[NORMARG] "
               "2>/dev/null)\"}\n"
               "    fi\n}\n"
               "_troupe_state() {\n"
               "    case $((CURRENT - NORMARG)) in\n"
               "    0) compadd get put rm list ;;\n"
               "    1) _troupe_address ;;\n"
               "    2) compadd -- ${(f)\"$(troupe state list -o name $words[NORMARG + 1] "
               "2>/dev/null)\"} ;;\n"
               "    esac\n}\n"
               "_troupe_group() { compadd -- ${(f)\"$(troupe groups -o group 2>/dev/null)\"} }\n"
               "_troupe_node() { compadd -- ${(f)\"$(troupe nodes -o name 2>/dev/null)\"} }\n"
               "_troupe_command() { _command_names; _files }\n"
               "_troupe_file() { _files }\n"
               "_troupe_nothing() { _message 'no more arguments' }\n"
               "_troupe_shell() { compadd bash zsh fish }\n"
               "_troupe_verb() {\n    local -a verbs=(");
    for (size_t i = 0; verbs[i]; i++) {
        buf_printf(out, "\n        '%s:", verbs[i]->name);
        put_zsh_text(out, verbs[i]->line);
        buf_append(out, "'", 1);
    }
    buf_printf(out, "\n    )\n    _describe verb verbs\n}\n"
                    "_troupe() {\n"
                    "    if ((CURRENT == 2)); then\n        _troupe_verb\n        return\n    fi\n"
                    "    local verb=$words[2] NORMARG\n"
                    "    shift words\n    ((CURRENT--))\n"
                    "    case $verb in\n");
    for (size_t i = 0; verbs[i]; i++) {
        buf_printf(out, "    %s)\n        _arguments -n%s", verbs[i]->name,
                   verbs[i]->flags & OPTIONS_FIRST ? " -A '-*'" : "");
        for (size_t k = 0; (option = option_at(verbs[i], k)); k++)
            put_zsh_option(out, option);
        buf_printf(out, " \\\n            '*:%s:_troupe_%s' ;;\n", taken(verbs[i]),
                   taken(verbs[i]));
    }
    buf_printf(out, "    esac\n}\n"
                    "if [[ $funcstack[1] == _troupe ]]; then\n    _troupe \"$@\"\n"
                    "else\n    compdef _troupe troupe\nfi\n");
}

/* ---- fish ------------------------------------------------------------------------------- */

static void put_fish_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_append(out, "\\", 1);
        buf_append(out, text, 1);
    }
}

static void put_fish_option(struct buf *out, const struct verb *verb, const struct option *option)
{
    buf_printf(out, "complete -c troupe -n '__fish_seen_subcommand_from %s' -l %s", verb->name,
               option->name);
    if (option->letter)
        buf_printf(out, " -s %c", option->letter);
    if (option->value)
        buf_printf(out, " -r");
    if (strcmp(option->name, "output") == 0)
        buf_printf(out, " -a 'table wide json jsonl paths'");
    if (strcmp(option->name, "for") == 0)
        buf_printf(out, " -a 'ready down gone'");
    if (strcmp(option->name, "file") == 0)
        buf_printf(out, " -F");
    buf_printf(out, " -d '");
    put_fish_text(out, option->text);
    buf_printf(out, "'\n");
}

static const char *fish_source(const struct verb *verb)
{
    switch (verb->takes) {
    case TAKES_ADDRESSES:
        return " -a '(troupe ps -o paths 2>/dev/null)'";
    case TAKES_MESSAGE: /* after an address, also what that actor understands */
        return " -a '(troupe describe -o message (commandline -opc)[-1] 2>/dev/null; "
               "troupe ps -o paths 2>/dev/null)'";
    case TAKES_STATE: /* after an address, also what is kept there */
        return " -a 'get put rm list (troupe ps -o paths 2>/dev/null) "
               "(troupe state list -o name (commandline -opc)[-1] 2>/dev/null)'";
    case TAKES_GROUP:
        return " -a '(troupe groups -o group 2>/dev/null)'";
    case TAKES_NODES:
        return " -a '(troupe nodes -o name 2>/dev/null)'";
    case TAKES_APPLICATIONS:
        return " -a '(troupe ps -o paths 2>/dev/null | string match -v \"*/*\" | string match -v "
               "sys)'";
    case TAKES_COMMAND:
        return " -a '(__fish_complete_command)'";
    case TAKES_FILES:
        return " -F";
    case TAKES_SHELLS:
        return " -a 'bash zsh fish'";
    default:
        return NULL;
    }
}

static void put_fish(struct buf *out)
{
    const struct option *option;

    buf_printf(out, "# fish completion for troupe\ncomplete -c troupe -f\n");
    for (size_t i = 0; verbs[i]; i++) {
        buf_printf(out, "complete -c troupe -n __fish_use_subcommand -a %s -d '", verbs[i]->name);
        put_fish_text(out, verbs[i]->line);
        buf_printf(out, "'\n");
        for (size_t k = 0; (option = option_at(verbs[i], k)); k++)
            put_fish_option(out, verbs[i], option);
        if (fish_source(verbs[i]))
            buf_printf(out, "complete -c troupe -n '__fish_seen_subcommand_from %s'%s\n",
                       verbs[i]->name, fish_source(verbs[i]));
    }
    buf_printf(out, "complete -c troupe -n '__fish_seen_subcommand_from help' -a '");
    put_verbs(out);
    buf_printf(out, "'\n");
}

int completion_script(const char *shell, struct buf *out)
{
    if (strcmp(shell, "bash") == 0)
        put_bash(out);
    else if (strcmp(shell, "zsh") == 0)
        put_zsh(out);
    else if (strcmp(shell, "fish") == 0)
        put_fish(out);
    else
        return -1;
    return 0;
}
