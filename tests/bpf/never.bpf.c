// SPDX-License-Identifier: GPL-2.0-only
/* May one task ask how another is scheduled? Never. */
#include "checmate.bpf.h"

CM_PACK("never", .question = "Is there a case for it?");

CM_HOOK(task_getscheduler, struct task_struct *other)
{
	return -EPERM;
}
