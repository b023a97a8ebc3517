// SPDX-License-Identifier: GPL-2.0-only
/* The verifier refuses it: a number is no pointer. */
#include "checmate.bpf.h"

CM_PACK("unverified", .question = "Is it a pointer?");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	const volatile int *nowhere = (const volatile int *)(long)mode;

	return *nowhere ? -EPERM : CM_ALLOW;
}
