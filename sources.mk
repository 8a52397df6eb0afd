# What is built from what: explicit lists, one place.

LIB_SOURCES :=
LIB_SOURCES += lib/ctl.c lib/crash.c
LIB_LIBS    := -lev -ltpl -lm -ldl

CLI_SOURCES :=
CLI_LIBS    := -ljansson

SUPERVISORD_SOURCES :=
SUPERVISORD_SOURCES += supervisord/intensity.c supervisord/backoff.c supervisord/strategy.c \
    supervisord/depends.c supervisord/texts.c supervisord/spec.c
SUPERVISORD_LIBS    := -lyaml

WORKER_MODULES  :=
WORKER_PROGRAMS :=

# NAME_UNITS are the sources a unit test links beside libtroupe.a; NAME_LIBS its libraries.
UNIT_TESTS   :=
TEST_HELPERS :=
TEST_MODULES :=
FUZZERS      :=
