/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way back. rpm and what is built on it lock themselves in by chroot(DIR) with the working
 * directory left at the old root, and get out by chroot("."), many times in one transaction. Where
 * undo is 1 a task may do that: to the very root that its own last chroot(2) left, from a working
 * directory that is that root, as long as it has run no other program. Its children may not.
 */
#ifndef UNDO_BPF_H
#define UNDO_BPF_H

struct origin {
	struct cm_place root;
	__u64 start;   /* with the task's address, which is the key: this task and no later one */
	__u64 program; /* counts what the task has run */
};

/* Shared by both packs: what the one lets through the other has to let through as well. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct origin);
} hardchroot_origins SEC(".maps");
CM_SHARED(hardchroot_origins);

static __always_inline struct origin origin_of(struct task_struct *task)
{
	return (struct origin){ .start = task->start_boottime, .program = task->self_exec_id };
}

static __always_inline bool is_same(const struct cm_place *a, const struct cm_place *b)
{
	return a->dentry == b->dentry && a->mount == b->mount;
}

/* Is @place where the caller was before it locked itself in, and its working directory? */
static __noinline bool is_way_back(const struct cm_place *place)
{
	struct task_struct *task = cm_current();
	struct origin now = origin_of(task), *origin;
	struct cm_place root, cwd = cwd_of(task);
	__u64 key = (__u64)task;

	origin = bpf_map_lookup_elem(&hardchroot_origins, &key);
	if (!origin || origin->start != now.start || origin->program != now.program)
		return false;
	root = origin->root;
	return is_same(&root, place) && is_same(&root, &cwd);
}

#endif /* UNDO_BPF_H */
