/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy SDK: the only project header that a policy includes.
 *
 *	#include "checmate.bpf.h"
 *
 *	CM_PACK("lonely", .question = "Who may trace at all?");
 *	CM_KNOB(no_trace, "kernel/lonely/no_trace", .max = 1, .init = 1, .cap = -1,
 *		.help = "1: nobody traces anybody");
 *
 *	CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
 *	{
 *		struct task_struct *me = cm_current();
 *		struct cm_value on = cm_effective(me, no_trace);
 *
 *		if (!on.shadow)
 *			return CM_ALLOW;
 *		cm_report(ptrace_access_check, on.enforced ? CM_ENFORCE : CM_PERMISSIVE, EPERM,
 *			  "ptrace.any", "no-trace", "{subject} would trace {object}", me, me->cred,
 *			  child, child->real_cred);
 *		return on.enforced ? -EPERM : CM_ALLOW;
 *	}
 *
 * A hook's body is the policy's rule: it returns CM_ALLOW (no objection, the next policy of the
 * chain is asked) or -errno (the call fails with it). A policy is one object file, and
 *names itself with CM_PACK exactly once. License: the kernel accepts these programs as GPL only.
 */
#ifndef CHECMATE_BPF_H
#define CHECMATE_BPF_H

#include "types.bpf.h"

#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <asm-generic/errno.h>

#include "abi.h"

/* Knobs that this policy may declare; define a larger figure before the include if 16 is too few.
 */
#ifndef CM_NR_KNOBS
#define CM_NR_KNOBS 16
#endif
CM_ASSERT(CM_NR_KNOBS <= CM_KNOBS_MAX, "more knobs than a pack may have");

#define CM_ALLOW 0

/*
 * CM_HANDLED - a verdict of task_prctl alone: the option is the policy's, and prctl(2) returns 0
 *
 * That hook's "no objection" means "not mine", -ENOSYS to the kernel. The trampoline takes any
 * non-zero 64-bit value for the answer, and the caller its low 32 bits.
 */
#define CM_HANDLED (1L << 32)

/*
 * CM_PACK - name the policy
 * @NAME: string, shorter than CM_NAME_LEN, [a-z0-9_]
 * further fields of struct cm_pack_decl: .question (one line), .priority (lower runs first,
 * default 0), .native_lsm, .event_burst and .event_interval_ms (default 1000 events a second)
 */
#define CM_PACK(NAME, ...)                                                                         \
	_Pragma("clang diagnostic push")                                                           \
		_Pragma("clang diagnostic ignored \"-Winitializer-overrides\"")                    \
			const volatile struct cm_pack_decl cm_pack SEC(                            \
				".rodata.cm_pack") = { .abi = CM_ABI,                              \
						       .event_burst = 1000,                        \
						       .event_interval_ms = 1000,                  \
						       .name = NAME,                               \
						       __VA_ARGS__ };                              \
	_Pragma("clang diagnostic pop") char LICENSE[] SEC("license") = "GPL"

extern const volatile struct cm_pack_decl cm_pack;

enum {
	cm_knob_counter_base = __COUNTER__ + 1
};

/*
 * CM_KNOB - declare a setting that an administrator can write, system-wide and per cgroup
 * @NAME: C identifier by which the rules read it
 * @PATH: where it appears below /proc/sys; sysctl(8) spells it with dots
 * further fields of struct cm_knob_decl: .min, .max, .init, .strictest (a CM_STRICTEST_ constant,
 * written without the prefix's enum: default MAX), .latch with .flags = CM_KNOB_LATCH, .cap, .help
 */
#define CM_KNOB(NAME, PATH, ...)                                                                   \
	enum {                                                                                     \
		cm_index__##NAME = __COUNTER__ - cm_knob_counter_base                              \
	};                                                                                         \
	CM_ASSERT(cm_index__##NAME < CM_NR_KNOBS, "define a larger CM_NR_KNOBS");                  \
	static const struct cm_knob_decl cm_shape__##NAME = { __VA_ARGS__ };                       \
	const volatile struct cm_knob_decl cm_knob__##NAME SEC(                                    \
		".rodata.cm_knobs") = { .index = cm_index__##NAME, .path = PATH, __VA_ARGS__ }

#include "scope.bpf.h"
#include "report.bpf.h"

static __always_inline __s32 cm_off(const struct cm_knob_decl *knob)
{
	return knob->strictest == CM_STRICTEST_MIN  ? knob->max
	       : knob->strictest == CM_STRICTEST_OR ? 0
						    : knob->min;
}

static __always_inline __s32 cm_worst(const struct cm_knob_decl *knob)
{
	return knob->strictest == CM_STRICTEST_MIN ? knob->min : knob->max;
}

/* Of two values that are not negative, one instruction instead of a comparison and a branch. */
static __always_inline __s32 cm_bound(const struct cm_knob_decl *knob, __s32 a, __s32 b)
{
	if (knob->min < 0)
		return cm_strict(knob->strictest, a, b);
	return knob->strictest == CM_STRICTEST_MIN ? a & b : a | b;
}

/*
 * cm_current - the task that makes the call, as the verifier's trusted type
 */
static __always_inline struct task_struct *cm_current(void)
{
	return bpf_get_current_task_btf();
}

/*
 * cm_scope_of - the scope that @task is in: the nearest scoped cgroup from its own up, 0 if none
 */
static __always_inline __u32 cm_scope_of(struct task_struct *task)
{
	return cm_state.head.nr_scopes ? cm_row_of(task->cgroups->dfl_cgrp) : 0;
}

/*
 * cm_is_outside - is a task with these cgroups (task->cgroups) in no scope, and known to be?
 *
 * For the quick part of a hook. Where it is false, *ret_scope is what cm_scope_of() would give, or
 * CM_ROW_UNKNOWN: that is still to be found out.
 */
static __always_inline bool cm_is_outside(struct css_set *cgroups, __u32 *ret_scope)
{
	return cm_known_outside(cgroups->dfl_cgrp, ret_scope);
}

/* cm_system - a knob's value for the whole system, whatever its mode */
#define cm_system(NAME) cm_state.system[cm_index__##NAME]

/*
 * cm_value_of - a knob's value in a scope that cm_scope_of() gave: { enforced, shadow }
 *
 * `enforced` is the strictest value among the scopes in enforce mode from there up to the root;
 * `shadow` also counts the permissive ones, and is never looser. Decide by the first, report by the
 * second. Where the native LSM enforces the system's value itself, that value is in neither.
 */
#define cm_value_of(SCOPE, NAME)                                                                   \
	cm_value_in(SCOPE, cm_index__##NAME, cm_off(&cm_shape__##NAME),                            \
		    cm_worst(&cm_shape__##NAME), cm_shape__##NAME.strictest)

/* cm_effective - a knob's value for @TASK */
#define cm_effective(TASK, NAME) cm_value_of(cm_scope_of(TASK), NAME)

/*
 * cm_ceiling - a value at least as strict as any that is in force, in whatever scope
 *
 * What a rule allows at the ceiling it allows everywhere: test that first, and most calls need no
 * look at the task's cgroup. A bound, not a value that someone has set: 1 and 2 give 3.
 */
#define cm_ceiling(NAME)                                                                           \
	cm_bound(&cm_shape__##NAME, cm_state.ceiling[cm_index__##NAME],                            \
		 cm_state.system[cm_index__##NAME])

/* cm_stricter - of two sides' values of a knob, what binds both */
#define cm_stricter(NAME, A, B)                                                                    \
	((struct cm_value){                                                                        \
		.enforced = cm_strict(cm_shape__##NAME.strictest, (A).enforced, (B).enforced),     \
		.shadow = cm_strict(cm_shape__##NAME.strictest, (A).shadow, (B).shadow) })

/* clang-format would take the pragmas apart. */
// clang-format off
/*
 * The verifier of 6.12+ wants to see that a verdict is 0 or an errno; in 64 bits throughout, or it
 * loses what it knows of the number.
 */
static __always_inline long cm_errno(long verdict, bool may_handle)
{
	if (may_handle && verdict == CM_HANDLED)
		return CM_HANDLED;
	return verdict < -4095 || verdict > 0 ? -EPERM : verdict;
}

#define CM_MAY_HANDLE_(HOOK) (!__builtin_strcmp(#HOOK, "task_prctl"))

/* What a hook has beside its program; cm_slot is a constant that the loader fills in. */
#define CM_HOOK_PARTS_(HOOK)                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, CM_SLOTS + 1);                                                 \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} cm_chain__##HOOK SEC(".maps");                                                           \
	const volatile __u32 cm_slot__##HOOK SEC(".rodata.cm_slots");                              \
	volatile cm_counter_line cm_counters__##HOOK[CM_CPUS] SEC(".bss.cm_counters");             \
	static __always_inline long cm_next__##HOOK(unsigned long long *ctx)                       \
	{                                                                                          \
		bpf_tail_call(ctx, &cm_chain__##HOOK, cm_slot__##HOOK + 1);                        \
		return 0;                                                                          \
	}

/* A call whose arguments get the hook's types. */
#define CM_CALL_(ASSIGNMENT...)                                                                    \
	_Pragma("GCC diagnostic push")                                                             \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                                     \
	ASSIGNMENT;                                                                                \
	_Pragma("GCC diagnostic pop")

/*
 * CM_HOOK - a rule on an LSM hook
 * @HOOK: the hook as the kernel spells it (bpf_lsm_HOOK exists in the kernel's BTF)
 * further arguments: the hook's own, typed
 *
 * The body returns CM_ALLOW or -errno; a void hook's result is ignored. After CM_ALLOW the chain
 * goes on at the next slot.
 */
#define CM_HOOK(HOOK, ARGS...)                                                                     \
	CM_HOOK_PARTS_(HOOK)                                                                       \
	static __always_inline long cm_rule__##HOOK(unsigned long long *ctx, ##ARGS);              \
	SEC("lsm/" #HOOK)                                                                          \
	long cm_##HOOK(unsigned long long *ctx)                                                    \
	{                                                                                          \
		long verdict;                                                                      \
                                                                                                   \
		CM_CALL_(verdict = cm_rule__##HOOK(___bpf_ctx_cast(ARGS)))                         \
		return verdict ? cm_errno(verdict, CM_MAY_HANDLE_(HOOK)) : cm_next__##HOOK(ctx);   \
	}                                                                                          \
	static __always_inline long cm_rule__##HOOK(unsigned long long *ctx, ##ARGS)

/*
 * CM_HOOK_QUICK, CM_HOOK_FULL - the same in two parts, for a hook that is called often
 *
 * The first body is the hook's program, and all that a call pays which it ends with cm_done(HOOK):
 * the JIT saves and restores in a program what its whole body needs, so the full rule is not part of
 * it. `return cm_ask(HOOK, number)` asks the second body, which gets the number as `hint`: what has
 * been found out by then. The second body follows the first in the file and is as with CM_HOOK.
 */
#define CM_HOOK_QUICK(HOOK, ARGS...)                                                               \
	CM_HOOK_PARTS_(HOOK)                                                                       \
	static __always_inline long cm_quick__##HOOK(unsigned long long *ctx, ##ARGS);             \
	static __noinline long cm_full__##HOOK(unsigned long long *ctx, __u32 hint);               \
	SEC("lsm/" #HOOK)                                                                          \
	long cm_##HOOK(unsigned long long *ctx)                                                    \
	{                                                                                          \
		CM_CALL_(return cm_quick__##HOOK(___bpf_ctx_cast(ARGS)))                           \
	}                                                                                          \
	static __always_inline long cm_quick__##HOOK(unsigned long long *ctx, ##ARGS)

/* The hint gets its register here, and not before the branch that leads here. */
#define cm_ask(HOOK, HINT)                                                                         \
	({                                                                                         \
		__u32 hint_ = HINT;                                                                \
                                                                                                   \
		asm volatile("" : "+r"(hint_));                                                    \
		cm_errno(cm_full__##HOOK(ctx, hint_), CM_MAY_HANDLE_(HOOK));                       \
	})

/*
 * No objection, and no more to do. The first exit of a program is the short one. The compiler is not
 * told that it does not come back, for it would think that unlikely: what follows must be reached
 * in another way, too.
 */
#define cm_done(HOOK)                                                                              \
	do {                                                                                       \
		cm_next__##HOOK(ctx);                                                              \
		asm volatile("r0 = 0\nexit # %=" ::: "r0");                                        \
	} while (0)

/* The same on a way that is to make no other one longer. */
#define cm_done_apart(HOOK)                                                                        \
	do {                                                                                       \
		cm_done(HOOK);                                                                     \
		__builtin_unreachable();                                                           \
	} while (0)

#define CM_HOOK_FULL(HOOK, ARGS...)                                                                \
	static __always_inline long cm_rule__##HOOK(unsigned long long *ctx, ##ARGS, __u32 hint);  \
	static __noinline long cm_full__##HOOK(unsigned long long *ctx, __u32 hint)                \
	{                                                                                          \
		long verdict;                                                                      \
                                                                                                   \
		CM_CALL_(verdict = cm_rule__##HOOK(___bpf_ctx_cast(ARGS), hint))                          \
		return verdict ? verdict : cm_next__##HOOK(ctx);                                   \
	}                                                                                          \
	static __always_inline long cm_rule__##HOOK(unsigned long long *ctx, ##ARGS, __u32 hint)
// clang-format on

/* cm_count - move one of the hook's counters; @HOOK as in CM_HOOK, @WHICH: enum cm_counter */
#define cm_count(HOOK, WHICH) cm_count_in(cm_counters__##HOOK, WHICH)

/*
 * CM_NATIVE_SYMBOL - a variable of the native LSM's, by its name in the kernel's symbol table
 *
 * cm_native_symbol() gives its address for bpf_probe_read_kernel(): NULL where that LSM is not
 * active or has no such symbol. (Not a __ksym: libbpf would read the whole symbol table at each
 * load.)
 */
#define CM_NATIVE_SYMBOL(NAME) const volatile __u64 cm_symbol__##NAME SEC(".rodata.cm_symbols")
#define cm_native_symbol(NAME) ((const void *)cm_symbol__##NAME)

/*
 * cm_report - count a denial and emit its audit event
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
		struct cm_event *event_;                                                           \
		__u32 suppressed_;                                                                 \
                                                                                                   \
		cm_count(HOOK, (MODE) == CM_ENFORCE ? CM_COUNT_DENIED : CM_COUNT_WOULD_DENY);      \
		if (!cm_rate_allows((const struct cm_pack_decl *)&cm_pack, &suppressed_)) {        \
			cm_count(HOOK, CM_COUNT_SUPPRESSED);                                       \
			break;                                                                     \
		}                                                                                  \
		event_ = bpf_ringbuf_reserve(&cm_events, sizeof(*event_), 0);                      \
		if (!event_) {                                                                     \
			cm_count(HOOK, CM_COUNT_LOST);                                             \
			break;                                                                     \
		}                                                                                  \
		__builtin_memset(event_, 0, sizeof(*event_));                                      \
		event_->version = CM_EVENT_VERSION;                                                \
		event_->size = sizeof(*event_);                                                    \
		event_->error = ERROR;                                                             \
		event_->mode = MODE;                                                               \
		event_->suppressed = suppressed_;                                                  \
		event_->time_ns = bpf_ktime_get_boot_ns();                                         \
		bpf_probe_read_kernel_str(event_->pack, sizeof(event_->pack),                      \
					  (const void *)cm_pack.name);                             \
		cm_set_text(event_->action, ACTION);                                               \
		bpf_probe_read_kernel_str(event_->reason, sizeof(event_->reason), REASON);         \
		cm_set_text(event_->message, MESSAGE);                                             \
		cm_party_of(&event_->subject, SUBJECT, SUBJECT_CRED);                              \
		cm_party_of(&event_->object, OBJECT, OBJECT_CRED);                                 \
		bpf_ringbuf_submit(event_, 0);                                                     \
	} while (0)

#define cm_set_text(FIELD, LITERAL)                                                                \
	do {                                                                                       \
		CM_ASSERT(sizeof(LITERAL) <= sizeof(FIELD), "text too long for the event");        \
		__builtin_memcpy(FIELD, LITERAL, sizeof(LITERAL));                                 \
	} while (0)

#endif /* CHECMATE_BPF_H */
