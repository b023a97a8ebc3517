// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardchroot: what may a task do that is locked in by chroot(2)? Outside of its root directory as
 * little as grsecurity's chroot restrictions allowed, on hooks that every kernel has.
 *
 *	files.bpf.h	what is opened, named or handed over must be below the root
 *	undo.bpf.h	the way back out, for rpm
 *	mounts.bpf.h	mounts, namespaces, and chroot(2) itself
 *	caps.bpf.h	capabilities, and the calls that only the hook `capable` sees
 *	tasks.bpf.h	processes outside
 *	ipc.bpf.h	sockets, shared memory, queues
 *	log.bpf.h	what is run
 *
 * Tasks that are not jailed pay for one comparison of their root. Nothing of this is asked for each
 * component of a path: that is hardchroot_lookup's.
 */
#define CM_NR_KNOBS 31
#include "checmate.bpf.h"

CM_PACK("hardchroot", .question = "What may a task do that is locked in by chroot(2)?",
	.event_burst = 100, .event_interval_ms = 5000);

/* Under grsecurity's own name, too: an old sysctl.conf applies as it is. */
#define SWITCH(NAME, HELP)                                                                         \
	CM_KNOB(NAME, "kernel/hardchroot/" #NAME, .alias = "kernel/grsecurity/chroot_" #NAME,      \
		.min = 0, .max = 1, .init = 1, .cap = -1, .help = HELP)

SWITCH(deny_mount, "no mount, remount or unmount of anything");
SWITCH(deny_chroot, "no chroot(2) or setns(2) to a place outside of the root");
SWITCH(deny_pivot, "no pivot_root(2)");
SWITCH(deny_chmod, "no set-uid or set-gid programs");
SWITCH(deny_fchdir, "no use of files and directories outside of the root");
SWITCH(deny_mknod, "no device nodes");
SWITCH(deny_shmat, "no System V or POSIX IPC that was made outside");
SWITCH(deny_unix, "no abstract Unix sockets of processes outside");
SWITCH(findtask, "processes outside can be neither signalled nor traced nor asked about");
SWITCH(restrict_nice, "no raising of priorities");
SWITCH(deny_sysctl, "no writing of kernel settings");
SWITCH(caps, "capabilities that affect the whole system count as absent");
SWITCH(deny_bad_rename, "no renaming of directories to a place outside of the root");

CM_KNOB(execlog, "kernel/hardchroot/execlog", .alias = "kernel/grsecurity/chroot_execlog", .min = 0,
	.max = 1, .init = 0, .cap = -1, .help = "an event for each program that is run");
CM_KNOB(enforce_chdir, "kernel/hardchroot/enforce_chdir",
	.alias = "kernel/grsecurity/chroot_enforce_chdir", .min = 0, .max = 2, .init = 1, .cap = -1,
	.help = "a working directory outside of the root: 0 as it is, 1 opens nothing, 2 refuses "
		"chroot(2)");
CM_KNOB(caps_scope, "kernel/hardchroot/caps_scope", .min = 0, .max = 1, .init = 0, .cap = -1,
	.help = "what caps holds for: 0 the initial user namespace, 1 any");
CM_KNOB(mknod_allow, "kernel/hardchroot/mknod_allow", .min = 0, .max = 1, .init = 0, .cap = -1,
	.strictest = CM_STRICTEST_MIN,
	.help = "deny_mknod lets through: 0 nothing, 1 null, zero, full, random, urandom, tty");

CM_KNOB(undo, "kernel/hardchroot/undo", .min = 0, .max = 1, .init = 0, .cap = -1,
	.strictest = CM_STRICTEST_MIN,
	.help = "1: a task may leave by chroot(\".\") what it entered itself, as rpm does");
CM_KNOB(lock, "kernel/hardchroot/lock", .alias = "kernel/grsecurity/grsec_lock", .min = 0, .max = 1,
	.init = 0, .flags = CM_KNOB_LATCH | CM_KNOB_SEAL, .latch = 1, .cap = -1,
	.help = "1: nothing of this pack is loosened (lasts until reboot)");

CM_PROFILE(service, "caps_scope=1", .with = "hardchroot_lookup",
	   .help = "a server that locks itself in: everything, in full mode");
CM_PROFILE(build, "deny_mount=0 deny_chmod=0 mknod_allow=1 caps=0",
	   .help = "package builds and installations in a chroot");
CM_PROFILE(desktop, "findtask=0 restrict_nice=0",
	   .help = "browsers and helpers that lock themselves in");

#include "jail.bpf.h"
#include "makers.bpf.h"

/* A knob's value where the caller is, and its name: the reason of a refusal. */
struct rule {
	struct cm_value value;
	const char *name;
};

#define rule_of(KNOB)                                                                              \
	({                                                                                         \
		static const char name_[] = #KNOB;                                                 \
                                                                                                   \
		(struct rule){ cm_value_of(cm_own_scope(), KNOB), name_ };                         \
	})

/* Each hook has one of these: much code, and the verifier looks at each way that leads there. */
#define refuse_by(RULE, ERROR, ACTION, ROOT, FIELDS...)                                            \
	cm_deny_for((RULE).value, ERROR, ACTION, (RULE).name, cm_path("root", ROOT), ##FIELDS)

#define refuse(KNOB, ERROR, ACTION, ROOT, FIELDS...)                                               \
	({                                                                                         \
		struct rule rule_ = rule_of(KNOB);                                                 \
                                                                                                   \
		refuse_by(rule_, ERROR, ACTION, ROOT, ##FIELDS);                                   \
	})

/* The rule of most hooks: nothing, unless the knob is set anywhere and the caller is jailed. */
#define is_concerned(KNOB, ROOT) (cm_ceiling(KNOB) && is_jailed(ROOT))

#include "undo.bpf.h"
#include "files.bpf.h"
#include "mounts.bpf.h"
#include "caps.bpf.h"
#include "tasks.bpf.h"
#include "ipc.bpf.h"
#include "log.bpf.h"
