// SPDX-License-Identifier: GPL-2.0-only
/* For tests/config.bats: refuses an attach where its knob says so. */
#include "checmate.bpf.h"

#ifndef REASON
#define REASON "level"
#endif

CM_PACK("config_a", .question = "Is an attach refused?");
CM_KNOB(level, "kernel/config_a/level", .max = 3, .init = 1, .cap = -1, .flags = CM_KNOB_LATCH,
	.latch = 3, .help = "1 and more: nobody attaches");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	struct task_struct *current = cm_current();
	struct cm_value on = cm_effective(current, level);

	if (!on.shadow || !(mode & 2))
		return CM_ALLOW;
	cm_report(ptrace_access_check, on.enforced ? CM_ENFORCE : CM_PERMISSIVE, EPERM,
		  "ptrace.attach", REASON, "{subject} wanted to trace {object}", current,
		  current->cred, child, child->real_cred);
	return on.enforced ? -EPERM : CM_ALLOW;
}
