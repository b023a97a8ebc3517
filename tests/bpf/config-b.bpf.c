// SPDX-License-Identifier: GPL-2.0-only
/* For tests/config.bats: takes the place of config-a. */
#include "checmate.bpf.h"

CM_PACK("config_a", .question = "The same with another text.");
CM_KNOB(level, "kernel/config_a/level", .max = 3, .init = 1, .cap = -1, .flags = CM_KNOB_LATCH,
	.latch = 3, .help = "1 and more: nobody attaches");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	struct task_struct *current = cm_current();
	struct cm_value on = cm_effective(current, level);

	if (!on.shadow || !(mode & 2))
		return CM_ALLOW;
	cm_report(ptrace_access_check, on.enforced ? CM_ENFORCE : CM_PERMISSIVE, EPERM,
		  "ptrace.attach", "level-b", "{subject} wanted to trace {object}", current,
		  current->cred, child, child->real_cred);
	return on.enforced ? -EPERM : CM_ALLOW;
}
