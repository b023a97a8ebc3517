/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a rule runs: LSM hooks with their chains, socket addresses, and what functions return.
 * Private half of the SDK.
 */
#ifndef CM_HOOK_BPF_H
#define CM_HOOK_BPF_H

/* clang-format would take the pragmas apart. */
// clang-format off
/*
 * The verifier of 6.12+ wants to see that a verdict is 0 or an errno; in 64 bits throughout, or it
 * loses what it knows of the number.
 */
static __always_inline long cm_errno(long verdict, bool may_handle)
{
	/* The compiler may know, and keep it from the verifier. */
	asm volatile("" : "+r"(verdict));
	if (may_handle && verdict == CM_HANDLED)
		return CM_HANDLED;
	return verdict < -4095 || verdict > 0 ? -EPERM : verdict;
}

#define CM_MAY_HANDLE_(HOOK) (!__builtin_strcmp(#HOOK, "task_prctl"))

/*
 * What a hook has beside its program: cm_next holds the program of the policy behind this one in
 * the hook's chain, or nothing. An array of one, with a constant index: the JIT makes it a direct
 * jump.
 */
#define CM_HOOK_PARTS_(HOOK)                                                                       \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} cm_next__##HOOK SEC(".maps");                                                            \
	volatile cm_counter_line cm_counters__##HOOK[CM_CPUS] SEC(".bss.cm_counters");             \
	static __always_inline long cm_continue__##HOOK(unsigned long long *ctx)                   \
	{                                                                                          \
		bpf_tail_call(ctx, &cm_next__##HOOK, 0);                                           \
		return 0;                                                                          \
	}

#define CM_PARAMETERS_(ARGS...) volatile cm_counter_line *cm_here, unsigned long long *ctx, ##ARGS

/*
 * A call whose arguments get the hook's types. The first one is the place's counters, a constant in
 * what is inlined: cm_deny() finds them by the name cm_here.
 */
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
 * The body returns CM_ALLOW or -errno. After CM_ALLOW the chain goes on at the next policy.
 *
 * A void hook (sk_free_security, task_free) is for bookkeeping: nothing can be refused there, and
 * the body returns CM_ALLOW. From 6.12 the verifier does not trust the argument of those that free
 * or allocate something: use it as a number (the key of a map), or read what it points to; helpers
 * that want a live object refuse it.
 */
#define CM_HOOK(HOOK, ARGS...)                                                                     \
	CM_HOOK_PARTS_(HOOK)                                                                       \
	static __always_inline long cm_rule__##HOOK(CM_PARAMETERS_(ARGS));                         \
	SEC("lsm/" #HOOK)                                                                          \
	long cm_##HOOK(unsigned long long *ctx)                                                    \
	{                                                                                          \
		long verdict;                                                                      \
                                                                                                   \
		CM_CALL_(verdict = cm_rule__##HOOK(cm_counters__##HOOK, ___bpf_ctx_cast(ARGS)))    \
		return verdict ? cm_errno(verdict, CM_MAY_HANDLE_(HOOK)) : cm_continue__##HOOK(ctx); \
	}                                                                                          \
	static __always_inline long cm_rule__##HOOK(CM_PARAMETERS_(ARGS))

/*
 * CM_HOOK_QUICK, CM_HOOK_FULL - the same in two parts, for a hook that is called often
 *
 * The first body is the hook's program, and all that a call pays which it ends with cm_done(HOOK):
 * the JIT saves and restores in a program what its whole body needs, so the full rule is not part
 * of it. `return cm_ask(HOOK, number)` asks the second body, which gets the number as `hint`: what
 * has been found out by then. The second body follows the first in the file and is as with CM_HOOK.
 */
#define CM_HOOK_QUICK(HOOK, ARGS...)                                                               \
	CM_HOOK_PARTS_(HOOK)                                                                       \
	static __always_inline long cm_quick__##HOOK(CM_PARAMETERS_(ARGS));                        \
	static __noinline long cm_full__##HOOK(unsigned long long *ctx, __u32 hint);               \
	SEC("lsm/" #HOOK)                                                                          \
	long cm_##HOOK(unsigned long long *ctx)                                                    \
	{                                                                                          \
		CM_CALL_(return cm_quick__##HOOK(cm_counters__##HOOK, ___bpf_ctx_cast(ARGS)))      \
	}                                                                                          \
	static __always_inline long cm_quick__##HOOK(CM_PARAMETERS_(ARGS))

/* The hint gets its register here, and not before the branch that leads here. */
#define cm_ask(HOOK, HINT)                                                                         \
	({                                                                                         \
		__u32 hint_ = HINT;                                                                \
                                                                                                   \
		asm volatile("" : "+r"(hint_));                                                    \
		cm_errno(cm_full__##HOOK(ctx, hint_), CM_MAY_HANDLE_(HOOK));                       \
	})

/*
 * No objection, and no more to do. The first exit of a program is the short one. The compiler is
 * not told that it does not come back, for it would think that unlikely: what follows must be
 * reached in another way, too.
 */
#define cm_done(HOOK)                                                                              \
	do {                                                                                       \
		cm_continue__##HOOK(ctx);                                                          \
		asm volatile("r0 = 0\nexit # %=" ::: "r0");                                        \
	} while (0)

/* The same on a way that is to make no other one longer. */
#define cm_done_apart(HOOK)                                                                        \
	do {                                                                                       \
		cm_done(HOOK);                                                                     \
		__builtin_unreachable();                                                           \
	} while (0)

#define CM_HOOK_FULL(HOOK, ARGS...)                                                                \
	static __always_inline long cm_rule__##HOOK(CM_PARAMETERS_(ARGS), __u32 hint);             \
	static __noinline long cm_full__##HOOK(unsigned long long *ctx, __u32 hint)                \
	{                                                                                          \
		long verdict;                                                                      \
                                                                                                   \
		CM_CALL_(verdict = cm_rule__##HOOK(cm_counters__##HOOK, ___bpf_ctx_cast(ARGS), hint)) \
		return verdict ? verdict : cm_continue__##HOOK(ctx);                               \
	}                                                                                          \
	static __always_inline long cm_rule__##HOOK(CM_PARAMETERS_(ARGS), __u32 hint)

/*
 * CM_JUMP, cm_jump - go on at another policy of the chain, past those in between
 * @HOOK: as in CM_HOOK
 * @POLICY: the name it is loaded under, not in quotes
 *
 * CM_JUMP() declares, before the rule; in the rule: return cm_jump(HOOK, POLICY). That policy's
 * rule is asked next, and the chain goes on behind it. Where it is not loaded, has no rule on this
 * hook, or stands before this one in the order, the next policy is asked as after CM_ALLOW. A jump
 * leads forward only, so no chain is endless.
 */
#define CM_JUMP(HOOK, POLICY)                                                                      \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                             \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, __u32);                                                              \
	} cm_jump__##HOOK##__##POLICY SEC(".maps")

#define cm_jump(HOOK, POLICY)                                                                      \
	({                                                                                         \
		bpf_tail_call(ctx, &cm_jump__##HOOK##__##POLICY, 0);                               \
		CM_ALLOW;                                                                          \
	})

/* What a program for cgroups returns, and leaves as the call's errno. */
static __always_inline bool cm_may_go_on(long verdict)
{
	verdict = cm_errno(verdict, false);
	if (verdict)
		bpf_set_retval(verdict);
	return !verdict;
}

/*
 * CM_SOCKADDR - a rule where a process names a socket address, which may be rewritten
 * @PLACE: bind4, bind6, connect4, connect6, sendmsg4, sendmsg6 (UDP only)
 * @ADDRESS: name for the struct bpf_sock_addr; user_ip4, user_ip6 and user_port may be written
 *
 * Not an LSM hook and in no chain: the kernel runs it for every process, directly, from the root of
 * cgroup v2, after the LSM hook of the same call. The body returns CM_ALLOW or -errno. The subject
 * is the process that calls: cm_deny(), cm_in_force(), cm_enforced(), cm_knob().
 */
#define CM_SOCKADDR(PLACE, ADDRESS)                                                                \
	volatile cm_counter_line cm_counters__##PLACE[CM_CPUS] SEC(".bss.cm_counters");            \
	static __always_inline long cm_rule__##PLACE(volatile cm_counter_line *cm_here,            \
						     struct bpf_sock_addr *ADDRESS);               \
	SEC("cgroup/" #PLACE)                                                                      \
	int cm_##PLACE(struct bpf_sock_addr *ctx)                                                  \
	{                                                                                          \
		return cm_may_go_on(cm_rule__##PLACE(cm_counters__##PLACE, ctx));                  \
	}                                                                                          \
	static __always_inline long cm_rule__##PLACE(volatile cm_counter_line *cm_here,            \
						     struct bpf_sock_addr *ADDRESS)

/*
 * CM_SOCKADDR_QUICK, CM_SOCKADDR_FULL - the same in two parts, as CM_HOOK_QUICK() has them
 *
 * The first body returns true, which allows, or `cm_ask_sockaddr(PLACE, ADDRESS, number)`: whether
 * the second one does. That gets the number as `hint`, and follows the first in the file. It is
 * verified once, however many ways lead to it: see cm_forget().
 */
#define CM_SOCKADDR_QUICK(PLACE, ADDRESS)                                                          \
	volatile cm_counter_line cm_counters__##PLACE[CM_CPUS] SEC(".bss.cm_counters");            \
	static __always_inline bool cm_quick__##PLACE(volatile cm_counter_line *cm_here,           \
						      struct bpf_sock_addr *ADDRESS);              \
	__noinline int cm_full__##PLACE(struct bpf_sock_addr *ctx, __u32 hint);                    \
	SEC("cgroup/" #PLACE)                                                                      \
	int cm_##PLACE(struct bpf_sock_addr *ctx)                                                  \
	{                                                                                          \
		return cm_quick__##PLACE(cm_counters__##PLACE, ctx);                               \
	}                                                                                          \
	static __always_inline bool cm_quick__##PLACE(volatile cm_counter_line *cm_here,           \
						      struct bpf_sock_addr *ADDRESS)

#define cm_ask_sockaddr(PLACE, ADDRESS, HINT) cm_full__##PLACE(ADDRESS, HINT)

#define CM_SOCKADDR_FULL(PLACE, ADDRESS)                                                           \
	static __always_inline long cm_rule__##PLACE(volatile cm_counter_line *cm_here,            \
						     struct bpf_sock_addr *ADDRESS, __u32 hint);   \
	__noinline int cm_full__##PLACE(struct bpf_sock_addr *ctx, __u32 hint)                     \
	{                                                                                          \
		return cm_may_go_on(cm_rule__##PLACE(cm_counters__##PLACE, ctx, hint));            \
	}                                                                                          \
	static __always_inline long cm_rule__##PLACE(volatile cm_counter_line *cm_here,            \
						     struct bpf_sock_addr *ADDRESS, __u32 hint)

/*
 * CM_SOCKADDR_SHOWN - the same where a process is told an address: nothing can be refused there
 * @PLACE: getsockname4, getsockname6, getpeername4, getpeername6, recvmsg4, recvmsg6
 *
 * The body returns nothing.
 */
#define CM_SOCKADDR_SHOWN(PLACE, ADDRESS)                                                          \
	volatile cm_counter_line cm_counters__##PLACE[CM_CPUS] SEC(".bss.cm_counters");            \
	static __always_inline void cm_shown__##PLACE(struct bpf_sock_addr *ADDRESS);              \
	SEC("cgroup/" #PLACE)                                                                      \
	int cm_##PLACE(struct bpf_sock_addr *ctx)                                                  \
	{                                                                                          \
		cm_shown__##PLACE(ctx);                                                            \
		return 1;                                                                          \
	}                                                                                          \
	static __always_inline void cm_shown__##PLACE(struct bpf_sock_addr *ADDRESS)

/*
 * CM_ON_REQUEST - a CM_SOCKADDR() or CM_SOCKADDR_SHOWN() that nobody pays for until it is wanted
 * @PLACE: of that one, which may be defined before or behind
 *
 * It is loaded with the policy, but attached only when user space (cm_pack_attach_on_request()) asks
 * for it, and then stays until the policy goes.
 */
#define CM_ON_REQUEST(PLACE)                                                                        \
	const volatile __u8 cm_on_request__cm_##PLACE SEC(".rodata.cm_on_request")

/*
 * CM_SYSCTL - a rule where a process reads or writes a file below /proc/sys
 * @CALL: name for the struct bpf_sysctl; `write` tells which
 *
 * As CM_SOCKADDR(): run for every process, from the root of cgroup v2; before any check of the file's
 * own. The body returns CM_ALLOW or -errno.
 */
#define CM_SYSCTL(CALL)                                                                            \
	volatile cm_counter_line cm_counters__sysctl[CM_CPUS] SEC(".bss.cm_counters");             \
	static __always_inline long cm_rule__sysctl(volatile cm_counter_line *cm_here,             \
						    struct bpf_sysctl *CALL);                      \
	SEC("cgroup/sysctl")                                                                       \
	int cm_sysctl(struct bpf_sysctl *ctx)                                                      \
	{                                                                                          \
		return cm_may_go_on(cm_rule__sysctl(cm_counters__sysctl, ctx));                    \
	}                                                                                          \
	static __always_inline long cm_rule__sysctl(volatile cm_counter_line *cm_here,             \
						    struct bpf_sysctl *CALL)

/*
 * CM_RETURN - look at what a function of the kernel has returned
 * @FUNCTION: in the kernel's BTF, on every kernel the policy is for; security_X() returns what all
 * security modules together say on a hook
 * further arguments: the function's own, and behind the last what it returned; typed
 *
 * For a rule that counts what failed: nothing can be refused there. In no chain, and run for every
 * task. The body returns nothing.
 */
#define CM_RETURN(FUNCTION, ARGS...)                                                               \
	volatile cm_counter_line cm_counters__##FUNCTION[CM_CPUS] SEC(".bss.cm_counters");         \
	static __always_inline void cm_look__##FUNCTION(CM_PARAMETERS_(ARGS));                     \
	SEC("fexit/" #FUNCTION)                                                                    \
	int cm_##FUNCTION(unsigned long long *ctx)                                                 \
	{                                                                                          \
		CM_CALL_(cm_look__##FUNCTION(cm_counters__##FUNCTION, ___bpf_ctx_cast(ARGS)))      \
		return 0;                                                                          \
	}                                                                                          \
	static __always_inline void cm_look__##FUNCTION(CM_PARAMETERS_(ARGS))
// clang-format on

/* cm_count - move one of the hook's counters; @HOOK as in CM_HOOK, @WHICH: enum cm_counter */
#define cm_count(HOOK, WHICH) cm_count_in(cm_counters__##HOOK, WHICH)

#endif /* CM_HOOK_BPF_H */
