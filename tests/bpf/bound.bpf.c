// SPDX-License-Identifier: GPL-2.0-only
/* For tests/seal.bats: a pack that another one's knob seals. */
#include "checmate.bpf.h"

CM_PACK("bound", .sealed_by = "seal", .question = "Is a change of priority refused?");
CM_KNOB(flags, "kernel/bound/flags", .max = 7, .cap = -1, .strictest = CM_STRICTEST_OR,
	.help = "each bit refuses something");

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	return cm_knob(flags) & 1 ? cm_deny(EPERM, "task.setnice", "bound") : CM_ALLOW;
}
