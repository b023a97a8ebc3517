// SPDX-License-Identifier: GPL-2.0-only
/* May one task inspect another? Of course: the least that a policy can cost. */
#include "checmate.bpf.h"

CM_PACK("empty", .question = "Nothing is asked.");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	return CM_ALLOW;
}
