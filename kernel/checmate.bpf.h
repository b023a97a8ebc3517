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
 *		struct cm_value on = cm_effective(cm_current(), no_trace);
 *
 *		return cm_decide(on.enforced, on.shadow, EPERM, "ptrace", "no-trace");
 *	}
 *
 * A hook's body is the policy's rule: it returns CM_ALLOW (no objection, the next policy of the
 * chain is asked) or cm_deny(errno) (the call fails with it). A policy is one object file, and
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

/*
 * cm_current - the task that makes the call, as the verifier's trusted type
 */
static __always_inline struct task_struct *cm_current(void)
{
	return bpf_get_current_task_btf();
}

/*
 * cm_effective - a knob's value for @TASK: { enforced, shadow }
 *
 * `enforced` is the strictest value among the scopes in enforce mode on the path from the task's
 * cgroup to the root; `shadow` also counts the permissive ones, and is never looser. Decide by the
 * first, report by the second. Where the native LSM enforces the system's value itself, that value
 * is not part of either.
 */
#define cm_effective(TASK, NAME)                                                                   \
	cm_with_system(cm_scoped_at((TASK)->cgroups->dfl_cgrp, cm_index__##NAME,                   \
				    cm_off(&cm_shape__##NAME), cm_worst(&cm_shape__##NAME)),       \
		       cm_index__##NAME, cm_shape__##NAME.strictest)

/*
 * cm_ceiling - the strictest value of a knob in any scope, the system included
 *
 * What a rule allows at the ceiling it allows everywhere: test that first and most calls need no
 * look at the task's cgroup.
 */
#define cm_ceiling(NAME)                                                                           \
	(cm_native ? cm_state.ceiling[cm_index__##NAME]                                            \
		   : cm_strict(cm_shape__##NAME.strictest, cm_state.ceiling[cm_index__##NAME],     \
			       cm_system[cm_index__##NAME]))

/* cm_stricter - of two sides' values of a knob, what binds both */
#define cm_stricter(NAME, A, B)                                                                    \
	((struct cm_value){                                                                        \
		.enforced = cm_strict(cm_shape__##NAME.strictest, (A).enforced, (B).enforced),     \
		.shadow = cm_strict(cm_shape__##NAME.strictest, (A).shadow, (B).shadow) })

/*
 * CM_HOOK - a rule on an LSM hook
 * @HOOK: the hook as the kernel spells it (bpf_lsm_HOOK exists in the kernel's BTF)
 * further arguments: the hook's own, typed
 *
 * The body returns CM_ALLOW or -errno. A void hook's result is ignored. The chain continues at the
 * next slot, a constant that the loader fills in.
 */
/* clang-format would take the pragmas apart. */
// clang-format off
#define CM_HOOK(HOOK, ARGS...)                                                                     \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, CM_SLOTS + 1);                                                 \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} cm_chain__##HOOK SEC(".maps");                                                           \
	const volatile __u32 cm_slot__##HOOK SEC(".rodata.cm_slots");                              \
	volatile cm_counter_line cm_counters__##HOOK[CM_CPUS] SEC(".bss.cm_counters");             \
	static __always_inline long cm_rule__##HOOK(unsigned long long *ctx, ##ARGS);              \
	SEC("lsm/" #HOOK)                                                                          \
	int cm_##HOOK(unsigned long long *ctx)                                                     \
	{                                                                                          \
		long verdict;                                                                      \
                                                                                                   \
		_Pragma("GCC diagnostic push")                                                     \
		_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")                             \
		verdict = cm_rule__##HOOK(___bpf_ctx_cast(ARGS));                                  \
		_Pragma("GCC diagnostic pop")                                                      \
		/* The verifier of 6.12+ wants to see that it is an errno. */                      \
		if (verdict)                                                                       \
			return verdict < -4095 || verdict > 0 ? -EPERM : verdict;                  \
		bpf_tail_call(ctx, &cm_chain__##HOOK, cm_slot__##HOOK + 1);                        \
		return 0;                                                                          \
	}                                                                                          \
	static __always_inline long cm_rule__##HOOK(unsigned long long *ctx, ##ARGS)
// clang-format on

/* cm_count - move one of the hook's counters; @HOOK as in CM_HOOK, @WHICH: enum cm_counter */
#define cm_count(HOOK, WHICH) cm_count_in(cm_counters__##HOOK, WHICH)

/*
 * CM_AUX - condition an auxiliary program (any program type but a hook's) on the native LSM
 * @PROGRAM: its function name
 * @WHEN: CM_STANDALONE (attached where the native LSM is not active) or CM_NATIVE (where it is).
 * Programs without this are always attached while the pack is enabled anywhere.
 */
#define CM_AUX(PROGRAM, WHEN)                                                                      \
	const volatile struct cm_aux_decl cm_aux__##PROGRAM SEC(                                   \
		".rodata.cm_aux") = { .when = WHEN, .program = #PROGRAM }

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
