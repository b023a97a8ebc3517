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

#define F_SETOWN     8
#define F_SETOWN_EX  15
#define F_OWNER_PGRP 2
#define FIOSETOWN    0x8901
#define SIOCSPGRP    0x8902
#define TIOCSTI	     0x5412
#define TIOCLINUX    0x541c

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

/* --- SIGIO: who is to get a signal when something happens to a file --- */

struct group {
	__u64 task;
	struct cm_place root;
	__u64 outside;
};

static long try_member(__u64 i, struct group *walk)
{
	struct task_struct *task = (struct task_struct *)walk->task;

	if (!task)
		return 1;
	if (!is_task_below(task, &walk->root))
		walk->outside = (__u64)task;
	walk->task = cm_next_task((__u64)task, CM_PIDTYPE_PGID);
	return walk->outside != 0;
}

/* Who of them is outside, by its address; 0: nobody. @owner: as of F_SETOWN, groups negative. */
static __noinline __u64 outside_owner(__s32 owner, const struct cm_place *root)
{
	struct group walk = {};
	__u64 task;

	if (!root || !owner)
		return 0;
	if (owner > 0) {
		task = cm_first_task(cm_find_pid(owner), CM_PIDTYPE_PID);
		return !task || is_task_below((struct task_struct *)task, root) ? 0 : task;
	}
	walk.root = *root;
	walk.task = cm_first_task(cm_find_pid(-owner), CM_PIDTYPE_PGID);
	bpf_loop(MAX_TASKS, try_member, &walk, 0);
	return walk.outside;
}

/* In the caller's memory: another of its threads can change it before the kernel looks. */
static __always_inline __s32 owner_at(__u64 address, bool is_typed)
{
	struct {
		__s32 type, pid;
	} owner = {};

	if (is_typed)
		bpf_probe_read_user(&owner, sizeof(owner), (void *)address);
	else
		bpf_probe_read_user(&owner.pid, sizeof(owner.pid), (void *)address);
	return owner.type == F_OWNER_PGRP ? -owner.pid : owner.pid;
}

static __always_inline __s32 pid_at(__u64 address)
{
	struct task_struct *task = (struct task_struct *)address;

	return BPF_CORE_READ(task, tgid);
}

CM_HOOK(file_fcntl, struct file *file, unsigned int command, unsigned long argument)
{
	struct cm_place root;
	__u64 outside;

	if ((command != F_SETOWN && command != F_SETOWN_EX) || !is_concerned(findtask, &root))
		return CM_ALLOW;
	outside = outside_owner(command == F_SETOWN ? (__s32)argument : owner_at(argument, true),
				&root);
	if (!outside)
		return CM_ALLOW;
	return refuse(findtask, EPERM, "file.setown", &root, cm_u64("pid", pid_at(outside)));
}

/* The same by ioctl(2); and what types into, or controls, a terminal shared with the outside. */
CM_HOOK(file_ioctl, struct file *file, unsigned int command, unsigned long argument)
{
	struct cm_place root;
	struct rule rule;

	if (command == FIOSETOWN || command == SIOCSPGRP) {
		if (!is_concerned(findtask, &root) ||
		    !outside_owner(owner_at(argument, false), &root))
			return CM_ALLOW;
		rule = rule_of(findtask);
	} else if (command == TIOCSTI || command == TIOCLINUX) {
		if (!is_concerned(caps, &root))
			return CM_ALLOW;
		rule = rule_of(caps);
	} else {
		return CM_ALLOW;
	}
	return refuse_by(rule, EPERM, "file.ioctl", &root, cm_hex("command", command));
}

#endif /* TASKS_BPF_H */
