// SPDX-License-Identifier: GPL-2.0-only
/* How many tasks and sockets are gone? Void hooks, for bookkeeping: nothing can be refused. */
#include "checmate.bpf.h"

CM_PACK("exits", .question = "How many tasks and sockets are gone?");

CM_COUNTER(tasks);
CM_COUNTER(sockets);

CM_HOOK(task_free, struct task_struct *task)
{
	cm_add(tasks, 1);
	return CM_ALLOW;
}

CM_HOOK(sk_free_security, struct sock *sk)
{
	cm_add(sockets, 1);
	return CM_ALLOW;
}
