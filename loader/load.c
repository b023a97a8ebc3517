// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pack's way into the kernel and out of it. Pinned as packs/NAME/: the maps that later calls
 * need, the hook programs (to find their slots again) and the links of auxiliary programs.
 *
 * What an interrupted call leaves is told by the state map's phase: anything but "enabled" is
 * removed by the next call. Values are all off until the last step of enabling, so a pack that is
 * half there denies nothing.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

static const struct {
	const char *map, *pin;
} pinned_maps[] = {
	{ ".data.cm_state", "state" }, { "cm_scopes", "scopes" },	   { "cm_rows", "rows" },
	{ ".bss.cm_cache", "cache" },  { ".bss.cm_counters", "counters" },
};

/* The number of tasks there can be: a map of this size is never the first thing to run out. */
static uint32_t max_tasks(void)
{
	static const char *const limits[] = { "/proc/sys/kernel/threads-max",
					      "/proc/sys/kernel/pid_max" };
	unsigned long least = 4194304, limit;
	size_t i;
	FILE *file;

	for (i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		file = fopen(limits[i], "re");
		if (!file)
			continue;
		if (fscanf(file, "%lu", &limit) == 1 && limit && limit < least)
			least = limit;
		fclose(file);
	}
	return least;
}

static int prepare_hook(struct cm *cm, struct cm_object *object, struct cm_hook *hook)
{
	char name[sizeof("cm_chain__") + sizeof(hook->name)];
	_cleanup_close_ int chain_fd = -1;
	struct bpf_map *map;
	int err = cm_chain_open(cm, hook->name, &chain_fd);

	if (err)
		return err;
	hook->slot = cm_chain_free_slot(cm, hook->name, chain_fd);
	if (hook->slot < 0)
		return hook->slot;
	snprintf(name, sizeof(name), "cm_slot__%s", hook->name);
	err = cm_object_set_u32(cm, object, ".rodata.cm_slots", name, hook->slot);
	if (err)
		return err;
	snprintf(name, sizeof(name), "cm_chain__%s", hook->name);
	map = cm_object_map(object, name);
	err = map ? bpf_map__reuse_fd(map, chain_fd) : -ENOENT;
	return err ? cm_fail(cm, err, "%s: cannot use the chain of hook %s", object->pack->name,
			     hook->name)
		   : 0;
}

static int prepare_maps(struct cm *cm, struct cm_object *object, bool native)
{
	_cleanup_close_ int events_fd = -1;
	uint32_t tasks = max_tasks();
	struct bpf_map *map;
	struct cm_state *state;
	size_t i, size;
	int err, *values;

	err = cm_events_open(cm, true, &events_fd);
	if (err)
		return err;
	bpf_object__for_each_map(map, object->bpf) {
		err = bpf_map__max_entries(map) == CM_PER_TASK
			      ? bpf_map__set_max_entries(map, tasks)
			      : 0;
		if (!err && !strcmp(bpf_map__name(map), "cm_events"))
			err = bpf_map__reuse_fd(map, events_fd);
		if (err)
			return cm_fail(cm, err, "%s: cannot prepare map %s: %s", object->pack->name,
				       bpf_map__name(map), strerror(-err));
	}
	err = cm_object_set_u32(cm, object, ".rodata.cm_config", "cm_native", native);
	if (err)
		return err;
	state = cm_section(cm_object_map(object, ".data.cm_state"), &size);
	state->abi = CM_ABI;
	state->phase = CM_PHASE_ENABLING;
	values = (int *)(state + 1);
	for (i = 0; i < cm_object_nr_values(object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(object, i);

		values[knob->index] = cm_knob_off(knob);
		values[object->row_knobs + knob->index] = cm_knob_off(knob);
	}
	return 0;
}

#define SYMBOL_PREFIX "cm_symbol__"
#define MAX_SYMBOLS   8

/* Addresses of the native LSM's variables, for the programs to read; 0 where it is not active. */
static int set_symbols(struct cm *cm, struct cm_object *object)
{
	const char *wanted[MAX_SYMBOLS + 1] = {}, *section = ".rodata.cm_symbols";
	unsigned long long address;
	char *line = NULL, *name;
	size_t size = 0, i;
	FILE *symbols;

	for (i = 0; i < MAX_SYMBOLS; i++)
		wanted[i] = cm_object_variable_name(object, section, i);
	symbols = fopen("/proc/kallsyms", "re");
	if (!symbols)
		return cm_fail(cm, -errno, "cannot read /proc/kallsyms: %s", strerror(errno));
	while (getline(&line, &size, symbols) > 0) { /* "address type name" */
		address = strtoull(line, &name, 16);
		if (strlen(name) < 4)
			continue;
		name += 3;
		name[strcspn(name, "\t\n")] = '\0';
		for (i = 0; wanted[i]; i++)
			if (!strcmp(wanted[i] + strlen(SYMBOL_PREFIX), name))
				cm_object_set(cm, object, section, wanted[i], &address,
					      sizeof(address));
	}
	free(line);
	fclose(symbols);
	return 0;
}

static bool is_hook_program(const struct bpf_program *program)
{
	return !strncmp(bpf_program__section_name(program), "lsm/", 4);
}

static int pin_maps(struct cm *cm, struct cm_object *object, const char *dir)
{
	char path[PATH_MAX];
	size_t i;
	int err;

	for (i = 0; i < sizeof(pinned_maps) / sizeof(*pinned_maps); i++) {
		err = cm_pin_path(cm, path, "%s/%s", dir, pinned_maps[i].pin);
		if (!err)
			err = cm_pin_put(cm, bpf_map__fd(cm_object_map(object, pinned_maps[i].map)),
					 path);
		if (err)
			return err;
	}
	for (i = 0; i < object->nr_hooks; i++) {
		err = cm_pin_path(cm, path, "%s/prog_%s", dir, object->hooks[i].name);
		if (!err)
			err = cm_pin_put(cm, bpf_program__fd(object->hooks[i].program), path);
		if (err)
			return err;
	}
	return 0;
}

/* Under a name that is not a pack's until all of it is there. */
static int pin_all(struct cm *cm, struct cm_object *object)
{
	char staging[PATH_MAX], final[PATH_MAX], dir[64];
	int err;

	snprintf(dir, sizeof(dir), "packs/new_%s", object->pack->name);
	err = cm_pin_path(cm, staging, "%s", dir);
	if (!err)
		err = cm_pin_path(cm, final, "packs/%s", object->pack->name);
	if (!err)
		err = cm_pin_mkdir(cm, staging);
	if (!err)
		err = pin_maps(cm, object, dir);
	if (!err)
		err = cm_shared_pin(cm, object, dir);
	if (err)
		return err;
	if (rename(staging, final))
		return cm_fail(cm, -errno, "cannot rename %s: %s", staging, strerror(errno));
	return 0;
}

/* What libbpf found for the pack's program serves the dispatcher too. */
static int hook_btf_id(struct cm *cm, const struct cm_hook *hook, uint32_t *ret)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(bpf_program__fd(hook->program), &info, &len);

	if (err)
		return cm_fail(cm, err, "cannot look at the program of hook %s: %s", hook->name,
			       strerror(-err));
	*ret = info.attach_btf_id;
	return 0;
}

/* A program on socket addresses runs for all cgroups; its rule decides by scope. */
static struct bpf_link *attach(struct cm *cm, struct bpf_program *program)
{
	int fd;

	if (strncmp(bpf_program__section_name(program), "cgroup/", 7))
		return bpf_program__attach(program);
	fd = cm_cgroup_root(cm);
	if (fd >= 0)
		return bpf_program__attach_cgroup(program, fd);
	errno = -fd;
	return NULL;
}

static int attach_all(struct cm *cm, struct cm_object *object)
{
	struct bpf_program *program;
	uint32_t btf_id = 0;
	struct bpf_link *link;
	char path[PATH_MAX];
	size_t i;
	int err;

	bpf_object__for_each_program(program, object->bpf) {
		if (is_hook_program(program) || !bpf_program__autoload(program))
			continue;
		link = attach(cm, program);
		if (!link)
			return cm_fail(cm, -errno, "%s: cannot attach %s: %s", object->pack->name,
				       bpf_program__name(program), strerror(errno));
		err = cm_pin_path(cm, path, "packs/%s/link_%s", object->pack->name,
				  bpf_program__name(program));
		if (!err)
			err = cm_pin_put(cm, bpf_link__fd(link), path);
		bpf_link__destroy(link);
		if (err)
			return err;
	}
	for (i = 0; i < object->nr_hooks; i++) {
		const struct cm_hook *hook = &object->hooks[i];
		_cleanup_close_ int chain_fd = -1;

		err = cm_chain_open(cm, hook->name, &chain_fd);
		if (!err)
			err = hook_btf_id(cm, hook, &btf_id);
		if (!err)
			err = cm_chain_attach(cm, hook->name, chain_fd, btf_id);
		if (!err)
			err = cm_chain_put(cm, hook->name, chain_fd, hook->slot,
					   bpf_program__fd(hook->program));
		if (err)
			return err;
	}
	return 0;
}

static int make_directories(struct cm *cm)
{
	char path[PATH_MAX];
	int err = cm_pin_mkdir(cm, CM_PINS);

	if (!err)
		err = cm_pin_path(cm, path, "hooks");
	if (!err)
		err = cm_pin_mkdir(cm, path);
	if (!err)
		err = cm_pin_path(cm, path, "packs");
	return err ? err : cm_pin_mkdir(cm, path);
}

int cm_pack_load(struct cm *cm, struct cm_object *object)
{
	bool native = cm_native_active(object->pack->native_lsm);
	size_t i;
	int err = cm_probe_lsm(cm);

	if (!err)
		err = make_directories(cm);
	for (i = 0; !err && i < object->nr_hooks; i++)
		err = prepare_hook(cm, object, &object->hooks[i]);
	if (!err)
		err = prepare_maps(cm, object, native);
	if (!err && native)
		err = set_symbols(cm, object);
	if (!err)
		err = cm_shared_prepare(cm, object);
	if (err)
		return err;
	err = bpf_object__load(object->bpf);
	if (err)
		return cm_fail(cm, err,
			       "the kernel refuses pack %s: %s (CHECMATE_DEBUG=1 shows why)",
			       object->pack->name, strerror(-err));
	err = pin_all(cm, object);
	return err ? err : attach_all(cm, object);
}

static int drop_from_chain(struct cm *cm, const char *name, void *dir)
{
	struct bpf_prog_info info = {};
	_cleanup_close_ int fd = -1;
	uint32_t len = sizeof(info);
	char path[PATH_MAX];
	int err;

	if (strncmp(name, "prog_", 5))
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", (char *)dir, name) >= (int)sizeof(path))
		return cm_fail(cm, -ENAMETOOLONG, "pin name is too long: %s", name);
	fd = cm_pin_get(path);
	if (fd < 0)
		return cm_fail(cm, fd, "cannot open %s: %s", path, strerror(-fd));
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return cm_fail(cm, err, "cannot look at %s: %s", path, strerror(-err));
	return cm_chain_drop(cm, name + 5, info.id, info.attach_btf_id);
}

static int sweep_root(struct cm *cm)
{
	char events[PATH_MAX], path[PATH_MAX];
	int err = cm_chain_sweep(cm);

	if (!err)
		err = cm_shared_sweep(cm);
	if (!err)
		err = cm_pin_path(cm, path, "packs");
	if (!err)
		err = cm_pin_path(cm, events, "events");
	if (err || (rmdir(path) && errno == ENOTEMPTY))
		return err; /* other packs are in force */
	cm_door_unload();
	err = cm_pin_remove(cm, events);
	return err ? err : cm_pin_remove(cm, CM_PINS);
}

/* Whatever there is of it, in any phase. */
int cm_pack_unload(struct cm *cm, const char *name)
{
	char dir[PATH_MAX], staging[PATH_MAX];
	struct cm_object *object;
	struct cm_state *state;
	size_t size;
	int err;

	err = cm_pin_path(cm, dir, "packs/%s", name);
	if (!err)
		err = cm_pin_path(cm, staging, "packs/new_%s", name);
	if (err)
		return err;
	state = cm_pack_map(name, "state", &size);
	if (state) {
		__atomic_store_n(&state->phase, CM_PHASE_DISABLING, __ATOMIC_SEQ_CST);
		munmap(state, size);
	}
	if (!cm_object_open(cm, name, &object)) {
		cm_door_remove(cm, object);
		cm_object_free(object);
	}
	err = cm_pin_each(cm, dir, drop_from_chain, dir);
	if (!err)
		err = cm_pin_remove(cm, dir);
	if (!err)
		err = cm_pin_remove(cm, staging);
	return err ? err : sweep_root(cm);
}

struct survey {
	size_t packs;
	bool incomplete;
};

static int check_pack(struct cm *cm, const char *name, void *arg)
{
	struct survey *survey = arg;
	struct cm_state *state;
	size_t size;

	(void)cm;
	survey->packs++;
	state = strncmp(name, "new_", 4) ? cm_pack_map(name, "state", &size) : NULL;
	if (!state || (state->abi == CM_ABI && (state->phase != CM_PHASE_ENABLED || state->dirty)))
		survey->incomplete = true;
	if (state)
		munmap(state, size);
	return 0;
}

/* A chain that nothing is attached for. */
static int check_hook(struct cm *cm, const char *name, void *arg)
{
	struct survey *survey = arg;
	char link[PATH_MAX];

	if (cm_pin_path(cm, link, "hooks/%s/link", name) || !cm_pin_exists(link))
		survey->incomplete = true;
	return 0;
}

bool cm_pack_needs_recovery(struct cm *cm)
{
	char packs[PATH_MAX], hooks[PATH_MAX];
	struct survey survey = {};

	if (!cm_pin_exists(CM_PINS))
		return false;
	if (cm_pin_path(cm, packs, "packs") || cm_pin_each(cm, packs, check_pack, &survey) ||
	    cm_pin_path(cm, hooks, "hooks") || cm_pin_each(cm, hooks, check_hook, &survey))
		return true;
	/* Without a pack the rest is what the last one, or the first, has left behind. */
	return survey.incomplete || !survey.packs || cm_shared_needs_sweep(cm);
}

static int recover_pack(struct cm *cm, const char *name, void *arg)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_state *state;
	uint32_t phase, abi;
	size_t size, i;
	bool undo;
	int err;

	(void)arg;
	if (!strncmp(name, "new_", 4))
		return cm_pack_unload(cm, name + 4);
	state = cm_pack_map(name, "state", &size);
	if (!state)
		return cm_pack_unload(cm, name);
	phase = state->phase;
	abi = state->abi;
	munmap(state, size);
	if (abi == CM_ABI && phase != CM_PHASE_ENABLED)
		return cm_pack_unload(cm, name);
	err = cm_pack_open(cm, name, &pack);
	if (err || !pack->state->dirty)
		return err;
	/* Enabling for the whole system had not come to its end: undo the values it had set. */
	undo = pack->state->dirty == 2 && !pack->state->system_enabled;
	for (i = 0; undo && i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);

		pack->system[knob->index] = cm_knob_off(knob);
	}
	return cm_scopes_derive(cm, pack);
}

int cm_pack_recover(struct cm *cm)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs");

	if (!err)
		err = cm_pin_each(cm, path, recover_pack, NULL);
	if (!err && cm_pin_exists(CM_PINS))
		err = sweep_root(cm);
	return err;
}
