// SPDX-License-Identifier: GPL-2.0-only
/* Counts who comes by, and lets everybody pass. */
#include "checmate.bpf.h"

CM_PACK("count", .question = "How many are there?");

CM_HOOK(task_getscheduler, struct task_struct *other)
{
	cm_count(task_getscheduler, CM_COUNT_ALLOWED);
	return CM_ALLOW;
}

CM_HOOK(task_getsid, struct task_struct *other)
{
	cm_count(task_getsid, CM_COUNT_ALLOWED);
	return CM_ALLOW;
}
