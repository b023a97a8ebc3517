/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libchecmate: enable policies ("packs") on BPF LSM hooks, for the whole system or for a cgroup,
 * and read and set their knobs.
 *
 * Every call that can fail returns 0 or a negative errno, prints nothing, and leaves one sentence
 * (what was attempted, on what, why it failed, what to do) for cm_error(). Besides the errno values
 * named at each call, any may return -ENOMEM, and -EIO for a bpf(2) failure that has no better
 * name. Nothing is half-applied: a call that fails, or dies, leaves what was before, or the next
 * cm_open() puts it back.
 *
 * A `cgroup` argument is a directory of the cgroup v2 hierarchy; NULL, or the root of the
 * hierarchy, is the whole system. A knob is named as sysctl(8) spells it
 * ("kernel.yama.ptrace_scope"), as its path ("kernel/yama/ptrace_scope"), likewise by its alias if
 * it has one, or within one pack by the last component ("ptrace_scope").
 */
#ifndef CHECMATE_H
#define CHECMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi.h"

#define CM_VERSION "0.1.0"

struct cm; /* one session with the kernel: open pins, the lock, the last error */

/* Flags of cm_open(). */
#define CM_OPEN_WRITE (1u << 0) /* the caller will change something: take the lock */

/*
 * cm_open - begin a session; finish or undo what an interrupted one left
 * @flags: CM_OPEN_WRITE or 0
 * @ret: the session, also set on failure (for cm_error()) unless -ENOMEM; owned by the caller,
 *	 release with cm_close()
 *
 * Rests on flock(2) of the bpf file system's root (concurrent writers wait up to 10 s for each
 * other) and on the pins below /sys/fs/bpf/checmate.
 *
 * Return: 0; -EPERM without CAP_SYS_ADMIN or CAP_BPF; -EBUSY another writer did not finish in 10 s;
 * -ENOENT no bpf file system is mounted; -EPROTO pins of another layout version were found.
 */
int cm_open(unsigned int flags, struct cm **ret);
void cm_close(struct cm *cm);

/* cm_error - sentence on the last failure of this session; never NULL, owned by the session */
const char *cm_error(const struct cm *cm);

/*
 * cm_error_detail - lines that belong to that sentence, each with its newline, or NULL; owned by
 * the session
 *
 * What the verifier says to a policy's program: the line of its source, and the end of the log.
 */
const char *cm_error_detail(const struct cm *cm);

/*
 * cm_notice - sentence the last successful call wants the operator to know ("no /proc/sys file:
 * ..."), or NULL; owned by the session
 */
const char *cm_notice(const struct cm *cm);

/*
 * cm_pack_enable - put a pack in force in a scope
 * @pack: name of a built-in pack ("yama")
 * @cgroup: the scope; NULL: the whole system
 * @mode: CM_PERMISSIVE: from its first moment there it only counts and reports
 * @settings: NULL-terminated "KNOB=VALUE" strings, or NULL; knobs that are not named get their
 *	      declared default
 *
 * Return: 0; -ENOENT no such pack or cgroup; -EEXIST already enabled there; -EINVAL no such knob,
 * not a number; -ERANGE a value out of its bounds; -EOPNOTSUPP this kernel cannot run it (no
 * BPF LSM: the sentence names the boot parameter); -ENOSPC no free slot or scope; -EPERM a knob of
 * the native LSM refused the value, or its system-wide value cannot be permissive; -EACCES the pack
 * is sealed, and that would loosen a value that is in force.
 */
int cm_pack_enable(struct cm *cm, const char *pack, const char *cgroup, enum cm_mode mode,
		   const char *const *settings);

struct cm_enable_options {
	const char *profile;	    /* NULL: none */
	const char *const *cgroups; /* NULL-terminated, NULL or empty: the whole system */
	enum cm_mode mode;	    /* as in cm_pack_enable() */
	const char *const
		*settings; /* as in cm_pack_enable(); they override those of the profile */
};

/*
 * cm_pack_enable_in - put a pack in force by a profile that it declares, or in several scopes
 *
 * The pack that the profile names besides is enabled in the same scopes and mode; where it is
 * enabled already it stays as it is. All of it is put in force or nothing, as by cm_config_apply().
 *
 * Return: 0; -ENOKEY no such profile (the sentence names those there are); or as cm_pack_enable().
 */
int cm_pack_enable_in(struct cm *cm, const char *pack, const struct cm_enable_options *options);

/*
 * cm_pack_disable - withdraw a pack from one scope, or (@cgroup NULL) from everywhere
 *
 * Withdrawing the last scope unloads the pack: no program, map, link or pin of it is left, nor the
 * module if it was loaded for it.
 *
 * Return: 0; -ENOENT no such pack or cgroup, or not enabled there; -EPERM a knob holds a value that
 * lasts until reboot; -EACCES the pack is sealed.
 */
int cm_pack_disable(struct cm *cm, const char *pack, const char *cgroup);

struct cm_load_options {
	const char *name;	     /* NULL: the one it declares; [a-z0-9_] */
	const uint32_t *priority;    /* NULL: the one it declares */
	const char *const *cgroups;  /* NULL-terminated, NULL or empty: the whole system */
	enum cm_mode mode;	     /* as in cm_pack_enable() */
	const char *const *settings; /* as in cm_pack_enable() */
};

/*
 * cm_policy_load - load a policy from an object file and put it in force
 * @path: of the file; root must own it and the directories it lies in, and nobody else be able to
 *	  write them. It is read once and kept in the kernel: what happens to it later is of no
 * account.
 *
 * From then on it is used like a built-in pack. It is gone when it is withdrawn from its last
 * scope.
 *
 * Return: 0; -EPERM the file is not root's alone; -ENOEXEC it is no object for BPF, or without a
 * licence compatible with the GPL; -EPROTO it is no policy, or for another layout; -EEXIST its name
 * or one of its knobs is in use; -ENOSPC a hook has its 32 policies; -EOPNOTSUPP this kernel lacks
 * a hook, or BPF LSM; the verifier's error, then cm_error_detail() says where; or as
 * cm_pack_enable().
 */
int cm_policy_load(struct cm *cm, const char *path, const struct cm_load_options *options);

/*
 * cm_policy_replace - another object takes the place of a policy in force, at once
 * @path: as in cm_policy_load()
 *
 * On each hook one write changes the one for the other. Scopes, values, maps, place in the order
 * and name stay; counters go on by hook, less what is counted while they are moved to another set
 * of hooks.
 *
 * Return: 0; -ENOENT no such policy is in force; -EINVAL knobs or maps differ (the sentence names
 * one); -EPERM a knob holds a value that lasts until reboot; -EACCES the policy is sealed; or as
 * cm_policy_load().
 */
int cm_policy_replace(struct cm *cm, const char *name, const char *path);

/*
 * cm_policy_set_priority - change a policy's place in the order: the lower runs first, of equals
 * the one that was loaded first
 *
 * No caller of a hook meets a policy twice, or not at all, while the order changes.
 *
 * Return: 0; -ENOENT no such policy is in force.
 */
int cm_policy_set_priority(struct cm *cm, const char *name, uint32_t priority);

/*
 * cm_pack_set_mode - enforce, or only count and report
 * @mode: CM_ENFORCE or CM_PERMISSIVE
 *
 * Where rules of the pack netfilter are enforced from then on, UDP sockets are ended as by
 * cm_netfilter_load().
 *
 * Return: 0; -ENOENT as in cm_pack_disable(); permissive asked for while -EPERM a knob holds a
 * value that lasts until reboot, -EACCES the pack is sealed.
 */
int cm_pack_set_mode(struct cm *cm, const char *pack, const char *cgroup, enum cm_mode mode);

/*
 * cm_knob_get - a knob's value in a scope
 * @ret: value that holds for a task in @cgroup: the strictest from there up to the root,
 *	 permissive scopes included
 *
 * Return: 0; -ENOENT no such knob (its pack is not enabled) or cgroup.
 */
int cm_knob_get(struct cm *cm, const char *knob, const char *cgroup, int *ret);

/*
 * cm_knob_set - set a knob in a scope in which its pack is enabled
 * @value: as the kernel's own parser takes it: decimal, 0x hexadecimal or 0 octal; or in words that
 * the knob declares for its values; or, of a rate, N/UNIT[:BURST], which sets its two or three
 * knobs or none
 *
 * Return: 0; -ENOENT as in cm_knob_get(), or the pack is not enabled in @cgroup; -EINVAL neither a
 * number nor spelt so; -ERANGE out of bounds; -EPERM the value that is stored lasts until reboot,
 * or the capability that the knob asks for is missing; -EACCES the pack is sealed, and the value
 * looser.
 */
int cm_knob_set(struct cm *cm, const char *knob, const char *cgroup, const char *value);

/*
 * cm_lock - until reboot nothing can be withdrawn, replaced, loosened or made permissive, by anyone
 *
 * What is in force can still become stricter. What the lock does not stop: SECURITY.md.
 *
 * Return: 0; -EALREADY it is locked; -ENOENT nothing is in force; -EPERM the caller is in another
 * mount namespace than process 1; -EBUSY a BPF program that is loaded could undo a policy (the
 * sentence names it), or another process has a map mapped for writing; -EINVAL a policy has a map
 * that cannot be frozen.
 */
int cm_lock(struct cm *cm);

/*
 * cm_release - let a scope that has locked itself out go on, in all policies that did that
 * @cgroup: not NULL; what is locked out by a scope above it stays so
 *
 * It counts as if it never had been: what comes next is its first time.
 *
 * Return: 0; -ENOENT no such cgroup, or it is not locked out; -EPERM the system is locked, see
 * cm_lock().
 */
int cm_release(struct cm *cm, const char *cgroup);

/* A pack's declaration and what is in force of it. Everything below is owned by the list. */
struct cm_knob_info {
	const struct cm_knob_decl *decl;
	char name[CM_PATH_LEN];	 /* "kernel.yama.ptrace_scope" */
	char alias[CM_PATH_LEN]; /* its second name, "" if none */
};

/* Has the scope locked itself out? */
struct cm_lockout_info {
	bool now;
	bool held;		  /* until it is released */
	uint64_t seconds;	  /* that are left, if it is not held */
	uint32_t times;		  /* in a row, this or the last one included */
	char reason[CM_NAME_LEN]; /* as the policy says it */
};

struct cm_scope_info {
	char *cgroup; /* path below the cgroup v2 mount, "/" for the whole system; "(removed)" */
	uint64_t id;  /* cgroup id, 1 for the whole system */
	enum cm_mode mode;
	int *values;	/* per knob: what was set here */
	int *effective; /* per knob: strictest from here up to the root */
	struct cm_lockout_info lockout;
};

struct cm_hook_info {
	char name[CM_NAME_LEN * 2]; /* as the kernel spells it: "ptrace_access_check" */
};

struct cm_pack_info {
	const struct cm_pack_decl *decl;
	size_t nr_knobs;
	struct cm_knob_info *knobs;
	size_t nr_profiles;
	const struct cm_profile_decl *profiles;
	size_t nr_hooks;
	struct cm_hook_info *hooks;
	uint32_t priority;  /* in force, else the declared one: the lower runs first */
	const char *origin; /* path of the file it was loaded from; NULL: built-in */
	char digest[65];    /* SHA-256 of its object, in hexadecimal */
	bool enabled;	    /* in at least one scope */
	bool locked;	    /* until reboot, see cm_lock() */
	bool native;	    /* its native LSM is active and owns the system-wide values */
	const char *door;   /* of the system-wide knobs: "procfs", "native", "none" */
	size_t nr_scopes;
	struct cm_scope_info *scopes; /* the system first (if enabled there), then by path */
};

struct cm_packs {
	size_t nr;
	struct cm_pack_info *packs;
};

enum cm_packs_which {
	CM_PACKS_ALL,	  /* every pack this library knows, too */
	CM_PACKS_ENABLED, /* those in force alone: no other object is read */
};

/*
 * cm_packs_get - packs, and what of them is in force
 * @ret: release with cm_packs_free()
 *
 * cm_notice() then says if none of it is asked, because the kernel's function tracer is off.
 */
int cm_packs_get(struct cm *cm, enum cm_packs_which which, struct cm_packs **ret);
void cm_packs_free(struct cm_packs *packs);

/* The policies on a hook, in the order in which the kernel asks them. */
struct cm_hook_order {
	char hook[CM_NAME_LEN * 2];
	size_t nr;
	struct {
		char policy[CM_NAME_LEN];
		uint32_t priority;
	} policies[CM_SLOTS];
};

/*
 * cm_order_get - the chains that are in force
 * @hook: NULL: every hook in use
 * @cgroup: not NULL: only policies that are in force for tasks in there, be it by a scope above it
 * @ret: one element per hook that has policies; released with free()
 *
 * Return: 0; -ENOENT no such cgroup; -EPROTO a chain holds a program that is none of ours.
 */
int cm_order_get(struct cm *cm, const char *hook, const char *cgroup, struct cm_hook_order **ret,
		 size_t *ret_nr);

/*
 * A configuration is all that is in force, or is to be, as a text: checmate(8) has its form.
 * Applied, it is in force as a whole, and nothing that it does not name is.
 */

/* cm_config_save - what is in force now, as a text; @ret is released with free() */
int cm_config_save(struct cm *cm, char **ret);

enum cm_change_kind {
	CM_CHANGE_LOAD,	    /* a policy from a file, in its first scope */
	CM_CHANGE_ENABLE,   /* in one more scope, or a built-in pack in its first */
	CM_CHANGE_REPLACE,  /* by the object that the file holds now */
	CM_CHANGE_PRIORITY, /* from, to */
	CM_CHANGE_SET,	    /* knob, from, to */
	CM_CHANGE_MODE,	    /* from, to: enum cm_mode */
	CM_CHANGE_RULES,    /* of the pack netfilter: rules_from, rules_to */
	CM_CHANGE_DISABLE,  /* in one scope */
	CM_CHANGE_UNLOAD,   /* everywhere */
};

struct cm_change {
	enum cm_change_kind kind;
	const char *policy;
	const char *file;	/* of its object, NULL: built-in */
	const char *cgroup;	/* the scope, NULL where it is not about one */
	char *settings;		/* LOAD, ENABLE: "KNOB=VALUE KNOB=VALUE" */
	char knob[CM_PATH_LEN]; /* SET: "kernel.yama.ptrace_scope" */
	int64_t from;
	int64_t to;		/* LOAD, ENABLE: enum cm_mode */
	const char *rules_from; /* RULES: their text; NULL: none */
	const char *rules_to;
};

struct cm_changes {
	size_t nr;
	struct cm_change *changes;
};

/*
 * cm_config_diff - what applying the file would change, in the order in which it would
 * @path: of the file; root must own it and the directories it lies in, and nobody else be able to
 *	  write them
 * @ret: release with cm_changes_free()
 *
 * Return: 0; -EINVAL the text is wrong (the sentence says where); -EPERM the file is not root's
 * alone; -ENOENT no such file, pack or cgroup; -EEXIST a policy of that name is in force from
 * somewhere else; or as cm_policy_replace().
 */
int cm_config_diff(struct cm *cm, const char *path, struct cm_changes **ret);
void cm_changes_free(struct cm_changes *changes);

/*
 * cm_config_apply - make the file's configuration the one that is in force, all of it or nothing
 *
 * A call that fails half-way, or dies, goes back to what was in force before: then, or with the
 * next cm_open(). What adds or tightens is done first, what loosens or withdraws after it.
 *
 * Return: 0; or as cm_config_diff(), cm_policy_load(), cm_pack_enable(), cm_knob_set().
 */
int cm_config_apply(struct cm *cm, const char *path);

/*
 * Rules of the pack netfilter: a text in its language, policies/netfilter/README.md has it. What is
 * wrong in a text is told as "NAME:LINE:COLUMN: what", NAME being what the caller calls it.
 */

/* cm_netfilter_check - is the text right, and can it be compiled? Needs no session. */
int cm_netfilter_check(const char *name, const char *text, size_t size, char *error,
		       size_t error_size);

/*
 * cm_netfilter_load - give a scope these rules instead of those it has, at once
 *
 * If they have a limit, the pack netfilter_limit is enabled there as well, in the same mode; if
 * they have none, it is withdrawn from there.
 *
 * @mode: of the scope, where the pack is not enabled there yet: that is done then
 *
 * UDP sockets that are connected to what is refused then are ended; cm_notice() says how many, or
 * what is in the way of it.
 *
 * Return: 0; -EINVAL the text is wrong; -E2BIG compiled, it is too large; or as cm_pack_enable().
 */
int cm_netfilter_load(struct cm *cm, const char *cgroup, enum cm_mode mode, const char *name,
		      const char *text, size_t size);

/* cm_netfilter_flush - no rules there, nor limits; the pack stays enabled. -ENOENT: it is not. */
int cm_netfilter_flush(struct cm *cm, const char *cgroup);

struct cm_netfilter_rule {
	const char *text; /* as it was written, of text_len bytes */
	size_t text_len;
	uint32_t line;
	bool is_counted;
	uint64_t count; /* of decisions that were its; of a limit, what it has refused */
	bool is_limit;
	uint64_t held; /* of a limit: connections that it counts at present */
};

struct cm_netfilter_rules {
	size_t nr;
	struct cm_netfilter_rule *rules;
	void *memory;
};

/* cm_netfilter_list - in their order; -ENOENT: not enabled; release with cm_netfilter_rules_free()
 */
int cm_netfilter_list(struct cm *cm, const char *cgroup, struct cm_netfilter_rules **ret);
void cm_netfilter_rules_free(struct cm_netfilter_rules *rules);

struct cm_netfilter_query {
	uint32_t kind;	     /* 0 egress, 1 ingress, 2 bind, 3 listen, 4 create */
	uint8_t address[16]; /* IPv4: ::ffff:a.b.c.d */
	uint16_t port;
	uint32_t family, type, protocol; /* numbers as of socket(2); the first two of create */
	uint32_t uid;	/* the task's, effective; of ingress the listening socket's */
	char iface[16]; /* of ingress, by which it comes: filled up with zeros; empty: not told */
};

struct cm_netfilter_answer {
	bool is_denied;
	int error;     /* without is_denied: what a permissive scope would have said; 0: accepted */
	uint32_t line; /* of the rule; 0: no rule says so */
	char *rule;    /* its text, released with free(), or NULL */
	char cgroup[4096]; /* whose it is */
	uint16_t port;	   /* that is bound, connected or sent to: by a remap another than asked */
};

/*
 * cm_netfilter_query - "egress tcp 10.1.2.3:443", "create alg seqpacket": words, NULL-terminated;
 * behind them may stand "uid 1000", otherwise it is 0, and of ingress "iface eth0"
 */
int cm_netfilter_query(const char *const *words, struct cm_netfilter_query *ret, char *error,
		       size_t error_size);

/* cm_netfilter_test - what would be decided for a task in @cgroup, by the programs in the kernel */
int cm_netfilter_test(struct cm *cm, const char *cgroup, const struct cm_netfilter_query *query,
		      struct cm_netfilter_answer *ret);

/* Counters of one hook of an enabled pack, summed over CPUs; index: enum cm_counter. */
struct cm_hook_stats {
	char pack[CM_NAME_LEN];
	char hook[CM_NAME_LEN * 2];
	uint64_t counters[CM_COUNTERS];
};

/* A counter that a policy has declared with CM_COUNTER(). */
struct cm_own_stats {
	char pack[CM_NAME_LEN];
	char name[CM_NAME_LEN];
	uint64_t count;
};

struct cm_stats {
	size_t nr_hooks;
	struct cm_hook_stats *hooks;
	size_t nr_own;
	struct cm_own_stats *own;
};

/* cm_stats_get - counters of every enabled pack; @ret: release with cm_stats_free() */
int cm_stats_get(struct cm *cm, struct cm_stats **ret);
void cm_stats_free(struct cm_stats *stats);

/*
 * cm_events_read - deliver audit events, oldest first; each event is delivered once, to one reader
 * @timeout_ms: wait so long for the first one: 0 not at all, -1 for ever
 * @fn: called for each event; a non-zero return ends the call and is its result
 *
 * Return: number of events delivered, what @fn returned, -ENOENT no pack is enabled, -EBUSY another
 * process reads events, -EINTR a signal came.
 */
typedef int (*cm_event_fn)(const struct cm_event *event, void *arg);
int cm_events_read(struct cm *cm, int timeout_ms, cm_event_fn fn, void *arg);

/*
 * cm_cgroup_path - path below the mount of a cgroup id, "/" for the root, "(removed)" when it is
 * gone Rests on open_by_handle_at(2) of the cgroup v2 mount.
 */
int cm_cgroup_path(struct cm *cm, uint64_t id, char *buf, size_t size);

enum cm_check_status {
	CM_CHECK_OK,
	CM_CHECK_WARN, /* something optional is missing */
	CM_CHECK_FAIL, /* Checmate cannot work */
};

struct cm_check {
	enum cm_check_status status;
	char what[48];	 /* "BPF LSM is active" */
	char found[256]; /* what was tried and seen */
	char fix[512];	 /* what to do; empty when ok */
};

/*
 * cm_doctor - try each requirement on the running kernel, without changing anything that stays
 * @ret: released with free()
 *
 * Needs no session: it must be able to say why one cannot be opened.
 *
 * Return: 0 all requirements hold (warnings are possible), -EPERM not root, -EOPNOTSUPP this kernel
 * cannot, -EIO something else is missing that can be mended without another kernel or boot.
 */
int cm_doctor(struct cm_check **ret, size_t *ret_nr);

/*
 * cm_build - compile a policy's source
 * @btf: file with a kernel's types, for a source that includes "vmlinux.h"; NULL: those of the
 *	 running kernel
 * @error: the sentence on a failure
 *
 * Needs no session and no privilege. Runs clang (CLANG in the environment names another one), which
 * says on standard error what it does not like, with the SDK that `make install` has put in place
 * (CHECMATE_SDK names another directory).
 *
 * Return: 0; -EINVAL clang refuses it; -EPROTO cm_policy_load() would refuse what it declares;
 *-ENOENT no such file, no clang, no SDK.
 */
int cm_build(const char *source, const char *output, const char *btf, char *error, size_t size);

#endif /* CHECMATE_H */
