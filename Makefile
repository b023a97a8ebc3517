# SPDX-License-Identifier: GPL-2.0-only
# The one entry point. `make help` lists the targets; `make V=1` shows the commands.

PREFIX  ?= /usr/local
BUILD   := build
CC      ?= gcc
CLANG   ?= clang
LLVM_STRIP ?= llvm-strip
PKG_CONFIG ?= pkg-config
BISON   ?= bison
FLEX    ?= flex
CFLAGS  ?= -O2 -g

VERSION := $(shell sed -n 's/^\#define CM_VERSION "\(.*\)"/\1/p' loader/checmate.h)

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
MAKEFLAGS += --no-print-directory
endif

# clang names the target architecture of BPF programs as libbpf does.
ARCH := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/; s/riscv64/riscv/')
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

WARN := -Wall -Wextra -Werror
LIBS := libbpf libkmod popt json-c libconfuse libmd
# Only what is compiled needs them: `make help`, `deps` and `clean` work without.
lib_cflags = $(shell $(PKG_CONFIG) --cflags $(LIBS))
lib_libs   = $(shell $(PKG_CONFIG) --libs $(LIBS))

# mcpu=v3: atomics that fetch. No unused-parameter: a hook's arguments are the kernel's.
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) $(WARN) -Wno-unused-parameter \
	$(if $(MULTIARCH),-I/usr/include/$(MULTIARCH)) -Ikernel

PACKS     := $(sort $(basename $(basename $(notdir $(wildcard policies/*/*.bpf.c)))))
CORE      := probe guard tighten
BPF_OBJS  := $(patsubst %,$(BUILD)/%.bpf.o,$(CORE) $(PACKS))
CLI_SRC   := $(wildcard loader/cli.c loader/cmd_*.c loader/output.c)
LIB_SRC   := $(filter-out $(CLI_SRC),$(wildcard loader/*.c))
LIB_OBJ   := $(LIB_SRC:loader/%.c=$(BUILD)/loader/%.o) $(BUILD)/loader/builtin.o \
	$(BUILD)/loader/nf_grammar.o $(BUILD)/loader/nf_lex.o
CLI_OBJ   := $(CLI_SRC:loader/%.c=$(BUILD)/loader/%.o)

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all

.PHONY: all
all: $(BUILD)/checmate ## build the command and the policies

$(BUILD) $(BUILD)/loader $(BUILD)/tests $(BUILD)/tests/bpf $(BUILD)/examples:
	$(Q)mkdir -p $@

# --- BPF objects: kernel/NAME.bpf.c, policies/NAME/NAME.bpf.c

vpath %.bpf.c kernel $(addprefix policies/,$(PACKS))
$(BPF_OBJS): $(BUILD)/%.bpf.o: %.bpf.c $(wildcard kernel/*.h policies/*/*.h) | $(BUILD) need-clang
	$(say) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@
	$(Q)$(LLVM_STRIP) -g $@

# The objects travel inside the library, so that nothing is ever loaded from a path by search.
$(BUILD)/loader/builtin.c: $(BPF_OBJS) loader/embed.sh | $(BUILD)/loader
	$(say) GEN $@
	$(Q)loader/embed.sh $(BUILD) "$(CORE)" "$(PACKS)" >$@

$(BUILD)/loader/builtin.o: $(BUILD)/loader/builtin.c
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -Ikernel -Iloader $(lib_cflags) -c $< -o $@

# --- library and command

# The language of the pack netfilter.
$(BUILD)/loader/nf_grammar.c $(BUILD)/loader/nf_grammar.h &: loader/nf_grammar.y | $(BUILD)/loader need-parsers
	$(say) YACC $(BUILD)/loader/nf_grammar.c
	$(Q)$(BISON) -Wall -Werror -o $(BUILD)/loader/nf_grammar.c -H$(BUILD)/loader/nf_grammar.h $<

$(BUILD)/loader/nf_lex.c: loader/nf_lex.l | $(BUILD)/loader need-parsers
	$(say) LEX $@
	$(Q)$(FLEX) -o $@ $<

$(BUILD)/loader/nf_grammar.o $(BUILD)/loader/nf_lex.o: $(BUILD)/loader/%.o: $(BUILD)/loader/%.c loader/nf.h loader/nf_parse.h policies/netfilter/ruleset.h $(BUILD)/loader/nf_grammar.h
	$(say) CC $@
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) -Ikernel -Iloader -I$(BUILD)/loader -c $< -o $@

$(BUILD)/loader/nf_parse.o: $(BUILD)/loader/nf_grammar.h
$(BUILD)/loader/nf_parse.o: CFLAGS += -I$(BUILD)/loader

$(BUILD)/loader/%.o: loader/%.c | $(BUILD)/loader need-libs
	$(say) CC $@
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) -MMD -MP -Ikernel -Iloader \
		$(lib_cflags) -c $< -o $@
-include $(wildcard $(BUILD)/loader/*.d)

# `checmate build` compiles with what make install puts in place.
$(BUILD)/loader/sdk.o: CFLAGS += -DCM_SDK_DIR='"$(PREFIX)/include/checmate"' \
	-DCM_TARGET_ARCH='"$(ARCH)"' -DCM_MULTIARCH='"$(MULTIARCH)"'
$(BUILD)/loader/sdk.o: $(BUILD)/prefix
$(BUILD)/prefix: FORCE | $(BUILD)
	$(Q)echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
.PHONY: FORCE
FORCE:

$(BUILD)/libchecmate.a: $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/checmate: $(CLI_OBJ) $(BUILD)/libchecmate.a
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(lib_libs)

# --- what is missing, in one line

.PHONY: need-clang need-libs need-parsers
need-parsers:
	@command -v $(BISON) >/dev/null && command -v $(FLEX) >/dev/null || \
		{ echo "missing $(BISON) or $(FLEX): run 'make deps' as root" >&2; exit 1; }
need-clang:
	@command -v $(CLANG) >/dev/null || \
		{ echo "missing $(CLANG): run 'make deps' as root" >&2; exit 1; }
need-libs:
	@$(PKG_CONFIG) --exists $(LIBS) || \
		{ echo "missing one of the libraries $(LIBS): run 'make deps' as root" >&2; exit 1; }

.PHONY: deps
deps: ## install the Debian packages that building and testing need (root)
	$(Q)tests/deps

include kernel/module/module.mk
include tests/tests.mk

# --- install

bindir  := $(DESTDIR)$(PREFIX)/sbin
libdir  := $(DESTDIR)$(PREFIX)/lib
incdir  := $(DESTDIR)$(PREFIX)/include/checmate
mandir  := $(DESTDIR)$(PREFIX)/share/man/man8
unitdir := $(DESTDIR)$(PREFIX)/lib/systemd/system
compdir := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

INSTALLED := $(bindir)/checmate $(libdir)/libchecmate.a $(libdir)/pkgconfig/checmate.pc \
	$(mandir)/checmate.8 $(compdir)/checmate $(unitdir)/checmate.service

.PHONY: install
install: all ## install below $(DESTDIR)$(PREFIX); the module too, if `make module` built it
	$(Q)install -D -m 755 $(BUILD)/checmate $(bindir)/checmate
	$(Q)install -D -m 644 $(BUILD)/libchecmate.a $(libdir)/libchecmate.a
	$(Q)install -D -m 644 -t $(incdir) loader/checmate.h kernel/*.h
	$(Q)install -D -m 644 loader/checmate.8 $(mandir)/checmate.8
	$(Q)install -D -m 644 loader/bash-completion $(compdir)/checmate
	$(Q)install -d $(libdir)/pkgconfig $(unitdir)
	$(Q)sed 's,@PREFIX@,$(PREFIX),' loader/checmate.service.in >$(unitdir)/checmate.service
	$(Q)sed 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(VERSION),; s,@ARCH@,$(ARCH),; s,@MULTIARCH@,$(MULTIARCH),' \
		loader/checmate.pc.in >$(libdir)/pkgconfig/checmate.pc
	$(Q)if [ -f $(BUILD)/module/checmate.ko ]; then \
		dir=$(DESTDIR)/lib/modules/$$(modinfo -F vermagic $(BUILD)/module/checmate.ko | cut -d' ' -f1); \
		install -D -m 644 $(BUILD)/module/checmate.ko $$dir/extra/checmate.ko; \
		[ -n "$(DESTDIR)" ] || depmod -a; \
	fi

.PHONY: uninstall
uninstall: ## remove what `make install` put there
	$(Q)rm -f $(INSTALLED)
	$(Q)rm -rf $(incdir)
	$(Q)rm -f $(DESTDIR)/lib/modules/*/extra/checmate.ko

.PHONY: clean
clean: ## remove everything that was built; fetched kernels stay in their cache
	$(Q)rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@echo "Checmate $(VERSION)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | sort | \
		awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'
