/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rates as verdicts. Who wants a token needs one of each scope on the path and of the system: first
 * all of them are asked, then all are taken; one that has become empty meanwhile makes the others
 * get theirs back. So what one scope refuses costs nothing in another.
 */
#ifndef RATE_BPF_H
#define RATE_BPF_H

#include "bucket.bpf.h"

#define KNOBS_OF_A_KIND 4
#define KINDS		12
#define KINDS_ROOM	16 /* a number of so many bits is within bounds */
#define KIND_OF(NAME)	(cm_index__##NAME / KNOBS_OF_A_KIND)

CM_ASSERT(cm_index__write == (KINDS - 1) * KNOBS_OF_A_KIND, "order of the knobs");

struct buckets {
	struct bucket of[KINDS_ROOM];
};

CM_PER_SCOPE(struct buckets, buckets);

/* Scopes within each other, and the system; deeper ones find no token. */
#define LEVELS 64

/* For so long without a refusal, then a scope is throttled no more. */
#define CALM_NS NS_PER_S

/* What take() finds. */
#define REFUSED	     (1 << 0)
#define WOULD_REFUSE (1 << 1) /* a permissive scope does */
#define BEGINS	     (1 << 2) /* the first one refused */
#define ENDS	     (1 << 3) /* the first one that is not, with their number: */
#define ERROR_SHIFT  8
#define ENDS_SHIFT   32

enum step {
	STEP_ASK,
	STEP_TAKE,
	STEP_GIVE_BACK,
	STEP_ALONE, /* there is one level: no other could refuse */
};

struct walk {
	__u64 now;
	__u64 found;
	__u64 passed; /* by level: its token is not needed, or not had */
	__u32 row;
	__u32 kind;
	__u32 step;
	__u32 level;
	__u32 done;
};

static __always_inline void note_refusal(struct walk *walk, struct bucket *bucket, __u32 mode,
					 __u32 error)
{
	__u64 last = *(volatile __u64 *)&bucket->refused_ns;

	__sync_fetch_and_add(&bucket->refused, 1);
	/* Which of several CPUs writes the time does not matter, but one alone is the first. */
	if (__sync_val_compare_and_swap(&bucket->refused_ns, last, walk->now) == last && !last)
		walk->found |= BEGINS;
	walk->found &= ~(0xffull << ERROR_SHIFT);
	walk->found |= (error & 3) << ERROR_SHIFT | (mode == CM_ENFORCE ? REFUSED : WOULD_REFUSE);
}

static __always_inline void note_calm(struct walk *walk, struct bucket *bucket)
{
	__u64 last = *(volatile __u64 *)&bucket->refused_ns;

	if (!last || (__s64)(walk->now - last) < (__s64)CALM_NS)
		return;
	if (__sync_val_compare_and_swap(&bucket->refused_ns, last, 0) == last)
		walk->found |= ENDS | __sync_lock_test_and_set(&bucket->refused, 0) << ENDS_SHIFT;
}

static __always_inline void visit_bucket(struct walk *walk, __u32 mode, struct bucket *bucket,
					 const volatile __s32 *knobs)
{
	struct limit limit = limit_of(knobs);
	__u64 bit = 1ull << (walk->level & (LEVELS - 1));

	if (walk->step == STEP_GIVE_BACK) {
		if (!(walk->passed & bit))
			give_back(bucket, &limit);
		return;
	}
	if (walk->step != STEP_TAKE)
		freshen(bucket, &limit, walk->now);
	if (walk->step == STEP_ASK) {
		if (has_token(bucket, &limit, walk->now))
			return;
	} else {
		if (walk->passed & bit)
			return;
		if (take_token(bucket, &limit, walk->now)) {
			note_calm(walk, bucket);
			return;
		}
	}
	note_refusal(walk, bucket, mode, knobs[3]);
	walk->passed |= bit;
}

/*
 * A level, by walk->row, which becomes the one above it; nonzero: no more. Not static: see
 * cm_forget().
 */
__noinline int visit(struct walk *walk)
{
	const volatile __s32 *knobs;
	struct buckets *buckets;
	struct cm_level level;
	__u32 kind, row;

	if (!walk)
		return 1;
	row = walk->row;
	buckets = cm_per_scope(buckets, row);
	if (!buckets || !cm_read_level(row, &level))
		return 1;
	kind = walk->kind & (KINDS_ROOM - 1);
	knobs = level.values + kind * KNOBS_OF_A_KIND;
	if (knobs[0] > 0)
		visit_bucket(walk, level.mode, &buckets->of[kind], knobs);
	else
		walk->passed |= 1ull << (walk->level & (LEVELS - 1));
	walk->row = level.above;
	walk->done = level.is_system;
	return level.is_system || (walk->found & REFUSED && walk->step != STEP_GIVE_BACK);
}

static long visit_one(__u64 i, struct walk *walk)
{
	walk->level = i;
	return visit(walk) != 0;
}

static __always_inline void visit_all(struct walk *walk, __u32 row, enum step step, __u32 levels)
{
	walk->row = row;
	walk->step = step;
	walk->done = 0;
	bpf_loop(levels, visit_one, walk, 0);
}

/* Has the scope of that row, or the system, no other level beside it that could refuse? */
static __always_inline bool is_alone(__u32 row, __u32 kind)
{
	struct cm_level level;

	return cm_read_level(row, &level) &&
	       (level.is_system || (!level.above && cm_state.system[kind * KNOBS_OF_A_KIND] <= 0));
}

/* An exiting task does nothing by its own will: the signal that its children asked for, say. */
#define PF_EXITING 0x00000004
#define PF_KTHREAD 0x00200000

static __always_inline bool acts_not(void)
{
	return cm_current()->flags & (PF_EXITING | PF_KTHREAD);
}

static __always_inline bool is_kernel_thread(void)
{
	return cm_current()->flags & PF_KTHREAD;
}

/* Of what cm_own_is_outside() gave: the row. */
static __always_inline __u32 known_row(__u32 row)
{
	return row == CM_ROW_UNKNOWN ? cm_own_scope() : row;
}

/* Not static: see cm_forget(). */
__noinline __u64 take(__u32 kind, __u32 row)
{
	struct walk walk = { .kind = kind, .step = STEP_ALONE };

	if (acts_not())
		return 0;
	walk.row = row = known_row(row);
	walk.now = bpf_ktime_get_ns();
	if (is_alone(row, kind & (KINDS_ROOM - 1))) {
		visit(&walk);
		return walk.found;
	}
	visit_all(&walk, row, STEP_ASK, LEVELS);
	if (!walk.done)
		walk.found |= REFUSED;
	if (walk.found & REFUSED)
		return walk.found;
	visit_all(&walk, row, STEP_TAKE, LEVELS);
	/* The last one visited is the one that refused. */
	if (walk.found & REFUSED)
		visit_all(&walk, row, STEP_GIVE_BACK, walk.level);
	return walk.found;
}

static __always_inline long error_of(__u64 found)
{
	switch (found >> ERROR_SHIFT & 3) {
	case 1:
		return EPERM;
	case 2:
		return EDQUOT;
	case 3:
		return EMFILE;
	default:
		return EAGAIN;
	}
}

/*
 * The verdict on one more of a kind, NAME as the knob, where cm_own_is_outside() gave SCOPE. Of
 * what is refused in a row the first is an event; the rest is counted, and told when it ends.
 */
#define limited(NAME, SCOPE, ACTION)                                                               \
	({                                                                                         \
		__u64 found_ = take(KIND_OF(NAME), SCOPE);                                         \
		struct cm_value value_ = { found_ & REFUSED, 1 };                                  \
		long limited_ = CM_ALLOW;                                                          \
                                                                                                   \
		if (found_ & ENDS)                                                                 \
			cm_notice(ACTION, #NAME ".end", cm_u64("refused", found_ >> ENDS_SHIFT));  \
		if (found_ & BEGINS)                                                               \
			limited_ = cm_deny_for(value_, error_of(found_), ACTION, #NAME);           \
		else if (found_ & (REFUSED | WOULD_REFUSE))                                        \
			limited_ = cm_deny_silently(value_, error_of(found_));                     \
		refused(limited_);                                                                 \
		limited_;                                                                          \
	})

/* A number that gets its register here, and not before the branch that leads here. */
#define number_here(NUMBER)                                                                        \
	({                                                                                         \
		__u32 number_;                                                                     \
                                                                                                   \
		asm volatile("%0 = %1" : "=r"(number_) : "i"(NUMBER));                             \
		number_;                                                                           \
	})

/*
 * Does a task do that of its own will only? A signal may be sent, and accounts are written. (Of who
 * has none, take() refuses nobody in any case: it would only cost a token.)
 */
#define BY_WILL(KIND) ((KIND) != KIND_OF(signal) && (KIND) != KIND_OF(write))

/*
 * A token in the common case, for the quick part of a hook: there are one or two levels, and their
 * buckets have a token. 0: that is so, or no rate is there; else nothing is done, and limited() is
 * to be asked with one less than what this gives. Two scopes within each other, without one of the
 * system; not static: see cm_forget().
 */
__noinline __u32 ask_two_at_once(__u32 kind, __u32 row)
{
	struct buckets *inner, *outer;
	struct taking takings[2];
	struct limit limits[2];
	struct cm_level level;
	__u32 above;
	__u64 now;

	kind &= KINDS_ROOM - 1;
	if (!row || !cm_read_level(row, &level))
		return row + 1;
	limits[0] = limit_of(level.values + kind * KNOBS_OF_A_KIND);
	above = level.above;
	if (!above || !cm_read_level(above, &level) || level.above)
		return row + 1;
	limits[1] = limit_of(level.values + kind * KNOBS_OF_A_KIND);
	inner = cm_per_scope(buckets, row);
	outer = cm_per_scope(buckets, above);
	if (!inner || !outer)
		return row + 1;
	now = bpf_ktime_get_ns();
	if (!limits[0].rate || !limits[1].rate) {
		if (limits[0].rate)
			outer = inner;
		else
			limits[0] = limits[1];
		return !limits[0].rate || take_at_once(&outer->of[kind], &limits[0], now) ? 0
											  : row + 1;
	}
	if (!begin_taking(&takings[0], &inner->of[kind], &limits[0], now) ||
	    !begin_taking(&takings[1], &outer->of[kind], &limits[1], now) ||
	    !end_taking(&takings[0], &inner->of[kind], now))
		return row + 1;
	if (end_taking(&takings[1], &outer->of[kind], now))
		return 0;
	give_back(&inner->of[kind], &limits[0]);
	return row + 1;
}

/*
 * One, that of @row, which is known. The clock is read before the bucket's place is found: less is
 * kept meanwhile.
 */
static __always_inline __u32 ask_at_once(const __u32 kind, __u64 row)
{
	const __u32 index = kind * KNOBS_OF_A_KIND;
	struct buckets *buckets;
	struct cm_level level;
	struct limit limit;
	__u64 now;

	if (!row)
		__builtin_unreachable();
	if (row >= CM_ROWS)
		__builtin_unreachable();
	if ((!BY_WILL(kind) && acts_not()) || !cm_read_level(row, &level))
		return row + 1;
	if (level.above)
		return ask_two_at_once(kind, row);
	if (level.values[index] <= 0)
		return number_here(0);
	now = bpf_ktime_get_ns();
	limit = limit_of(level.values + index);
	buckets = cm_per_scope(buckets, row);
	if (!buckets || !take_at_once(&buckets->of[kind], &limit, now))
		return row + 1;
	return number_here(0);
}

/* One, the system's: of a caller in no scope. Not static: see cm_forget(). */
__noinline __u32 ask_system_at_once(__u32 kind)
{
	__u32 row = cm_own_scope();
	struct buckets *buckets = cm_per_scope(buckets, 0);
	struct limit limit;
	__u64 now;

	kind &= KINDS_ROOM - 1;
	if (row || acts_not())
		return row + 1;
	now = bpf_ktime_get_ns();
	limit = limit_of(cm_state.system + kind * KNOBS_OF_A_KIND);
	return !limit.rate || take_at_once(&buckets->of[kind], &limit, now) ? 0 : row + 1;
}

/*
 * What is common among the callers that a hook concerns, in a scope whose @row is known, and in
 * none. The body gets ctx; it returns 0, and the hook is done with, or the full part's hint: one
 * more than the row. Functions, so that their registers are not saved by each call: see
 * CM_HOOK_QUICK().
 */
#define IN_SCOPE(HOOK) static __noinline __u32 in_scope__##HOOK(unsigned long long *ctx, __u64 row)
#define IN_NONE(HOOK)  static __noinline __u32 in_none__##HOOK(unsigned long long *ctx)

/* Where the row is still to be found out, the full part does it. */
#define in_scope(HOOK, ROW) ((ROW) == CM_ROW_UNKNOWN ? (ROW) + 1 : in_scope__##HOOK(ctx, ROW))

/*
 * How a quick part ends: HINT is 0, or for the full one. `goto done` leads here from where there is
 * none, `goto ask` from where there is one. Behind cm_done(), where no number is needed, none is
 * put into a register.
 */
#define end_quick(HOOK, HINT)                                                                      \
	if (HINT)                                                                                  \
		goto ask;                                                                          \
done:                                                                                              \
	cm_done(HOOK);                                                                             \
	asm volatile("" : "=r"(HINT));                                                             \
ask:                                                                                               \
	return cm_ask(HOOK, HINT)

/*
 * LIMITED - a hook whose calls are of a kind
 * @NAME: the knob
 * @ACTION: as the event has it
 * @IF: condition on the arguments that follow
 */
#define LIMITED(HOOK, NAME, ACTION, IF, ARGS...)                                                   \
	IN_SCOPE(HOOK)                                                                             \
	{                                                                                          \
		return ask_at_once(KIND_OF(NAME), row);                                            \
	}                                                                                          \
                                                                                                   \
	CM_HOOK_QUICK(HOOK, ##ARGS)                                                                \
	{                                                                                          \
		__u32 row, hint;                                                                   \
                                                                                                   \
		if (!(IF))                                                                         \
			goto done;                                                                 \
		if (cm_system(NAME))                                                               \
			hint = ask_system_at_once(KIND_OF(NAME));                                  \
		else if (cm_is_in_scopes(NAME) && !cm_own_is_outside(&row))                        \
			hint = in_scope(HOOK, row);                                                \
		else                                                                               \
			goto done;                                                                 \
		end_quick(HOOK, hint);                                                             \
	}                                                                                          \
                                                                                                   \
	CM_HOOK_FULL(HOOK, ##ARGS)                                                                 \
	{                                                                                          \
		return limited(NAME, hint - 1, ACTION);                                            \
	}

#endif /* RATE_BPF_H */
