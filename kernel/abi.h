/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layouts that the BPF side and the user side share: what a policy object declares about itself,
 * what its maps hold, and the audit event. Included by both; every struct has a fixed layout that
 * the assertions below prove on each build.
 */
#ifndef CM_ABI_H
#define CM_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define CM_ASSERT(cond, what) _Static_assert(cond, what)

/* Layout version. An object or a pin of another version is refused, never guessed at. */
#define CM_ABI 6

/* Policies on one hook: 2016's limit, and few enough that the tail call limit (33) is never
 * reached. */
#define CM_SLOTS 32

/* Scopes per pack. Row 0 of the rows map stands for "in no scope". */
#define CM_ROWS 4096

/* Knobs per pack; a policy may define its own figure (at most CM_KNOBS_MAX) before the SDK. */
#define CM_KNOBS_MAX 128

/* Counter lines: CPUs beyond this share a line; increments are atomic, so counts stay exact. */
#define CM_CPUS 64

/*
 * Sizes of a ruleset, as powers of two: bytes of a policy's own for each scope. Maps
 * "cm_rulesets_SHIFT", by row, hold them; section ".bss.cm_rulesets", struct cm_ruleset_rows, says
 * which one counts.
 */
#define CM_RULESET_0 14
#define CM_RULESET_1 18
#define CM_RULESET_2 22
#define CM_RULESET_3 26

/* Cached answers "which scope is this cgroup in"; direct mapped by the low bits of its
 * serial number. */
#define CM_CACHE 4096

/*
 * max_entries of a map that holds one entry per task: the loader puts the limit of the system
 * there. Type information describes it as an array of that many ints, which must be below 4 GiB.
 */
#define CM_PER_TASK 0x3ffffffeu

#define CM_NAME_LEN  32
#define CM_PATH_LEN  96
#define CM_HELP_LEN  160
#define CM_WORDS_LEN 256

/* How two values of one knob combine along a cgroup path: the stricter one counts. */
enum cm_strictest {
	CM_STRICTEST_MAX = 0,	/* the larger value is stricter; `min` is "off" */
	CM_STRICTEST_MIN = 1,	/* the smaller value is stricter; `max` is "off" */
	CM_STRICTEST_OR = 2,	/* flags: every set bit restricts; 0 is "off" */
	CM_STRICTEST_LIMIT = 3, /* the smaller value is stricter, except that 0 is "off" */
};

/* What is known of each row's ruleset. */
struct cm_ruleset_rows {
	__u8 shifts[CM_ROWS];  /* a CM_RULESET_ constant, 0: there is none */
	__u8 demands[CM_ROWS]; /* nonzero: it needs the hooks on demand; programs do not read it */
};

enum cm_mode {
	CM_ENFORCE = 0, /* zero, so that missing configuration means enforce */
	CM_PERMISSIVE = 1,
};

/* Section ".rodata.cm_pack": one record. */
struct cm_pack_decl {
	__u32 abi;
	__u32 priority;		 /* order in a hook's chain, lower runs first */
	__u32 event_burst;	 /* at most so many events ... */
	__u32 event_interval_ms; /* ... in so many milliseconds; further ones are counted */
	char name[CM_NAME_LEN];
	char native_lsm[CM_NAME_LEN]; /* LSM this pack re-implements, "" if none */
	char question[CM_HELP_LEN];   /* one line: what the pack decides */
	char sealed_by[CM_NAME_LEN];  /* pack whose seal binds this one as well, "" if none */
};

#define CM_KNOB_LATCH (1u << 0) /* `latch` is valid */
/*
 * Needs CM_KNOB_LATCH, on one knob at most. While the latch is stored for the whole system, no
 * other value of the pack becomes looser, and the pack is withdrawn, replaced or made permissive
 * nowhere.
 */
#define CM_KNOB_SEAL (1u << 1)
/*
 * A number of events in time. The same policy has a knob whose path is this one's with "_per" (in
 * so many seconds) behind it, and may have one with "_burst" (so many at once); N/UNIT, with
 * ":BURST" behind it if there is one, sets them all.
 */
#define CM_KNOB_RATE (1u << 2)

/* Section ".rodata.cm_knobs": one record per knob. */
struct cm_knob_decl {
	__u32 index; /* into cm_values and the rows; unique in the object */
	__u32 flags;
	__s32 min;
	__s32 max;
	__s32 init;  /* value that `enable` sets where none is given */
	__s32 latch; /* once stored, holds until reboot */
	__s32 cap;   /* capability a writer needs, in the initial user namespace; -1: none */
	__u32 strictest;
	char path[CM_PATH_LEN];	 /* below /proc/sys: "kernel/yama/ptrace_scope" */
	char alias[CM_PATH_LEN]; /* a second path of the same value, "" if none */
	char help[CM_HELP_LEN];
	/*
	 * Names of values, with spaces between them, "" if none. Word i is the value min + i; of
	 * CM_STRICTEST_OR it is bit i, and a value is a list of words with commas between them.
	 */
	char words[CM_WORDS_LEN];
};

#define CM_SETTINGS_LEN 512

/* Section ".rodata.cm_profiles": one record per profile, values that go under one name. */
struct cm_profile_decl {
	char name[CM_NAME_LEN];
	char settings[CM_SETTINGS_LEN]; /* "KNOB=VALUE KNOB=VALUE", knobs of this policy */
	char with[CM_NAME_LEN]; /* built-in pack that is enabled along with it, "" if none */
	char help[CM_HELP_LEN];
};

enum cm_phase {
	CM_PHASE_NONE = 0,
	CM_PHASE_ENABLING = 1,
	CM_PHASE_ENABLED = 2,
	CM_PHASE_DISABLING = 3,
};

/*
 * Values of a pack, in what follows: one per knob there is room for, and as the last one "in
 * force", which no one declares or sets. It is 1 in each scope the pack is enabled in, combined as
 * a knob is whose larger value is the stricter one.
 *
 * Map ".data.cm_state", one element: this header, then one __s32 per value the ceiling (the
 * strictest shadow value of any cgroup scope), then one __s32 per value the whole system's.
 * Written by the loader, the system's values also by the /proc/sys door, in place.
 */
struct cm_state {
	__u32 abi;
	__u32 phase;	   /* enum cm_phase; programs do not read it */
	__u64 generation;  /* of cached answers; counts in steps of CM_GENERATION */
	__u64 used;	   /* CM_USED(): of each value, that its ceiling is not "off" */
	__u32 nr_scopes;   /* never less than the number of cgroup scopes in force */
	__u32 system_mode; /* enum cm_mode of the root scope */
	__u32 system_enabled;
	__u32 dirty;  /* a change is under way: what is derived must be derived anew */
	__u32 locked; /* until reboot: values only become stricter, scopes stay */
	__u32 unused;
};

/* Bit of a value in `used`, of the first ones; of what CM_LOCKOUTS is about, for ever once it was.
 */
#define CM_USED_MAX	63
#define CM_USED(INDEX)	(1ull << (INDEX))
#define CM_USED_LOCKOUT CM_USED(CM_USED_MAX)

/*
 * Map "cm_scopes": cgroup id -> what the administrator said for that subtree. The map's value is
 * this header followed by one __s32 per value.
 */
struct cm_scope {
	__u32 row;
	__u32 mode; /* enum cm_mode */
};

/*
 * Map "cm_rows": what holds for a task whose nearest scope this row is, every scoped ancestor
 * included and the system value not: per value { enforced, shadow }. `enforced` is the strictest
 * among enforcing scopes, `shadow` the strictest among all, permissive ones included.
 */
struct cm_value {
	__s32 enforced;
	__s32 shadow;
};

/*
 * Section ".bss.cm_levels", of a policy that asks for it: by row, the scope itself. A row is this
 * header followed by one __s32 per value, the scope's own.
 */
struct cm_level_head {
	__u32 above; /* row of the nearest scope above it, 0 if there is none */
	__u32 mode;  /* enum cm_mode */
	__u64 cgroup;
};

/*
 * Section ".bss.cm_per_scope__lockouts", of a policy with CM_LOCKOUTS: by row, whether the scope
 * has locked itself out. Zeros: it never has.
 */
struct cm_lockout {
	__u64 until_ns; /* by CLOCK_MONOTONIC; what is not later than now is over */
	__u64 since_ns;
	__u32 times; /* which one in a row it is */
	__u32 reserved;
	char reason[CM_NAME_LEN];
};

#define CM_LOCKOUT_HELD (~0ull) /* `until_ns`: until it is released */

/* A cached answer has 12 bits for the row, 32 for the cgroup, and 19 for the generation. */
CM_ASSERT(CM_ROWS == 1 << 12, "rows and generations in one word");
#define CM_GENERATION	  (1ull << 44)
#define CM_GENERATION_MAX ((1ull << 63) - 1)

/* One line of a hook's counters per CPU: section ".bss.cm_counters", variable cm_counters__HOOK. */
enum cm_counter {
	CM_COUNT_ALLOWED = 0,
	CM_COUNT_DENIED = 1,
	CM_COUNT_WOULD_DENY = 2,
	CM_COUNT_LOST = 3,	 /* events: the ring buffer was full */
	CM_COUNT_SUPPRESSED = 4, /* events: rate limit */
	CM_COUNT_ERROR = 5,	 /* a helper failed where it must not */
	CM_COUNTERS = 8,	 /* one cache line */
};

#define CM_COMM_LEN 16

/* One side of a decision. Ids are those of the initial namespaces. */
struct cm_party {
	__s32 pid; /* thread group; 0: this side is absent */
	__s32 tid;
	__u32 uid;
	__u32 gid;
	__u64 start_ns; /* boot time clock; with tid names the thread for good */
	__u64 cgroup;	/* id in the cgroup v2 hierarchy */
	char comm[CM_COMM_LEN];
};

#define CM_EVENT_VERSION 3

#define CM_NOTICE 2 /* mode of an event that is no denial, and would be none */

/* Fields of an event that the policy names itself; a seventh does not compile. */
#define CM_FIELDS	  6
#define CM_FIELD_NAME_LEN 16
#define CM_FIELD_LEN	  64 /* a longer text is cut */

enum cm_field_type {
	CM_FIELD_NONE = 0, /* ends the list */
	CM_FIELD_U64 = 1,
	CM_FIELD_S64 = 2,
	CM_FIELD_HEX = 3,
	CM_FIELD_IPV4 = 4, /* in `bytes`, as on the wire */
	CM_FIELD_IPV6 = 5, /* likewise */
	CM_FIELD_PORT = 6, /* in `number` */
	CM_FIELD_TEXT = 7, /* in `bytes` */
};

struct cm_field {
	char name[CM_FIELD_NAME_LEN];
	__u32 type; /* enum cm_field_type */
	__u32 reserved;
	union {
		__u64 number;
		__u8 bytes[CM_FIELD_LEN];
	};
};

/*
 * Record of the ring buffer "events". Zeroed before use; strings end in NUL. An event without
 * fields of its own ends before them: `size` says so, and a reader sees them zeroed.
 */
struct cm_event {
	__u16 version;
	__u16 size;
	__s32 error;	  /* the errno the caller got, or would have got (positive), or 0 */
	__u32 mode;	  /* enum cm_mode: permissive means it was not denied; or CM_NOTICE */
	__u32 suppressed; /* events of this pack left out before this one by the rate limit */
	__u64 time_ns;	  /* CLOCK_BOOTTIME */
	char pack[CM_NAME_LEN];
	char action[CM_NAME_LEN]; /* dotted: "ptrace.attach" */
	char reason[CM_NAME_LEN]; /* which rule decided */
	char message[64];	  /* a sentence with {subject} and {object} in it */
	struct cm_party subject;
	struct cm_party object;
	struct cm_field fields[CM_FIELDS];
};

#define CM_EVENT_SHORT __builtin_offsetof(struct cm_event, fields)

CM_ASSERT(sizeof(struct cm_pack_decl) == 272, "cm_pack_decl layout");
CM_ASSERT(sizeof(struct cm_knob_decl) == 640, "cm_knob_decl layout");
CM_ASSERT(sizeof(struct cm_profile_decl) == 736, "cm_profile_decl layout");
CM_ASSERT(sizeof(struct cm_state) == 48, "cm_state layout");
CM_ASSERT(sizeof(struct cm_scope) == 8, "cm_scope layout");
CM_ASSERT(sizeof(struct cm_level_head) == 16, "cm_level_head layout");
CM_ASSERT(sizeof(struct cm_ruleset_rows) == 2 * CM_ROWS, "cm_ruleset_rows layout");
CM_ASSERT(sizeof(struct cm_lockout) == 56, "cm_lockout layout");
CM_ASSERT(sizeof(struct cm_party) == 48, "cm_party layout");
CM_ASSERT(sizeof(struct cm_field) == 88, "cm_field layout");
CM_ASSERT(CM_EVENT_SHORT == 280, "cm_event layout");
CM_ASSERT(sizeof(struct cm_event) == 280 + CM_FIELDS * 88, "cm_event layout");

#endif /* CM_ABI_H */
