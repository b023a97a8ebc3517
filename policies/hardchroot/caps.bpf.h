/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Capabilities. The hook is asked after the kernel has found the capability there, so a refusal is
 * about one that the task holds.
 */
#ifndef CAPS_BPF_H
#define CAPS_BPF_H

#include "call.bpf.h"

enum {
	CAP_DAC_READ_SEARCH = 2,
	CAP_LINUX_IMMUTABLE = 9,
	CAP_NET_ADMIN = 12,
	CAP_NET_RAW = 13,
	CAP_IPC_OWNER = 15,
	CAP_SYS_MODULE = 16,
	CAP_SYS_RAWIO = 17,
	CAP_SYS_CHROOT = 18,
	CAP_SYS_PACCT = 20,
	CAP_SYS_ADMIN = 21,
	CAP_SYS_BOOT = 22,
	CAP_SYS_TIME = 25,
	CAP_SYS_TTY_CONFIG = 26,
	CAP_AUDIT_CONTROL = 30,
	CAP_SETFCAP = 31,
	CAP_MAC_ADMIN = 33,
	CAP_SYSLOG = 34,
	CAP_PERFMON = 38,
	CAP_BPF = 39,
	CAP_CHECKPOINT_RESTORE = 40,
};

#define BIT(N) (1ull << (N))

/* grsecurity's, and the four that have come since. */
#define SYSTEM_CAPS                                                                                \
	(BIT(CAP_LINUX_IMMUTABLE) | BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) | BIT(CAP_IPC_OWNER) |   \
	 BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) | BIT(CAP_SYS_PACCT) | BIT(CAP_SYS_ADMIN) |      \
	 BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_TIME) | BIT(CAP_SYS_TTY_CONFIG) |                         \
	 BIT(CAP_AUDIT_CONTROL) | BIT(CAP_SETFCAP) | BIT(CAP_MAC_ADMIN) | BIT(CAP_SYSLOG) |        \
	 BIT(CAP_PERFMON) | BIT(CAP_BPF) | BIT(CAP_CHECKPOINT_RESTORE))

/* Those that calls without a hook of their own ask for. */
#define CALL_CAPS (BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_CHROOT) | BIT(CAP_DAC_READ_SEARCH))

#define CAP_OPT_NOAUDIT 2 /* only a question, whose answer decides nothing important */

/*
 * overlayfs asks with the capabilities of whoever mounted it, to keep what it notes of a file in
 * attributes that only SYS_ADMIN may set.
 */
static __always_inline bool is_overlay(int cap)
{
	struct task_struct *task = cm_current();

	return cap == CAP_SYS_ADMIN && task->cred != task->real_cred;
}

static __always_inline bool is_system_cap(int cap, const struct user_namespace *namespace)
{
	if (!(BIT(cap & 63) & SYSTEM_CAPS) || is_overlay(cap))
		return false;
	return !namespace->level || cm_knob(caps_scope);
}

static __always_inline struct rule rule_of_cap(int cap, const struct user_namespace *namespace)
{
	enum call call = BIT(cap & 63) & CALL_CAPS ? current_call() : CALL_OTHER;
	struct rule rule = {};

	if (call == CALL_MOUNT || (call == CALL_UNKNOWN && cap == CAP_SYS_ADMIN))
		rule = rule_of(deny_mount);
	else if (call == CALL_SETNS)
		rule = rule_of(deny_chroot);
	else if (call == CALL_HANDLE && cap == CAP_DAC_READ_SEARCH)
		rule = rule_of(deny_fchdir);
	if (!rule.value.enforced && cm_ceiling(caps) && is_system_cap(cap, namespace))
		rule = rule_of(caps);
	return rule;
}

CM_HOOK_QUICK(capable, const struct cred *cred, struct user_namespace *namespace, int cap,
	      unsigned int options)
{
	if (is_at_home(cm_current()))
		cm_done(capable);
	return cm_ask(capable, 0);
}

CM_HOOK_FULL(capable, const struct cred *cred, struct user_namespace *namespace, int cap,
	     unsigned int options)
{
	struct cm_place root;
	struct rule rule;

	if (!(BIT(cap & 63) & (SYSTEM_CAPS | CALL_CAPS)) || !find_jail(&root))
		return CM_ALLOW;
	rule = rule_of_cap(cap, namespace);
	/* No event for a mere question: it may be asked at each call. */
	if (options & CAP_OPT_NOAUDIT && rule.value.enforced) {
		cm_count(capable, CM_COUNT_DENIED);
		return -EPERM;
	}
	return refuse_by(rule, EPERM, "capable", &root, cm_u64("cap", cap));
}

/* The pack's own maps could be had by their numbers. */
CM_HOOK(bpf, int command)
{
	struct cm_place root;

	if (!is_concerned(caps, &root))
		return CM_ALLOW;
	return refuse(caps, EPERM, "bpf", &root, cm_u64("command", command));
}

#endif /* CAPS_BPF_H */
