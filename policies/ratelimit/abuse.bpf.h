/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Abuse that locks itself out: so many events of a kind within so many seconds, and the scope is
 * locked out (kernel/lockout.bpf.h). Each scope on the path counts by its own values; the system
 * only counts, as a permissive scope does, and is never locked out.
 */
#ifndef ABUSE_BPF_H
#define ABUSE_BPF_H

CM_LOCKOUTS;

#define KNOBS_OF_AN_ABUSE 2

enum abuse {
	ABUSE_REFUSALS,
	ABUSE_FORKS,
	ABUSE_PORTS,
	ABUSE_CONNECTS,
	ABUSE_EXECS,
	ABUSES,
};

#define ABUSES_ROOM 8 /* a number of so many bits is within bounds */

/* As the lockout's reason has it. */
static const char abuse_names[ABUSES_ROOM][CM_NAME_LEN] = { "refusals", "forks", "ports",
							    "connects", "execs" };

CM_ASSERT(cm_index__lockout_execs - cm_index__lockout_refusals == (ABUSES - 1) * KNOBS_OF_AN_ABUSE,
	  "order of the knobs");

/*
 * Events of the last so many seconds, by slices of a fifteenth of them: the one that has begun and
 * the fifteen before it cover all of that time, and at most a fifteenth more. A slice is one word,
 * its number and a count, so that several CPUs count at once.
 */
#define SLICES	    16
#define SLICE_NS(T) ((T) * (NS_PER_S / 15 + 1))
#define COUNT_BITS  24
#define COUNT_MASK  ((1ull << COUNT_BITS) - 1)
#define COUNT_TRIES 16

struct window {
	__u64 slices[SLICES];
};

struct abuses {
	struct window of[ABUSES_ROOM];
};

CM_PER_SCOPE(struct abuses, abuses);

/* When a scope last connected to a port. Which ones are forgotten first is the kernel's choice. */
struct port_of {
	__u32 row;
	__u32 port; /* in network byte order */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 14);
	__type(key, struct port_of);
	__type(value, __u64);
} ports SEC(".maps");

static __always_inline void count_one(struct window *window, __u64 slice)
{
	volatile __u64 *place = &window->slices[slice % SLICES];
	__u64 seen, next;
	int i;

	for (i = 0; i < COUNT_TRIES; i++) {
		seen = *place;
		next = seen >> COUNT_BITS == slice ? seen + 1 : slice << COUNT_BITS | 1;
		if (__sync_val_compare_and_swap(place, seen, next) == seen)
			return;
	}
}

static __always_inline __u64 count_all(struct window *window, __u64 slice)
{
	__u64 sum = 0, seen;
	int i;

	for (i = 0; i < SLICES; i++) {
		seen = *(volatile __u64 *)&window->slices[i];
		if (slice - (seen >> COUNT_BITS) < SLICES)
			sum += seen & COUNT_MASK;
	}
	return sum;
}

/* Has the scope been at that port in its last @ns? It has now. */
static __always_inline bool was_there(__u32 row, __u32 port, __u64 now, __u64 ns)
{
	struct port_of key = { .row = row, .port = port };
	volatile __u64 *last = bpf_map_lookup_elem(&ports, &key);
	bool was = false;

	if (last) {
		was = now - *last < ns;
		*last = now;
	} else {
		bpf_map_update_elem(&ports, &key, &now, BPF_ANY);
	}
	return was;
}

struct watch {
	__u64 now;
	__u32 kind;
	__u32 port;
	__u32 row;
	__u32 is_locked_out; /* the level; or it would have been: a permissive one, or the system */
	__u64 cgroup;
};

/* As of a hook: `checmate stats` shows how many there were. */
volatile cm_counter_line cm_counters__scope_lockout[CM_CPUS] SEC(".bss.cm_counters");

/* Not static: see cm_forget(). */
__noinline int tell_lockout(struct watch *watch)
{
	volatile cm_counter_line *cm_here = cm_counters__scope_lockout;
	struct cm_lockout *lockout;
	__u64 seconds = 0;

	if (!watch)
		return 0;
	cm_count_denial(cm_here, watch->is_locked_out);
	lockout = cm_per_scope(lockouts, watch->row);
	if (lockout && lockout->until_ns != CM_LOCKOUT_HELD)
		seconds = (lockout->until_ns - watch->now) / NS_PER_S;
	/* 0 seconds: until it is released */
	if (watch->is_locked_out)
		cm_notice("scope.lockout", "lockout", cm_u64("scope", watch->cgroup),
			  cm_text("events", abuse_names[watch->kind & (ABUSES_ROOM - 1)]),
			  cm_u64("seconds", seconds));
	else
		cm_notice("scope.lockout", "lockout.permissive", cm_u64("scope", watch->cgroup),
			  cm_text("events", abuse_names[watch->kind & (ABUSES_ROOM - 1)]));
	return 0;
}

/* Too much: of several CPUs that find it at once one says so. What was counted has had its effect.
 */
static __always_inline void too_much(struct watch *watch, struct abuses *abuses,
				     const struct cm_level *level)
{
	struct cm_lockout_terms terms = { .seconds = cm_own(level, lockout_seconds),
					  .most = cm_own(level, lockout_seconds_max) };
	__u32 kind = watch->kind & (ABUSES_ROOM - 1);
	int i;

	if (cm_own(level, lockout_hold))
		terms.seconds = 0;
	watch->is_locked_out = level->mode == CM_ENFORCE && !level->is_system;
	if (watch->is_locked_out && !cm_lock_out(watch->row, watch->now, &terms, abuse_names[kind]))
		return;
	for (i = 0; i < SLICES; i++)
		abuses->of[kind].slices[i] = 0;
	watch->cgroup = level->cgroup;
	tell_lockout(watch);
}

static __always_inline bool is_locked_out_already(__u32 row, __u64 now)
{
	struct cm_lockout *lockout = cm_per_scope(lockouts, row);

	return lockout && *(volatile __u64 *)&lockout->until_ns > now;
}

/* A level, as visit() in rate.bpf.h; nonzero: no more. Not static: see cm_forget(). */
__noinline int watch_level(struct watch *watch)
{
	const volatile __s32 *knobs;
	struct abuses *abuses;
	struct window *window;
	struct cm_level level;
	__u64 slice;
	__u32 kind, row;

	if (!watch)
		return 1;
	row = watch->row;
	abuses = cm_per_scope(abuses, row);
	if (!abuses || !cm_read_level(row, &level))
		return 1;
	kind = watch->kind & (ABUSES_ROOM - 1);
	knobs = level.values + cm_index__lockout_refusals + kind * KNOBS_OF_AN_ABUSE;
	if (knobs[0] > 0 && !is_locked_out_already(row, watch->now) &&
	    !(kind == ABUSE_PORTS &&
	      was_there(row, watch->port, watch->now, (__u32)knobs[1] * NS_PER_S))) {
		window = &abuses->of[kind];
		slice = watch->now / SLICE_NS((__u32)knobs[1]);
		count_one(window, slice);
		if (count_all(window, slice) >= (__u32)knobs[0])
			too_much(watch, abuses, &level);
	}
	watch->row = level.above;
	return level.is_system;
}

static long watch_one(__u64 i, struct watch *watch)
{
	return watch_level(watch) != 0;
}

/*
 * One more event of a kind, by the calling task; @port: of ABUSE_PORTS. Not static: see
 * cm_forget().
 */
__noinline int abuse(__u32 kind, __u32 port)
{
	struct watch watch = { .kind = kind, .port = port, .now = bpf_ktime_get_ns() };

	if (is_kernel_thread())
		return 0;
	watch.row = cm_own_scope();
	bpf_loop(LEVELS, watch_one, &watch, 0);
	return 0;
}

/* One more refusal by this pack, if it was one. */
#define refused(VERDICT)                                                                           \
	do {                                                                                       \
		if ((VERDICT) && cm_is_anywhere(lockout_refusals))                                 \
			abuse(ABUSE_REFUSALS, 0);                                                  \
	} while (0)

/* Who is locked out does none of this. The event of the lockout stands for all of it. */
static __always_inline struct cm_value shut_for(__u32 hint)
{
	__u32 row = known_row(hint);

	return row ? cm_locked_out(row) : (struct cm_value){};
}

#define shut(SCOPE) (cm_lockouts() ? cm_deny_silently(shut_for(SCOPE), EPERM) : (long)CM_ALLOW)

static __always_inline bool opens_nothing(__u32 hint)
{
	return cm_value_of(known_row(hint), lockout_open).enforced;
}

/* What the policies of all modules together have denied. */
CM_RETURN(security_socket_connect, struct socket *sock, struct sockaddr *address, int length,
	  int error)
{
	if (error && cm_is_anywhere(lockout_connects))
		abuse(ABUSE_CONNECTS, 0);
}

/* The system calls' names are those of one architecture; on others no exec is seen to fail. */
#if defined(__TARGET_ARCH_x86)

/* A shell looks for its programs in many places: what is not there is no attempt. */
static __always_inline void look_at_exec(long error)
{
	if (error < 0 && error != -ENOENT && cm_is_anywhere(lockout_execs))
		abuse(ABUSE_EXECS, 0);
}

/* The system calls: most of what fails does before any hook. */
CM_RETURN(__x64_sys_execve, const struct pt_regs *regs, long error)
{
	look_at_exec(error);
}

CM_RETURN(__x64_sys_execveat, const struct pt_regs *regs, long error)
{
	look_at_exec(error);
}

#endif

#endif /* ABUSE_BPF_H */
