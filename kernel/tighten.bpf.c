// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one way to change a value of a locked policy: BPF_PROG_TEST_RUN of this program, which makes
 * it stricter or leaves it. One for each policy, with its maps; what is stricter, and which scopes
 * lie in which, is constant here, so no caller can say otherwise. Two calls at once lose nothing.
 */
#include "types.bpf.h"

#include <bpf/bpf_helpers.h>
#include <asm-generic/errno.h>

#include "abi.h"
#include "tighten.h"

char LICENSE[] SEC("license") = "GPL";

/* The policy's own maps take the place of these. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CM_ROWS - 1);
	__type(key, __u64);
	__uint(value_size, sizeof(struct cm_scope) + CM_KNOBS_MAX * sizeof(__s32));
} cm_scopes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CM_ROWS);
	__type(key, __u32);
	__uint(value_size, CM_KNOBS_MAX * sizeof(struct cm_value));
} cm_rows SEC(".maps");

/* All rows in one element; a policy that has none leaves this one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(value_size, sizeof(struct cm_level_head));
} cm_levels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(value_size, sizeof(struct cm_state) + 2 * CM_KNOBS_MAX * sizeof(__s32));
} cm_state SEC(".maps");

const volatile struct cm_tighten_rules cm_rules SEC(".rodata.cm_rules");

static __always_inline bool is_stricter(__u32 rule, __s32 a, __s32 b)
{
	if (rule == CM_STRICTEST_LIMIT) /* 0 is the largest of all */
		return (__u32)a - 1 < (__u32)b - 1;
	return rule == CM_STRICTEST_MIN ? a < b : a > b;
}

/* As often as another call may come between, and more. */
#define MAX_TRIES 64

/* False if others were always faster: nothing is lost, and the caller may try again. */
static __always_inline bool tighten(__s32 *place, __u32 rule, __s32 value)
{
	__s32 now;
	int i;

	if (rule == CM_STRICTEST_OR) {
		__sync_fetch_and_or(place, value);
		return true;
	}
	for (i = 0; i < MAX_TRIES; i++) {
		now = *(volatile __s32 *)place;
		if (!is_stricter(rule, value, now) ||
		    __sync_val_compare_and_swap(place, now, value) == now)
			return true;
	}
	return false;
}

struct walk {
	__u32 row, index, rule;
	__s32 value;
	__u32 enforce, failed;
};

/* The rows of the scope and of all that lie in it. */
static long tighten_row(__u64 i, struct walk *walk)
{
	__u32 key = i, index = walk->index, row = walk->row;
	struct cm_value *value;

	if (key >= CM_ROWS || row >= CM_ROWS || index >= cm_rules.nr_values)
		return 1;
	if (cm_rules.spans[key].first < cm_rules.spans[row].first ||
	    cm_rules.spans[key].first >= cm_rules.spans[row].end)
		return 0;
	value = bpf_map_lookup_elem(&cm_rows, &key);
	if (!value)
		return 1;
	value += index;
	if (!tighten(&value->shadow, walk->rule, walk->value) ||
	    (walk->enforce && !tighten(&value->enforced, walk->rule, walk->value)))
		walk->failed = 1;
	return 0;
}

/* True as well where there are no levels. */
static __always_inline bool tighten_level(__u32 row, const struct walk *walk)
{
	__u64 at = (__u64)row * cm_rules.level_size + sizeof(struct cm_level_head) +
		   (__u64)walk->index * sizeof(__s32);
	__u32 zero = 0;
	char *levels;

	if (!cm_rules.level_size)
		return true;
	/* For the verifier: 6.1 wants to see what is exchanged aligned. */
	asm volatile("%0 &= -4" : "+r"(at));
	levels = bpf_map_lookup_elem(&cm_levels, &zero);
	if (!levels || row >= CM_ROWS || walk->index >= CM_KNOBS_MAX ||
	    at > (__u64)CM_ROWS * cm_rules.level_size - sizeof(__s32))
		return false;
	return tighten((__s32 *)(levels + at), walk->rule, walk->value);
}

static __always_inline bool tighten_scope(__u64 cgroup, struct walk *walk)
{
	struct cm_scope *scope = bpf_map_lookup_elem(&cm_scopes, &cgroup);
	__u32 index = walk->index;

	if (!scope || index >= cm_rules.nr_values)
		return false;
	walk->row = scope->row;
	walk->enforce = scope->mode == CM_ENFORCE;
	bpf_loop(CM_ROWS, tighten_row, walk, 0);
	if (!tighten_level(walk->row, walk))
		return false;
	return !walk->failed && tighten((__s32 *)(scope + 1) + index, walk->rule, walk->value);
}

SEC("syscall")
int cm_tighten(struct cm_tighten *ctx)
{
	struct walk walk = { .index = ctx->index, .value = ctx->value };
	__u64 cgroup = ctx->cgroup;
	__u32 zero = 0, index = ctx->index, rule;
	struct cm_state *state = bpf_map_lookup_elem(&cm_state, &zero);
	__s32 *ceiling;

	if (!state || index >= cm_rules.nr_values || index >= CM_KNOBS_MAX)
		return -EINVAL;
	rule = cm_rules.knobs[index].strictest;
	if (walk.value < cm_rules.knobs[index].min || walk.value > cm_rules.knobs[index].max)
		return -ERANGE;
	walk.rule = rule;
	ceiling = (__s32 *)(state + 1);
	if (!cgroup)
		return tighten(ceiling + cm_rules.nr_values + index, rule, walk.value) ? 0
										       : -EAGAIN;
	/* First: no value may be skipped by those that look at the ceiling alone. */
	if (index < CM_USED_MAX)
		__sync_fetch_and_or(&state->used, CM_USED(index));
	if (!tighten(ceiling + index, rule, walk.value))
		return -EAGAIN;
	return tighten_scope(cgroup, &walk) ? 0 : -EAGAIN;
}
