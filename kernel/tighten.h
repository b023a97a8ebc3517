/* SPDX-License-Identifier: GPL-2.0-only */
/* What tighten.bpf.c and the loader (lock.c) share. */
#ifndef CM_TIGHTEN_H
#define CM_TIGHTEN_H

#include "abi.h"

/* Scopes in an order in which what lies in one follows it: a row's own place, and the end of those.
 */
struct cm_span {
	__u16 first;
	__u16 end; /* a row that is not in use has 0 here, and 65535 as its place */
};

struct cm_tighten_knob {
	__u32 strictest;
	__s32 min;
	__s32 max;
};

struct cm_tighten_rules {
	__u32 nr_values;
	__u32 level_size;			    /* 0: the policy has no levels */
	struct cm_tighten_knob knobs[CM_KNOBS_MAX]; /* by index; unused ones have min > max */
	struct cm_span spans[CM_ROWS];
};

/* Its context. */
struct cm_tighten {
	__u64 cgroup; /* id of a scope; 0: the whole system */
	__u32 index;
	__s32 value;
};

#endif /* CM_TIGHTEN_H */
