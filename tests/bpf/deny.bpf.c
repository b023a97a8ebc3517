// SPDX-License-Identifier: GPL-2.0-only
/* May one task inspect another? Never, and nobody is told: the least that a denial can cost. */
#include "checmate.bpf.h"

CM_PACK("deny", .question = "Nothing is asked.");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	return mode & 2 ? -EPERM : CM_ALLOW; /* PTRACE_MODE_ATTACH */
}
