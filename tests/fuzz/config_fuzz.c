/* The config reader on any bytes, as a file and as a child that is added. Looks at nothing else. */
#include "../../supervisord/config.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *environment[] = {"HOME=/root", "EMPTY=", NULL};

static void read_file(const char *text, size_t size, const struct config_context *context)
{
    struct buf messages = {0}, tree_text = {0};
    struct spec_tree tree;
    struct spec copy;
    int result = config_read_text(text, size, "fuzz.yaml", "/", context, NULL, &tree, &messages);

    if (result < 0 && buf_length(&messages) == 0)
        __builtin_trap(); /* refused without a word */
    if (result == 0) {
        config_print_tree(&tree, &tree_text);
        if (spec_copy(&tree.applications[0].root, "copy", &copy) == 0)
            spec_finish(&copy);
        spec_tree_finish(&tree);
    }
    buf_finish(&tree_text);
    buf_finish(&messages);
}

static void read_child(const char *text, size_t size, const struct config_context *context)
{
    static const struct spec_supervisor supervisor = {
        .intensity = 3, .period_ms = 5000, .max_children = 10};
    struct buf messages = {0};
    struct spec child;

    if (config_read_child(text, size, "child", "/", "shop/pool", &supervisor, context, &child,
                          &messages) == 0)
        spec_finish(&child);
    else if (buf_length(&messages) == 0)
        __builtin_trap();
    buf_finish(&messages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct config_context context = {.environment = environment, .text_only = true};
    const char *text = (const char *)data;

    read_file(text, size, &context);
    read_child(text, size, &context);
    return 0;
}
