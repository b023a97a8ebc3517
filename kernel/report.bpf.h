/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters and audit events. Private half of the SDK. Count first, report second: a counter moves
 * whether or not anyone listens, and whatever keeps an event from being emitted is counted too.
 */
#ifndef CM_REPORT_BPF_H
#define CM_REPORT_BPF_H

/* Shared by all packs: the loader puts the core's pinned ring buffer in this place. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 18);
} cm_events SEC(".maps");

static volatile struct {
	__u64 start_ns; /* of the current rate limit window */
	__u32 emitted;
	__u32 missed;
} cm_rate SEC(".bss.cm_rate");

typedef __u64 cm_counter_line[CM_COUNTERS];

/* One instruction and exact: a task that is preempted here cannot lose another's count. */
static __always_inline void cm_count_in(volatile cm_counter_line *lines, enum cm_counter which)
{
	__sync_fetch_and_add(&lines[bpf_get_smp_processor_id() & (CM_CPUS - 1)][which], 1);
}

/*
 * True if an event may be emitted now; *ret_suppressed is then the number left out since the last.
 * Two CPUs that open a window at once may both reset it: at most one burst more is let through.
 */
static __always_inline bool cm_rate_allows(const struct cm_pack_decl *pack, __u32 *ret_suppressed)
{
	__u64 now = bpf_ktime_get_boot_ns();

	if (now - cm_rate.start_ns > (__u64)pack->event_interval_ms * 1000000) {
		cm_rate.start_ns = now;
		cm_rate.emitted = 0;
	}
	if (__sync_fetch_and_add(&cm_rate.emitted, 1) >= pack->event_burst) {
		__sync_fetch_and_add(&cm_rate.missed, 1);
		return false;
	}
	*ret_suppressed = __sync_lock_test_and_set(&cm_rate.missed, 0);
	return true;
}

static __always_inline void cm_party_of(struct cm_party *party, struct task_struct *task,
					const struct cred *cred)
{
	party->pid = task->tgid;
	party->tid = task->pid;
	party->uid = cred->uid.val;
	party->gid = cred->gid.val;
	party->start_ns = task->start_boottime;
	party->cgroup = task->cgroups->dfl_cgrp->kn->id;
	bpf_probe_read_kernel_str(party->comm, sizeof(party->comm), task->comm);
}

#endif /* CM_REPORT_BPF_H */
