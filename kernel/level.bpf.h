/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scopes on a task's path one by one, from the nearest up, each with its own values and mode;
 * behind the last one, the system. For a rule that keeps account in each of them: what a value
 * combined along the path cannot say. Private half of the SDK; loader/scope.c writes what this
 * reads.
 *
 *	#define CM_LEVELS
 *	#include "checmate.bpf.h"
 *
 *	CM_PER_SCOPE(struct account, accounts);
 *
 *	row = cm_scope_of(task);
 *	do {
 *		cm_read_level(row, &level);	 whose account: row, which may be 0
 *		...
 *		row = level.above;
 *	} while (!level.is_system);
 *
 * (A loop of the kernel's, bpf_loop() or a bounded one.)
 */
#ifndef CM_LEVEL_BPF_H
#define CM_LEVEL_BPF_H

/*
 * CM_PER_SCOPE - memory of the policy's own for each scope, and for the system (row 0)
 * @TYPE: of one element; it begins as zeros when a scope is made
 * @NAME: C identifier shorter than CM_NAME_LEN; cm_per_scope(NAME, ROW) points to an element
 *
 * Programs change it by atomic instructions: the tasks of a scope run on several CPUs at once. A
 * scope that is removed and made again is a new one.
 */
#define CM_PER_SCOPE(TYPE, NAME) TYPE cm_per_scope__##NAME[CM_ROWS] SEC(".bss.cm_per_scope__" #NAME)

/* cm_per_scope - NULL if there is no such row */
#define cm_per_scope(NAME, ROW)                                                                    \
	({                                                                                         \
		__u64 row_ = ROW;                                                                  \
                                                                                                   \
		row_ < CM_ROWS ? CM_ELEMENT_(cm_per_scope__##NAME, row_) : NULL;                   \
	})

/*
 * Within bounds to the verifier as well, which loses what it has seen of a number that the compiler
 * moves about; and one address, whatever is read behind it.
 */
#define CM_ELEMENT_(ARRAY, ROW)                                                                    \
	({                                                                                         \
		typeof(&(ARRAY)[0]) element_;                                                      \
		__u64 bounded_ = ROW;                                                              \
                                                                                                   \
		asm volatile("%0 &= %1" : "+r"(bounded_) : "i"(CM_ROWS - 1));                      \
		element_ = &(ARRAY)[bounded_];                                                     \
		asm volatile("" : "+r"(element_));                                                 \
		if (!element_)                                                                     \
			__builtin_unreachable();                                                   \
		element_;                                                                          \
	})

#ifdef CM_LEVELS

struct cm_level_entry {
	struct cm_level_head head;
	__s32 values[CM_NR_VALUES];
};

struct cm_level_entry cm_levels[CM_ROWS] SEC(".bss.cm_levels");

struct cm_level {
	__u32 above; /* row of the scope above this one, 0: the system is next */
	__u32 mode;  /* enum cm_mode */
	bool is_system;
	__u64 cgroup;		      /* its id; of the system 1 */
	const volatile __s32 *values; /* its own, by index; cm_own() */
};

/*
 * cm_read_level - the scope of a row that cm_scope_of() or .above gave; row 0 is the system
 *
 * False if there is no such row: the kernel's data is broken, and the rule denies.
 */
static __always_inline bool cm_read_level(__u64 row, struct cm_level *ret)
{
	const struct cm_level_entry *entry;

	*ret = (struct cm_level){ .is_system = !row };
	if (!row) {
		ret->mode = cm_state.head.system_mode;
		ret->cgroup = 1;
		ret->values = cm_state.system;
		return true;
	}
	if (row >= CM_ROWS)
		return false;
	entry = CM_ELEMENT_(cm_levels, row);
	ret->above = entry->head.above;
	ret->mode = entry->head.mode;
	ret->cgroup = entry->head.cgroup;
	ret->values = entry->values;
	return true;
}

/* cm_has_above - is there a scope above that of the row? True as well if there is no such row. */
static __always_inline bool cm_has_above(__u64 row)
{
	return row >= CM_ROWS || CM_ELEMENT_(cm_levels, row)->head.above;
}

/* cm_own - a knob's own value in a level, as the administrator wrote it there */
#define cm_own(LEVEL, NAME) ((LEVEL)->values[cm_index__##NAME])

#endif /* CM_LEVELS */

#endif /* CM_LEVEL_BPF_H */
