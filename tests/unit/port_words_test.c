#include "../../workers/port_words.h"
#include "tap.h"

#include <stdlib.h>

/* The words joined by bars, or !WHY. */
static const char *joined(const char *command)
{
    static char text[256];
    const char *why;
    char **words = port_words(command, &why);

    if (!words) {
        snprintf(text, sizeof text, "!%s", why);
        return text;
    }
    text[0] = '\0';
    for (char **word = words; *word; word++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? "|" : "", *word);
    free(words);
    return text;
}

int main(void)
{
    tap_is_text(joined("python3 etc/port.py"), "python3|etc/port.py", "words end at blanks");
    tap_is_text(joined("  a \t b\n"), "a|b", "however many");
    tap_is_text(joined("sh -c 'a b | \"c\\d\"'"), "sh|-c|a b | \"c\\d\"",
                "in single quotes everything stands for itself");
    tap_is_text(joined("a \"b 'c' \\\"d\\\" \\\\ \\n\""), "a|b 'c' \"d\" \\ \\n",
                "in double quotes a backslash saves what is special there");
    tap_is_text(joined("a\\ b c\\'d"), "a b|c'd", "elsewhere it saves anything");
    tap_is_text(joined("x''y \"\""), "xy|", "quotes join, and may hold nothing");
    tap_is_text(joined("a\\"), "a\\", "a backslash at the end is one");
    tap_is_text(joined("$HOME *"), "$HOME|*", "nothing is expanded");
    tap_is_text(joined(""), "!expected a command", "no word is no command");
    tap_is_text(joined(" \t"), "!expected a command", "nor are blanks");
    tap_is_text(joined("a 'b"), "!a quote is not closed", "an open quote is refused");
    tap_is_text(joined("a \"b\\\""), "!a quote is not closed", "of either kind");
    return tap_done();
}
