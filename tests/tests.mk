# SPDX-License-Identifier: GPL-2.0-only
# Tests, demo, benchmark, lint. Included by the top Makefile.

.PHONY: demo
demo: deps ## show the main job in a guest without Yama: one command from a bare Debian 12
	$(Q)tests/vm/kernel fetch 6.1
	$(Q)$(MAKE) all $(BUILD)/module/6.1/checmate.ko $(BUILD)/tests/demo-ptracer
	$(Q)tests/demo

.PHONY: test
test: deps ## run every test in guests of all supported kernels
	$(Q)tests/vm/kernel fetch
	$(Q)$(MAKE) fuzz-replay
	$(Q)$(MAKE) all module-guests test-programs
	$(Q)tests/run

.PHONY: bench
bench: deps ## count instructions and write tests/bench/RESULTS.md
	$(Q)tests/vm/kernel fetch
	$(Q)tests/vm/tree fetch
	$(Q)$(MAKE) all test-programs
	$(Q)tests/bench/run

.PHONY: soak
soak: deps ## the long versions of the tests, by hand
	$(Q)tests/vm/kernel fetch
	$(Q)tests/vm/tree fetch
	$(Q)$(MAKE) all module-guests test-programs
	$(Q)CHECMATE_SOAK=1 tests/run

TEST_BPF := $(patsubst tests/bpf/%.bpf.c,$(BUILD)/tests/bpf/%.bpf.o,$(wildcard tests/bpf/*.bpf.c)) \
	$(patsubst examples/%.bpf.c,$(BUILD)/examples/%.bpf.o,$(wildcard examples/*.bpf.c))
TEST_PROGRAMS := $(BUILD)/tests/yama-cases $(BUILD)/tests/hardchroot-cases $(BUILD)/tests/ratelimit-cases \
	$(BUILD)/tests/netfilter-cases \
	$(BUILD)/tests/door-driver \
	$(patsubst tests/programs/%.c,$(BUILD)/tests/%,$(wildcard tests/programs/*.c)) \
	$(patsubst tests/bench/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/*.c)) $(TEST_BPF)

.PHONY: test-programs
test-programs: $(TEST_PROGRAMS)

$(BUILD)/tests/hardchroot-cases: $(wildcard policies/hardchroot/cases/*.c policies/hardchroot/cases/*.h)
$(BUILD)/tests/ratelimit-cases: $(wildcard policies/ratelimit/cases/*.c)
$(BUILD)/tests/hardchroot-cases $(BUILD)/tests/ratelimit-cases: | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE -pthread -static -o $@ $(filter %.c,$^)

$(BUILD)/tests/netfilter-cases: $(wildcard policies/netfilter/cases/*.c) $(BUILD)/libchecmate.a \
		$(wildcard policies/netfilter/cases/*.h policies/netfilter/*.h) | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE -Ikernel -Iloader -o $@ $(filter-out %.h,$^) $(lib_libs)

$(BUILD)/tests/yama-cases: $(wildcard policies/yama/cases/*.c policies/yama/cases/*.h) | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -pthread -static -o $@ $(filter %.c,$^)

$(BUILD)/tests/replace-many $(BUILD)/tests/look-again: $(BUILD)/tests/%: tests/programs/%.c \
		$(BUILD)/libchecmate.a | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE -Ikernel -Iloader -o $@ $^ $(lib_libs)

# Static: they are started hundreds of times, where starting costs most.
$(BUILD)/tests/net-ways $(BUILD)/tests/netfilter-cases: tests/programs/ring.h
$(BUILD)/tests/net-ways $(BUILD)/tests/net-try: tests/programs/address.h
$(BUILD)/tests/count-race: policies/netfilter/count.bpf.h

$(BUILD)/tests/%: tests/programs/%.c | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE -pthread -static -o $@ $<

$(BUILD)/tests/%: tests/bench/%.c tests/bench/count.h $(BUILD)/libchecmate.a | $(BUILD)/tests
	$(say) CC $@
	$(Q)$(CC) $(CFLAGS) $(WARN) -D_GNU_SOURCE -Ikernel -Iloader -o $@ $(filter-out %.h,$^) $(lib_libs)

$(BUILD)/tests/bpf/%.bpf.o: tests/bpf/%.bpf.c tests/bpf/refuse.bpf.c $(wildcard kernel/*.h) | $(BUILD)/tests/bpf
	$(say) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

$(BUILD)/examples/%.bpf.o: examples/%.bpf.c $(wildcard kernel/*.h) | $(BUILD)/examples
	$(say) BPF $@
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $@

# The language of the pack netfilter against any bytes; no kernel is needed.
FUZZ_SECONDS ?= 300
fuzz := policies/netfilter/fuzz
nf_language := $(filter-out %/nf_limit.c %/nf_sockets.c,$(wildcard loader/nf_*.c)) $(BUILD)/loader/nf_grammar.c $(BUILD)/loader/nf_lex.c

# What else it calls is the library's, and not what is tried here.
$(BUILD)/fuzz/netfilter: $(fuzz)/fuzz.c $(nf_language) $(BUILD)/libchecmate.a \
			 $(wildcard loader/nf*.h policies/netfilter/*.h)
	$(say) CC $@
	$(Q)mkdir -p $(BUILD)/fuzz/found
	$(Q)$(CLANG) -std=gnu11 -D_GNU_SOURCE -g -O2 $(WARN) -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -Ikernel -Iloader -I$(BUILD)/loader -o $@ \
		$(filter %.c %.a,$^) $(lib_libs)

.PHONY: fuzz
fuzz: $(BUILD)/fuzz/netfilter ## try rules at random for FUZZ_SECONDS, and keep what shows something new
	$(Q)$< -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -timeout=20 -dict=$(fuzz)/words.dict \
		-artifact_prefix=$(BUILD)/fuzz/ $(BUILD)/fuzz/found $(fuzz)/corpus
	$(Q)$< -merge=1 $(fuzz)/corpus $(BUILD)/fuzz/found

.PHONY: fuzz-replay
fuzz-replay: $(BUILD)/fuzz/netfilter ## try once more what has been kept
	$(Q)$< -runs=0 -timeout=20 -artifact_prefix=$(BUILD)/fuzz/ $(fuzz)/corpus >$(BUILD)/fuzz/log 2>&1 || \
		{ cat $(BUILD)/fuzz/log >&2; exit 1; }

.PHONY: lint
lint: deps ## formatting, warnings, static analysis, shell, man page
	$(Q)tests/lint
