// SPDX-License-Identifier: GPL-2.0-only
/* A policy with a map that holds a timer, which the kernel does not freeze. */
#include "checmate.bpf.h"

CM_PACK("unfreezable", .question = "Nothing is asked.");

struct box {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct box);
} boxes SEC(".maps");

CM_HOOK(task_getscheduler, struct task_struct *task)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&boxes, &key) ? CM_ALLOW : cm_allow();
}
