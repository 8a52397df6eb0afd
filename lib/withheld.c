#include "withheld.h"

#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct withheld {
    TAILQ_ENTRY(withheld) link;
    struct troupe_message *message;
    char format[MESSAGE_ARGUMENTS_MAX + 1];
    union wire_value values[MESSAGE_ARGUMENTS_MAX]; /* their own copies */
    char *error;                                    /* NULL: the values */
};

static void destroy(struct withheld *withheld)
{
    wire_values_finish(withheld->format, withheld->values);
    free(withheld->error);
    free(withheld);
}

static int copy_values(struct withheld *withheld, const char *format,
                       const union wire_value *values)
{
    struct wire_image image = {0};
    int result = 0;

    if (*format && wire_pack_values(format, values, &image) < 0)
        return -1;
    if (*format)
        result = wire_unpack_values(format, image.data, image.size, withheld->values);
    if (result == 0)
        snprintf(withheld->format, sizeof withheld->format, "%s", format);
    wire_image_finish(&image);
    return result;
}

int withheld_add(struct withheld_list *list, struct troupe_message *message, const char *format,
                 const union wire_value *values, const char *error)
{
    struct withheld *withheld = calloc(1, sizeof *withheld);

    if (!withheld)
        return -1;
    withheld->message = message;
    withheld->error = error ? strdup(error) : NULL;
    if ((error && !withheld->error) || (format && copy_values(withheld, format, values) < 0) ||
        message_settle(message) < 0) {
        destroy(withheld);
        return -1;
    }
    message->is_withheld = true;
    TAILQ_INSERT_TAIL(list, withheld, link);
    return 0;
}

static void let_out(struct withheld *withheld, const char *failure)
{
    struct troupe_message *message = withheld->message;
    char text[REASON_MAX + 8];

    message->is_withheld = false;
    if (withheld->error) {
        mailbox_answer_error(message, withheld->error);
    } else if (failure) {
        snprintf(text, sizeof text, "error %s", failure);
        mailbox_answer_error(message, text);
    } else {
        mailbox_answer(message, withheld->format, withheld->values);
    }
    if (message->is_forgotten)
        mailbox_forget(message);
}

void withheld_release(struct withheld_list *list, const char *failure)
{
    struct withheld_list gone = TAILQ_HEAD_INITIALIZER(gone);
    struct withheld *withheld;

    TAILQ_CONCAT(&gone, list, link);
    while ((withheld = TAILQ_FIRST(&gone))) {
        TAILQ_REMOVE(&gone, withheld, link);
        let_out(withheld, failure);
        destroy(withheld);
    }
}
