// SPDX-License-Identifier: GPL-2.0-only
/* Which cgroups misbehave? A pattern that is only noted here: offence-deny acts on it. */
#include "checmate.bpf.h"

#define OFFENCE_VALUE __u64
#include "offence.h"

CM_PACK("offence_note", .question = "Which cgroups misbehave?");

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	__u64 cgroup = bpf_get_current_cgroup_id(), once = 1;

	if (cm_in_force())
		bpf_map_update_elem(&offenders, &cgroup, &once, BPF_ANY);
	return CM_ALLOW;
}
