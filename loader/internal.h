/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of libchecmate share; not installed. One noun a file:
 *
 *	session.c	struct cm: the lock, the last error
 *	recover.c	order after an interrupted call
 *	pin.c		names in the bpf file system
 *	file.c		a policy's file: may it be trusted, is it one?
 *	object.c	a policy object: its declarations, variables and maps
 *	decl.c		knobs as it declares them
 *	profile.c	values by one name
 *	store.c		the object of a policy in force, kept in the kernel
 *	layout.c	do two objects agree on knobs and maps?
 *	chain.c		dispatcher and order of a hook
 *	pack.c		enable, disable, mode
 *	jump.c		from one policy of a chain to another
 *	shared.c	maps that policies share by name
 *	policy.c	load from a file, replace, change the order
 *	build.c		a policy's programs, maps and pins, complete, not in force
 *	load.c		in force, and out again
 *	refusal.c	what the verifier says, for the author
 *	scope.c		scopes of a pack and the rows derived from them
 *	lockout.c	scopes that have locked themselves out
 *	ruleset.c	what a policy's rules for a scope are compiled to
 *	netfilter.c	those of the pack netfilter; nf.h has the language
 *	nf_remap.c	what its remaps need beside them
 *	config.c	all that is in force as a text; config_rules.c: the rules in it
 *	knob.c		values by name
 *	lock.c		locked until reboot
 *	seal.c		a pack and its values until reboot
 *	guard.c		what keeps it locked
 *	freeze.c	maps that nobody can write any more
 *	tighten.c	values of a locked policy
 *	door.c		files under /proc/sys: the module's or the native LSM's
 *	cgroup.c	cgroup directories and ids
 *	info.c		what is known and in force
 *	order.c		the chains in force
 *	event.c		audit events, counters
 *	sdk.c		compile a policy
 *	probe.c		does this kernel run BPF LSM programs?
 *	doctor.c	every requirement, tried
 */
#ifndef CM_INTERNAL_H
#define CM_INTERNAL_H

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "checmate.h"

#define CM_BPFFS "/sys/fs/bpf"
#define CM_PINS	 CM_BPFFS "/checmate"

/* For variables: released at the end of the block. */
static inline void cm_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cm_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

#define _cleanup_close_ __attribute__((cleanup(cm_close_fd)))
#define _cleanup_free_	__attribute__((cleanup(cm_free_pointer)))

/* session.c */
struct cm {
	unsigned int flags;
	int lock_fd;
	bool locked;	/* until reboot */
	bool restoring; /* going back to what was in force before a call that failed */
	int cgroup_fd;	/* mount point of cgroup v2, -1 until asked for */
	char cgroup_mount[PATH_MAX];
	char error[1024];
	char notice[1024];
	char *detail;		/* lines, or NULL */
	struct cm_object *last; /* of the pack that was opened last, or NULL */
};

/* Store the sentence of a failure; returns @error, so that callers can return the call. */
int cm_fail(struct cm *cm, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void cm_note(struct cm *cm, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cm_unlock(struct cm *cm);
bool cm_has_capability(int cap);

/* pin.c: paths are relative to CM_PINS; at most PATH_MAX long */
int cm_pin_path(struct cm *cm, char *buf, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int cm_pin_mkdir(struct cm *cm, const char *path);
int cm_pin_put(struct cm *cm, int fd, const char *path);
int cm_pin_get(const char *path); /* fd or -errno */
bool cm_pin_exists(const char *path);
int cm_pin_remove(struct cm *cm, const char *path); /* recursive; absent is fine */
/* Calls @fn for each name in the directory; an absent directory has none. */
typedef int (*cm_pin_fn)(struct cm *cm, const char *name, void *arg);
int cm_pin_each(struct cm *cm, const char *dir, cm_pin_fn fn, void *arg);

/* object.c */
struct cm_builtin {
	const char *name;
	const void *data;
	size_t size;
};

/* Policy objects built into the library, sorted by name; ended by a NULL name. Generated. */
extern const struct cm_builtin cm_builtin_packs[];
extern const struct cm_builtin cm_builtin_probe;
extern const struct cm_builtin cm_builtin_guard;
extern const struct cm_builtin cm_builtin_tighten;

struct cm_hook {
	char name[CM_NAME_LEN * 2];
	struct bpf_program *program;
	uint32_t counters; /* offset in the counters map */
};

#define CM_DIGEST_LEN 32 /* of SHA-256 */

/* What is pinned as "about" of a policy. */
#define CM_ORIGIN_LEN PATH_MAX
struct cm_about {
	uint32_t abi;
	uint32_t priority;
	uint64_t sequence; /* boot time clock when it was loaded: of equal priority the older first
			    */
	uint64_t size;	   /* of the object */
	unsigned char digest[CM_DIGEST_LEN]; /* SHA-256 of the object */
	char origin[CM_ORIGIN_LEN];	     /* path of its file, "" for a built-in pack */
};

struct cm_object {
	char name[CM_NAME_LEN]; /* that of its pack, or what --name says; it is in *pack as well */
	struct bpf_object *bpf;
	const struct cm_pack_decl *pack;
	const struct cm_knob_decl *knobs;
	size_t nr_knobs;
	const struct cm_profile_decl *profiles;
	size_t nr_profiles;
	struct cm_hook *hooks;
	size_t nr_hooks;
	size_t row_knobs; /* values there is room for in a row */
	struct cm_knob_decl in_force;
	struct cm_about about;
	const void *bytes;  /* of the object */
	void *owned;	    /* the same, if to be freed */
	unsigned int users; /* others than who has opened it */
};

/* The values of a pack, in no order: its knobs, and behind them "in force" (see abi.h). */
static inline const struct cm_knob_decl *cm_object_value(const struct cm_object *object, size_t i)
{
	return i < object->nr_knobs ? &object->knobs[i] : &object->in_force;
}

static inline size_t cm_object_nr_values(const struct cm_object *object)
{
	return object->nr_knobs + 1;
}

/* The object of the policy in force that has this name, or else the built-in pack's. */
int cm_object_open(struct cm *cm, const char *name, struct cm_object **ret);
int cm_object_look(struct cm *cm, const char *name, struct cm_object **ret); /* not to be changed */
/* The same for the policy's directory: "packs/NAME"; -ENOENT without a sentence if it is not there.
 */
int cm_object_open_pinned(struct cm *cm, const char *dir, const char *name, struct cm_object **ret);
/* From a file; @name NULL: the pack's own. */
int cm_object_open_file(struct cm *cm, const char *path, const char *name, struct cm_object **ret);
/* Would its declarations be refused? Whoever it belongs to, nothing of it is kept. */
int cm_object_check(struct cm *cm, const char *path);
bool cm_is_name(const char *name); /* of a policy: [a-z0-9_], shorter than CM_NAME_LEN */
bool cm_is_builtin(const char *name);
void cm_object_free(struct cm_object *object);
static inline void cm_object_cleanup(struct cm_object **object)
{
	cm_object_free(*object);
}
#define _cleanup_object_ __attribute__((cleanup(cm_object_cleanup)))

/* A data section before load. libbpf 1.1 hands its writable memory out as const. */
static inline void *cm_section(struct bpf_map *map, size_t *ret_size)
{
	*ret_size = 0;
	return map ? (void *)bpf_map__initial_value(map, ret_size) : NULL;
}

struct bpf_map *cm_object_map(const struct cm_object *object, const char *name);
/* That name, or its ELF section. */
const char *cm_object_map_name(const struct cm_object *object, const struct bpf_map *map);
/* Has it a variable for that name, as CM_ON_DEMAND() and its like leave one? */
bool cm_object_is_marked(const struct cm_object *object, const char *mark, const char *name);
size_t cm_object_level_size(const struct cm_object *object); /* of one row */
bool cm_is_per_scope(const char *map); /* memory of each scope's, by row: CM_PER_SCOPE() */
/* Type of a data section, NULL if there is none. */
const struct btf_type *cm_object_section(const struct cm_object *object, const char *section);
/* Offset of a variable in it, or -ENOENT. */
int cm_object_variable(const struct cm_object *object, const char *section, const char *name);
/* Name of its i-th variable, NULL behind the last. */
const char *cm_object_variable_name(const struct cm_object *object, const char *section, size_t i);
int cm_object_set(struct cm *cm, struct cm_object *object, const char *section, const char *name,
		  const void *value, size_t value_size);
int cm_object_set_u32(struct cm *cm, struct cm_object *object, const char *section,
		      const char *name, uint32_t value);
struct bpf_object *cm_builtin_open(struct cm *cm, const struct cm_builtin *builtin,
				   const char *name);
static inline void cm_bpf_object_cleanup(struct bpf_object **object)
{
	bpf_object__close(*object);
}
#define _cleanup_bpf_ __attribute__((cleanup(cm_bpf_object_cleanup)))

/* decl.c */
int cm_decl_check(struct cm *cm, const struct cm_object *object);
/* -EEXIST if a name of a knob of @object is one of @other's. */
int cm_decl_check_apart(struct cm *cm, const struct cm_object *object,
			const struct cm_object *other);
/* A string from an object must end inside its field before anyone prints it. */
bool cm_decl_ends(const char *text, size_t size);
/* By a full name (path or alias, with slashes or dots), or by the last component of one. */
const struct cm_knob_decl *cm_object_knob(const struct cm_object *object, const char *name);
bool cm_knob_is(const struct cm_knob_decl *knob, const char *name); /* is it a full name of it? */
void cm_knob_dotted(const char *path, char *buf);		    /* CM_PATH_LEN bytes */
void cm_knob_name(const struct cm_knob_decl *knob, char *buf);	    /* CM_PATH_LEN bytes */
int cm_knob_off(const struct cm_knob_decl *knob);
int cm_knob_strict(const struct cm_knob_decl *knob, int a, int b);
bool cm_knob_latched(const struct cm_knob_decl *knob, int value);

/* profile.c */
int cm_profiles_check(struct cm *cm, const struct cm_object *object);

/* file.c */
#define CM_OBJECT_MAX (4 << 20) /* a policy has some 100 KiB */
/* -EFBIG if it has more than @max bytes. */
int cm_file_read(struct cm *cm, const char *path, size_t max, char *ret_path, void **ret,
		 size_t *ret_size);
int cm_file_check(struct cm *cm, const char *path, const void *bytes, size_t size);

/* store.c: @dir is a policy's directory below CM_PINS */
int cm_store_put(struct cm *cm, const char *dir, const struct cm_object *object);
int cm_about_get(struct cm *cm, const char *dir, struct cm_about *ret);
int cm_store_get(struct cm *cm, const char *dir, struct cm_about *ret, void **ret_bytes);
/* A pinned array of one element that nobody can write any more. */
int cm_store_bytes(struct cm *cm, const char *path, const char *name, const void *data,
		   size_t size);
int cm_store_text(struct cm *cm, const char *path, char **ret);

/* layout.c */
/* Constants and places in a chain: each object brings its own. */
bool cm_layout_is_new(const struct cm_object *object, const struct bpf_map *map);
int cm_layout_check(struct cm *cm, const struct cm_object *old, const struct cm_object *new);
bool cm_layout_same_counters(const struct cm_object *old, const struct cm_object *new);

/* chain.c */
struct cm_node {
	char pack[CM_NAME_LEN];
	const char *parent; /* of its directory: "packs" or "replacing" */
	uint32_t priority;
	uint64_t sequence;
	int program_fd;
	int next_fd;
	uint32_t program_id;
	bool fresh; /* nobody comes by it yet */
};

struct cm_chain {
	size_t nr;
	struct cm_node nodes[CM_SLOTS];
};

int cm_chain_dispatcher(int root_fd, uint32_t hook_btf_id);
int cm_chain_attach(struct cm *cm, const char *hook, uint32_t hook_btf_id);
int cm_chain_read(struct cm *cm, const char *hook, struct cm_chain *ret);
int cm_chain_follow(struct cm *cm, const char *hook, struct cm_chain *chain);
void cm_chain_release(struct cm_chain *chain);
#define _cleanup_chain_ __attribute__((cleanup(cm_chain_release)))
int cm_chain_apply(struct cm *cm, const char *hook);
int cm_chain_settle(struct cm *cm);
int cm_chain_sweep(struct cm *cm); /* dispatchers of empty chains go */

/* pack.c */
struct cm_pack {
	char name[CM_NAME_LEN];
	struct cm_object *object; /* declarations; not loaded */
	bool native;
	struct cm_state *state; /* mapped; the next two are behind it */
	int *ceiling;
	int *system;
	size_t state_size;
	int scopes_fd;
	int rows_fd;
	int cache_fd;
	int levels_fd;	 /* -1 if the policy does not ask for them */
	int lockouts_fd; /* likewise */
};

/* Opens an enabled pack; -ENOENT without a sentence if it is not enabled. */
int cm_pack_open(struct cm *cm, const char *name, struct cm_pack **ret);
void cm_pack_free(struct cm_pack *pack);
static inline void cm_pack_cleanup(struct cm_pack **pack)
{
	cm_pack_free(*pack);
}
#define _cleanup_pack_ __attribute__((cleanup(cm_pack_cleanup)))
bool cm_native_active(const char *lsm);
/* A pinned map of its own: fd or -errno. */
int cm_pack_map_open(struct cm *cm, const struct cm_pack *pack, const struct bpf_map *map);

/* The value of a one-element map in packs/NAME or the like, mapped, for reading only if the map is
 * frozen; NULL if that fails. */
void *cm_pack_map(const char *dir, const char *pin, size_t *ret_size);
void *cm_pack_map_of(const struct cm_pack *pack, const struct bpf_map *map, size_t *ret_size);

/* Of a map that has all rows in its one element, the bytes of one; -errno without a sentence. */
int cm_pack_read_row(int fd, uint32_t row, void *ret, size_t size);
int cm_pack_write_row(int fd, uint32_t row, const void *bytes, size_t size);

/* Where, and how, a pack is to be in force. */
struct cm_placement {
	const char *cgroup; /* NULL: the whole system */
	enum cm_mode mode;
	const int *values; /* by index of the knob */
	const char *given; /* by index, nonzero: that value is not just the default */
};

/* cm_pack_set_mode(), whatever its rules then refuse goes on. */
int cm_pack_change_mode(struct cm *cm, const char *name, const char *cgroup, enum cm_mode mode);
/* In so many more scopes; the pack is loaded if it is not. */
int cm_pack_place(struct cm *cm, struct cm_object *object, const struct cm_placement *places,
		  size_t nr);
/* -EPERM with the sentence: @value holds until reboot; @where: a cgroup, NULL: the system. */
int cm_latch_refuse(struct cm *cm, const struct cm_knob_decl *knob, int value, const char *where);
int cm_pack_check_latches(struct cm *cm, struct cm_pack *pack);

/* build.c */
enum cm_build {
	CM_BUILD_NEW,  /* maps of its own */
	CM_BUILD_NEXT, /* the maps of packs/NAME, where they are the same */
	CM_BUILD_COPY, /* of packs/NAME: its maps, and its auxiliary programs as they are */
};

int cm_pack_build(struct cm *cm, struct cm_object *object, enum cm_build how);
/* Of a policy in force, the programs with CM_ON_REQUEST(); those that are attached stay so. */
int cm_pack_attach_on_request(struct cm *cm, const struct cm_object *object);
/* The name under which a map is pinned, @buf of @size bytes or constant; NULL: it is made anew each
 * time, or not the policy's own. */
const char *cm_map_pin(const struct cm_object *object, const struct bpf_map *map, char *buf,
		       size_t size);

/* load.c */
int cm_pack_load(struct cm *cm, struct cm_object *object); /* all values off, phase "enabling" */
int cm_pack_unload(struct cm *cm, const char *name);	   /* whatever there is, in any phase */
int cm_pack_attach(struct cm *cm, const char *dir);	   /* dispatchers, where there is none */
int cm_pack_apply(struct cm *cm, const char *dir);	   /* the chains of its hooks */
int cm_pack_sweep(struct cm *cm);			   /* what nobody needs any more */
uint32_t cm_pack_phase(const char *dir);
/* Every policy in force or on its way, by name. */
int cm_pack_each(struct cm *cm, cm_pin_fn fn, void *arg);

/* policy.c */
/* -EEXIST if another policy in force has one of its knobs. */
int cm_policy_check_names(struct cm *cm, struct cm_object *object);
int cm_policy_load_object(struct cm *cm, struct cm_object *object,
			  const struct cm_placement *places, size_t nr);
int cm_policy_replace_object(struct cm *cm, const char *name, struct cm_object *object);
int cm_policy_finish_replacing(struct cm *cm);

/* recover.c */
int cm_recover(struct cm *cm);
bool cm_needs_recovery(struct cm *cm);

/* lock.c */
enum cm_lock_state {
	CM_LOCK_NONE,
	CM_LOCK_BEGUN, /* to be completed */
	CM_LOCK_COMPLETE,
};

enum cm_lock_state cm_lock_state(struct cm *cm);
int cm_lock_finish(struct cm *cm);
/* -EPERM if the system is locked; @what: "disable yama" */
int cm_lock_refuse(struct cm *cm, const char *what);

/* seal.c */
/* The policy in force with the seal that binds @object's, and the seal; -ENOENT: none. */
int cm_seal_open(struct cm *cm, const struct cm_object *object, struct cm_pack **ret,
		 const struct cm_knob_decl **ret_knob);
bool cm_sealed(struct cm *cm, const struct cm_object *object); /* or not to be found out */
/* -EACCES if its policy is sealed, with the seal and then @format as the sentence. */
int cm_seal_refuse(struct cm *cm, const struct cm_object *object, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* The same if @to is looser than @from; @cgroup NULL: the system's value. */
int cm_seal_check_value(struct cm *cm, const struct cm_object *object,
			const struct cm_knob_decl *knob, const char *cgroup, int from, int to);

/* guard.c */
int cm_guard_begin(struct cm *cm); /* in place and pinned as lock/, or nothing */
typedef int (*cm_guard_pin_fn)(struct cm *cm, const char *path, int fd, void *arg);
int cm_guard_each_pin(struct cm *cm, cm_guard_pin_fn fn, void *arg); /* of all there are */
bool cm_guard_is_map(int fd);

/* freeze.c */
bool cm_frozen(int fd); /* a map's */
int cm_freeze(struct cm *cm, const char *path, int fd);
/* -EINVAL if it cannot be frozen, before that is tried. */
int cm_freeze_check(struct cm *cm, const char *path, const struct bpf_map_info *info);

/* tighten.c */
int cm_tighten_prepare(struct cm *cm, const char *pack, void *arg); /* in locking/ */
/* In a locked system; @cgroup: id of a scope, 0 the system. A value less strict changes nothing. */
int cm_tighten(struct cm *cm, const struct cm_pack *pack, const struct cm_knob_decl *knob,
	       uint64_t cgroup, int value);

/* refusal.c */
struct cm_logs;
int cm_logs_prepare(struct cm *cm, struct cm_object *object, struct cm_logs **ret);
void cm_logs_free(struct cm_logs *logs);
int cm_logs_fail(struct cm *cm, const struct cm_object *object, const struct cm_logs *logs,
		 int err);

/* scope.c */
struct cm_scope_record { /* an entry of the map "cm_scopes" */
	uint64_t id;
	struct cm_scope scope;
	int values[CM_KNOBS_MAX];
};

int cm_scopes_read(struct cm *cm, struct cm_pack *pack, struct cm_scope_record **ret, size_t *nr);
int cm_scope_find(struct cm_pack *pack, uint64_t id, struct cm_scope_record *ret);
/* By its path; NULL and the root are the whole system, whose row is 0. */
int cm_scope_get(struct cm *cm, struct cm_pack *pack, const char *cgroup,
		 struct cm_scope_record *ret, bool *ret_is_there);
/* Insert or change a scope at @path below the mount; a new one gets its row here. */
int cm_scope_write(struct cm *cm, struct cm_pack *pack, const char *path,
		   struct cm_scope_record *record);
int cm_scope_remove(struct cm *cm, struct cm_pack *pack, uint64_t id);
int cm_scopes_derive(struct cm *cm, struct cm_pack *pack);
/* Row of the nearest scope from the cgroup @path up, 0 if there is none. */
uint32_t cm_scope_row(struct cm *cm, struct cm_pack *pack, const char *path);
/* What the policy keeps for the scope of a row, 0 the system's, is as that of a new one. */
int cm_scope_clear(struct cm *cm, struct cm_pack *pack, uint32_t row);
/* Paths of cgroups: an order that has all that lies in one right behind it. */
int cm_path_compare(const char *a, const char *b);
bool cm_path_contains(const char *ancestor, const char *path);
/* What holds in the cgroup @path, per knob, the system's own value not included. */
int cm_scope_values(struct cm *cm, struct cm_pack *pack, const char *path, struct cm_value *ret);

/* Is the pack in force for tasks in the cgroup @path? */
bool cm_scope_covers(struct cm *cm, struct cm_pack *pack, const char *path);

/* lockout.c: all zeros where the policy locks nothing out */
#define CM_LEVELS_MAP	 ".bss.cm_levels"
#define CM_PER_SCOPE_MAP ".bss.cm_per_scope__"
#define CM_LOCKOUTS_MAP	 CM_PER_SCOPE_MAP "lockouts"
int cm_lockout_read(struct cm *cm, const struct cm_pack *pack, uint32_t row,
		    struct cm_lockout_info *ret);

/* info.c */
bool cm_system_in_force(const struct cm_pack *pack);

/* value.c */
/* The first of words with spaces between them, which is taken off; NULL: there is none left. */
const char *cm_word_next(const char **words, size_t *ret_len);
bool cm_is_number(const char *text, long long *ret); /* as the kernel's own parser has it */
/* The knob that has the path of @rate with @suffix behind it, "_per" or "_burst"; NULL: none. */
const struct cm_knob_decl *cm_rate_knob(const struct cm_object *object,
					const struct cm_knob_decl *rate, const char *suffix);

/* What one KNOB=VALUE says: a value of that knob, or of those of a rate. */
struct cm_said {
	size_t nr;
	const struct cm_knob_decl *knobs[3];
	int values[3];
};

/* All that it says is within its bounds, or it fails. */
int cm_value_parse(struct cm *cm, const struct cm_object *object, const struct cm_knob_decl *knob,
		   const char *text, struct cm_said *ret);

/* knob.c */
/* "KNOB=VALUE" strings -> values of all knobs, by index; @given: nonzero where one was named. */
int cm_settings_parse(struct cm *cm, const struct cm_object *object, const char *const *settings,
		      int *values, char *given);
int cm_system_get(struct cm *cm, struct cm_pack *pack, const struct cm_knob_decl *knob, int *ret);
int cm_system_set(struct cm *cm, struct cm_pack *pack, const struct cm_knob_decl *knob, int value);

/* door.c */
int cm_door_add(struct cm *cm, struct cm_pack *pack); /* failure is a notice, not an error */
void cm_door_sync(struct cm *cm);
/* The files of those that @seal's policy seals, anew: that one has just come into force. */
void cm_door_reseal(struct cm *cm, const struct cm_pack *seal);
void cm_door_unload(void); /* the module, if it was loaded for us */
void cm_door_remove(const struct cm_object *object);
const char *cm_door_of(const struct cm_pack *pack);

/* cgroup.c: a path is below the mount and starts with '/'; the root's is "/" */
int cm_cgroup_id(struct cm *cm, const char *dir, uint64_t *ret_id, char *ret_path);
int cm_cgroup_root(struct cm *cm); /* its directory, of the session */
int cm_cgroup_id_below(struct cm *cm, const char *path, uint64_t *ret_id);
bool cm_cgroup_has_children(struct cm *cm, const char *path);
#define CM_CGROUP_ROOT 1 /* id of the hierarchy's root */

/* event.c */
int cm_events_open(struct cm *cm, bool create, int *ret_fd);

/* jump.c */
bool cm_jump_is(const char *map);
int cm_jump_pin(struct cm *cm, const struct cm_object *object, const char *dir);
int cm_jump_clear(struct cm *cm, const char *hook, const struct cm_chain *chain);
int cm_jump_set(struct cm *cm, const char *hook, const struct cm_chain *chain);

/* shared.c */
bool cm_shared_is(const struct cm_object *object, const struct bpf_map *map);
/* Before the object is loaded: the map of that name, if there is one already. */
int cm_shared_use(struct cm *cm, const struct cm_object *object, struct bpf_map *map);
int cm_shared_publish(struct cm *cm, const struct cm_object *object); /* after it */
int cm_shared_sweep(struct cm *cm); /* maps that nobody uses any more go */
bool cm_shared_needs_sweep(struct cm *cm);

/* probe.c */
bool cm_tracer_is_off(void);		 /* the kernel's function tracer: then no policy is asked */
int cm_probe_lsm(struct cm *cm);	 /* 0 it runs; -EOPNOTSUPP with the sentence */
int cm_probe_lsm_once(struct cm *cm);	 /* the same, if nothing is in force that was probed for */
int cm_lsm_list(char *buf, size_t size); /* active LSMs, comma-separated; -errno if unreadable */

#endif /* CM_INTERNAL_H */
