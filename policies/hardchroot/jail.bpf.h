/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is jailed, and what lies in the jail.
 *
 * Jailed is a task whose root directory is not the visible root of its mount namespace, as the
 * kernel's own current_chrooted() has it: whatever led there, and found anew each time, since other
 * tasks can change it. Kernel threads and the system's first process never are.
 */
#ifndef JAIL_BPF_H
#define JAIL_BPF_H

#define PF_KTHREAD 0x00200000

#define S_IFMT	0170000
#define S_IFDIR 0040000

#define MAX_TASKS (1 << 22) /* the kernel's limit of processes */

static __always_inline struct cm_place root_of(const struct task_struct *task)
{
	struct fs_struct *fs = BPF_CORE_READ(task, fs);

	if (!fs) /* it is exiting */
		return (struct cm_place){};
	return (struct cm_place){ .dentry = (__u64)BPF_CORE_READ(fs, root.dentry),
				  .mount = cm_mount_of(BPF_CORE_READ(fs, root.mnt)) };
}

static __always_inline struct cm_place cwd_of(const struct task_struct *task)
{
	struct fs_struct *fs = BPF_CORE_READ(task, fs);

	if (!fs)
		return (struct cm_place){};
	return (struct cm_place){ .dentry = (__u64)BPF_CORE_READ(fs, pwd.dentry),
				  .mount = cm_mount_of(BPF_CORE_READ(fs, pwd.mnt)) };
}

/* What is mounted over the root of a mount namespace: an initramfs, 7.x's nullfs, containers. */
#define MAX_OVERMOUNTS 16

/* Is @root, by nothing but mounts over mounts, the root of the namespace of @task? */
static __always_inline bool is_visible_root(const struct task_struct *task, struct cm_place root)
{
	__u64 top = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns, root);
	int i;

	for (i = 0; i < MAX_OVERMOUNTS; i++) {
		if (!cm_is_mount_root(&root))
			return false;
		if (root.mount == top)
			return true;
		if (!cm_leave_mount(&root))
			return false;
	}
	return false;
}

/*
 * The root of the first process, if that is the visible one, and its mount namespace: most tasks
 * have both, and a comparison tells. The namespace lasts as long as the system. The mount could be
 * replaced in it (pivot_root); then `mnt` is 0 until it has been found again.
 */
static volatile struct {
	__u64 mnt;
	__u64 dentry;
	__u64 namespace;
} home;

static __always_inline bool is_at_home(const struct task_struct *task)
{
	const struct fs_struct *fs = task->fs;

	return (__u64)fs->root.mnt == home.mnt && (__u64)fs->root.dentry == home.dentry &&
	       (__u64)task->nsproxy->mnt_ns == home.namespace;
}

struct ancestry {
	__u64 task;
	bool found;
};

static long climb_to_init(__u64 i, struct ancestry *walk)
{
	struct task_struct *task = (struct task_struct *)walk->task;

	if (!task)
		return 1;
	if (BPF_CORE_READ(task, tgid) == 1) {
		walk->found = true;
		return 1;
	}
	walk->task = (__u64)BPF_CORE_READ(task, real_parent);
	return 0;
}

__noinline int remember_home(void)
{
	struct ancestry walk = { .task = (__u64)cm_current() };
	const struct task_struct *init;
	struct cm_place root;

	bpf_loop(MAX_TASKS, climb_to_init, &walk, 0);
	if (!walk.found)
		return 0;
	init = (const struct task_struct *)walk.task;
	root = root_of(init);
	if (!root.mount || !is_visible_root(init, root))
		return 0;
	home.namespace = (__u64)BPF_CORE_READ(init, nsproxy, mnt_ns);
	home.dentry = root.dentry;
	home.mnt = (__u64)BPF_CORE_READ(init, fs, root.mnt);
	return 0;
}

static __always_inline void forget_home(void)
{
	home.mnt = 0;
}

/* Is the caller jailed? *root is then the jail's. */
__noinline bool find_jail(struct cm_place *root)
{
	struct task_struct *task = cm_current();

	if (!root)
		return false;
	*root = root_of(task);
	if (!root->mount || BPF_CORE_READ(task, flags) & PF_KTHREAD || task->tgid == 1)
		return false;
	if (!is_visible_root(task, *root))
		return true;
	/* Not known yet; or another one by now, since switch_root(8). */
	if (!home.mnt || home.namespace == (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns))
		remember_home();
	return false;
}

static __always_inline bool is_jailed(struct cm_place *root)
{
	return !is_at_home(cm_current()) && find_jail(root);
}

/* A task in the jail, or in one inside it; also one that exits and has no root any more. */
static __always_inline bool is_task_below(const struct task_struct *task,
					  const struct cm_place *root)
{
	struct cm_place place = root_of(task);

	return !place.mount || cm_is_below(&place, root);
}

#endif /* JAIL_BPF_H */
