// SPDX-License-Identifier: GPL-2.0-only
/*
 * Yama: may this task inspect or control that one? Same knob, prctl, errno and exceptions as the
 * kernel's own Yama, and a value per cgroup besides; of the two tasks' values the stricter counts.
 *
 *	ptrace_access_check	attach mode: denied by kernel.yama.ptrace_scope
 *	ptrace_traceme		the same, asked by the tracee
 *	task_free, task_alloc	end of a PR_SET_PTRACER relation
 *	task_prctl		PR_SET_PTRACER itself
 */
#include "checmate.bpf.h"

#define PTRACE_MODE_ATTACH 0x02
#define CAP_SYS_PTRACE	   19
#define PR_SET_PTRACER	   0x59616d61

enum {
	SCOPE_DISABLED = 0,
	SCOPE_RELATIONAL = 1,
	SCOPE_CAPABILITY = 2,
	SCOPE_NO_ATTACH = 3,
};

CM_PACK("yama", .native_lsm = "yama", .question = "May this task inspect or control that one?",
	.event_burst = 10, .event_interval_ms = 5000);

CM_KNOB(ptrace_scope, "kernel/yama/ptrace_scope", .min = SCOPE_DISABLED, .max = SCOPE_NO_ATTACH,
	.init = SCOPE_RELATIONAL, .flags = CM_KNOB_LATCH, .latch = SCOPE_NO_ATTACH,
	.cap = CAP_SYS_PTRACE,
	.help = "0 classic, 1 descendants and declared tracers, 2 CAP_SYS_PTRACE, 3 nobody (lasts "
		"until reboot)");

/* The kernel's own value, where native Yama is active. */
CM_NATIVE_SYMBOL(ptrace_scope);

/*
 * PR_SET_PTRACER relations, keyed by address of the tracee's thread group leader. An address names
 * a task only until task_free: relations of the freed task go then, and those that name it as
 * tracer are void from then on, because `tracers` has lost (or renewed) the number they carry. Pid
 * and start time would not do: exec by a non-leader thread exchanges them between tasks.
 */
struct relation {
	/* The key again, read last: a freed element may be given to another key under our eyes. */
	__u64 leader;
	__u64 tracer; /* 0: anyone */
	__u64 number;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CM_PER_TASK);
	__type(key, __u64);
	__type(value, struct relation);
} relations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CM_PER_TASK);
	__type(key, __u64);
	__type(value, __u64);
} tracers SEC(".maps");

static volatile __u64 last_number;
static volatile bool any_relation; /* sticky: from then on task_free has work to do */
static volatile bool stale_entry;  /* sticky: a delete failed, task_alloc must make sure */

/* Ancestry ends at the idle task, pid 0. */
struct ancestry {
	__u64 walker;
	__u64 ancestor; /* a thread group leader */
	bool found;
};

static long climb(__u64 i, struct ancestry *walk)
{
	struct task_struct *task = (struct task_struct *)walk->walker;
	struct task_struct *leader;

	if (!task || BPF_CORE_READ(task, pid) <= 0)
		return 1;
	leader = BPF_CORE_READ(task, group_leader);
	if ((__u64)leader == walk->ancestor) {
		walk->found = true;
		return 1;
	}
	walk->walker = (__u64)BPF_CORE_READ(leader, real_parent);
	return 0;
}

/* More steps than there can be tasks (4194304): the walk always reaches the top. */
#define MAX_STEPS (1 << 23)

/* Not static, and the addresses in a structure: see cm_forget(). */
__noinline bool is_descendant(const struct ancestry *from)
{
	struct ancestry walk;

	if (!from)
		return false;
	walk = *from;
	bpf_loop(MAX_STEPS, climb, &walk, 0);
	return walk.found;
}

/* Most targets are near: a step over typed pointers costs a tenth of one of the loop's. */
#define NEAR_STEPS 3

static __always_inline bool is_near_descendant(struct task_struct *ancestor_leader,
					       struct task_struct *task)
{
	struct task_struct *walker = task->group_leader;
	int i;

	for (i = 0; i < NEAR_STEPS; i++) {
		if (walker == ancestor_leader)
			return true;
		walker = walker->real_parent->group_leader;
	}
	return false;
}

/* Each try fails only if the tracee registered anew, and another task at once, during it. */
#define READ_TRIES 8

static __always_inline bool read_relation(__u64 tracee_leader, __u64 *ret_tracer, __u64 *ret_number)
{
	volatile struct relation *relation;
	int i;

	for (i = 0; i < READ_TRIES; i++) {
		relation = bpf_map_lookup_elem(&relations, &tracee_leader);
		if (!relation)
			return false;
		*ret_tracer = relation->tracer;
		*ret_number = relation->number;
		if (relation->leader == tracee_leader)
			return true;
	}
	return false;
}

/* The stored tracer's leader, 0: anyone; false if there is no relation in force. */
static __always_inline bool declared_tracer(__u64 tracee_leader, __u64 *ret_leader)
{
	__u64 tracer, number, *current_number;

	if (!read_relation(tracee_leader, &tracer, &number))
		return false;
	*ret_leader = 0;
	if (!tracer)
		return true;
	current_number = bpf_map_lookup_elem(&tracers, &tracer);
	if (!current_number || *current_number != number)
		return false;
	*ret_leader = (__u64)BPF_CORE_READ((struct task_struct *)tracer, group_leader);
	return true;
}

/* @attach: the tracee, and the tracer's leader as the ancestor that it need not be */
__noinline bool has_exception(const struct ancestry *attach)
{
	struct ancestry declared = {};
	struct task_struct *tracee;
	__u64 tracer_leader;

	if (!attach)
		return false;
	tracee = (struct task_struct *)attach->walker;
	tracer_leader = attach->ancestor;
	/* This very thread is being traced by the caller's thread group already. */
	if (BPF_CORE_READ(tracee, ptrace) &&
	    (__u64)BPF_CORE_READ(tracee, parent, group_leader) == tracer_leader)
		return true;
	if (!any_relation)
		return false;
	if (!declared_tracer((__u64)BPF_CORE_READ(tracee, group_leader), &declared.ancestor))
		return false;
	declared.walker = tracer_leader;
	return !declared.ancestor || is_descendant(&declared);
}

/* Levels of user namespaces are limited to 32 below the initial one. */
#define USERNS_LEVELS 34

struct capability {
	__u64 cred;
	__u64 namespace;
	__u64 cred_namespace;
	int cred_level;
	__u32 euid;
	bool effective;
	bool granted;
};

static long capability_step(__u64 i, struct capability *cap)
{
	struct user_namespace *namespace = (struct user_namespace *)cap->namespace;
	__u64 parent;

	if (cap->namespace == cap->cred_namespace) {
		cap->granted = cap->effective;
		return 1;
	}
	if (!namespace || BPF_CORE_READ(namespace, level) <= cap->cred_level)
		return 1;
	parent = (__u64)BPF_CORE_READ(namespace, parent);
	if (parent == cap->cred_namespace && BPF_CORE_READ(namespace, owner.val) == cap->euid) {
		cap->granted = true;
		return 1;
	}
	cap->namespace = parent;
	return 0;
}

static __always_inline bool is_effective(const struct cred *cred)
{
	__u32 low = 0;

	/* Two 32-bit words up to 6.2, one of 64 bits since: these bits are in the same place. */
	bpf_probe_read_kernel(&low, sizeof(low), &cred->cap_effective);
	return low & (1u << CAP_SYS_PTRACE);
}

/* @asked: the credentials and the namespace */
__noinline bool has_capability_below(const struct capability *asked)
{
	struct capability cap;
	struct cred *cred;

	if (!asked)
		return false;
	cap = *asked;
	cred = (struct cred *)cap.cred;
	cap.effective = is_effective(cred);
	cap.cred_namespace = (__u64)BPF_CORE_READ(cred, user_ns);
	cap.cred_level = BPF_CORE_READ(cred, user_ns, level);
	cap.euid = BPF_CORE_READ(cred, euid.val);
	bpf_loop(USERNS_LEVELS, capability_step, &cap, 0);
	return cap.granted;
}

/* ns_capable(): does @cred hold CAP_SYS_PTRACE over @namespace, as effective or as its owner? */
static __always_inline bool has_capability(const struct cred *cred,
					   struct user_namespace *namespace)
{
	if (cred->user_ns == namespace)
		return is_effective(cred);

	struct capability cap = { .cred = (__u64)cred, .namespace = (__u64) namespace };

	return has_capability_below(&cap);
}

static const char reason_gone[] = "target-gone";
static const char reason_unrelated[] = "not-descendant";
static const char reason_capability[] = "needs-cap-sys-ptrace";
static const char reason_no_attach[] = "no-attach";

enum {
	FACT_GONE = 1,
	FACT_RELATED = 2,
	FACT_CAPABLE = 4,
};

static __always_inline bool is_related(struct task_struct *tracer, struct task_struct *target)
{
	struct task_struct *leader = tracer->group_leader;

	if (is_near_descendant(leader, target))
		return true;

	struct ancestry far = { .walker = (__u64)target, .ancestor = (__u64)leader };

	return has_exception(&far) || is_descendant(&far);
}

/* What the two values depend on; found out once, and only as far as they do. */
static __always_inline __u32 attach_facts(struct cm_value scope, struct task_struct *tracer,
					  struct task_struct *target)
{
	__s32 enforced = cm_forget(scope.enforced), shadow = cm_forget(scope.shadow);
	bool relational = enforced == SCOPE_RELATIONAL || shadow == SCOPE_RELATIONAL;
	bool capability = cm_forget(enforced == SCOPE_CAPABILITY || shadow == SCOPE_CAPABILITY);
	__u32 facts = 0;

	if (relational && !target->thread_pid)
		facts = FACT_GONE;
	else if (relational && is_related(tracer, target))
		facts = FACT_RELATED;
	facts = cm_forget(facts);
	if ((capability || (relational && !facts)) &&
	    has_capability(tracer->cred, target->real_cred->user_ns))
		facts |= FACT_CAPABLE;
	return facts;
}

/* Why @scope forbids the attach, or NULL. Any unknown value forbids, as the native one does. */
static __always_inline const char *forbids_attach(__s32 scope, __u32 facts)
{
	if (scope == SCOPE_DISABLED)
		return NULL;
	if (scope == SCOPE_RELATIONAL) {
		if (facts & FACT_GONE)
			return reason_gone;
		return facts & (FACT_RELATED | FACT_CAPABLE) ? NULL : reason_unrelated;
	}
	if (scope == SCOPE_CAPABILITY)
		return facts & FACT_CAPABLE ? NULL : reason_capability;
	return reason_no_attach;
}

static __always_inline const char *forbids_traceme(__s32 scope, bool capable)
{
	if (scope == SCOPE_DISABLED || scope == SCOPE_RELATIONAL)
		return NULL;
	if (scope == SCOPE_CAPABILITY)
		return capable ? NULL : reason_capability;
	return reason_no_attach;
}

/*
 * The value that binds two tasks; none of ours where the native one is at least as strict.
 * @scope_a: the scope of both, CM_ROW_UNKNOWN if that has to be found out.
 */
static __always_inline struct cm_value both_sides(struct task_struct *a, struct task_struct *b,
						  __u32 scope_a, volatile cm_counter_line *counters)
{
	struct cm_value scope, other;
	__u32 scope_b = scope_a;
	__s32 native = 0;

	if (scope_a == CM_ROW_UNKNOWN) {
		scope_a = scope_b = cm_scope_of(a);
		if (b->cgroups != a->cgroups)
			scope_b = cm_scope_of(b);
	}
	if (scope_a == CM_ROW_UNKNOWN || scope_b == CM_ROW_UNKNOWN)
		cm_count_in(counters, CM_COUNT_ERROR);
	scope = cm_value_of(scope_a, ptrace_scope);
	if (scope_b != scope_a) {
		other = cm_value_of(scope_b, ptrace_scope);
		scope = cm_stricter(ptrace_scope, scope, other);
	}
	if (cm_native) {
		bpf_probe_read_kernel(&native, sizeof(native), cm_native_symbol(ptrace_scope));
		if (scope.enforced <= native)
			scope.enforced = SCOPE_DISABLED;
		if (scope.shadow <= native)
			scope.shadow = SCOPE_DISABLED;
	}
	scope.enforced = cm_forget(scope.enforced);
	scope.shadow = cm_forget(scope.shadow);
	return scope;
}

/*
 * Most often a debugger and its own child, or near descendant, and no scope stricter than
 * relational (a target that has just been reaped has no mm and no files left to give away), or two
 * tasks in no scope. The hint is the scope of both tasks, CM_ROW_UNKNOWN where that is to be found
 * out.
 */
CM_HOOK_QUICK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	struct css_set *cgroups, *target_cgroups;
	struct task_struct *current;
	__s32 ceiling;
	__u32 scope;

	if (!(mode & PTRACE_MODE_ATTACH))
		goto done;
	ceiling = cm_ceiling(ptrace_scope);
	if (ceiling != SCOPE_RELATIONAL)
		goto other;
	current = cm_current();
	/* Not `child`: that would be kept in a register across the call, which costs two. */
	child = (struct task_struct *)ctx[0];
	if (child->real_parent != current && !is_near_descendant(current->group_leader, child))
		goto ask;
	cm_count(ptrace_access_check, CM_COUNT_ALLOWED);
done:
	cm_done(ptrace_access_check);
ask:
	return cm_ask(ptrace_access_check, CM_ROW_UNKNOWN);
other:
	if (ceiling == SCOPE_DISABLED)
		cm_done_apart(ptrace_access_check);
	if (cm_system(ptrace_scope) != SCOPE_DISABLED)
		goto ask;
	cgroups = cm_current()->cgroups;
	/* Nothing but ctx is kept across that call: each register more costs every path two. */
	asm volatile("" ::: "r7", "r8", "r9");
	target_cgroups = ((struct task_struct *)ctx[0])->cgroups;
	if (!cm_is_outside(cgroups, &scope))
		return cm_ask(ptrace_access_check,
			      target_cgroups == cgroups ? scope : CM_ROW_UNKNOWN);
	if (target_cgroups != cgroups && !cm_is_outside(target_cgroups, &scope))
		goto ask;
	cm_done_apart(ptrace_access_check);
}

CM_HOOK_FULL(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	const char *denied, *watched;
	struct task_struct *tracer;
	struct cm_value scope;
	long verdict;
	__u32 facts;

	if (cm_ceiling(ptrace_scope) == SCOPE_DISABLED)
		return CM_ALLOW;
	tracer = cm_current();
	scope = both_sides(tracer, child, hint, cm_counters__ptrace_access_check);
	if (scope.shadow == SCOPE_DISABLED)
		return CM_ALLOW;
	facts = cm_forget(attach_facts(scope, tracer, child));
	denied = forbids_attach(scope.enforced, facts);
	watched = denied ? denied : forbids_attach(scope.shadow, facts);
	if (!watched) {
		cm_count(ptrace_access_check, CM_COUNT_ALLOWED);
		return CM_ALLOW;
	}
	verdict = cm_forget(denied ? -EPERM : CM_ALLOW);
	cm_report(ptrace_access_check, denied ? CM_ENFORCE : CM_PERMISSIVE, EPERM, "ptrace.attach",
		  watched, "ptrace attach of {object} was attempted by {subject}", tracer,
		  tracer->cred, child, child->real_cred);
	return verdict;
}

CM_HOOK(ptrace_traceme, struct task_struct *parent)
{
	struct task_struct *current;
	const char *denied, *watched;
	struct cm_value scope;
	long verdict;
	bool capable;

	/* Below 2 nothing is forbidden: no need to look at the scopes. */
	if (cm_ceiling(ptrace_scope) <= SCOPE_RELATIONAL)
		return CM_ALLOW;
	current = cm_current();
	scope = both_sides(current, parent, CM_ROW_UNKNOWN, cm_counters__ptrace_traceme);
	if (scope.shadow <= SCOPE_RELATIONAL)
		return CM_ALLOW;

	capable = has_capability(parent->real_cred, current->cred->user_ns);
	denied = forbids_traceme(scope.enforced, capable);
	watched = denied ? denied : forbids_traceme(scope.shadow, capable);
	if (!watched) {
		cm_count(ptrace_traceme, CM_COUNT_ALLOWED);
		return CM_ALLOW;
	}
	verdict = cm_forget(denied ? -EPERM : CM_ALLOW);
	cm_report(ptrace_traceme, denied ? CM_ENFORCE : CM_PERMISSIVE, EPERM, "ptrace.traceme",
		  watched, "ptrace traceme of {object} was attempted by {subject}", parent,
		  parent->real_cred, current, current->cred);
	return verdict;
}

static __always_inline void delete_entry(void *map, __u64 task, volatile cm_counter_line *counters)
{
	/* Up to 6.3 the operations of maps return an int, with anything in the register's upper
	 * half. */
	int error = bpf_map_delete_elem(map, &task);

	if (error && error != -ENOENT) {
		stale_entry = true;
		cm_count_in(counters, CM_COUNT_ERROR);
	}
}

/* Runs where the native LSM drops its relations. The argument is used as a number only. */
CM_HOOK(task_free, struct task_struct *task)
{
	if (any_relation) {
		delete_entry(&relations, (__u64)task, cm_counters__task_free);
		delete_entry(&tracers, (__u64)task, cm_counters__task_free);
	}
	return CM_ALLOW;
}

/*
 * A delete in task_free can fail if it interrupted a map operation on this CPU: then the address,
 * not yet anyone's, is cleared when the next task gets it. Process context: this one cannot fail
 * so.
 */
CM_HOOK(task_alloc, struct task_struct *task)
{
	if (stale_entry) {
		delete_entry(&relations, (__u64)task, cm_counters__task_alloc);
		delete_entry(&tracers, (__u64)task, cm_counters__task_alloc);
	}
	return CM_ALLOW;
}

/* The number under which @tracer is known until it is freed; 0: no memory. */
static __always_inline __u64 tracer_number(__u64 tracer)
{
	__u64 *known, number;
	int i;

	for (i = 0; i < 2; i++) {
		known = bpf_map_lookup_elem(&tracers, &tracer);
		if (known)
			return *known;
		number = __sync_fetch_and_add(&last_number, 1) + 1;
		if (!bpf_map_update_elem(&tracers, &tracer, &number, BPF_NOEXIST))
			return number;
	}
	return 0;
}

/* PR_SET_PTRACER: 0, -EINVAL or -ENOMEM. */
static __noinline int set_ptracer(__u64 argument)
{
	struct task_struct *current = cm_current();
	__u64 leader = (__u64)current->group_leader;
	struct relation relation = { .leader = leader };
	__s32 tid = argument;

	if (!argument) {
		bpf_map_delete_elem(&relations, &leader);
		return 0;
	}
	any_relation = true; /* before the first entry: task_free must not miss it */
	if (tid != -1) {
		relation.tracer = tid > 0 ? cm_first_task(cm_find_pid(tid), CM_PIDTYPE_PID) : 0;
		if (!relation.tracer)
			return -EINVAL;
		relation.number = tracer_number(relation.tracer);
		if (!relation.number)
			return -ENOMEM;
	}
	return bpf_map_update_elem(&relations, &leader, &relation, BPF_ANY) ? -ENOMEM : 0;
}

/*
 * Where native Yama has the prctl it goes its own way, and what is declared to it holds here too.
 * In a hook's chain and not in a tracing program on the same function: such a one does not run
 * where another task was preempted in the midst of it.
 */
CM_HOOK(task_prctl, int option, unsigned long argument)
{
	long error;

	if (option != PR_SET_PTRACER)
		return CM_ALLOW;
	error = set_ptracer(argument);
	if (cm_native)
		return CM_ALLOW;
	return error ? error : CM_HANDLED;
}
