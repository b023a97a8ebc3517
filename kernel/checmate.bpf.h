/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy SDK: the only project header that a policy includes.
 *
 *	#include "checmate.bpf.h"
 *
 *	CM_PACK("lonely", .question = "Who may trace at all?");
 *
 *	CM_HOOK(ptrace_traceme, struct task_struct *parent)
 *	{
 *		return cm_deny(EPERM, "ptrace.traceme", "lonely");
 *	}
 *
 * A hook's body is the policy's rule: it returns CM_ALLOW (no objection, the next policy of the
 * chain is asked), or what cm_deny() makes of an objection, which depends on where the
 * administrator has enabled the policy, and in which mode. A policy is one object file, and names
 * itself with CM_PACK exactly once. License: the kernel accepts these programs as GPL only.
 *
 *	hook.bpf.h	CM_HOOK, CM_SOCKADDR, CM_SYSCTL, CM_RETURN: where a rule runs
 *	deny.bpf.h	cm_deny, cm_in_force, cm_knob; an event's own fields
 *	level.bpf.h	the scopes on a task's path one by one; memory for each
 *	lockout.bpf.h	scopes that lock themselves out
 *	ruleset.bpf.h	what user space compiles for each of them
 *	net.bpf.h	socket addresses
 *	path.bpf.h	places in the file system
 *	pid.bpf.h	processes by their numbers
 *	scope.bpf.h	which configuration holds for a task
 *	report.bpf.h	counters and events; cm_report for a rule that knows two tasks
 *	types.bpf.h	kernel types, unless the policy includes its own vmlinux.h first
 *
 * examples/ and docs/first-policy.md show how it is used.
 */
#ifndef CHECMATE_BPF_H
#define CHECMATE_BPF_H

#include "types.bpf.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <asm-generic/errno.h>

#include "abi.h"

/* Knobs that this policy may declare; define a larger figure before the include if 15 is too few.
 */
#ifndef CM_NR_KNOBS
#define CM_NR_KNOBS 15
#endif
#define CM_NR_VALUES	  (CM_NR_KNOBS + 1)
#define CM_INDEX_IN_FORCE CM_NR_KNOBS
CM_ASSERT(CM_NR_VALUES <= CM_KNOBS_MAX, "more knobs than a pack may have");

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
 * default 0), .native_lsm, .sealed_by (a pack with a CM_KNOB_SEAL), .event_burst and
 * .event_interval_ms (default 1000 events a second)
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
 * further fields of struct cm_knob_decl: .alias (a second path), .min, .max, .init, .strictest (a
 * CM_STRICTEST_ constant, written without the prefix's enum: default MAX), .latch with .flags =
 * CM_KNOB_LATCH or CM_KNOB_LATCH | CM_KNOB_SEAL, .cap, .help, .words (names for its values: "EPERM
 * EACCES" are .min and .min + 1, or the bits 0 and 1 where .strictest is CM_STRICTEST_OR)
 */
#define CM_KNOB(NAME, PATH, ...)                                                                   \
	enum {                                                                                     \
		cm_index__##NAME = __COUNTER__ - cm_knob_counter_base                              \
	};                                                                                         \
	CM_ASSERT(cm_index__##NAME < CM_NR_KNOBS, "define a larger CM_NR_KNOBS");                  \
	static const struct cm_knob_decl cm_shape__##NAME                                          \
		__attribute__((unused)) = { __VA_ARGS__ };                                         \
	const volatile struct cm_knob_decl cm_knob__##NAME SEC(                                    \
		".rodata.cm_knobs") = { .index = cm_index__##NAME, .path = PATH, __VA_ARGS__ }

/*
 * CM_RATE - declare a limit of events in time, three knobs: NAME, NAME_per and NAME_burst
 * @NAME: C identifier of the number of events, from 0, which is off and the default, to a million
 * @PATH: as in CM_KNOB; "_per" (the seconds that the number is for, to 3600) and "_burst" (how many
 * may come at once) are put behind it for the other two
 * further fields of NAME's struct cm_knob_decl: .alias, .max, .init, .help
 *
 * An administrator writes NAME=100/s, NAME=5/10m:20, or each of the three by itself. What a rate
 * means is what the policy's rules make of it.
 */
#define CM_RATE(NAME, PATH, ...)                                                                   \
	CM_TIMES(NAME, PATH, __VA_ARGS__);                                                         \
	CM_KNOB(NAME##_burst, PATH "_burst", .min = 1, .max = 1000000, .init = 1,                  \
		.strictest = CM_STRICTEST_MIN, .cap = -1, .help = "so many at once: " PATH)

/*
 * CM_TIMES - declare a number of events in time that is too much, two knobs: NAME and NAME_per
 * @NAME, @PATH, further arguments: as in CM_RATE
 *
 * As CM_RATE(), of which it is the first two: an administrator writes NAME=20/10s.
 */
#define CM_TIMES(NAME, PATH, ...)                                                                  \
	_Pragma("clang diagnostic push")                                                           \
		_Pragma("clang diagnostic ignored \"-Winitializer-overrides\"")                    \
			CM_KNOB(NAME, PATH, .max = 1000000, .strictest = CM_STRICTEST_LIMIT,       \
				.flags = CM_KNOB_RATE, .cap = -1, __VA_ARGS__);                    \
	_Pragma("clang diagnostic pop")                                                            \
		CM_KNOB(NAME##_per, PATH "_per", .min = 1, .max = 3600, .init = 1, .cap = -1,      \
			.help = "in so many seconds: " PATH)

/*
 * CM_PROFILE - name values that go together: checmate enable PACK --profile NAME
 * @NAME: C identifier, [a-z0-9_]
 * @SETTINGS: string constant, "KNOB=VALUE KNOB=VALUE ..."; knobs of this policy that are not in it
 * get their .init
 * further fields of struct cm_profile_decl: .with (a built-in pack that is enabled in the same
 * scope by the same command, with its own defaults), .help
 */
#define CM_PROFILE(NAME, SETTINGS, ...)                                                            \
	CM_ASSERT(sizeof(#NAME) <= CM_NAME_LEN, "profile's name");                                 \
	CM_ASSERT(sizeof(SETTINGS) <= CM_SETTINGS_LEN, "profile's settings");                      \
	const volatile struct cm_profile_decl cm_profile__##NAME SEC(                              \
		".rodata.cm_profiles") = { .name = #NAME, .settings = SETTINGS, __VA_ARGS__ }

/*
 * cm_forget - the same number, of which the verifier knows nothing
 *
 * For a rule that takes long to load. The verifier follows each way through it apart as long as it
 * knows the ways' numbers apart; from here on it follows one. It takes no account of what an
 * exchange leaves in memory: two instructions. A function that is not static helps as well: it is
 * verified once, not at each call; pointers into the kernel are passed to it in a structure on the
 * stack, as numbers.
 */
static __always_inline __u64 cm_forget(__u64 number)
{
	__u64 place = 0;

	__sync_lock_test_and_set(&place, number);
	return *(volatile __u64 *)&place;
}

#include "scope.bpf.h"
#include "report.bpf.h"

static __always_inline __s32 cm_off(const struct cm_knob_decl *knob)
{
	return knob->strictest == CM_STRICTEST_MIN   ? knob->max
	       : knob->strictest == CM_STRICTEST_MAX ? knob->min
						     : 0;
}

static __always_inline __s32 cm_worst(const struct cm_knob_decl *knob)
{
	return knob->strictest == CM_STRICTEST_MIN     ? knob->min
	       : knob->strictest == CM_STRICTEST_LIMIT ? 1
						       : knob->max;
}

/* Of two values that are not negative, one instruction instead of a comparison and a branch. */
static __always_inline __s32 cm_bound(const struct cm_knob_decl *knob, __s32 a, __s32 b)
{
	if (knob->min < 0 || knob->strictest == CM_STRICTEST_LIMIT)
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

/* cm_own_scope - the scope that the calling task is in */
static __always_inline __u32 cm_own_scope(void)
{
	return cm_scope_of(cm_current());
}

/*
 * cm_is_outside - is a task with these cgroups (task->cgroups) in no scope, and known to be?
 * cm_own_is_outside - the same of the calling task
 *
 * For the quick part of a hook. Where it is false, *ret_scope is what cm_scope_of() would give, or
 * CM_ROW_UNKNOWN: that is still to be found out.
 */
static __always_inline bool cm_is_outside(struct css_set *cgroups, __u32 *ret_scope)
{
	return cm_known_outside(cgroups->dfl_cgrp, ret_scope);
}

static __always_inline bool cm_own_is_outside(__u32 *ret_scope)
{
	return cm_is_outside(cm_current()->cgroups, ret_scope);
}

/*
 * cm_own_uid - the calling task's effective uid, as the initial user namespace has it
 *
 * cm_sock_uid - that of a socket: of who has made it; of an accepted one, the listening one's
 */
#define cm_own_uid()	(cm_current()->cred->euid.val)
#define cm_sock_uid(SK) ((SK)->sk_uid.val)

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

/*
 * cm_is_in_scopes - is a knob whose 0 is "off" anything else in any scope?
 * cm_is_anywhere - ... or for the system?
 *
 * Of a limit, as quick as it can be asked.
 */
#define cm_is_in_scopes(NAME) (cm_state.ceiling[cm_index__##NAME] != 0)
#define cm_is_anywhere(NAME)  (cm_is_in_scopes(NAME) || cm_system(NAME) != 0)

/*
 * cm_used - is one of several knobs anything but "off" in any scope? All of them by one question.
 * @BITS: cm_bit(NAME) | ..., of the policy's first 63 knobs; CM_USED_LOCKOUT: has a scope ever been
 * locked out (CM_LOCKOUTS)?
 *
 * cm_used_bits - those that are, 64 bits: where the system's values are asked by the same question
 */
#define cm_used(BITS)	   ((cm_state_here()->head.used & (BITS)) != 0)
#define cm_used_bits(BITS) (cm_state.head.used & (BITS))
#define cm_bit(NAME)                                                                               \
	({                                                                                         \
		CM_ASSERT(cm_index__##NAME < CM_USED_MAX, "cm_bit() of a later knob");             \
		CM_USED(cm_index__##NAME);                                                         \
	})

/* cm_stricter - of two sides' values of a knob, what binds both */
#define cm_stricter(NAME, A, B)                                                                    \
	((struct cm_value){                                                                        \
		.enforced = cm_strict(cm_shape__##NAME.strictest, (A).enforced, (B).enforced),     \
		.shadow = cm_strict(cm_shape__##NAME.strictest, (A).shadow, (B).shadow) })

/*
 * CM_COUNTER - a counter of the policy's own; `checmate stats` shows it by this name
 * @NAME: C identifier shorter than CM_NAME_LEN
 *
 * cm_add() moves it, from any program of the policy.
 */
#define CM_COUNTER(NAME)                                                                           \
	CM_ASSERT(sizeof(#NAME) <= CM_NAME_LEN, "counter's name");                                 \
	volatile cm_counter_line cm_own__##NAME[CM_CPUS] SEC(".bss.cm_counters")
#define cm_add(NAME, COUNT)                                                                        \
	__sync_fetch_and_add(&cm_own__##NAME[bpf_get_smp_processor_id() & (CM_CPUS - 1)][0], COUNT)

/*
 * CM_SHARED - a map of this policy's that others may share, behind its definition
 *
 * The first policy that is loaded with a shared map of this name creates it; the next ones get the
 * same one, if they define it with the same type, sizes and flags, and are refused otherwise. It
 * lasts as long as a policy that shares it.
 */
#define CM_SHARED(MAP) const volatile __u8 cm_shared__##MAP SEC(".rodata.cm_shared")

/*
 * CM_NATIVE_SYMBOL - a variable of the native LSM's, by its name in the kernel's symbol table
 *
 * cm_native_symbol() gives its address for bpf_probe_read_kernel(): NULL where that LSM is not
 * active or has no such symbol. (Not a __ksym: libbpf would read the whole symbol table at each
 * load.)
 */
#define CM_NATIVE_SYMBOL(NAME) const volatile __u64 cm_symbol__##NAME SEC(".rodata.cm_symbols")
#define cm_native_symbol(NAME) ((const void *)cm_symbol__##NAME)

#include "deny.bpf.h"
#include "hook.bpf.h"
#include "level.bpf.h"
#include "lockout.bpf.h"
#include "ruleset.bpf.h"
#include "net.bpf.h"
#include "path.bpf.h"
#include "pid.bpf.h"

#endif /* CHECMATE_BPF_H */
