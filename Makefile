# Troupe: one makefile, not recursive. `make help` lists the targets.
#
#   make BUILD=out CC=clang CFLAGS=-O3      any of these may be overridden
#   make check SAN=address,undefined        a second tree, build-san, with sanitizers
#   make V=1                                shows the commands

CC       ?= cc
CFLAGS   ?= -O2 -g
LDFLAGS  ?=
PREFIX   ?= /usr/local
DESTDIR  ?=
V        ?= 0
SAN      ?=
FAULT    ?=
BUILD    ?= build$(if $(SAN),-san)$(if $(FAULT),-fault)
JOBS     ?= $(shell nproc)

# However it was said, one tree has one name: dependencies are written down by it.
override BUILD := $(patsubst $(CURDIR)/%,%,$(BUILD))

VERSION := 0.1.0

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion \
            -Wno-sign-conversion
DEFINES  := -D_GNU_SOURCE -DTROUPE_VERSION='"$(VERSION)"' $(if $(FAULT),-DTROUPE_FAULT)
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
ALL_CFLAGS  = -std=c11 $(WARNINGS) $(DEFINES) -Ilib -fPIC -fvisibility=hidden $(SANFLAGS) $(CFLAGS)
# Symbols are bound once, by the supervisor, and not again by each child that it forks (15 pages).
# In few pieces: each fork of a supervisor copies what is mapped, piece by piece.
ALL_LDFLAGS = $(SANFLAGS) -Wl,-z,now -Wl,-z,noseparate-code $(LDFLAGS)

include sources.mk

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

PROGRAMS := $(BUILD)/bin/troupe $(BUILD)/bin/troupe-supervisord $(BUILD)/bin/troupe-node
MODULES  := $(patsubst %,$(BUILD)/workers/%.so,$(WORKER_MODULES))
WORKERS  := $(patsubst %,$(BUILD)/workers/%,$(WORKER_PROGRAMS))
LIBS     := $(BUILD)/lib/libtroupe.a $(BUILD)/lib/libtroupe.so

all: $(LIBS) $(PROGRAMS) $(MODULES) $(WORKERS) ## programs, libraries, modules, into $(BUILD)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/lib/libtroupe.a: $(call objects,$(LIB_SOURCES))
	@mkdir -p $(@D)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/lib/libtroupe.so: $(call objects,$(LIB_SOURCES) $(NEST_SOURCES)) lib/libtroupe.map
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -shared -Wl,-soname,libtroupe.so.0 -Wl,--version-script=lib/libtroupe.map \
	    -o $@ $(filter %.o,$^) $(ALL_LDFLAGS) $(NEST_FLAGS) $(LIB_LIBS)
	$(Q)ln -sf libtroupe.so $@.0

$(BUILD)/bin/troupe: $(call objects,$(CLI_SOURCES)) $(BUILD)/lib/libtroupe.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(CLI_LIBS) $(LIB_LIBS)

$(BUILD)/bin/troupe-supervisord: $(call objects,$(SUPERVISORD_SOURCES)) $(BUILD)/lib/libtroupe.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(SUPERVISORD_LIBS) $(LIB_LIBS)

$(BUILD)/bin/troupe-node: $(call objects,$(NODE_SOURCES)) $(BUILD)/lib/libtroupe.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -o $@ $^ $(ALL_LDFLAGS) $(NODE_LIBS) $(LIB_LIBS)

# A module brings the runtime it was built against: it links the shared library and finds it
# beside itself, uninstalled or installed. One of several sources (NAME_MODULE_SOURCES) may use what the
# library keeps to itself: it gets its own copy of that.
define worker_module
$$(BUILD)/workers/$(1).so: $$(call objects,$$(or $$($(1)_MODULE_SOURCES),workers/$(1).c)) \
    $$(BUILD)/lib/libtroupe.so $$(if $$($(1)_MODULE_SOURCES),$$(BUILD)/lib/libtroupe.a)
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) -shared -o $$@ $$(filter %.o,$$^) $$(ALL_LDFLAGS) -L$$(BUILD)/lib -ltroupe \
	    $$(filter %.a,$$^) $$(if $$(filter %.a,$$^),$$(LIB_LIBS)) \
	    -Wl,-rpath,'$$$$ORIGIN/../lib:$$$$ORIGIN/../..'
endef
$(foreach m,$(WORKER_MODULES),$(eval $(call worker_module,$(m))))

define worker_program
$$(BUILD)/workers/$(1): $$(call objects,$$($(1)_SOURCES)) $$(BUILD)/lib/libtroupe.a
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$($(1)_LIBS) $$(LIB_LIBS)
endef
$(foreach w,$(WORKER_PROGRAMS),$(eval $(call worker_program,$(w))))

# ---- tests ------------------------------------------------------------------------------

UNIT_BINARIES := $(patsubst %,$(BUILD)/tests/unit/%,$(UNIT_TESTS))

define unit_test
$$(BUILD)/tests/unit/$(1): $$(BUILD)/obj/tests/unit/$(1).o $$(call objects,$$($(1)_UNITS)) \
    $$(BUILD)/lib/libtroupe.a
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$($(1)_LIBS) $$(LIB_LIBS) -lm
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$(t))))

HELPER_BINARIES := $(patsubst %,$(BUILD)/tests/helpers/%,$(TEST_HELPERS))

define test_helper
$$(BUILD)/tests/helpers/$(1): $$(BUILD)/obj/tests/helpers/$(1).o $$(BUILD)/lib/libtroupe.a
	@mkdir -p $$(@D)
	$$(call say,LD)
	$$(Q)$$(CC) -o $$@ $$^ $$(ALL_LDFLAGS) $$($(1)_LIBS) $$(LIB_LIBS)
endef
$(foreach t,$(TEST_HELPERS),$(eval $(call test_helper,$(t))))

# Libraries for LD_PRELOAD: also into programs that have no sanitizer in them.
$(BUILD)/tests/helpers/%.so: SANFLAGS :=
PRELOAD_FILES := $(patsubst %,$(BUILD)/tests/helpers/%.so,$(TEST_PRELOADS))

$(BUILD)/tests/helpers/%.so: $(BUILD)/obj/tests/helpers/%.o
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -shared -o $@ $< $(LDFLAGS)

TEST_MODULE_FILES := $(patsubst %,$(BUILD)/tests/modules/%.so,$(TEST_MODULES))

$(BUILD)/tests/modules/%.so: $(BUILD)/obj/tests/modules/%.o $(BUILD)/lib/libtroupe.so
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -shared -o $@ $< $(ALL_LDFLAGS) -L$(BUILD)/lib -ltroupe \
	    -Wl,-rpath,'$$ORIGIN/../../lib'

# What `make bench` measures with. The measured program is static: exec is what is timed, not ld.so.
TALK_PARTS  := $(patsubst %,$(BUILD)/tests/bench/%,pingpong ends driver.so target.so hunter.so mortal.so \
    relay joiner.so births summoner.so saver.so rows)
BENCH_PARTS := $(patsubst %,$(BUILD)/tests/bench/%,limit race stamp stamper.so) $(TALK_PARTS)

# Nodes of a later version: one that still speaks the present one, and one that does not any more.
LATER_NODES := $(addprefix $(BUILD)/tests/helpers/troupe-node-,next later)
$(BUILD)/tests/helpers/troupe-node-next: NODE_VERSIONS := 1,2
$(BUILD)/tests/helpers/troupe-node-later: NODE_VERSIONS := 2,2

$(LATER_NODES): cluster/main.c $(call objects,$(filter-out cluster/main.c,$(NODE_SOURCES))) $(BUILD)/lib/libtroupe.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) -DNODE_VERSIONS=$(NODE_VERSIONS) -o $@ $^ $(ALL_LDFLAGS) $(NODE_LIBS) $(LIB_LIBS)

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(if $(filter stamp,$*),-static) -o $@ $^ $(ALL_LDFLAGS) $(if $(filter pingpong,$*),-lnng) $(if $(filter rows,$*),-lsqlite3)

$(BUILD)/tests/bench/%.so: $(BUILD)/obj/tests/bench/%.o $(BUILD)/lib/libtroupe.so
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -shared -o $@ $< $(ALL_LDFLAGS) -L$(BUILD)/lib -ltroupe \
	    -Wl,-rpath,'$$ORIGIN/../../lib'

# Fuzzers need clang's libFuzzer; they compile their sources anew with its coverage.
FUZZ_BINARIES := $(patsubst %,$(BUILD)/tests/fuzz/%,$(FUZZERS))
FUZZ_CC       ?= clang

define fuzzer
$$(BUILD)/tests/fuzz/$(1): tests/fuzz/$(1).c $$($(1)_FUZZED)
	@mkdir -p $$(@D)
	$$(call say,FUZZ)
	$$(Q)$$(FUZZ_CC) -std=c11 -g -O1 $$(DEFINES) -Ilib -Isupervisord \
	    -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	    -o $$@ $$^ $$($(1)_LIBS) $$(LIB_LIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzzer,$(f))))

# ---- checking ---------------------------------------------------------------------------

# Without -j on the command line the work is spread over all cores all the same.
SPREAD = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

# The same programs with fault points compiled in (lib/fault.h), for tests/fault.
FAULT_BUILD ?= $(BUILD)-fault
FAULT_PARTS := all test-parts

test-parts: $(HELPER_BINARIES) $(LATER_NODES) $(TEST_MODULE_FILES) $(PRELOAD_FILES)
tests: all test-parts $(UNIT_BINARIES) $(TALK_PARTS)
bench-parts: $(BENCH_PARTS) $(BUILD)/tests/helpers/node_procs $(BUILD)/tests/helpers/stranger
fuzzers: $(FUZZ_BINARIES)
fault-build:
	@$(MAKE) --no-print-directory BUILD=$(FAULT_BUILD) FAULT=1 $(FAULT_PARTS)

SCENARIOS := $(sort $(wildcard tests/*.bats tests/conformance/*.bats))
FAULTS    := $(sort $(wildcard tests/fault/*.bats))
# More than half of a scenario's time goes by in waiting: twice as many as cores run at a time.
TEST_JOBS ?= $(shell echo $$(($(JOBS) * 2)))
RUN_TESTS  = BUILD=$(BUILD) FAULT_BUILD=$(abspath $(FAULT_BUILD)) SAN=$(SAN) \
             scripts/run-tests --logs $(BUILD)/test-logs --jobs $(TEST_JOBS)

check: ## installs the test tools, builds, runs every test
	@scripts/install-deps --test
	@$(SPREAD) tests fault-build fuzzers
	@$(RUN_TESTS) $(UNIT_BINARIES) $(SCENARIOS) $(FAULTS) $(FUZZ_BINARIES)

unit: ## unit tests only
	@$(SPREAD) tests
	@$(RUN_TESTS) $(UNIT_BINARIES)

bats: ## scenarios only; ONE=tests/10-life.bats runs one file
	@$(SPREAD) tests fault-build
	@$(RUN_TESTS) $(or $(ONE),$(SCENARIOS) $(FAULTS))

fuzz: ## every fuzzer for FUZZ_SECONDS (5)
	@$(SPREAD) fuzzers
	@$(RUN_TESTS) $(FUZZ_BINARIES)

soak: ## the long versions: faults and fuzzers, an hour at most for each
	@scripts/install-deps --test
	@$(SPREAD) tests fault-build fuzzers
	@$(RUN_TESTS) --soak $(FAULTS) $(FUZZ_BINARIES)

bench: ## measures against the limits and against other supervisors
	@scripts/install-deps --bench
	@$(SPREAD) all bench-parts
	@BUILD=$(BUILD) tests/bench/run $(BENCH)

demo: ## a real tree, from nothing to nothing
	@scripts/install-deps
	@$(SPREAD) all
	@BUILD=$(BUILD) scripts/demo

lint: ## clang-tidy, cppcheck, shellcheck, include direction, manual pages
	@scripts/install-deps --test
	@$(SPREAD) documents
	@BUILD=$(BUILD) scripts/lint

format: ## clang-format over the C sources
	$(Q)find lib cli cluster supervisord workers tests -name '*.[ch]' | xargs clang-format -i

# ---- installing -------------------------------------------------------------------------

# /usr keeps its configuration in /etc; any other prefix keeps its own.
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR    ?= $(PREFIX)/lib/systemd/system

bindir     := $(DESTDIR)$(PREFIX)/bin
libdir     := $(DESTDIR)$(PREFIX)/lib
includedir := $(DESTDIR)$(PREFIX)/include
mandir     := $(DESTDIR)$(PREFIX)/share/man
sharedir   := $(DESTDIR)$(PREFIX)/share
workerdir  := $(libdir)/troupe/workers
unitdir    := $(DESTDIR)$(UNITDIR)
confdir    := $(DESTDIR)$(SYSCONFDIR)/troupe

MAN_PAGES   := man/troupe.1 man/libtroupe.3 man/troupe.7 man/troupe-port.7 \
    man/troupe-node.8 man/troupe-supervisord.8
COMPLETIONS := $(patsubst %,$(BUILD)/completions/%,bash zsh fish)
DOCUMENTS   := $(BUILD)/man/troupe.yaml.5 $(BUILD)/etc/sample.yaml $(COMPLETIONS)

# What the programs know about themselves is written down by them.
$(BUILD)/man/troupe.yaml.5: $(BUILD)/bin/troupe-supervisord
	@mkdir -p $(@D)
	$(call say,MAN)
	$(Q)$< --print-manual >$@

$(BUILD)/etc/sample.yaml: $(BUILD)/bin/troupe-supervisord
	@mkdir -p $(@D)
	$(call say,SAMPLE)
	$(Q)$< --print-sample >$@

$(COMPLETIONS): $(BUILD)/bin/troupe $(BUILD)/bin/troupe-supervisord
	@mkdir -p $(@D)
	$(call say,COMPLETE)
	$(Q)$< completion $(@F) >$@

documents: $(DOCUMENTS)

filled = sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' \
             -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g'

install: all documents ## into PREFIX (/usr/local), below DESTDIR
	@install -d $(bindir) $(confdir) 2>/dev/null && [ -w $(bindir) ] && [ -w $(confdir) ] || \
	    { echo "make install: $(DESTDIR)$(PREFIX) cannot be written: run it as root," \
	           "or with PREFIX=\$$HOME/.local" >&2; exit 1; }
	$(Q)install -d $(bindir) $(workerdir) $(libdir)/pkgconfig $(includedir) $(unitdir) $(confdir) \
	    $(mandir)/man1 $(mandir)/man3 $(mandir)/man5 $(mandir)/man7 $(mandir)/man8 \
	    $(sharedir)/bash-completion/completions $(sharedir)/zsh/site-functions \
	    $(sharedir)/fish/vendor_completions.d
	$(Q)install -m 755 $(PROGRAMS) $(bindir)
	$(Q)install -m 644 $(BUILD)/lib/libtroupe.a $(libdir)
	$(Q)install -m 644 $(BUILD)/lib/libtroupe.so $(libdir)/libtroupe.so.$(VERSION)
	$(Q)ln -sf libtroupe.so.$(VERSION) $(libdir)/libtroupe.so.0
	$(Q)ln -sf libtroupe.so.0 $(libdir)/libtroupe.so
	$(Q)$(filled) lib/troupe.pc.in >$(libdir)/pkgconfig/troupe.pc
	$(Q)install -m 644 lib/troupe.h $(includedir)
	$(Q)install -m 644 $(MODULES) $(workerdir)
	$(if $(WORKERS),$(Q)install -m 755 $(WORKERS) $(workerdir))
	$(Q)for page in $(MAN_PAGES) $(BUILD)/man/troupe.yaml.5; do \
	    install -m 644 $$page $(mandir)/man$${page##*.}; done
	$(Q)install -m 644 $(BUILD)/completions/bash $(sharedir)/bash-completion/completions/troupe
	$(Q)install -m 644 $(BUILD)/completions/zsh $(sharedir)/zsh/site-functions/_troupe
	$(Q)install -m 644 $(BUILD)/completions/fish $(sharedir)/fish/vendor_completions.d/troupe.fish
	$(Q)$(filled) etc/systemd/troupe@.service >$(unitdir)/troupe@.service
	$(Q)install -m 644 $(BUILD)/etc/sample.yaml $(confdir)/sample.yaml

uninstall: ## removes what install put there
	$(Q)rm -f $(patsubst %,$(bindir)/%,$(notdir $(PROGRAMS))) \
	    $(libdir)/libtroupe.a $(libdir)/libtroupe.so $(libdir)/libtroupe.so.* \
	    $(libdir)/pkgconfig/troupe.pc $(includedir)/troupe.h \
	    $(sharedir)/bash-completion/completions/troupe $(sharedir)/zsh/site-functions/_troupe \
	    $(sharedir)/fish/vendor_completions.d/troupe.fish \
	    $(unitdir)/troupe@.service $(confdir)/sample.yaml
	$(Q)rm -rf $(libdir)/troupe
	$(Q)for page in $(MAN_PAGES) man/troupe.yaml.5; do \
	    rm -f $(mandir)/man$${page##*.}/$${page##*/}; done
	$(Q)rmdir $(confdir) 2>/dev/null || true

# ---- the rest ---------------------------------------------------------------------------

clean: ## removes the build tree
	$(Q)rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  CC CFLAGS LDFLAGS PREFIX DESTDIR BUILD SAN V=1 may be set on the command line.'

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: all test-parts bench-parts tests fuzzers fault-build check unit bats fuzz soak bench demo lint format \
        documents install uninstall clean help
.DELETE_ON_ERROR:
.SECONDARY: # objects of modules are kept like all others
