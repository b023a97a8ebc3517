/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard's third part: no task leaves a scope. No hook is asked "may this task go there?", but
 * each way into a cgroup, by cgroup.procs, cgroup.threads or CLONE_INTO_CGROUP, makes the kernel
 * ask whether the caller may write the cgroup.procs of the nearest cgroup that is above both the
 * old place and the new one (cgroup_may_write() of kernel/cgroup/cgroup.c): if that is above the
 * task's scope, it would leave it. These programs are there only if there are scopes.
 */
#ifndef CM_GUARD_LEAVE_BPF_H
#define CM_GUARD_LEAVE_BPF_H

#define MAY_WRITE	    0x2
#define CGROUP2_SUPER_MAGIC 0x63677270
#define MAX_ERRNO	    4095

/* Where the number that was written has become a task. */
SEC("fexit/cgroup_procs_write_start")
int BPF_PROG(cm_guard_leave_start, char *number, bool threadgroup, void *lock,
	     struct task_struct *task)
{
	if ((__u64)task >= (__u64)-MAX_ERRNO)
		return 0;
	cm_guard.moved = (__u64)task;
	cm_guard.mover = bpf_get_current_task();
	return 0;
}

SEC("fentry/cgroup_procs_write_finish")
int BPF_PROG(cm_guard_leave_finish, struct task_struct *task)
{
	cm_guard.mover = 0;
	return 0;
}

struct fence {
	__u64 cgroup;
	int level; /* of the nearest scope from there up; 0, the root's, if there is none */
};

static long find_fence(__u64 i, struct fence *fence)
{
	struct cgroup *cgroup = (struct cgroup *)fence->cgroup;
	__u64 id;

	if (!cgroup)
		return 1;
	id = BPF_CORE_READ(cgroup, kn, id);
	if (bpf_map_lookup_elem(&cm_fences, &id)) {
		fence->level = BPF_CORE_READ(cgroup, level);
		return 1;
	}
	fence->cgroup = (__u64)BPF_CORE_READ(cgroup, self.parent);
	return 0;
}

/* Deeper than any hierarchy that fits in memory. */
#define MAX_DEPTH (1 << 16)

/* @node: cgroup.procs of a cgroup that is the task's own or one above it. */
static __always_inline bool leaves_scope(struct kernfs_node *node)
{
	struct task_struct *current = (struct task_struct *)bpf_get_current_task(), *task = current;
	struct cgroup *cgroup = BPF_CORE_READ(parent_of(node), priv);
	struct fence fence = {};

	if (cm_guard.mover == (__u64)current)
		task = (struct task_struct *)cm_guard.moved;
	fence.cgroup = (__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp);
	bpf_loop(MAX_DEPTH, find_fence, &fence, 0);
	return fence.level > BPF_CORE_READ(cgroup, level);
}

SEC("lsm/inode_permission")
long BPF_PROG(cm_guard_leave, struct inode *inode, int mask)
{
	struct kernfs_node *node;
	char name[13] = {};

	/* An open has MAY_OPEN with it, which says nothing yet about a task. */
	if (mask != MAY_WRITE || !is_locked() || inode->i_sb->s_magic != CGROUP2_SUPER_MAGIC)
		return 0;
	node = BPF_CORE_READ(inode, i_private);
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(node, name));
	if (bpf_strncmp(name, sizeof(name), "cgroup.procs"))
		return 0;
	return refuse_if(leaves_scope(node));
}

#endif /* CM_GUARD_LEAVE_BPF_H */
