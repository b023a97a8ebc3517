/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes by their numbers, as the caller's own pid namespace has them. Private half of the SDK.
 *
 * Addresses to read from, nothing is held: a task can be gone when it is looked at.
 */
#ifndef CM_PID_BPF_H
#define CM_PID_BPF_H

enum cm_pidtype {
	CM_PIDTYPE_PID = 0,
	CM_PIDTYPE_TGID = 1,
	CM_PIDTYPE_PGID = 2,
};

/* xarray: an entry with the low bits 10 points to a node, each node resolves 6 bits. */
#define CM_XA_NODE_TAG 2
#define CM_XA_LEVELS   6

static __always_inline __u64 cm_idr_find(struct pid_namespace *namespace, __u32 id)
{
	__u64 entry = (__u64)BPF_CORE_READ(namespace, idr.idr_rt.xa_head);
	struct xa_node *node;
	__u64 index;
	__u8 shift;
	int i;

	for (i = 0; i < CM_XA_LEVELS && (entry & 3) == CM_XA_NODE_TAG; i++) {
		node = (struct xa_node *)(entry & ~3ull);
		shift = BPF_CORE_READ(node, shift) & 31;
		index = (__u64)id >> shift;
		if (i == 0 && index > 63)
			return 0;
		entry = 0;
		bpf_probe_read_kernel(&entry, sizeof(entry),
				      (void *)((__u64)node +
					       bpf_core_field_offset(struct xa_node, slots) +
					       (index & 63) * sizeof(void *)));
	}
	return entry & 3 ? 0 : entry;
}

/* cm_find_pid - the struct pid of a process, thread, group or session number; 0 if there is none */
__noinline __u64 cm_find_pid(__u32 number)
{
	struct task_struct *current = cm_current();
	__u64 own = (__u64)BPF_CORE_READ(current, thread_pid);
	__u32 level = BPF_CORE_READ((struct pid *)own, level) & 31;
	struct pid_namespace *namespace;
	struct upid *upid;

	upid = (struct upid *)(own + bpf_core_field_offset(struct pid, numbers) +
			       level * bpf_core_type_size(struct upid));
	namespace = BPF_CORE_READ(upid, ns);
	return cm_idr_find(namespace, number);
}

/* A link of a struct pid's list of tasks, or 0, as the task itself. */
static __always_inline __u64 cm_linked_task(__u64 link, const enum cm_pidtype type)
{
	if (!link)
		return 0;
	return link - bpf_core_field_offset(struct task_struct, pid_links) -
	       type * sizeof(struct hlist_node);
}

static __always_inline __u64 cm_read_link(__u64 address)
{
	__u64 link = 0;

	bpf_probe_read_kernel(&link, sizeof(link), (const void *)address);
	return link;
}

/* cm_first_task - the first task that has a struct pid (or 0) as its number of that type; 0: none
 */
static __always_inline __u64 cm_first_task(__u64 pid, const enum cm_pidtype type)
{
	if (!pid)
		return 0;
	return cm_linked_task(cm_read_link(pid + bpf_core_field_offset(struct pid, tasks) +
					   type * sizeof(struct hlist_head)),
			      type);
}

/* cm_next_task - the one after @task */
static __always_inline __u64 cm_next_task(__u64 task, const enum cm_pidtype type)
{
	return cm_linked_task(cm_read_link(task +
					   bpf_core_field_offset(struct task_struct, pid_links) +
					   type * sizeof(struct hlist_node)),
			      type);
}

#endif /* CM_PID_BPF_H */
