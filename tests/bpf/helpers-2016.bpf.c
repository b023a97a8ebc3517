// SPDX-License-Identifier: GPL-2.0-only
/*
 * May this task change a priority? Not unless its cgroup, or one above it, is in the map `exempt`.
 * With the helpers that 2016's Checmate had.
 */
#include "checmate.bpf.h"

CM_PACK("helpers_2016", .question = "May this task change a priority?");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, __u64);
} exempt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} tries SEC(".maps");

#define DEPTH 8

static __always_inline bool is_exempt(void)
{
	__u64 id;
	int i;

	for (i = 0; i < DEPTH; i++) {
		id = bpf_get_current_ancestor_cgroup_id(i);
		if (id && bpf_map_lookup_elem(&exempt, &id))
			return true;
	}
	return false;
}

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task();
	__u64 pid = bpf_get_current_pid_tgid() >> 32, one = 1;
	char name[16] = "";

	if (is_exempt()) {
		bpf_map_delete_elem(&tries, &pid);
		return cm_allow();
	}
	bpf_map_update_elem(&tries, &pid, &one, BPF_ANY);
	bpf_get_current_comm(name, sizeof(name));
	bpf_printk("checmate %s", name);
	return cm_deny(EPERM, "task.setnice", "not-exempt", cm_u64("pid", pid),
		       cm_u64("uid", (__u32)bpf_get_current_uid_gid()), cm_text("comm", name),
		       cm_u64("tgid", BPF_CORE_READ(current, tgid)));
}
