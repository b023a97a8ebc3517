/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scopes: which configuration holds for a task. Private half of the SDK; loader/scope.c writes what
 * this reads. A scope is a cgroup v2 subtree. The loader keeps, per scope, one row with the
 * strictest values of that scope and all scoped ancestors, so a task's row is that of its nearest
 * scoped ancestor: one answer per cgroup, cached, whatever the depth and number of scopes.
 */
#ifndef CM_SCOPE_BPF_H
#define CM_SCOPE_BPF_H

struct cm_row {
	struct cm_value values[CM_NR_VALUES];
};

struct cm_scope_entry {
	struct cm_scope scope;
	__s32 values[CM_NR_VALUES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, CM_ROWS - 1);
	__type(key, __u64);
	__type(value, struct cm_scope_entry);
} cm_scopes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CM_ROWS);
	__type(key, __u32);
	__type(value, struct cm_row);
} cm_rows SEC(".maps");

/*
 * The system's values are off where the native LSM is active: it has enforced its own before a
 * program of ours runs. Beside the ceiling, because the two are read together.
 */
volatile struct {
	struct cm_state head;
	__s32 ceiling[CM_NR_VALUES];
	__s32 system[CM_NR_VALUES];
} cm_state SEC(".data.cm_state");

/*
 * The address of cm_state, in a register of its own: the compiler would keep one across calls,
 * which costs two instructions on every way, more than an address does.
 */
static __always_inline typeof(&cm_state) cm_state_here(void)
{
	typeof(&cm_state) state;

	asm volatile("%0 = %1 ll" : "=r"(state) : "i"(&cm_state));
	return state;
}

/* Direct mapped; an entry is one word, so that a reader never sees half of two answers. */
volatile __u64 cm_cache[CM_CACHE] SEC(".bss.cm_cache");

/* Set by the loader before load: the LSM named in CM_PACK() is active and has the file. */
const volatile __u32 cm_native SEC(".rodata.cm_config");

/*
 * An entry: 0 | generation (19 bits) | the cgroup's serial number (32) | row (12). Added up, not
 * put together: a number of more than 32 bits runs over into the generation, and would become
 * another's at 50 bits, which no cgroup ever has.
 *
 * The serial number is nobody else's either, and one pointer nearer than the id. That of the root
 * is 0, as is an entry that was never written: true as long as there was no scope.
 */
static __always_inline __u64 cm_cached(__u32 row, __u64 generation, __u64 number)
{
	return generation + (number << 12) + row;
}

struct cm_walk {
	__u64 cgroup;
	__u32 row;
	__u32 done;
};

static long cm_walk_step(__u64 i, struct cm_walk *walk)
{
	struct cgroup *cgroup = (struct cgroup *)walk->cgroup;
	struct cm_scope_entry *entry;
	__u64 id;

	if (!cgroup) {
		walk->done = 1;
		return 1;
	}
	id = BPF_CORE_READ(cgroup, kn, id);
	entry = bpf_map_lookup_elem(&cm_scopes, &id);
	if (entry) {
		walk->row = entry->scope.row & (CM_ROWS - 1);
		walk->done = 1;
		return 1;
	}
	walk->cgroup = (__u64)BPF_CORE_READ(cgroup, self.parent);
	return 0;
}

/* Deeper than any hierarchy that fits in memory; reached only if the kernel's data is broken. */
#define CM_MAX_DEPTH (1 << 16)

#define CM_ROW_UNKNOWN CM_ROWS

/* Not static: see cm_forget(). */
__noinline __u32 cm_row_walk(const struct cm_walk *from)
{
	struct cm_walk walk;
	struct cgroup *cgroup;
	__u64 number;
	/*
	 * The generation is read before the scopes, with a full barrier: if the loader changes a
	 * scope meanwhile, the answer is stored under a generation that no reader accepts.
	 */
	__u64 generation = __sync_fetch_and_add(&cm_state.head.generation, 0);

	if (!from)
		return CM_ROW_UNKNOWN;
	walk = *from;
	cgroup = (struct cgroup *)walk.cgroup;
	number = BPF_CORE_READ(cgroup, self.serial_nr);
	bpf_loop(CM_MAX_DEPTH, cm_walk_step, &walk, 0);
	if (!walk.done)
		return CM_ROW_UNKNOWN; /* fails closed: see cm_value_in() */
	/* A number of more than 32 bits is resolved each time. */
	if (!(number >> 32))
		cm_cache[number & (CM_CACHE - 1)] = cm_cached(walk.row, generation, number);
	return walk.row;
}

/* Opaque, or the compiler joins the two ways, and they are told apart once more behind it. */
static __always_inline __u32 cm_row_unknown(void)
{
	__u32 row = CM_ROW_UNKNOWN;

	asm volatile("" : "+r"(row));
	return row;
}

/*
 * Is it known already which row holds for tasks in @cgroup, and is it none (0)? *ret_row: the row,
 * CM_ROW_UNKNOWN if it is not known. The likely answer is given by one comparison.
 */
static __always_inline bool cm_known_outside(struct cgroup *cgroup, __u32 *ret_row)
{
	__u64 number = cgroup->self.serial_nr, generation;
	__u64 rest = cm_cache[number & (CM_CACHE - 1)] - (number << 12);

	/* The compiler would add up what is subtracted, and copy it for that. */
	asm volatile("" : "+r"(rest));
	generation = cm_state_here()->head.generation;
	if (rest == generation)
		return true;
	/*
	 * The row, if the answer is for this cgroup and of this generation: who has another number
	 * is at least as far away as there are rows. One of more than 32 bits is stored by nobody.
	 */
	rest -= generation;
	if (rest < CM_ROWS)
		*ret_row = rest;
	else
		*ret_row = cm_row_unknown();
	return false;
}

/* Row that holds for tasks in @cgroup; 0 where no scope does. */
static __always_inline __u32 cm_row_of(struct cgroup *cgroup)
{
	__u32 row;

	if (cm_known_outside(cgroup, &row))
		return 0;
	if (row == CM_ROW_UNKNOWN) {
		struct cm_walk walk = { .cgroup = (__u64)cgroup };

		row = cm_row_walk(&walk);
	}
	return row;
}

static __always_inline __s32 cm_strict(__u32 rule, __s32 a, __s32 b)
{
	if (rule == CM_STRICTEST_OR)
		return a | b;
	if (rule == CM_STRICTEST_MIN)
		return a < b ? a : b;
	if (rule == CM_STRICTEST_LIMIT) /* 0 is the largest of all */
		return (__u32)a - 1 < (__u32)b - 1 ? a : b;
	return a > b ? a : b;
}

/* Value of a knob in the scope of row @key, with the system's. */
static __always_inline struct cm_value cm_value_in(__u32 key, __u32 index, __s32 off,
						   __s32 strictest, __u32 rule)
{
	struct cm_value value = { off, off };
	__s32 system = cm_state.system[index];
	struct cm_row *row;

	if (key) {
		row = bpf_map_lookup_elem(&cm_rows, &key);
		if (row)
			value = row->values[index];
		else /* an unresolvable scope restricts as much as the knob can */
			value.enforced = value.shadow = strictest;
	}
	value.shadow = cm_strict(rule, value.shadow, system);
	if (cm_state.head.system_mode == CM_ENFORCE)
		value.enforced = cm_strict(rule, value.enforced, system);
	return value;
}

/*
 * A removed cgroup's entry goes with it, except from a locked system: its sockets may live on. Ids
 * are never used again; the row is free for reuse once no entry names it, and the loader starts a
 * new generation before it reuses one.
 */
SEC("tp_btf/cgroup_rmdir")
int cm_cgroup_rmdir(__u64 *ctx)
{
	struct cgroup *cgroup = (struct cgroup *)ctx[0];
	__u64 id;

	if (!cm_state.head.nr_scopes || cm_state.head.locked)
		return 0;
	id = cgroup->kn->id;
	bpf_map_delete_elem(&cm_scopes, &id);
	return 0;
}

#endif /* CM_SCOPE_BPF_H */
