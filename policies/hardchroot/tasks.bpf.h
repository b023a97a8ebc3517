/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tasks outside of the jail: whose root is not below the caller's. A jail within the jail is seen.
 *
 * What asks about a process fails as if there were none (ESRCH). A signal fails with EPERM: with
 * ESRCH from this hook kill(2) would look for the process for ever.
 */
#ifndef TASKS_BPF_H
#define TASKS_BPF_H

#define MAX_PRIO_NICE 120 /* static_prio of nice 0 */

#define refuse_task(ERROR, ACTION, TASK)                                                           \
	({                                                                                         \
		struct cm_place root_;                                                             \
		long refused_ = CM_ALLOW;                                                          \
                                                                                                   \
		if (is_concerned(findtask, &root_) && !is_task_below(TASK, &root_))                \
			refused_ = refuse(findtask, ERROR, ACTION, &root_,                         \
					  cm_u64("pid", (TASK)->tgid));                            \
		refused_;                                                                          \
	})

CM_HOOK(ptrace_access_check, struct task_struct *task, unsigned int mode)
{
	return refuse_task(EPERM, "ptrace.access", task);
}

CM_HOOK_QUICK(task_kill, struct task_struct *task, struct kernel_siginfo *info, int signal)
{
	if (is_at_home(cm_current()))
		cm_done(task_kill);
	return cm_ask(task_kill, 0);
}

CM_HOOK_FULL(task_kill, struct task_struct *task, struct kernel_siginfo *info, int signal)
{
	return refuse_task(EPERM, "task.kill", task);
}

CM_HOOK(task_getsid, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.getsid", task);
}

CM_HOOK(task_getpgid, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.getpgid", task);
}

CM_HOOK(task_setpgid, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.setpgid", task);
}

CM_HOOK(task_getscheduler, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.getscheduler", task);
}

CM_HOOK(task_setscheduler, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.setscheduler", task);
}

CM_HOOK(task_getioprio, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.getioprio", task);
}

CM_HOOK(task_setioprio, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.setioprio", task);
}

CM_HOOK(task_movememory, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.movememory", task);
}

CM_HOOK(task_setrlimit, struct task_struct *task)
{
	return refuse_task(ESRCH, "task.setrlimit", task);
}

CM_HOOK(capget, const struct task_struct *task)
{
	return refuse_task(ESRCH, "task.capget", task);
}

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	struct cm_place root;
	int error = ESRCH;
	struct rule rule;

	if (!(cm_ceiling(findtask) | cm_ceiling(restrict_nice)) || !is_jailed(&root))
		return CM_ALLOW;
	if (!is_task_below(task, &root)) {
		rule = rule_of(findtask);
	} else if (nice < task->static_prio - MAX_PRIO_NICE) {
		error = EACCES;
		rule = rule_of(restrict_nice);
	} else {
		return CM_ALLOW;
	}
	return refuse_by(rule, error, "task.setnice", &root, cm_u64("pid", task->tgid),
			 cm_s64("nice", nice));
}

#endif /* TASKS_BPF_H */
