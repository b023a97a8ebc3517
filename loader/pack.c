// SPDX-License-Identifier: GPL-2.0-only
/* What an administrator does with a pack: enable, disable, permissive. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nf_kernel.h"

bool cm_native_active(const char *lsm)
{
	char list[512], *token, *rest = list;

	if (!lsm[0] || cm_lsm_list(list, sizeof(list)))
		return false;
	while ((token = strsep(&rest, ",\n")))
		if (!strcmp(token, lsm))
			return true;
	return false;
}

void *cm_pack_map(const char *dir, const char *pin, size_t *ret_size)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	void *value;

	snprintf(path, sizeof(path), "%s/%s/%s", CM_PINS, dir, pin);
	fd = cm_pin_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.type != BPF_MAP_TYPE_ARRAY)
		return NULL;
	value = mmap(NULL, info.value_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (value == MAP_FAILED && errno == EPERM)
		value = mmap(NULL, info.value_size, PROT_READ, MAP_SHARED, fd, 0);
	if (value == MAP_FAILED)
		return NULL;
	*ret_size = info.value_size;
	return value;
}

/* The pages of a map's one element that a row of that size is in, and the row within them. */
struct row_pages {
	char *start;
	size_t len;
	char *row;
};

static int map_row(int fd, uint32_t row, size_t size, int protection, struct row_pages *ret)
{
	size_t at = row * size, skip = at % sysconf(_SC_PAGESIZE);

	if (row >= CM_ROWS)
		return -ERANGE;
	ret->len = skip + size;
	ret->start = mmap(NULL, ret->len, protection, MAP_SHARED, fd, at - skip);
	if (ret->start == MAP_FAILED)
		return -errno;
	ret->row = ret->start + skip;
	return 0;
}

int cm_pack_read_row(int fd, uint32_t row, void *ret, size_t size)
{
	struct row_pages pages;
	int err = map_row(fd, row, size, PROT_READ, &pages);

	if (err)
		return err;
	memcpy(ret, pages.row, size);
	munmap(pages.start, pages.len);
	return 0;
}

int cm_pack_write_row(int fd, uint32_t row, const void *bytes, size_t size)
{
	struct row_pages pages;
	int err = map_row(fd, row, size, PROT_READ | PROT_WRITE, &pages);

	if (err)
		return err;
	memcpy(pages.row, bytes, size);
	munmap(pages.start, pages.len);
	return 0;
}

static int pinned_fd(const char *pack, const char *pin)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/packs/%s/%s", CM_PINS, pack, pin);
	return cm_pin_get(path);
}

int cm_pack_map_open(struct cm *cm, const struct cm_pack *pack, const struct bpf_map *map)
{
	char name[128];
	const char *pin = cm_map_pin(pack->object, map, name, sizeof(name));
	int fd = pinned_fd(pack->name, pin);

	return fd < 0 ? cm_fail(cm, fd, "cannot open the map %s of %s: %s", pin, pack->name,
				strerror(-fd))
		      : fd;
}

void *cm_pack_map_of(const struct cm_pack *pack, const struct bpf_map *map, size_t *ret_size)
{
	char dir[64], name[128];

	snprintf(dir, sizeof(dir), "packs/%s", pack->name);
	return cm_pack_map(dir, cm_map_pin(pack->object, map, name, sizeof(name)), ret_size);
}

int cm_pack_open(struct cm *cm, const char *name, struct cm_pack **ret)
{
	_cleanup_pack_ struct cm_pack *pack = calloc(1, sizeof(*pack));
	const struct bpf_map *map;
	char dir[64];
	size_t need;
	int err;

	if (!pack)
		return cm_fail(cm, -ENOMEM, "out of memory");
	pack->scopes_fd = pack->rows_fd = pack->cache_fd = pack->levels_fd = pack->lockouts_fd = -1;
	err = cm_object_look(cm, name, &pack->object);
	if (err)
		return err;
	strcpy(pack->name, pack->object->name);
	pack->scopes_fd = pinned_fd(name, "scopes");
	if (pack->scopes_fd < 0)
		return cm_fail(cm, -ENOENT, "pack %s is not enabled", name);
	pack->rows_fd = pinned_fd(name, "rows");
	pack->cache_fd = pinned_fd(name, "cache");
	if (cm_object_map(pack->object, CM_LEVELS_MAP))
		pack->levels_fd = pinned_fd(name, "levels");
	map = cm_object_map(pack->object, CM_LOCKOUTS_MAP);
	if (map && bpf_map__value_size(map) == CM_ROWS * sizeof(struct cm_lockout)) {
		pack->lockouts_fd = cm_pack_map_open(cm, pack, map);
		if (pack->lockouts_fd < 0)
			return pack->lockouts_fd;
	}
	snprintf(dir, sizeof(dir), "packs/%s", name);
	pack->state = cm_pack_map(dir, "state", &pack->state_size);
	need = 2 * pack->object->row_knobs * sizeof(int);
	if (pack->rows_fd < 0 || pack->cache_fd < 0 || !pack->state || pack->state->abi != CM_ABI ||
	    pack->state_size < sizeof(*pack->state) + need)
		return cm_fail(cm, -EPROTO,
			       "%s/packs/%s was made by another checmate: disable it with that one",
			       CM_PINS, name);
	pack->ceiling = (int *)(pack->state + 1);
	pack->system = pack->ceiling + pack->object->row_knobs;
	pack->native = cm_native_active(pack->object->pack->native_lsm);
	*ret = pack;
	pack = NULL;
	return 0;
}

void cm_pack_free(struct cm_pack *pack)
{
	if (!pack)
		return;
	if (pack->state)
		munmap(pack->state, pack->state_size);
	if (pack->scopes_fd >= 0)
		close(pack->scopes_fd);
	if (pack->rows_fd >= 0)
		close(pack->rows_fd);
	if (pack->cache_fd >= 0)
		close(pack->cache_fd);
	if (pack->levels_fd >= 0)
		close(pack->levels_fd);
	if (pack->lockouts_fd >= 0)
		close(pack->lockouts_fd);
	cm_object_free(pack->object);
	free(pack);
}

static void set_in_force(struct cm_pack *pack, int value)
{
	int *in_force = &pack->system[pack->object->in_force.index];

	__atomic_store_n(in_force, value, __ATOMIC_SEQ_CST);
}

static int refuse_native_permissive(struct cm *cm, const struct cm_pack *pack)
{
	return cm_fail(cm, -EPERM,
		       "the kernel's own %s enforces the system-wide value: lower it instead",
		       pack->object->pack->native_lsm);
}

int cm_latch_refuse(struct cm *cm, const struct cm_knob_decl *knob, int value, const char *where)
{
	char name[CM_PATH_LEN];

	cm_knob_name(knob, name);
	return cm_fail(cm, -EPERM, "%s is %d%s%s: that holds until reboot", name, value,
		       where ? " in " : "", where ? where : "");
}

/* A default never loosens what someone has set before. */
static int placed_value(const struct cm_placement *place, const struct cm_knob_decl *knob, int now)
{
	int value = place->values[knob->index];

	return place->given[knob->index] ? value : cm_knob_strict(knob, value, now);
}

/* Before any of it is changed: a value that was written before the pack is enabled may be held. */
static int check_held(struct cm *cm, struct cm_pack *pack, const struct cm_placement *place)
{
	int err = 0, now, value;
	size_t i;

	if (place->mode == CM_PERMISSIVE && cm_system_in_force(pack))
		err = cm_seal_refuse(cm, pack->object, "the values of %s cannot become permissive",
				     pack->name);
	for (i = 0; !err && i < pack->object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &pack->object->knobs[i];

		err = cm_system_get(cm, pack, knob, &now);
		if (err)
			return err;
		value = placed_value(place, knob, now);
		err = cm_knob_latched(knob, now) && value != now
			      ? cm_latch_refuse(cm, knob, now, NULL)
			      : cm_seal_check_value(cm, pack->object, knob, NULL, now, value);
	}
	return err;
}

/* The values that hold until reboot, or the others. */
static int set_placed(struct cm *cm, struct cm_pack *pack, const struct cm_placement *place,
		      bool latched)
{
	int err = 0, now, value;
	size_t i;

	for (i = 0; !err && i < pack->object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &pack->object->knobs[i];

		err = cm_system_get(cm, pack, knob, &now);
		if (err)
			return err;
		value = placed_value(place, knob, now);
		if (value != now && cm_knob_latched(knob, value) == latched)
			err = cm_system_set(cm, pack, knob, value);
	}
	return err;
}

static int enable_system(struct cm *cm, struct cm_pack *pack, const struct cm_placement *place)
{
	int err;

	if (pack->state->system_enabled)
		return cm_fail(cm, -EEXIST, "pack %s is already enabled system-wide", pack->name);
	if (pack->native && place->mode == CM_PERMISSIVE)
		return refuse_native_permissive(cm, pack);
	err = check_held(cm, pack, place);
	if (!err)
		err = cm_scope_clear(cm, pack, 0);
	if (err)
		return err;
	if (!pack->native)
		__atomic_store_n(&pack->state->dirty, 2, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pack->state->system_mode, place->mode, __ATOMIC_SEQ_CST);
	err = set_placed(cm, pack, place, false);
	if (!err) /* last, as they seal, and cannot be taken back */
		err = set_placed(cm, pack, place, true);
	if (err)
		return err;
	set_in_force(pack, 1);
	__atomic_store_n(&pack->state->system_enabled, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pack->state->dirty, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static int enable_cgroup(struct cm *cm, struct cm_pack *pack, uint64_t id, const char *path,
			 const struct cm_placement *place)
{
	struct cm_scope_record record;

	if (!cm_scope_find(pack, id, &record))
		return cm_fail(cm, -EEXIST, "pack %s is already enabled in %s", pack->name,
			       place->cgroup);
	memset(&record, 0, sizeof(record));
	record.id = id;
	record.scope.mode = place->mode;
	memcpy(record.values, place->values, sizeof(record.values));
	return cm_scope_write(cm, pack, path, &record);
}

static bool is_enabled(const char *name)
{
	int fd = pinned_fd(name, "scopes");

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* In one more scope; the pack is loaded. */
static int enable_scope(struct cm *cm, const char *name, const struct cm_placement *place)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	uint64_t id = CM_CGROUP_ROOT;
	char path[PATH_MAX];
	int err = cm_pack_open(cm, name, &pack);

	if (!err && place->cgroup)
		err = cm_cgroup_id(cm, place->cgroup, &id, path);
	if (err)
		return err;
	return id == CM_CGROUP_ROOT ? enable_system(cm, pack, place)
				    : enable_cgroup(cm, pack, id, path, place);
}

/* Phase "enabled", files under /proc/sys. */
static int commit(struct cm *cm, const char *name, bool fresh)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	int err = cm_pack_open(cm, name, &pack);

	if (err)
		return err;
	cm_door_add(cm, pack); /* part of what is undone if the last line is not reached */
	if (fresh)
		cm_door_reseal(cm, pack);
	__atomic_store_n(&pack->state->phase, CM_PHASE_ENABLED, __ATOMIC_SEQ_CST);
	return 0;
}

int cm_pack_place(struct cm *cm, struct cm_object *object, const struct cm_placement *places,
		  size_t nr)
{
	char name[CM_NAME_LEN], why[sizeof(cm->error)];
	bool loaded = false;
	size_t i;
	int err = 0;

	memcpy(name, object->name, sizeof(name));
	if (!is_enabled(name)) {
		if (cm_is_builtin(name)) /* a file's are looked at before */
			err = cm_policy_check_names(cm, object);
		if (err)
			return err;
		err = cm_pack_load(cm, object);
		loaded = true;
	}
	for (i = 0; !err && i < nr; i++)
		err = enable_scope(cm, name, &places[i]);
	if (!err)
		err = commit(cm, name, loaded);
	if (err && loaded) { /* the reason is worth more than what undoing it may say */
		memcpy(why, cm->error, sizeof(why));
		cm_pack_unload(cm, name);
		memcpy(cm->error, why, sizeof(why));
	}
	return err;
}

int cm_pack_enable(struct cm *cm, const char *name, const char *cgroup, enum cm_mode mode,
		   const char *const *settings)
{
	_cleanup_object_ struct cm_object *object = NULL;
	char path[PATH_MAX], given[CM_KNOBS_MAX];
	int values[CM_KNOBS_MAX], err;
	struct cm_placement place = {
		.cgroup = cgroup, .mode = mode, .values = values, .given = given
	};
	uint64_t id;

	err = cm_lock_refuse(cm, "enable a pack");
	if (!err)
		err = cm_object_open(cm, name, &object);
	if (!err)
		err = cm_settings_parse(cm, object, settings, values, given);
	if (!err && cgroup)
		err = cm_cgroup_id(cm, cgroup, &id, path);
	return err ? err : cm_pack_place(cm, object, &place, 1);
}

static int check_latches(struct cm *cm, const struct cm_pack *pack, const int *values,
			 const char *where)
{
	size_t i;

	for (i = 0; i < pack->object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &pack->object->knobs[i];

		if (cm_knob_latched(knob, values[knob->index]))
			return cm_latch_refuse(cm, knob, values[knob->index], where);
	}
	return 0;
}

/* The native LSM keeps its own value whatever becomes of the pack. */
static int check_system_latches(struct cm *cm, const struct cm_pack *pack)
{
	return pack->native ? 0 : check_latches(cm, pack, pack->system, NULL);
}

static void note_native(struct cm *cm, const struct cm_pack *pack)
{
	char name[CM_PATH_LEN];
	size_t i;
	int value;

	for (i = 0; pack->native && i < pack->object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &pack->object->knobs[i];

		cm_knob_name(knob, name);
		if (!cm_system_get(cm, (struct cm_pack *)pack, knob, &value) &&
		    value != cm_knob_off(knob))
			cm_note(cm, "%s stays %d: the kernel's own %s enforces it", name, value,
				pack->object->pack->native_lsm);
	}
}

int cm_pack_check_latches(struct cm *cm, struct cm_pack *pack)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	char path[PATH_MAX];
	size_t nr, i;
	int err;

	err = check_system_latches(cm, pack);
	if (!err)
		err = cm_scopes_read(cm, pack, &records, &nr);
	for (i = 0; !err && i < nr; i++) {
		err = check_latches(cm, pack, records[i].values, "a cgroup");
		if (err && !cm_cgroup_path(cm, records[i].id, path, sizeof(path)))
			check_latches(cm, pack, records[i].values, path);
	}
	return err;
}

static int disable_everywhere(struct cm *cm, struct cm_pack *pack)
{
	int err = cm_pack_check_latches(cm, pack);

	if (err)
		return err;
	note_native(cm, pack);
	return cm_pack_unload(cm, pack->name);
}

static int disable_system(struct cm *cm, struct cm_pack *pack)
{
	size_t i;
	int err;

	if (!pack->state->system_enabled)
		return cm_fail(cm, -ENOENT, "pack %s is not enabled system-wide", pack->name);
	err = check_system_latches(cm, pack);
	if (err)
		return err;
	note_native(cm, pack);
	for (i = 0; !pack->native && i < pack->object->nr_knobs; i++) {
		err = cm_system_set(cm, pack, &pack->object->knobs[i],
				    cm_knob_off(&pack->object->knobs[i]));
		if (err)
			return err;
	}
	set_in_force(pack, 0);
	__atomic_store_n(&pack->state->system_mode, CM_ENFORCE, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pack->state->system_enabled, 0, __ATOMIC_SEQ_CST);
	return cm_ruleset_clear(cm, pack, 0);
}

static int find_scope(struct cm *cm, struct cm_pack *pack, const char *cgroup, uint64_t id,
		      struct cm_scope_record *record)
{
	if (cm_scope_find(pack, id, record))
		return cm_fail(cm, -ENOENT, "pack %s is not enabled in %s", pack->name, cgroup);
	return 0;
}

int cm_pack_disable(struct cm *cm, const char *name, const char *cgroup)
{
	_cleanup_free_ struct cm_scope_record *left = NULL;
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_scope_record record;
	char path[PATH_MAX];
	uint64_t id;
	size_t nr;
	int err;

	err = cm_lock_refuse(cm, "withdraw a policy");
	if (!err)
		err = cm_pack_open(cm, name, &pack);
	if (!err)
		err = cm_seal_refuse(cm, pack->object, "pack %s cannot be withdrawn", name);
	if (err || !cgroup)
		return err ? err : disable_everywhere(cm, pack);
	err = cm_cgroup_id(cm, cgroup, &id, path);
	if (err)
		return err;
	if (id == CM_CGROUP_ROOT) {
		err = disable_system(cm, pack);
	} else {
		err = find_scope(cm, pack, cgroup, id, &record);
		if (!err)
			err = check_latches(cm, pack, record.values, cgroup);
		if (!err)
			err = cm_scopes_read(cm, pack, &left, &nr);
		/* The last one goes with the pack, in one step that the next call can finish. */
		if (!err && (nr > 1 || pack->state->system_enabled))
			return cm_scope_remove(cm, pack, id);
		return err ? err : cm_pack_unload(cm, name);
	}
	if (!err)
		err = cm_scopes_read(cm, pack, &left, &nr);
	return err || nr ? err : cm_pack_unload(cm, name);
}

static int set_system_mode(struct cm *cm, struct cm_pack *pack, enum cm_mode mode)
{
	int err;

	if (!pack->state->system_enabled)
		return cm_fail(cm, -ENOENT, "pack %s is not enabled system-wide", pack->name);
	if (pack->native && mode == CM_PERMISSIVE)
		return refuse_native_permissive(cm, pack);
	err = mode == CM_PERMISSIVE ? check_system_latches(cm, pack) : 0;
	if (!err)
		__atomic_store_n(&pack->state->system_mode, mode, __ATOMIC_SEQ_CST);
	return err;
}

int cm_pack_change_mode(struct cm *cm, const char *name, const char *cgroup, enum cm_mode mode)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_scope_record record;
	uint64_t id = CM_CGROUP_ROOT;
	char path[PATH_MAX];
	int err;

	err = cm_lock_refuse(cm, "change a mode");
	if (!err)
		err = cm_pack_open(cm, name, &pack);
	if (!err && mode == CM_PERMISSIVE)
		err = cm_seal_refuse(cm, pack->object, "pack %s cannot become permissive", name);
	if (!err && cgroup)
		err = cm_cgroup_id(cm, cgroup, &id, path);
	if (err || id == CM_CGROUP_ROOT)
		return err ? err : set_system_mode(cm, pack, mode);
	err = find_scope(cm, pack, cgroup, id, &record);
	if (!err && mode == CM_PERMISSIVE)
		err = check_latches(cm, pack, record.values, cgroup);
	if (err)
		return err;
	record.scope.mode = mode;
	return cm_scope_write(cm, pack, path, &record);
}

int cm_pack_set_mode(struct cm *cm, const char *name, const char *cgroup, enum cm_mode mode)
{
	int err = cm_pack_change_mode(cm, name, cgroup, mode);

	if (!err && mode == CM_ENFORCE && cm_nf_is(name))
		cm_nf_end_sockets(cm, cgroup);
	return err;
}
