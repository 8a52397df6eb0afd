/*
 * The one table of keys: what may be said in a config file, section by section. The reader takes
 * its dispatch, defaults and messages from it; completions, the sample and troupe.yaml(5) are
 * printed from it. A key that is not here does not exist.
 */
#ifndef TROUPE_CONFIG_KEYS_H
#define TROUPE_CONFIG_KEYS_H

#include "spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_section {
    SECTION_FILE,
    SECTION_SUPERVISOR,
    SECTION_CHILD,
    SECTION_BACKOFF,
    SECTION_READY,
    SECTION_MAILBOX,
    SECTION_SERVICE,
    SECTION_NODE,
    SECTION_TLS,
    SECTION_GATEWAY,
    SECTION_LOG,
    SECTION_COUNT
};

/* How a value is read. In brackets: what it is read into, at the key's offset. */
enum config_type {
    TYPE_FORMAT,    /* the format's version, checked first (nothing) */
    TYPE_NAME,      /* one part of a path (char *) */
    TYPE_UNKEPT,    /* a text, perhaps one of `choices` (nothing) */
    TYPE_TEXT,      /* (char *) */
    TYPE_URL,       /* where a node is reached (char *) */
    TYPE_URLS,      /* a list, or one alone (char **) */
    TYPE_STORE,     /* where state is kept; a folder made absolute (char *) */
    TYPE_RIGHTS,    /* a list of words of `choices`, or one alone: bits, in their order (unsigned) */
    TYPE_PATHS,     /* a list of different paths in the tree, or one alone (char **) */
    TYPE_PATTERNS,  /* the same, of patterns of paths (char **) */
    TYPE_GROUPS,    /* a list of different names of process groups, or one alone (char **) */
    TYPE_FOLDER,    /* an existing folder (char *, absolute) */
    TYPE_FILE_PATH, /* (char *, absolute) */
    TYPE_BOOL,   /* true or false; with `choices`: the word for false, then that for true (bool) */
    TYPE_WHOLE,  /* min … max (int32_t or uint32_t) */
    TYPE_OCTAL,  /* min … max (int) */
    TYPE_NUMBER, /* min … max, with a decimal point or without (double) */
    TYPE_COUNT,  /* min … max (uint64_t) */
    TYPE_DURATION,   /* min … max milliseconds (int64_t) */
    TYPE_SIZE,       /* min … max bytes (uint64_t) */
    TYPE_CHOICE,     /* one of the words of `choices`, by its number (an enum) */
    TYPE_SIGNAL,     /* (int) */
    TYPE_INTENSITY,  /* (uint32_t) */
    TYPE_SHUTDOWN,   /* (int64_t) */
    TYPE_ADDRESS,    /* host:port (struct spec *: ready_host and ready_port) */
    TYPE_REGEX,      /* (char *) */
    TYPE_EXEC,       /* argv, a list, expanded again at each spawn (char **) */
    TYPE_COMMAND,    /* argv, a list (char **) */
    TYPE_SECTION,    /* a map, read into the same struct */
    TYPE_BACKOFF,    /* a section of its own (struct backoff_spec) */
    TYPE_READY,      /* `notify` or a section (struct spec *) */
    TYPE_MAILBOX,    /* true, false or a section (struct spec *) */
    TYPE_MODULE,     /* (char *) */
    TYPE_SUPERVISOR, /* (struct spec_supervisor *) */
    TYPE_SERVICE,    /* (struct spec_supervisor *) */
    TYPE_CHILDREN,   /* (children of the supervisor) */
    TYPE_TEMPLATE,   /* (template of the supervisor) */
    TYPE_ARGS,       /* (char **) */
    TYPE_ENV,        /* (char **) */
    TYPE_ENV_FILE,   /* (char **: the env) */
    TYPE_USER,       /* (struct spec *) */
    TYPE_GROUP,      /* (struct spec *) */
    TYPE_LIMITS,     /* (struct spec *) */
    TYPE_EXIT_CODES, /* (struct spec *) */
    TYPE_STDIN,      /* a path, or null (char *) */
    TYPE_RAW,        /* (struct spec *) */
    TYPE_NODE,       /* (struct spec_tree *) */
    TYPE_LOG,        /* (struct spec_tree *) */
    TYPE_COUNT_OF_TYPES
};

/* To which kinds of children a key belongs; bits by enum spec_kind. */
enum {
    FOR_MODULE = 1 << 0,
    FOR_PROGRAM = 1 << 1,
    FOR_SUPERVISOR = 1 << 2,
    FOR_SERVICE = 1 << 3,
    FOR_PROCESS = FOR_MODULE | FOR_PROGRAM,
    FOR_ALL = FOR_PROCESS | FOR_SUPERVISOR | FOR_SERVICE,
};

enum config_sample {
    SAMPLE_SHOWN,     /* the sample has it */
    SAMPLE_COMMENTED, /* as a comment: it excludes another key, or needs something of yours */
    SAMPLE_APART,     /* the sample shows it in a place of its own */
};

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;
    size_t has; /* offset of a bool that says it was given; 0: none */
    bool required;
    unsigned kinds;              /* SECTION_CHILD: FOR_…; 0 elsewhere */
    double min, max;             /* of types with bounds */
    const char *const *choices;  /* words, NULL-terminated, or NULL */
    enum config_section section; /* of types that are a map */
    const char *later;           /* read for its form, then refused with these words; or NULL */
    const char *fallback;        /* the default as it would be written, or NULL */
    const char *fallback_words;  /* where a default cannot be written, for people; or NULL */
    const char *expected;        /* completes "expected …" */
    const char *example;         /* YAML, for the sample; NULL where the section is shown instead */
    enum config_sample sample;
    const char *help; /* a sentence, or some */
};

/* What a map of service keys is read into. */
struct config_service {
    struct spec_service service;
    struct spec instance; /* what each of its actors is; a module without a name */
};

/* The keys of a section, in the order in which they are read; ends with a NULL name. */
const struct config_key *config_keys(enum config_section section);
/* NULL when the section has none of that name. */
const struct config_key *config_key_find(enum config_section section, const char *name);
/* The nearest known name in that section, or NULL. */
const char *config_key_nearest(enum config_section section, const char *name);
/* What a section is called in messages and in the manual: "supervisor". */
const char *config_section_title(enum config_section section);
/* The default for people: the written one, or the words; NULL when there is none. */
const char *config_key_default(const struct config_key *key);

#endif
