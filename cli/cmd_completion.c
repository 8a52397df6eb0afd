#include "cli.h"

static int run(struct cli *cli)
{
    struct buf text = {0};

    if (completion_script(cli->args[0], &text) != 0)
        return cli_fail(STATUS_USAGE, "completion %s: expected bash, zsh or fish", cli->args[0]);
    output_write(&text);
    buf_finish(&text);
    return STATUS_DONE;
}

const struct verb verb_completion = {
    .name = "completion",
    .synopsis = "bash|zsh|fish",
    .line = "print a completion script for a shell",
    .text = "Verbs, options, addresses of the running node and files are completed.",
    .examples = "source <(troupe completion bash)\tfor the present bash\n"
                "troupe completion fish >~/.config/fish/completions/troupe.fish\tfor every fish",
    .min_args = 1,
    .max_args = 1,
    .flags = 0,
    .takes = TAKES_SHELLS,
    .run = run,
};
