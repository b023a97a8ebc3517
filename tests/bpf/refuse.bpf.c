// SPDX-License-Identifier: GPL-2.0-only
/*
 * May one task ask how another is scheduled? Not where refuse/on is 1. The other refuse-*.bpf.c are
 * this one with one thing changed, each to be its successor or to be refused as that.
 */
#include "checmate.bpf.h"

#ifndef REFUSE_ERROR
#define REFUSE_ERROR EUSERS
#endif
#ifndef REFUSE_MAX
#define REFUSE_MAX 1
#endif
#ifndef REFUSE_SEEN
#define REFUSE_SEEN __u64
#endif

CM_PACK("refuse", .question = "Is it asked at all?", .priority = 100);
CM_KNOB(on, "kernel/refuse/on", .max = REFUSE_MAX, .init = 1, .cap = -1, .help = "1: refuse");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, REFUSE_SEEN);
} seen SEC(".maps");

#ifndef REFUSE_LESS
CM_HOOK(task_getscheduler, struct task_struct *other)
{
	struct task_struct *me = cm_current();
	REFUSE_SEEN *calls;
	__u32 zero = 0;

	if (!cm_effective(me, on).enforced)
		return CM_ALLOW;
	calls = bpf_map_lookup_elem(&seen, &zero);
	if (calls)
		__sync_fetch_and_add(calls, 1);
	cm_count(task_getscheduler, CM_COUNT_DENIED);
	return -REFUSE_ERROR;
}
#endif

#ifdef REFUSE_MORE
CM_HOOK(task_getsid, struct task_struct *other)
{
	return cm_effective(cm_current(), on).enforced ? -REFUSE_ERROR : CM_ALLOW;
}
#endif
