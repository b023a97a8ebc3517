/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: what the rules of each scope say, from the nearest up, and those of the system. The
 * first enforcing one that refuses ends it; what a permissive one would refuse is kept beside it.
 *
 * Mostly there is one scope and it accepts: ask() tells that alone, and no more is done then.
 */
#ifndef DECIDE_BPF_H
#define DECIDE_BPF_H

#include "ruleset.h"

#define NF_BROKEN    (1u << 30) /* of a verdict: the kernel's data is, so it is refused */
#define NF_UNDECIDED (NF_BROKEN | NF_BY_IFACE)

/* Scopes within each other; deeper ones refuse. */
#define LEVELS 64

/* One scope is asked. */
struct step {
	struct nf_query query;
	__u32 row; /* the scope's, 0: the system's; what follows is the answer */
	__u32 above;
	__u32 mode;
	__u32 verdict; /* of struct nf_rule */
	__u32 line;
	__u32 by;    /* offset of the rule; 0: there are no rules, or it is broken */
	__u32 remap; /* of struct nf_rule */
	__u32 unused;
};

/* Which rule, and of which scope. */
struct finding {
	__u32 verdict; /* 0: none */
	__u32 line;
	__u32 by;
	__u32 row;
};

struct decision {
	struct step step; /* the last */
	struct finding denied, would_deny, accepted;
	__u32 logged; /* line of a rule that accepts and is to be told of, and whose it is */
	__u32 logged_row;
	__u32 remap;  /* verdict of the rule that has changed the port; 0: none */
	__u32 silent; /* there are too many events of that scope's */
};

/* Is there a rule for the calling task at all? */
static __always_inline bool is_asked(__u32 *ret_row)
{
	*ret_row = cm_own_scope();
	return *ret_row || cm_system_in_force();
}

static __always_inline bool is_last(const struct step *step)
{
	return !step->row || (!step->above && !cm_system_in_force());
}

#define FIND(N)                                                                                    \
	case CM_RULESET_##N:                                                                       \
		bytes = cm_ruleset(CM_RULESET_##N, row);                                           \
		if (!bytes)                                                                        \
			return false;                                                              \
		by = nf_find(bytes, 1ull << CM_RULESET_##N, &step->query);                         \
		if (iface)                                                                         \
			by = nf_find_by_iface(bytes, 1ull << CM_RULESET_##N, by, iface);           \
		rule = bytes + by;                                                                 \
		break

/* The rule that decides in the scope of that row; @iface: NULL, NF_BY_IFACE is one then. */
static __always_inline bool find(struct step *step, __u32 row, const struct nf_iface_name *iface)
{
	struct nf_rule *rule;
	void *bytes;
	__u64 by;

	switch (cm_ruleset_shift(row)) {
	case 0: /* no rules: no objection */
		return true;
		FIND(0);
		FIND(1);
		FIND(2);
		FIND(3);
	default:
		return false;
	}
	step->verdict = rule->verdict;
	step->line = rule->line;
	step->by = by;
	step->remap = rule->remap;
	if (rule->verdict & NF_COUNT && !(step->query.place & NF_PLACE_TEST))
		__sync_fetch_and_add(&rule->count, 1);
	return true;
}

/* Eight bits each, by the number of the word. */
#define ERRNOS                                                                                     \
	(EPERM | EACCES << 8 | ECONNREFUSED << 16 | (__u64)ENETUNREACH << 24 |                     \
	 (__u64)EHOSTUNREACH << 32 | (__u64)ETIMEDOUT << 40)

/* What a drop without an errno gives in that scope. */
static __always_inline __u32 errno_of(const struct cm_level *level)
{
	__u32 error = ERRNOS >> (cm_own(level, error) & 7) * 8 & 0xff;

	return error ? error : EPERM;
}

/* @iface: as that of find() */
static __always_inline int ask_with(struct step *step, const struct nf_iface_name *iface)
{
	struct cm_level level;
	__u32 row = step->row;

	step->verdict = 0;
	step->by = 0;
	step->mode = CM_ENFORCE;
	if (!cm_read_level(row, &level))
		goto broken;
	step->above = level.above;
	step->mode = level.mode;
	if ((row || cm_system_in_force()) && cm_own(&level, enable) && !find(step, row, iface))
		goto broken;
	if (step->verdict & NF_DEFAULT)
		step->verdict = (step->verdict & ~NF_ERRNO) | errno_of(&level);
	return step->verdict & (NF_ERRNO | NF_LOG) || !is_last(step);
broken:
	step->verdict = EPERM | NF_BROKEN;
	step->mode = CM_ENFORCE;
	return 1;
}

/*
 * Ask the scope of step->row. False: it accepts, there is none above it, and nothing is to be told.
 * Not static: see cm_forget().
 */
__noinline int ask(struct step *step)
{
	return step ? ask_with(step, NULL) : 1;
}

/* Does this scope's rule change the port? A permissive one changes nothing. */
static __always_inline bool is_remapping(const struct step *step)
{
	return step->verdict & NF_REMAP && step->mode == CM_ENFORCE;
}

static __always_inline void remap(struct step *step)
{
	step->query.key = (step->query.key & ~0xffffu) | ((step->query.key + step->remap) & 0xffff);
}

/*
 * Of the calling task's scope, or else the system's, a rule that is counted accepts; if it is off,
 * nothing is counted. Apart, and the row found out anew: the others are not to keep it for this.
 */
static __noinline void count(struct nf_rule *rule)
{
	struct cm_level level;
	__u32 row;

	if (cm_own_is_outside(&row))
		row = 0;
	if (!cm_read_level(row, &level) || cm_own(&level, enable))
		__sync_fetch_and_add(&rule->count, 1);
}

/*
 * The same as far as it takes no memory: does the scope of that row, the only one on its path or
 * the system, accept, whoever the user is, without anything to be told?
 * @words: as those of nf_find_ip(); @query is no test
 */
#define ACCEPT(N)                                                                                  \
	case CM_RULESET_##N:                                                                       \
		bytes = cm_ruleset(CM_RULESET_##N, row);                                           \
		if (!bytes)                                                                        \
			return false;                                                              \
		by = nf_find_ip(bytes, 1ull << CM_RULESET_##N, query, words);                      \
		if (!by)                                                                           \
			return false;                                                              \
		rule = bytes + by;                                                                 \
		break

static __always_inline bool is_accepted(__u32 row, const struct nf_query *query, int words)
{
	struct nf_rule *rule;
	void *bytes;
	__u64 by;

	if (cm_has_above(row))
		return false;
	switch (cm_ruleset_shift(row)) {
	case 0:
		return true;
		ACCEPT(0);
		ACCEPT(1);
		ACCEPT(2);
		ACCEPT(3);
	default:
		return false;
	}
	if (rule->verdict & (NF_ERRNO | NF_LOG))
		return false;
	if (rule->verdict & NF_COUNT)
		count(rule);
	return true;
}

static __always_inline void note(struct decision *decision)
{
	struct step *step = &decision->step;
	struct finding found = { step->verdict, step->line, step->by, step->row };

	if (!(found.verdict & NF_ERRNO)) {
		if (found.verdict & NF_LOG) {
			decision->logged = found.line;
			decision->logged_row = found.row;
		}
		if (!decision->accepted.by)
			decision->accepted = found;
		if (!decision->remap && is_remapping(step)) { /* the scopes above get that port */
			decision->accepted = found;
			decision->remap = found.verdict;
			remap(step);
		}
	} else if (step->mode == CM_ENFORCE || found.verdict & NF_BY_IFACE) { /* go no further */
		decision->denied = found;
	} else if (!decision->would_deny.verdict) {
		decision->would_deny = found;
	}
}

/* A loop's argument must be on the stack of who calls it. */
static long ask_above(__u64 i, struct decision **at)
{
	struct decision *decision = *at;
	struct step *step = &decision->step;

	if (decision->denied.verdict || is_last(step))
		return 1;
	step->row = step->above;
	ask(step);
	note(decision);
	return 0;
}

static __always_inline const struct finding *objection(const struct decision *decision)
{
	return decision->denied.verdict ? &decision->denied : &decision->would_deny;
}

/* Of each scope: which period it is, in the upper half, and how many events it had in that. */
CM_PER_SCOPE(__u64, logs);

/* May there be one more event of what that scope's rules decide? Exact, on any number of CPUs. */
static __always_inline bool may_tell(__u32 row)
{
	__u64 *log = cm_per_scope(logs, row), word;
	struct cm_level level;
	__u32 rate, period, ahead;

	if (!log || !cm_read_level(row, &level))
		return true;
	rate = cm_own(&level, log_rate);
	if (!rate)
		return true;
	period = bpf_ktime_get_ns() / (1000000000ull * cm_own(&level, log_rate_per));
	word = *(volatile __u64 *)log;
	ahead = period - (__u32)(word >> 32);
	if (ahead && ahead != -1u) { /* or another CPU has begun the next one meanwhile */
		if (__sync_val_compare_and_swap(log, word, (__u64)period << 32 | 1) == word)
			return true;
		word = *(volatile __u64 *)log;
	}
	return (__u32)word < rate && (__u32)__sync_fetch_and_add(log, 1) < rate;
}

static __always_inline bool is_silent(const struct decision *decision)
{
	const struct finding *found = objection(decision);

	if (decision->step.query.place & NF_PLACE_TEST || found->verdict & NF_BROKEN)
		return false;
	if (found->verdict)
		return !may_tell(found->row);
	return decision->logged && !may_tell(decision->logged_row);
}

/* The rest of it, after the first step. Not static: see cm_forget(). */
__noinline int decide(struct decision *decision)
{
	if (!decision)
		return 0;
	note(decision);
	bpf_loop(LEVELS, ask_above, &decision, 0);
	if (!decision->denied.verdict && !is_last(&decision->step))
		decision->denied = (struct finding){ .verdict = EPERM | NF_BROKEN };
	decision->silent = is_silent(decision);
	return 0;
}

/* --- what becomes of it */

static __always_inline const char *reason_of(const struct finding *found)
{
	return found->verdict & NF_UNDECIDED  ? "broken"
	       : found->verdict & NF_IMPLICIT ? "goes-around"
	       : found->verdict & NF_POLICY   ? "policy"
					      : "rule";
}

/*
 * The verdict of a rule of the SDK's, after the first step, and its event.
 * @CTX: the hook's, where a packet leads to it; NULL: no rule asks for the interface
 * @DENY: cm_deny_for, or another word of that form
 * further arguments: fields of the event
 */
#define VERDICT(STEP, CTX, ACTION, DENY, FIELDS...)                                                \
	({                                                                                         \
		struct decision decision_ = { .step = *(STEP) };                                   \
		const struct finding *found_;                                                      \
		long verdict_;                                                                     \
                                                                                                   \
		decide(&decision_);                                                                \
		found_ = objection(&decision_);                                                    \
		if (found_->verdict & NF_UNDECIDED) {                                              \
			if (CTX)                                                                   \
				decide_by_packet(&decision_, CTX);                                 \
			found_ = objection(&decision_);                                            \
			if (found_->verdict & NF_UNDECIDED)                                        \
				cm_count_in(cm_here, CM_COUNT_ERROR);                              \
		}                                                                                  \
		if (decision_.silent)                                                              \
			cm_leave_out();                                                            \
		if (found_->verdict) {                                                             \
			struct cm_value value_ = { decision_.denied.verdict != 0, 1 };             \
                                                                                                   \
			if (decision_.silent)                                                      \
				verdict_ = cm_deny_silently(value_, found_->verdict & NF_ERRNO);   \
			else                                                                       \
				verdict_ = DENY(value_, found_->verdict & NF_ERRNO, ACTION,        \
						reason_of(found_), cm_u64("line", found_->line),   \
						##FIELDS);                                         \
		} else {                                                                           \
			if (decision_.logged && !decision_.silent)                                 \
				cm_notice(ACTION, "accepted", cm_u64("line", decision_.logged),    \
					  ##FIELDS);                                               \
			verdict_ = cm_allow();                                                     \
		}                                                                                  \
		verdict_;                                                                          \
	})

#endif /* DECIDE_BPF_H */
