// SPDX-License-Identifier: GPL-2.0-only
/* For tests/sdk.bats: which changes of priority are there? None of them is refused. */
#include "checmate.bpf.h"

CM_PACK("notice", .question = "Which priorities are changed?", .event_burst = 2,
	.event_interval_ms = 60000);

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	if (nice == 1)
		cm_notice("task.setnice", "plain");
	else
		cm_notice("task.setnice", "seen", cm_s64("nice", nice));
	return CM_ALLOW;
}
