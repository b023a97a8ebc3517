/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scopes that lock themselves out: a policy that has seen enough of one shuts it for a time, in the
 * kernel, with nobody there to ask. `checmate status` shows it, `checmate release` ends it. Private
 * half of the SDK; loader/lockout.c reads what this writes.
 *
 *	#define CM_LEVELS
 *	#include "checmate.bpf.h"
 *
 *	CM_LOCKOUTS;
 *
 * A rule that has seen enough:
 *
 *	cm_lock_out(row, bpf_ktime_get_ns(), &terms, "forks");
 *
 * and one that refuses for it:
 *
 *	if (cm_lockouts()) {
 *		struct cm_value locked = cm_locked_out(row);
 *
 *		if (locked.shadow)
 *			return cm_deny_for(locked, EPERM, "task.fork", "lockout");
 *	}
 */
#ifndef CM_LOCKOUT_BPF_H
#define CM_LOCKOUT_BPF_H

struct cm_lockout_terms {
	__u32 seconds; /* 0: until it is released */
	__u32 most; /* repeated, it takes twice as long each time, but no more seconds than these */
};

/* Who behaves for so many times as long as it lasted begins anew. */
#define CM_LOCKOUT_FORGIVEN 8

/* At the longest of all, a week, so many doublings fit in 63 bits. */
#define CM_LOCKOUT_DOUBLINGS 13

/* How long the next one is to last, in nanoseconds; *ret_times: which one in a row it is. */
static __always_inline __u64 cm_lockout_length(const struct cm_lockout *last, __u64 now,
					       const struct cm_lockout_terms *terms,
					       __u32 *ret_times)
{
	__u64 lasted = last->until_ns - last->since_ns, length = terms->seconds;
	__u64 most = terms->most < terms->seconds ? terms->seconds : terms->most;
	__u32 times = last->times;

	if (!last->until_ns || now - last->until_ns > lasted * CM_LOCKOUT_FORGIVEN)
		times = 0;
	*ret_times = times + 1;
	length <<= times < CM_LOCKOUT_DOUBLINGS ? times : CM_LOCKOUT_DOUBLINGS;
	return (length < most ? length : most) * 1000000000ull;
}

/* More often than others can come between; who loses each time has it checked for good. */
#define CM_LOCKOUT_TRIES 8

/* The latest end of all becomes no earlier than @end. */
static __always_inline void cm_lockouts_extend(volatile __u64 *latest, __u64 end)
{
	__u64 seen;
	int i;

	for (i = 0; i < CM_LOCKOUT_TRIES; i++) {
		seen = *latest;
		if (seen >= end || __sync_val_compare_and_swap(latest, seen, end) == seen)
			return;
	}
	*latest = CM_LOCKOUT_HELD;
}

/* In that order: a task that finds the scope locked out finds the word that leads there. */
static __always_inline bool cm_lock_out_entry(struct cm_lockout *entry, volatile __u64 *latest,
					      __u64 now, const struct cm_lockout_terms *terms)
{
	__u64 until = *(volatile __u64 *)&entry->until_ns, end;
	__u32 times;

	if (until > now)
		return false;
	end = now + cm_lockout_length(entry, now, terms, &times);
	if (!terms->seconds)
		end = CM_LOCKOUT_HELD;
	cm_lockouts_extend(latest, end);
	if (__sync_val_compare_and_swap(&entry->until_ns, until, end) != until)
		return false;
	entry->since_ns = now;
	entry->times = times;
	return true;
}

struct cm_lockout_walk {
	__u64 now;
	__u32 row;
	__u32 done;
	struct cm_value found;
};

/*
 * CM_LOCKOUTS - this policy locks scopes out; needs CM_LEVELS. It defines
 *
 * cm_lockouts() - may any scope be locked out? One word of memory: for the quick part of a hook.
 * (Asked together with knobs, but true for ever: cm_used(CM_USED_LOCKOUT | ...).)
 *
 * cm_lock_out(ROW, NOW, TERMS, REASON) - lock the scope of that row out, by bpf_ktime_get_ns(), on
 * these terms; REASON: string in the policy's memory or a constant, cut to CM_NAME_LEN - 1 bytes.
 * True if it was this call that did: of several at once one does, and what is locked out already
 * stays as it is. The system (row 0) never is. A scope's mode is not looked at here, but by
 *
 * cm_locked_out(ROW) - is the scope of that row, or one above it? As a knob's value, 0 or 1: what
 * is locked out in permissive mode is in `shadow` alone
 */
#define CM_LOCKOUTS                                                                                \
	CM_PER_SCOPE(struct cm_lockout, lockouts);                                                 \
	volatile __u64 cm_lockouts_end SEC(".bss.cm_lockouts");                                    \
                                                                                                   \
	static long cm_lockout_step(__u64 i, struct cm_lockout_walk *walk)                         \
	{                                                                                          \
		struct cm_lockout *entry = cm_per_scope(lockouts, walk->row);                      \
		struct cm_level level;                                                             \
                                                                                                   \
		if (!walk->row || !entry || !cm_read_level(walk->row, &level)) {                   \
			walk->done = 1;                                                            \
			return 1;                                                                  \
		}                                                                                  \
		if (*(volatile __u64 *)&entry->until_ns > walk->now) {                             \
			walk->found.shadow = 1;                                                    \
			walk->found.enforced |= level.mode == CM_ENFORCE;                          \
		}                                                                                  \
		walk->row = level.above;                                                           \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	/* Not static: see cm_forget(). */                                                         \
	__noinline __u64 cm_lockout_find(__u32 row)                                                \
	{                                                                                          \
		struct cm_lockout_walk walk = { .row = row, .now = bpf_ktime_get_ns() };           \
		__u64 end = cm_lockouts_end;                                                       \
                                                                                                   \
		if (end < walk.now) {                                                              \
			__sync_val_compare_and_swap(&cm_lockouts_end, end, 0);                     \
			return 0;                                                                  \
		}                                                                                  \
		bpf_loop(CM_ROWS, cm_lockout_step, &walk, 0);                                      \
		return walk.found.enforced << 1 | walk.found.shadow;                               \
	}                                                                                          \
	CM_ASSERT(CM_ROWS > 0, "a semicolon may follow")

#define cm_lockouts() (cm_lockouts_end != 0)

#define cm_lock_out(ROW, NOW, TERMS, REASON)                                                       \
	({                                                                                         \
		__u32 out_ = ROW;                                                                  \
		struct cm_lockout *entry_ = cm_per_scope(lockouts, out_);                          \
		bool locked_ = false;                                                              \
                                                                                                   \
		if (out_ && entry_) {                                                              \
			__sync_fetch_and_or(&cm_state.head.used, CM_USED_LOCKOUT);                 \
			locked_ = cm_lock_out_entry(entry_, &cm_lockouts_end, NOW, TERMS);         \
		}                                                                                  \
		if (locked_)                                                                       \
			bpf_probe_read_kernel_str(entry_->reason, sizeof(entry_->reason), REASON); \
		locked_;                                                                           \
	})

#define cm_locked_out(ROW)                                                                         \
	({                                                                                         \
		__u64 bits_ = cm_lockout_find(ROW);                                                \
                                                                                                   \
		(struct cm_value){ .enforced = bits_ >> 1, .shadow = bits_ & 1 };                  \
	})

#endif /* CM_LOCKOUT_BPF_H */
