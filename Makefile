# Troupe: one makefile, not recursive. `make help` lists the targets.
#
#   make BUILD=out CC=clang CFLAGS=-O3      any of these may be overridden
#   make SAN=address,undefined BUILD=build-san check
#   make V=1                                shows the commands

CC       ?= cc
CFLAGS   ?= -O2 -g
LDFLAGS  ?=
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
V        ?= 0
SAN      ?=
FAULT    ?=

VERSION := 0.1.0

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
            -Wno-sign-conversion
DEFINES  := -D_GNU_SOURCE -DTROUPE_VERSION='"$(VERSION)"' $(if $(FAULT),-DTROUPE_FAULT)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
ALL_CFLAGS  = -std=c11 $(WARNINGS) $(DEFINES) -Ilib -fPIC -fvisibility=hidden $(SANFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(SANFLAGS) $(LDFLAGS)

include sources.mk

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROGRAMS := $(BUILD)/bin/troupe $(BUILD)/bin/troupe-supervisord
MODULES  := $(patsubst %,$(BUILD)/workers/%.so,$(WORKER_MODULES))
WORKERS  := $(patsubst %,$(BUILD)/workers/%,$(WORKER_PROGRAMS))
LIBS     := $(BUILD)/lib/libtroupe.a $(BUILD)/lib/libtroupe.so

all: $(LIBS) $(PROGRAMS) $(MODULES) $(WORKERS)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(say) CC
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/libtroupe.a: $(call objects,$(LIB_SOURCES))
	@mkdir -p $(@D)
	$(say) AR
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/lib/libtroupe.so: $(call objects,$(LIB_SOURCES)) lib/libtroupe.map
	@mkdir -p $(@D)
	$(say) LD
	$(Q)$(CC) -shared -Wl,-soname,libtroupe.so.0 -Wl,--version-script=lib/libtroupe.map \
	    -o $@ $(filter %.o,$^) $(ALL_LDFLAGS) $(LIB_LIBS)
	$(Q)ln -sf libtroupe.so $@.0

$(BUILD)/bin/troupe: $(call objects,$(CLI_SOURCES)) $(BUILD)/lib/libtroupe.a
	@mkdir -p $(@D)
	$(say) LD
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(CLI_LIBS) $(LIB_LIBS)

$(BUILD)/bin/troupe-supervisord: $(call objects,$(SUPERVISORD_SOURCES)) $(BUILD)/lib/libtroupe.a
	@mkdir -p $(@D)
	$(say) LD
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(SUPERVISORD_LIBS) $(LIB_LIBS)

# A module brings the runtime it was built against: it links the shared library and finds it
# beside itself, uninstalled or installed.
$(BUILD)/workers/%.so: $(BUILD)/obj/workers/%.o $(BUILD)/lib/libtroupe.so
	@mkdir -p $(@D)
	$(say) LD
	$(Q)$(CC) -shared -o $@ $< $(ALL_LDFLAGS) -L$(BUILD)/lib -ltroupe \
	    -Wl,-rpath,'$$ORIGIN/../lib:$$ORIGIN/../..'

define worker_program
$$(BUILD)/workers/$(1): $$(call objects,$$($(1)_SOURCES)) $$(BUILD)/lib/libtroupe.a
	@mkdir -p $$(@D)
	$$(say) LD
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$($(1)_LIBS) $$(LIB_LIBS)
endef
$(foreach w,$(WORKER_PROGRAMS),$(eval $(call worker_program,$(w))))

# ---- tests ------------------------------------------------------------------------------

UNIT_BINARIES := $(patsubst %,$(BUILD)/tests/unit/%,$(UNIT_TESTS))

define unit_test
$$(BUILD)/tests/unit/$(1): $$(BUILD)/obj/tests/unit/$(1).o $$(call objects,$$($(1)_UNITS)) \
    $$(BUILD)/lib/libtroupe.a
	@mkdir -p $$(@D)
	$$(say) LD
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$($(1)_LIBS) $$(LIB_LIBS) -lm
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$(t))))

HELPER_BINARIES := $(patsubst %,$(BUILD)/tests/helpers/%,$(TEST_HELPERS))

define test_helper
$$(BUILD)/tests/helpers/$(1): $$(BUILD)/obj/tests/helpers/$(1).o $$(BUILD)/lib/libtroupe.a
	@mkdir -p $$(@D)
	$$(say) LD
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$($(1)_LIBS) $$(LIB_LIBS)
endef
$(foreach t,$(TEST_HELPERS),$(eval $(call test_helper,$(t))))

TEST_MODULE_FILES := $(patsubst %,$(BUILD)/tests/modules/%.so,$(TEST_MODULES))

$(BUILD)/tests/modules/%.so: $(BUILD)/obj/tests/modules/%.o $(BUILD)/lib/libtroupe.so
	@mkdir -p $(@D)
	$(say) LD
	$(Q)$(CC) -shared -o $@ $< $(ALL_LDFLAGS) -L$(BUILD)/lib -ltroupe \
	    -Wl,-rpath,'$$ORIGIN/../../lib'

# Fuzzers need clang's libFuzzer; they compile their sources anew with its coverage.
FUZZ_BINARIES := $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZERS))
FUZZ_CC       ?= clang

define fuzzer
$$(BUILD)/tests/fuzz/$(1): tests/fuzz/$(1).c $$($(1)_FUZZED)
	@mkdir -p $$(@D)
	$$(say) FUZZ
	$$(Q)$$(FUZZ_CC) -std=c11 -g -O1 $$(DEFINES) -Ilib -Isupervisord \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    -o $$@ $$^ $$($(1)_LIBS) $$(LIB_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

tests: all $(UNIT_BINARIES) $(HELPER_BINARIES) $(TEST_MODULE_FILES)

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

clean:
	$(Q)rm -rf $(BUILD)

.PHONY: all tests clean
.DELETE_ON_ERROR:
