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
	if (__sync_fetch_and_add(&cm_rate.emitted, 1) >= pack->event_burst)
		return false;
	*ret_suppressed = __sync_lock_test_and_set(&cm_rate.missed, 0);
	return true;
}

/* An event is left out because there are too many: counted, and told with the next one. */
static __always_inline void cm_leave_out_in(volatile cm_counter_line *counters)
{
	__sync_fetch_and_add(&cm_rate.missed, 1);
	cm_count_in(counters, CM_COUNT_SUPPRESSED);
}

/*
 * An event, to be submitted; NULL if it must not or cannot be emitted, which is counted. @size is a
 * constant.
 */
static __always_inline struct cm_event *cm_event_new(volatile cm_counter_line *counters, __u32 mode,
						     __s32 error, const __u32 size)
{
	struct cm_event *event;
	__u32 suppressed;

	if (!cm_rate_allows((const struct cm_pack_decl *)&cm_pack, &suppressed)) {
		cm_leave_out_in(counters);
		return NULL;
	}
	event = bpf_ringbuf_reserve(&cm_events, size, 0);
	if (!event) {
		cm_count_in(counters, CM_COUNT_LOST);
		return NULL;
	}
	__builtin_memset(event, 0, size);
	event->version = CM_EVENT_VERSION;
	event->size = size;
	event->error = error;
	event->mode = mode;
	event->suppressed = suppressed;
	event->time_ns = bpf_ktime_get_boot_ns();
	bpf_probe_read_kernel_str(event->pack, sizeof(event->pack), (const void *)cm_pack.name);
	return event;
}

/* Count a denial, or what would have been one. */
static __always_inline void cm_count_denial(volatile cm_counter_line *counters, bool enforced)
{
	cm_count_in(counters, enforced ? CM_COUNT_DENIED : CM_COUNT_WOULD_DENY);
}

/* The same (@mode: CM_ENFORCE, a denial), and begin its event. */
static __always_inline struct cm_event *cm_event_begin(volatile cm_counter_line *counters,
						       __u32 mode, __s32 error, const __u32 size)
{
	cm_count_denial(counters, mode == CM_ENFORCE);
	return cm_event_new(counters, mode, error, size);
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

#define cm_set_text(FIELD, LITERAL)                                                                \
	do {                                                                                       \
		CM_ASSERT(sizeof(LITERAL) <= sizeof(FIELD), "text too long for the event");        \
		__builtin_memcpy(FIELD, LITERAL, sizeof(LITERAL));                                 \
	} while (0)

/*
 * cm_report - count a denial and emit its audit event: for a rule that knows two tasks
 * @HOOK: as in CM_HOOK, for the counters
 * @MODE: CM_ENFORCE: it was denied; CM_PERMISSIVE: it would have been
 * @ERROR: errno of the denial, positive
 * @ACTION, @REASON: string constants shorter than CM_NAME_LEN
 * @MESSAGE: string constant shorter than 64 with {subject} and {object} in it
 * @SUBJECT, @OBJECT: tasks, and @SUBJECT_CRED, @OBJECT_CRED their credentials
 */
#define cm_report(HOOK, MODE, ERROR, ACTION, REASON, MESSAGE, SUBJECT, SUBJECT_CRED, OBJECT,       \
		  OBJECT_CRED)                                                                     \
	do {                                                                                       \
		__u32 mode_ = cm_forget(MODE);                                                     \
		const void *reason_ = (const void *)cm_forget((__u64)(REASON));                    \
		struct cm_event *event_;                                                           \
                                                                                                   \
		event_ = cm_event_begin(cm_counters__##HOOK, mode_, ERROR, CM_EVENT_SHORT);        \
		if (!event_)                                                                       \
			break;                                                                     \
		cm_set_text(event_->action, ACTION);                                               \
		bpf_probe_read_kernel_str(event_->reason, sizeof(event_->reason), reason_);        \
		cm_set_text(event_->message, MESSAGE);                                             \
		cm_party_of(&event_->subject, SUBJECT, SUBJECT_CRED);                              \
		cm_party_of(&event_->object, OBJECT, OBJECT_CRED);                                 \
		bpf_ringbuf_submit(event_, 0);                                                     \
	} while (0)

#endif /* CM_REPORT_BPF_H */
