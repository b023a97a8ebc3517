// SPDX-License-Identifier: GPL-2.0-only
/* Rules that ask nothing: the least that a policy can cost. */
#include "checmate.bpf.h"

CM_PACK("empty", .question = "Nothing is asked.");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	return CM_ALLOW;
}

CM_HOOK(file_open, struct file *file)
{
	return CM_ALLOW;
}

CM_HOOK(inode_permission, struct inode *inode, int mask)
{
	return CM_ALLOW;
}

CM_HOOK(path_mknod, const struct path *dir)
{
	return CM_ALLOW;
}

CM_HOOK(task_alloc, struct task_struct *task)
{
	return CM_ALLOW;
}
