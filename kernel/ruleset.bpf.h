/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rulesets: bytes of a policy's own for each scope, and for the system, that user space compiles
 * and exchanges at once. A rule sees the old ones or the new ones, all of them; user space cannot
 * change them in place. Private half of the SDK; loader/ruleset.c puts them where this looks.
 *
 *	#define CM_RULESETS
 *	#include "checmate.bpf.h"
 *
 *	switch (cm_ruleset_shift(row)) {
 *	case CM_RULESET_0:
 *		bytes = cm_ruleset(CM_RULESET_0, row);	 1 << CM_RULESET_0 of them
 *		...
 *	}
 *
 * There are several sizes because a lookup in a map of maps is quick where the inner one's size is
 * known. NULL where cm_ruleset_shift() said that there is one: the kernel's data is broken, deny.
 */
#ifndef CM_RULESET_BPF_H
#define CM_RULESET_BPF_H

#ifdef CM_RULESETS

#define CM_RULESETS_(SHIFT)                                                                        \
	struct cm_ruleset_map_##SHIFT {                                                            \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, 1);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(key_size, sizeof(__u32));                                                   \
		__uint(value_size, 1 << SHIFT);                                                    \
	};                                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, CM_ROWS);                                                      \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
		__array(values, struct cm_ruleset_map_##SHIFT);                                    \
	} cm_rulesets_##SHIFT SEC(".maps")

#define CM_RULESETS_OF_(SHIFT) CM_RULESETS_(SHIFT)

CM_RULESETS_OF_(CM_RULESET_0);
CM_RULESETS_OF_(CM_RULESET_1);
CM_RULESETS_OF_(CM_RULESET_2);
CM_RULESETS_OF_(CM_RULESET_3);

volatile struct cm_ruleset_rows cm_ruleset_rows SEC(".bss.cm_rulesets");

#define CM_RULESET_NO_ROW 255

/* cm_ruleset_shift - of the ruleset of that row, a CM_RULESET_ constant; 0: it has none */
static __always_inline __u32 cm_ruleset_shift(__u32 row)
{
	return row < CM_ROWS ? cm_ruleset_rows.shifts[row] : CM_RULESET_NO_ROW;
}

/*
 * CM_ON_DEMAND - the rule on a hook runs only where a ruleset in force, of any scope, needs it
 * @HOOK: as in CM_HOOK
 *
 * For a hook that much comes by which most rules have nothing to say about. The program is loaded
 * with the others, and takes its place in the hook's chain when user space puts the first ruleset
 * in place that is said to need it; it leaves when the last one is gone, and with the chain's last
 * program nothing is attached any more. Before and behind that nobody pays for it.
 */
#define CM_ON_DEMAND(HOOK) const volatile __u8 cm_on_demand__##HOOK SEC(".rodata.cm_on_demand")

#define CM_RULESET_OF_(SHIFT, ROW)                                                                 \
	({                                                                                         \
		__u32 row_ = ROW, zero_ = 0;                                                       \
		void *map_ = bpf_map_lookup_elem(&cm_rulesets_##SHIFT, &row_);                     \
                                                                                                   \
		map_ ? bpf_map_lookup_elem(map_, &zero_) : NULL;                                   \
	})

/* cm_ruleset - the bytes; @SHIFT: a CM_RULESET_ constant */
#define cm_ruleset(SHIFT, ROW) CM_RULESET_OF_(SHIFT, ROW)

#endif /* CM_RULESETS */

#endif /* CM_RULESET_BPF_H */
