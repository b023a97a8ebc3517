// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy's way into the kernel and out of it. Pinned as packs/NAME/: its maps, its hook programs
 * and the arrays behind them (chain.c), the links of auxiliary programs, programs that only we run,
 * its object (store.c).
 *
 * It is built under building/, where an interrupted call's work is simply removed. In packs/, the
 * state map's phase tells: anything but "enabled" is removed by the next call. Values are all off
 * until the last step of enabling, so a pack that is half there denies nothing. See recover.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "ruleset.h"

static const struct {
	const char *map, *pin;
} known_maps[] = {
	{ ".data.cm_state", "state" },
	{ "cm_scopes", "scopes" },
	{ "cm_rows", "rows" },
	{ ".bss.cm_cache", "cache" },
	{ ".bss.cm_counters", "counters" },
	{ CM_LEVELS_MAP, "levels" },
};

const char *cm_map_pin(const struct cm_object *object, const struct bpf_map *map, char *buf,
		       size_t size)
{
	const char *name = cm_object_map_name(object, map);
	char *c;
	size_t i;

	if (!strcmp(name, "cm_events") || cm_layout_is_new(object, map))
		return NULL;
	for (i = 0; i < sizeof(known_maps) / sizeof(*known_maps); i++)
		if (!strcmp(name, known_maps[i].map))
			return known_maps[i].pin;
	snprintf(buf, size, "%s_%s", cm_shared_is(object, map) ? "shared" : "map", name);
	for (c = buf; *c; c++)
		if (*c == '.')
			*c = '_';
	return buf;
}

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

/* The map that packs/NAME has in its place, if the new one is to go on with it. */
static int take_over(struct cm *cm, const struct cm_object *object, struct bpf_map *map)
{
	_cleanup_close_ int fd = -1;
	char name[128], path[PATH_MAX];
	const char *pin = cm_map_pin(object, map, name, sizeof(name));
	int err;

	if (!pin)
		return 0;
	err = cm_pin_path(cm, path, "packs/%s/%s", object->name, pin);
	if (err)
		return err;
	fd = cm_pin_get(path);
	if (fd == -ENOENT)
		return 0; /* the old one had none */
	err = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
	return err ? cm_fail(cm, err, "%s: cannot take over its map %s: %s", object->name, pin,
			     strerror(-err))
		   : 0;
}

static int prepare_map(struct cm *cm, const struct cm_object *object, struct bpf_map *map,
		       enum cm_build how, bool keep_counters)
{
	_cleanup_close_ int events_fd = -1;
	int err = 0;

	if (!strcmp(bpf_map__name(map), "cm_events")) {
		err = cm_events_open(cm, true, &events_fd);
		if (err)
			return err;
		err = bpf_map__reuse_fd(map, events_fd);
	} else if (bpf_map__max_entries(map) == CM_PER_TASK) {
		err = bpf_map__set_max_entries(map, max_tasks());
	}
	if (err)
		return cm_fail(cm, err, "%s: cannot prepare map %s: %s", object->name,
			       bpf_map__name(map), strerror(-err));
	if (cm_shared_is(object, map))
		return cm_shared_use(cm, object, map);
	if (how == CM_BUILD_NEW ||
	    (!keep_counters && map == cm_object_map(object, ".bss.cm_counters")))
		return 0;
	return take_over(cm, object, map);
}

static void prepare_state(struct cm_object *object)
{
	struct cm_state *state;
	int *values;
	size_t i, size;

	state = cm_section(cm_object_map(object, ".data.cm_state"), &size);
	state->abi = CM_ABI;
	state->phase = CM_PHASE_ENABLING;
	values = (int *)(state + 1);
	for (i = 0; i < cm_object_nr_values(object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(object, i);

		values[knob->index] = cm_knob_off(knob);
		values[object->row_knobs + knob->index] = cm_knob_off(knob);
	}
}

static int prepare(struct cm *cm, struct cm_object *object, enum cm_build how, bool keep_counters)
{
	bool native = cm_native_active(object->pack->native_lsm);
	struct bpf_program *program;
	struct bpf_map *map;
	int err = 0;

	if (how == CM_BUILD_NEW)
		prepare_state(object);
	bpf_object__for_each_map(map, object->bpf)
		if (!err)
			err = prepare_map(cm, object, map, how, keep_counters);
	if (!err)
		err = cm_object_set_u32(cm, object, ".rodata.cm_config", "cm_native", native);
	if (!err && native)
		err = set_symbols(cm, object);
	bpf_object__for_each_program(program, object->bpf)
		if (how == CM_BUILD_COPY && !is_hook_program(program))
			bpf_program__set_autoload(program, false);
	return err;
}

/* Counts go on by name where the set of counters is another. */
static int copy_counters(struct cm *cm, const struct cm_object *old, const struct cm_object *new)
{
	static const char section[] = ".bss.cm_counters";
	struct bpf_map *map = cm_object_map(new, section);
	_cleanup_free_ char *from = NULL, *to = NULL;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	const char *variable;
	uint32_t zero = 0;
	size_t i;
	int err, offset;

	from = calloc(1, bpf_map__value_size(cm_object_map(old, section)) + 1);
	to = calloc(1, bpf_map__value_size(map) + 1);
	if (!from || !to)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = cm_pin_path(cm, path, "packs/%s/counters", old->name);
	if (err)
		return err;
	fd = cm_pin_get(path);
	err = fd < 0 ? fd : bpf_map_lookup_elem(fd, &zero, from);
	for (i = 0; (variable = cm_object_variable_name(new, section, i)); i++) {
		offset = cm_object_variable(old, section, variable);
		if (offset >= 0)
			memcpy(to + cm_object_variable(new, section, variable), from + offset,
			       CM_CPUS * CM_COUNTERS * sizeof(uint64_t));
	}
	if (!err)
		err = bpf_map_update_elem(bpf_map__fd(map), &zero, to, BPF_ANY);
	return err ? cm_fail(cm, err, "%s: cannot go on with its counters: %s", new->name,
			     strerror(-err))
		   : 0;
}

static int pin_maps(struct cm *cm, struct cm_object *object, const char *dir)
{
	char path[PATH_MAX], name[128];
	struct bpf_map *map;
	const char *pin;
	int err = 0;

	bpf_object__for_each_map(map, object->bpf) {
		pin = cm_map_pin(object, map, name, sizeof(name));
		if (!pin)
			continue;
		err = cm_pin_path(cm, path, "%s/%s", dir, pin);
		if (!err)
			err = cm_pin_put(cm, bpf_map__fd(map), path);
		if (err)
			return err;
	}
	return 0;
}

static int pin_hook(struct cm *cm, struct cm_object *object, const struct cm_hook *hook,
		    const char *dir)
{
	char path[PATH_MAX], next[sizeof("cm_next__") + sizeof(hook->name)];
	int err = cm_pin_path(cm, path, "%s/next_%s", dir, hook->name);

	snprintf(next, sizeof(next), "cm_next__%s", hook->name);
	if (!err)
		err = cm_pin_put(cm, bpf_map__fd(cm_object_map(object, next)), path);
	if (!err)
		err = cm_pin_path(cm, path, "%s/%s%s", dir, cm_demand_prefix(object, hook->name),
				  hook->name);
	return err ? err : cm_pin_put(cm, bpf_program__fd(hook->program), path);
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

/* One that nothing in the kernel runs: it waits for whoever has its pin. */
static int pin_program(struct cm *cm, struct bpf_program *program, const char *dir)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s/run_%s", dir, bpf_program__name(program));

	return err ? err : cm_pin_put(cm, bpf_program__fd(program), path);
}

/* CM_ON_REQUEST() of the SDK: attached if the one it replaces is. */
static bool is_on_request(const struct cm_object *object, const struct bpf_program *program)
{
	return cm_object_is_marked(object, "cm_on_request", bpf_program__name(program));
}

static int is_attached(struct cm *cm, const struct cm_object *object,
		       const struct bpf_program *program, bool *ret)
{
	char path[PATH_MAX];
	int err =
		cm_pin_path(cm, path, "packs/%s/link_%s", object->name, bpf_program__name(program));

	*ret = !err && cm_pin_exists(path);
	return err;
}

static int attach_auxiliary(struct cm *cm, struct cm_object *object, struct bpf_program *program,
			    const char *dir)
{
	struct bpf_link *link;
	bool is_wanted = true;
	char path[PATH_MAX];
	int err;

	if (!strcmp(bpf_program__section_name(program), "syscall"))
		return pin_program(cm, program, dir);
	if (is_on_request(object, program)) {
		err = pin_program(cm, program, dir);
		if (!err)
			err = is_attached(cm, object, program, &is_wanted);
		if (err || !is_wanted)
			return err;
	}
	link = attach(cm, program);
	if (!link)
		return cm_fail(cm, -errno, "%s: cannot attach %s: %s", object->name,
			       bpf_program__name(program), strerror(errno));
	err = cm_pin_path(cm, path, "%s/link_%s", dir, bpf_program__name(program));
	if (!err)
		err = cm_pin_put(cm, bpf_link__fd(link), path);
	bpf_link__destroy(link);
	return err;
}

/* A link or a program of packs/NAME, for the copy in building/NAME. */
static int keep_auxiliary(struct cm *cm, const char *name, void *pack)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err;

	if (strncmp(name, "link_", 5) && strncmp(name, "run_", 4))
		return 0;
	err = cm_pin_path(cm, path, "packs/%s/%s", (const char *)pack, name);
	if (err)
		return err;
	fd = cm_pin_get(path);
	if (fd < 0)
		return cm_fail(cm, fd, "cannot open %s: %s", path, strerror(-fd));
	err = cm_pin_path(cm, path, "building/%s/%s", (const char *)pack, name);
	return err ? err : cm_pin_put(cm, fd, path);
}

static int auxiliaries(struct cm *cm, struct cm_object *object, const char *dir, enum cm_build how)
{
	struct bpf_program *program;
	char path[PATH_MAX];
	int err = 0;

	if (how == CM_BUILD_COPY) {
		err = cm_pin_path(cm, path, "packs/%s", object->name);
		return err ? err : cm_pin_each(cm, path, keep_auxiliary, object->name);
	}
	bpf_object__for_each_program(program, object->bpf)
		if (!err && !is_hook_program(program) && bpf_program__autoload(program))
			err = attach_auxiliary(cm, object, program, dir);
	return err;
}

/* The programs of packs/NAME wait in their pins. */
static int attach_waiting(struct cm *cm, const struct cm_object *object,
			  const struct bpf_program *program)
{
	_cleanup_close_ int fd = -1, link = -1;
	const char *name = bpf_program__name(program);
	int root = cm_cgroup_root(cm), err;
	char path[PATH_MAX];

	err = root < 0 ? root : cm_pin_path(cm, path, "packs/%s/run_%s", object->name, name);
	if (err)
		return err;
	fd = cm_pin_get(path);
	link = fd < 0 ? fd
		      : bpf_link_create(fd, root, bpf_program__expected_attach_type(program), NULL);
	if (link < 0)
		return cm_fail(cm, link, "%s: cannot attach %s: %s", object->name, name,
			       strerror(-link));
	err = cm_pin_path(cm, path, "packs/%s/link_%s", object->name, name);
	return err ? err : cm_pin_put(cm, link, path);
}

int cm_pack_attach_on_request(struct cm *cm, const struct cm_object *object)
{
	struct bpf_program *program;
	bool is_there = false;
	int err = 0;

	bpf_object__for_each_program(program, object->bpf) {
		if (err || !is_on_request(object, program))
			continue;
		err = is_attached(cm, object, program, &is_there);
		if (!err && !is_there)
			err = attach_waiting(cm, object, program);
	}
	return err;
}

static int make_directories(struct cm *cm, const char *name)
{
	static const char *const dirs[] = { "hooks", "packs", "building" };
	char path[PATH_MAX];
	int err = cm_pin_mkdir(cm, CM_PINS);
	size_t i;

	for (i = 0; !err && i < sizeof(dirs) / sizeof(*dirs); i++) {
		err = cm_pin_path(cm, path, "%s", dirs[i]);
		if (!err)
			err = cm_pin_mkdir(cm, path);
	}
	if (!err)
		err = cm_pin_path(cm, path, "building/%s", name);
	return err ? err : cm_pin_mkdir(cm, path);
}

static int load(struct cm *cm, struct cm_object *object)
{
	struct cm_logs *logs;
	int err = cm_logs_prepare(cm, object, &logs);

	if (err)
		return err;
	err = bpf_object__load(object->bpf);
	if (err)
		err = cm_logs_fail(cm, object, logs, err);
	cm_logs_free(logs);
	return err;
}

int cm_pack_build(struct cm *cm, struct cm_object *object, enum cm_build how)
{
	_cleanup_object_ struct cm_object *old = NULL;
	bool keep_counters = how == CM_BUILD_COPY;
	char dir[64];
	size_t i;
	int err = 0;

	snprintf(dir, sizeof(dir), "building/%s", object->name);
	if (how == CM_BUILD_NEW)
		err = cm_probe_lsm_once(cm);
	else if (how == CM_BUILD_NEXT)
		err = cm_object_open(cm, object->name, &old);
	if (old)
		keep_counters = cm_layout_same_counters(old, object);
	if (!err)
		err = make_directories(cm, object->name);
	if (!err)
		err = prepare(cm, object, how, keep_counters);
	if (!err)
		err = load(cm, object);
	if (!err && old && !keep_counters)
		err = copy_counters(cm, old, object);
	if (!err)
		err = cm_store_put(cm, dir, object);
	if (!err)
		err = pin_maps(cm, object, dir);
	if (!err)
		err = cm_jump_pin(cm, object, dir);
	if (!err)
		err = cm_shared_publish(cm, object);
	for (i = 0; !err && i < object->nr_hooks; i++)
		err = pin_hook(cm, object, &object->hooks[i], dir);
	return err ? err : auxiliaries(cm, object, dir, how);
}
