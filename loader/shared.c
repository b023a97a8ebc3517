// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps that policies share by name: CM_SHARED() of the SDK. Pinned as shared/NAME by the first
 * policy that has one, and in the directory of each that uses it, as packs/PACK/shared_NAME: a map
 * without such a name is used by nobody any more and goes.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define SECTION ".rodata.cm_shared"
#define PREFIX	"cm_shared__"

typedef int (*shared_fn)(struct cm *cm, struct bpf_map *map, const char *dir);

/* Calls @fn for each map of the object that is to be shared. */
static int each_map(struct cm *cm, const struct cm_object *object, shared_fn fn, const char *dir)
{
	const char *variable;
	struct bpf_map *map;
	size_t i;
	int err = 0;

	for (i = 0; !err && (variable = cm_object_variable_name(object, SECTION, i)); i++) {
		if (strncmp(variable, PREFIX, strlen(PREFIX)))
			continue;
		map = cm_object_map(object, variable + strlen(PREFIX));
		err = map ? fn(cm, map, dir)
			  : cm_fail(cm, -EPROTO, "%s: CM_SHARED(%s) names no map",
				    object->pack->name, variable + strlen(PREFIX));
	}
	return err;
}

static int differs(struct cm *cm, const char *map, const char *what, uint32_t here, uint32_t there)
{
	return cm_fail(cm, -EPROTO, "the shared map %s has %s %u, here it is declared with %u", map,
		       what, there, here);
}

static int use_map(struct cm *cm, struct bpf_map *map, const char *dir)
{
	struct bpf_map_info info = {};
	const char *name = bpf_map__name(map);
	uint32_t len = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "shared/%s", name);

	(void)dir;
	if (err)
		return err;
	fd = cm_pin_get(path);
	if (fd == -ENOENT)
		return 0; /* this policy is the first */
	err = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return cm_fail(cm, err, "cannot open %s: %s", path, strerror(-err));
	if (info.type != bpf_map__type(map))
		return differs(cm, name, "type", bpf_map__type(map), info.type);
	if (info.key_size != bpf_map__key_size(map))
		return differs(cm, name, "key size", bpf_map__key_size(map), info.key_size);
	if (info.value_size != bpf_map__value_size(map))
		return differs(cm, name, "value size", bpf_map__value_size(map), info.value_size);
	if (info.max_entries != bpf_map__max_entries(map))
		return differs(cm, name, "max_entries", bpf_map__max_entries(map),
			       info.max_entries);
	if (info.map_flags != bpf_map__map_flags(map))
		return differs(cm, name, "flags", bpf_map__map_flags(map), info.map_flags);
	err = bpf_map__reuse_fd(map, fd);
	return err ? cm_fail(cm, err, "cannot use the shared map %s: %s", name, strerror(-err)) : 0;
}

int cm_shared_prepare(struct cm *cm, struct cm_object *object)
{
	return each_map(cm, object, use_map, NULL);
}

static int pin_map(struct cm *cm, struct bpf_map *map, const char *dir)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s/shared_%s", dir, bpf_map__name(map));

	if (!err)
		err = cm_pin_put(cm, bpf_map__fd(map), path);
	if (!err)
		err = cm_pin_path(cm, path, "shared");
	if (!err)
		err = cm_pin_mkdir(cm, path);
	if (!err)
		err = cm_pin_path(cm, path, "shared/%s", bpf_map__name(map));
	return err || cm_pin_exists(path) ? err : cm_pin_put(cm, bpf_map__fd(map), path);
}

int cm_shared_pin(struct cm *cm, const struct cm_object *object, const char *dir)
{
	return each_map(cm, object, pin_map, dir);
}

struct use {
	const char *map;
	bool found;
};

static int find_use(struct cm *cm, const char *pack, void *arg)
{
	struct use *use = arg;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs/%s/shared_%s", pack, use->map);

	if (!err && cm_pin_exists(path))
		use->found = true;
	return err;
}

static int is_used(struct cm *cm, const char *map, bool *ret)
{
	struct use use = { .map = map };
	char packs[PATH_MAX];
	int err = cm_pin_path(cm, packs, "packs");

	if (!err)
		err = cm_pin_each(cm, packs, find_use, &use);
	*ret = use.found;
	return err;
}

static int sweep_map(struct cm *cm, const char *map, void *arg)
{
	char path[PATH_MAX];
	bool used;
	int err = is_used(cm, map, &used);

	(void)arg;
	if (err || used)
		return err;
	err = cm_pin_path(cm, path, "shared/%s", map);
	return err ? err : cm_pin_remove(cm, path);
}

int cm_shared_sweep(struct cm *cm)
{
	char dir[PATH_MAX];
	int err = cm_pin_path(cm, dir, "shared");

	if (!err)
		err = cm_pin_each(cm, dir, sweep_map, NULL);
	if (!err && rmdir(dir) && errno != ENOTEMPTY && errno != ENOENT)
		err = cm_fail(cm, -errno, "cannot remove %s: %s", dir, strerror(errno));
	return err;
}

static int check_map(struct cm *cm, const char *map, void *arg)
{
	bool used;
	int err = is_used(cm, map, &used);

	if (!used)
		*(bool *)arg = true;
	return err;
}

bool cm_shared_needs_sweep(struct cm *cm)
{
	char dir[PATH_MAX];
	bool unused = false;

	return cm_pin_path(cm, dir, "shared") || cm_pin_each(cm, dir, check_map, &unused) || unused;
}
