// SPDX-License-Identifier: GPL-2.0-only
/* Who is asked next? The policy "target", where it stands further back. */
#include "checmate.bpf.h"

CM_PACK("jump", .question = "Who is asked next?");

CM_JUMP(task_setnice, target);

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	return nice == 7 ? cm_jump(task_setnice, target) : CM_ALLOW;
}
