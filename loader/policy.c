// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies from files: load, replace, another place in the order.
 *
 * Whatever takes another's place is built in full under building/: new programs on the old maps.
 * The rename to replacing/ makes it complete. Then each hook's chain is brought to the new order,
 * one atomic write for a stretch of it, the old ones go to retired/, and the new ones to packs/.
 * From the rename on, an interrupted call is finished by the next one.
 *
 * A policy that changes its place is such a replacement of itself, and of all that it passes on any
 * hook: so no caller meets one of them twice, or not at all.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static int retire(struct cm *cm, const char *name, void *arg)
{
	char from[PATH_MAX], to[PATH_MAX];
	int err = cm_pin_path(cm, from, "packs/%s", name);

	(void)arg;
	if (!err)
		err = cm_pin_path(cm, to, "retired/%s", name);
	if (err)
		return err;
	if (rename(from, to) && errno != ENOENT)
		return cm_fail(cm, -errno, "cannot rename %s: %s", from, strerror(errno));
	strcpy(to, from);
	err = cm_pin_path(cm, from, "replacing/%s", name);
	if (err)
		return err;
	return rename(from, to) ? cm_fail(cm, -errno, "cannot rename %s: %s", from, strerror(errno))
				: 0;
}

/* On the hooks of the old one, too: it may have more. */
static int apply_both(struct cm *cm, const char *name, void *arg)
{
	char dir[PATH_MAX];
	int err;

	(void)arg;
	snprintf(dir, sizeof(dir), "replacing/%s", name);
	err = cm_pack_apply(cm, dir);
	snprintf(dir, sizeof(dir), "packs/%s", name);
	return err ? err : cm_pack_apply(cm, dir);
}

int cm_policy_finish_replacing(struct cm *cm)
{
	char replacing[PATH_MAX], retired[PATH_MAX];
	int err = cm_pin_path(cm, replacing, "replacing");

	if (!err)
		err = cm_pin_path(cm, retired, "retired");
	if (!err && cm_pin_exists(replacing)) {
		err = cm_pin_each(cm, replacing, apply_both, NULL);
		if (!err)
			err = cm_pin_mkdir(cm, retired);
		if (!err)
			err = cm_pin_each(cm, replacing, retire, NULL);
		if (!err)
			err = cm_pin_remove(cm, replacing);
	}
	if (err || !cm_pin_exists(retired))
		return err;
	err = cm_chain_settle(cm);
	return err ? err : cm_pin_remove(cm, retired);
}

static int attach_new(struct cm *cm, const char *name, void *arg)
{
	char dir[PATH_MAX];

	(void)arg;
	snprintf(dir, sizeof(dir), "building/%s", name);
	return cm_pack_attach(cm, dir);
}

/* All that is in building/ takes its place, at once as far as a caller on a hook can tell. */
static int commit(struct cm *cm)
{
	char building[PATH_MAX], replacing[PATH_MAX];
	int err = cm_pin_path(cm, building, "building");

	if (!err)
		err = cm_pin_path(cm, replacing, "replacing");
	if (!err) /* what may fail comes before the point of no return */
		err = cm_pin_each(cm, building, attach_new, NULL);
	if (err)
		return err;
	if (rename(building, replacing))
		return cm_fail(cm, -errno, "cannot rename %s: %s", building, strerror(errno));
	err = cm_policy_finish_replacing(cm);
	return err ? err : cm_pack_sweep(cm);
}

/* After a failure: its sentence is worth more than what undoing may say. */
static int undo(struct cm *cm, int err)
{
	char why[sizeof(cm->error)], path[PATH_MAX];

	memcpy(why, cm->error, sizeof(why));
	if (!cm_pin_path(cm, path, "building") && !cm_pin_remove(cm, path))
		cm_pack_sweep(cm);
	memcpy(cm->error, why, sizeof(why));
	return err;
}

/* A hook that has its policies takes no other one. */
static int check_room(struct cm *cm, const struct cm_object *object, const struct cm_object *old)
{
	size_t i, j;

	for (i = 0; i < object->nr_hooks; i++) {
		_cleanup_chain_ struct cm_chain chain;
		const char *hook = object->hooks[i].name;
		int err = cm_chain_read(cm, hook, &chain);

		if (err)
			return err;
		for (j = 0; old && j < old->nr_hooks; j++)
			if (!strcmp(old->hooks[j].name, hook))
				break;
		if (chain.nr == CM_SLOTS && !(old && j < old->nr_hooks))
			return cm_fail(cm, -ENOSPC,
				       "hook %s has its %d policies already: unload one first",
				       hook, CM_SLOTS);
	}
	return 0;
}

/* Another policy in force must not have one of the knobs. */
static int check_collision(struct cm *cm, const char *name, void *arg)
{
	_cleanup_object_ struct cm_object *other = NULL;
	int err = cm_object_open(cm, name, &other);

	return err ? err : cm_decl_check_apart(cm, arg, other);
}

int cm_policy_check_names(struct cm *cm, struct cm_object *object)
{
	return object->nr_knobs ? cm_pack_each(cm, check_collision, object) : 0;
}

/* Nor must it be a setting of the kernel's: ours would write that. */
static int check_file(struct cm *cm, const struct cm_object *object, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], c;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* ENODEV: left over from a policy that is gone; gives way. */
	if ((fd < 0 && errno != ENOENT && errno != ENOTDIR) ||
	    (fd >= 0 && (read(fd, &c, 1) >= 0 || errno != ENODEV)))
		return cm_fail(cm, -EEXIST, "%s: %s exists: its knob needs another path",
			       object->name, path);
	return 0;
}

static int check_kernel(struct cm *cm, const struct cm_object *object)
{
	size_t i;
	int err = 0;

	if (cm_native_active(object->pack->native_lsm))
		return 0;
	for (i = 0; !err && i < object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &object->knobs[i];

		err = check_file(cm, object, knob->path);
		if (!err && knob->alias[0])
			err = check_file(cm, object, knob->alias);
	}
	return err;
}

static int check_new(struct cm *cm, struct cm_object *object)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs/%s", object->name);

	if (err)
		return err;
	if (cm_pin_exists(path) || cm_is_builtin(object->name))
		return cm_fail(cm, -EEXIST, "the name %s is in use: give another with --name",
			       object->name);
	err = cm_policy_check_names(cm, object);
	if (!err)
		err = check_kernel(cm, object);
	return err ? err : check_room(cm, object, NULL);
}

int cm_policy_load_object(struct cm *cm, struct cm_object *object,
			  const struct cm_placement *places, size_t nr)
{
	int err = check_new(cm, object);

	return err ? err : cm_pack_place(cm, object, places, nr);
}

static int load_in(struct cm *cm, struct cm_object *object, const char *const *cgroups,
		   const struct cm_placement *place)
{
	_cleanup_free_ struct cm_placement *places = NULL;
	size_t nr = 0;

	while (cgroups && cgroups[nr])
		nr++;
	places = calloc(nr + 1, sizeof(*places));
	if (!places)
		return cm_fail(cm, -ENOMEM, "out of memory");
	places[0] = *place; /* of the whole system, if no other one is named */
	for (nr = 0; cgroups && cgroups[nr]; nr++) {
		places[nr] = *place;
		places[nr].cgroup = cgroups[nr];
	}
	return cm_policy_load_object(cm, object, places, nr ? nr : 1);
}

int cm_policy_load(struct cm *cm, const char *path, const struct cm_load_options *options)
{
	_cleanup_object_ struct cm_object *object = NULL;
	char given[CM_KNOBS_MAX];
	int values[CM_KNOBS_MAX], err;
	struct cm_placement place = { .mode = options->mode, .values = values, .given = given };

	if (options->name && !cm_is_name(options->name))
		return cm_fail(cm, -EINVAL,
			       "'%.64s' is no name: it has a-z, 0-9 and _, and is shorter than %d",
			       options->name, CM_NAME_LEN);
	err = cm_lock_refuse(cm, "load a policy");
	if (!err)
		err = cm_object_open_file(cm, path, options->name, &object);
	if (!err)
		err = cm_settings_parse(cm, object, options->settings, values, given);
	if (err)
		return err;
	if (options->priority)
		object->about.priority = *options->priority;
	return load_in(cm, object, options->cgroups, &place);
}

static int open_loaded(struct cm *cm, const char *name, struct cm_object **ret)
{
	char dir[64];
	int err = -ENOENT;

	if (cm_is_name(name)) {
		snprintf(dir, sizeof(dir), "packs/%s", name);
		err = cm_object_open_pinned(cm, dir, name, ret);
	}
	return err == -ENOENT ? cm_fail(cm, err, "no policy '%.64s' is in force", name) : err;
}

int cm_policy_replace_object(struct cm *cm, const char *name, struct cm_object *new)
{
	_cleanup_object_ struct cm_object *old = NULL;
	_cleanup_pack_ struct cm_pack *pack = NULL;
	int err = cm_lock_refuse(cm, "replace a policy");

	if (!err)
		err = open_loaded(cm, name, &old);
	if (!err)
		err = cm_seal_refuse(cm, old, "policy %s cannot be replaced", name);
	if (!err)
		err = cm_layout_check(cm, old, new);
	if (!err)
		err = check_room(cm, new, old);
	if (!err)
		err = cm_pack_open(cm, name, &pack);
	if (!err)
		err = cm_pack_check_latches(cm, pack);
	if (err)
		return err;
	new->about.priority = old->about.priority;
	new->about.sequence = old->about.sequence;
	err = cm_pack_build(cm, new, CM_BUILD_NEXT);
	if (!err)
		err = commit(cm);
	return err ? undo(cm, err) : 0;
}

int cm_policy_replace(struct cm *cm, const char *name, const char *path)
{
	_cleanup_object_ struct cm_object *old = NULL, *new = NULL;
	int err = open_loaded(cm, name, &old); /* before a file is looked at */

	if (!err)
		err = cm_object_open_file(cm, path, name, &new);
	return err ? err : cm_policy_replace_object(cm, name, new);
}

static bool before(uint32_t priority, uint64_t sequence, const struct cm_node *node)
{
	return priority < node->priority ||
	       (priority == node->priority && sequence < node->sequence);
}

/* On one hook: all that stand between its old place and the new one are built anew. */
static int build_passed(struct cm *cm, const char *hook, const struct cm_object *moved,
			uint32_t priority)
{
	_cleanup_chain_ struct cm_chain chain;
	char path[PATH_MAX];
	size_t i;
	int err = cm_chain_read(cm, hook, &chain);

	for (i = 0; !err && i < chain.nr; i++) {
		_cleanup_object_ struct cm_object *object = NULL;
		const struct cm_node *node = &chain.nodes[i];

		if (!strcmp(node->pack, moved->name) ||
		    before(moved->about.priority, moved->about.sequence, node) ==
			    before(priority, moved->about.sequence, node))
			continue;
		err = cm_pin_path(cm, path, "building/%s", node->pack);
		if (err || cm_pin_exists(path)) /* passed on another hook, too */
			continue;
		err = cm_object_open(cm, node->pack, &object);
		if (!err)
			err = cm_pack_build(cm, object, CM_BUILD_COPY);
	}
	return err;
}

int cm_policy_set_priority(struct cm *cm, const char *name, uint32_t priority)
{
	_cleanup_object_ struct cm_object *object = NULL, *copy = NULL;
	size_t i;
	int err = cm_lock_refuse(cm, "change the order");

	if (!err)
		err = open_loaded(cm, name, &object);
	if (!err)
		err = cm_object_open(cm, name, &copy);
	if (err || object->about.priority == priority)
		return err;
	copy->about.priority = priority;
	err = cm_pack_build(cm, copy, CM_BUILD_COPY);
	for (i = 0; !err && i < object->nr_hooks; i++)
		err = build_passed(cm, object->hooks[i].name, object, priority);
	if (!err)
		err = commit(cm);
	return err ? undo(cm, err) : 0;
}
