// SPDX-License-Identifier: GPL-2.0-only
/* Its knob is a setting that the kernel has. */
#include "checmate.bpf.h"

CM_PACK("kernelknob", .question = "Whose setting is it?");
CM_KNOB(panic, "kernel/panic", .max = 1, .init = 1, .cap = -1, .help = "not ours");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	return cm_effective(cm_current(), panic).enforced ? -EPERM : CM_ALLOW;
}
