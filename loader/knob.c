// SPDX-License-Identifier: GPL-2.0-only
/* Knobs by name: find the pack, read and write the value where it lives. */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

int cm_settings_parse(struct cm *cm, const struct cm_object *object, const char *const *settings,
		      int *values, char *given)
{
	const struct cm_knob_decl *knob;
	char name[CM_PATH_LEN];
	const char *equals;
	struct cm_said said;
	size_t i;
	int err;

	memset(given, 0, CM_KNOBS_MAX);
	memset(values, 0, CM_KNOBS_MAX * sizeof(*values));
	for (i = 0; i < cm_object_nr_values(object); i++)
		values[cm_object_value(object, i)->index] = cm_object_value(object, i)->init;
	for (; settings && *settings; settings++) {
		equals = strchr(*settings, '=');
		if (!equals || (size_t)(equals - *settings) >= sizeof(name))
			return cm_fail(cm, -EINVAL, "'%.64s' is not KNOB=VALUE", *settings);
		snprintf(name, sizeof(name), "%.*s", (int)(equals - *settings), *settings);
		knob = cm_object_knob(object, name);
		if (!knob)
			return cm_fail(cm, -EINVAL, "pack %s has no knob '%.64s'", object->name,
				       name);
		err = cm_value_parse(cm, object, knob, equals + 1, &said);
		if (err)
			return err;
		for (i = 0; i < said.nr; i++) {
			values[said.knobs[i]->index] = said.values[i];
			given[said.knobs[i]->index] = 1;
		}
	}
	return 0;
}

struct search {
	const char *name;
	struct cm_object *found;
};

/* The object that has the knob; the short form of a name is for one pack's own settings. */
static int search_object(struct cm *cm, const char *pack, void *arg)
{
	_cleanup_object_ struct cm_object *object = NULL;
	const struct cm_knob_decl *knob;
	struct search *search = arg;
	int err;

	if (search->found)
		return 0;
	err = cm_object_look(cm, pack, &object);
	knob = err ? NULL : cm_object_knob(object, search->name);
	if (!knob)
		return err;
	if (cm_knob_is(knob, search->name)) {
		search->found = object;
		object = NULL;
	}
	return 0;
}

/* The enabled pack that has the knob. */
static int find_knob(struct cm *cm, const char *name, struct cm_pack **ret,
		     const struct cm_knob_decl **ret_knob)
{
	_cleanup_object_ struct cm_object *object = NULL;
	const struct cm_builtin *builtin;
	struct search search = { .name = name };
	int err;

	err = cm_pack_each(cm, search_object, &search);
	/* Not enabled: only to say so. */
	for (builtin = cm_builtin_packs; !err && builtin->name; builtin++)
		err = search_object(cm, builtin->name, &search);
	object = search.found;
	if (err)
		return err;
	if (!object)
		return cm_fail(cm, -ENOENT, "no knob is named '%.96s': checmate list -j names them",
			       name);
	err = cm_pack_open(cm, object->name, ret);
	if (err == -ENOENT)
		return cm_fail(cm, err, "%s: pack %s is not enabled: checmate enable %s", name,
			       object->name, object->name);
	if (!err)
		*ret_knob = cm_object_knob((*ret)->object, name);
	return err;
}

static void proc_path(const struct cm_knob_decl *knob, char *buf)
{
	snprintf(buf, PATH_MAX, "/proc/sys/%s", knob->path);
}

static int file_get(struct cm *cm, const struct cm_knob_decl *knob, int *ret)
{
	char path[PATH_MAX];
	int matched;
	FILE *file;

	proc_path(knob, path);
	file = fopen(path, "re");
	if (!file)
		return cm_fail(cm, -errno, "cannot open %s: %s", path, strerror(errno));
	matched = fscanf(file, "%d", ret);
	fclose(file);
	return matched == 1 ? 0 : cm_fail(cm, -EIO, "cannot read %s", path);
}

static int file_set(struct cm *cm, const struct cm_knob_decl *knob, int value)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], text[16];
	int len = snprintf(text, sizeof(text), "%d", value), now;

	proc_path(knob, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, text, len) == len)
		return 0;
	if (errno == EINVAL && !file_get(cm, knob, &now) && cm_knob_latched(knob, now))
		return cm_fail(cm, -EPERM, "%s is %d: that holds until reboot", path, now);
	return cm_fail(cm, -errno, "cannot write %d to %s: %s", value, path, strerror(errno));
}

int cm_system_get(struct cm *cm, struct cm_pack *pack, const struct cm_knob_decl *knob, int *ret)
{
	if (pack->native)
		return file_get(cm, knob, ret);
	*ret = __atomic_load_n(&pack->system[knob->index], __ATOMIC_SEQ_CST);
	return 0;
}

/* -EPERM if another value is stored, and holds until reboot. */
static int check_latch(struct cm *cm, const struct cm_knob_decl *knob, const char *cgroup, int now,
		       int value)
{
	return cm_knob_latched(knob, now) && value != now ? cm_latch_refuse(cm, knob, now, cgroup)
							  : 0;
}

int cm_system_set(struct cm *cm, struct cm_pack *pack, const struct cm_knob_decl *knob, int value)
{
	int err, now;

	err = cm_system_get(cm, pack, knob, &now);
	if (!err)
		err = cm_seal_check_value(cm, pack->object, knob, NULL, now, value);
	if (err)
		return err;
	/*
	 * Where there is a file, its writers are serialised by what is behind it: be one of them,
	 * except on the way back to what was, which the file of a sealed knob would refuse.
	 */
	if ((pack->native || !cm->restoring) && strcmp(cm_door_of(pack), "none"))
		return file_set(cm, knob, value);
	do {
		err = check_latch(cm, knob, NULL, now, value);
		if (err)
			return err;
	} while (!__atomic_compare_exchange_n(&pack->system[knob->index], &now, value, false,
					      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	return 0;
}

int cm_knob_get(struct cm *cm, const char *name, const char *cgroup, int *ret)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_value values[CM_KNOBS_MAX];
	const struct cm_knob_decl *knob;
	uint64_t id = CM_CGROUP_ROOT;
	char path[PATH_MAX];
	int err, system;

	err = find_knob(cm, name, &pack, &knob);
	if (!err && cgroup)
		err = cm_cgroup_id(cm, cgroup, &id, path);
	if (!err)
		err = cm_system_get(cm, pack, knob, &system);
	if (!err && id != CM_CGROUP_ROOT) {
		err = cm_scope_values(cm, pack, path, values);
		system = cm_knob_strict(knob, system, values[knob->index].shadow);
	}
	if (!err)
		*ret = system;
	return err;
}

static int set_in_cgroup(struct cm *cm, struct cm_pack *pack, const struct cm_said *said,
			 const char *cgroup, uint64_t id, const char *path)
{
	struct cm_scope_record record;
	int *own, err = 0;
	size_t i;

	if (cm_scope_find(pack, id, &record))
		return cm_fail(cm, -ENOENT,
			       "pack %s is not enabled in %s: checmate enable %s --cgroup %s",
			       pack->name, cgroup, pack->name, cgroup);
	for (i = 0; !err && i < said->nr; i++) {
		own = &record.values[said->knobs[i]->index];
		err = check_latch(cm, said->knobs[i], cgroup, *own, said->values[i]);
		if (!err)
			err = cm_seal_check_value(cm, pack->object, said->knobs[i], cgroup, *own,
						  said->values[i]);
		*own = said->values[i];
	}
	return err ? err : cm_scope_write(cm, pack, path, &record);
}

static bool is_tightening(const struct cm_knob_decl *knob, int from, int to)
{
	return cm_knob_strict(knob, from, to) == to;
}

/* What was written before a write failed, the last one first. */
static void take_back(struct cm *cm, struct cm_pack *pack, const struct cm_said *said,
		      const int *before, const size_t *written, size_t nr)
{
	bool restoring = cm->restoring;
	char why[sizeof(cm->error)];

	memcpy(why, cm->error, sizeof(why));
	cm->restoring = true;
	while (nr--)
		cm_system_set(cm, pack, said->knobs[written[nr]], before[written[nr]]);
	cm->restoring = restoring;
	memcpy(cm->error, why, sizeof(why));
}

/*
 * Several values are written one after the other: first those that become stricter, then those that
 * become looser. So until the first part is done what is stored is at least as strict as the old
 * values, and from there on as the new ones; it may be stricter than either for that moment. (A
 * rule that reads one value before all this and another one after it has a mixture, in any order.)
 */
static int set_in_system(struct cm *cm, struct cm_pack *pack, const struct cm_said *said)
{
	int before[sizeof(said->values) / sizeof(said->values[0])], err = 0;
	size_t written[sizeof(before) / sizeof(before[0])], nr = 0, i;
	int pass;

	for (i = 0; !err && i < said->nr; i++) {
		err = cm_system_get(cm, pack, said->knobs[i], &before[i]);
		/* A single one is checked where it is written. */
		if (!err && said->nr > 1)
			err = check_latch(cm, said->knobs[i], NULL, before[i], said->values[i]);
		if (!err && said->nr > 1)
			err = cm_seal_check_value(cm, pack->object, said->knobs[i], NULL, before[i],
						  said->values[i]);
	}
	if (err)
		return err;
	for (pass = 0; !err && pass < 2; pass++) {
		for (i = 0; !err && i < said->nr; i++) {
			if (is_tightening(said->knobs[i], before[i], said->values[i]) != !pass)
				continue;
			err = cm_system_set(cm, pack, said->knobs[i], said->values[i]);
			if (!err)
				written[nr++] = i;
		}
	}
	if (err)
		take_back(cm, pack, said, before, written, nr);
	return err;
}

/* What is stored; where the native LSM is active, the stricter of its value and what was locked. */
static int stored(struct cm *cm, struct cm_pack *pack, const struct cm_knob_decl *knob,
		  const struct cm_scope_record *record, int *ret)
{
	int err;

	if (record) {
		*ret = record->values[knob->index];
		return 0;
	}
	err = cm_system_get(cm, pack, knob, ret);
	*ret = cm_knob_strict(knob, *ret, pack->system[knob->index]);
	return err;
}

static int set_locked(struct cm *cm, struct cm_pack *pack, const struct cm_said *said,
		      const char *cgroup, uint64_t id)
{
	struct cm_scope_record record;
	bool is_system = id == CM_CGROUP_ROOT;
	int err = 0, now[sizeof(said->values) / sizeof(said->values[0])];
	char name[CM_PATH_LEN];
	size_t i;

	if (!is_system && cm_scope_find(pack, id, &record))
		return cm_fail(cm, -ENOENT, "pack %s is not enabled in %s, and that is locked",
			       pack->name, cgroup);
	for (i = 0; i < said->nr; i++) {
		err = stored(cm, pack, said->knobs[i], is_system ? NULL : &record, &now[i]);
		if (err)
			return err;
		cm_knob_name(said->knobs[i], name);
		if (!is_tightening(said->knobs[i], now[i], said->values[i]))
			return cm_fail(cm, -EPERM,
				       "%s is %d%s%s: locked, it can only become stricter", name,
				       now[i], is_system ? "" : " in ", is_system ? "" : cgroup);
	}
	/* In any order: none of them becomes looser. */
	for (i = 0; !err && i < said->nr; i++) {
		if (is_system && pack->native && said->values[i] != now[i])
			err = file_set(cm, said->knobs[i], said->values[i]);
		if (!err)
			err = cm_tighten(cm, pack, said->knobs[i], is_system ? 0 : id,
					 said->values[i]);
	}
	return err;
}

int cm_knob_set(struct cm *cm, const char *name, const char *cgroup, const char *text)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	const struct cm_knob_decl *knob;
	uint64_t id = CM_CGROUP_ROOT;
	struct cm_said said = {};
	char path[PATH_MAX];
	size_t i;
	int err;

	err = find_knob(cm, name, &pack, &knob);
	if (!err)
		err = cm_value_parse(cm, pack->object, knob, text, &said);
	if (!err && cgroup)
		err = cm_cgroup_id(cm, cgroup, &id, path);
	if (err)
		return err;
	for (i = 0; i < said.nr; i++) {
		knob = said.knobs[i];
		if (knob->cap >= 0 && !cm_has_capability(knob->cap))
			return cm_fail(cm, -EPERM, "setting %s needs capability %d", name,
				       knob->cap);
	}
	if (cm->locked)
		return set_locked(cm, pack, &said, cgroup, id);
	if (id == CM_CGROUP_ROOT)
		return set_in_system(cm, pack, &said);
	return set_in_cgroup(cm, pack, &said, cgroup, id, path);
}
