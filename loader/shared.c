// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps that policies share by name: CM_SHARED() of the SDK. Pinned as shared/NAME by the first
 * policy that has one, and in the directory of each that uses it, as packs/POLICY/shared_NAME: a
 * map without such a name is used by nobody any more and goes.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define SECTION ".rodata.cm_shared"
#define PREFIX	"cm_shared__"

bool cm_shared_is(const struct cm_object *object, const struct bpf_map *map)
{
	char variable[128];

	snprintf(variable, sizeof(variable), PREFIX "%s", bpf_map__name(map));
	return cm_object_variable(object, SECTION, variable) >= 0;
}

static int compare(struct cm *cm, const struct cm_object *object, const struct bpf_map *map,
		   const struct bpf_map_info *info)
{
	const struct {
		const char *what;
		uint32_t here, there;
	} parts[] = {
		{ "type", bpf_map__type(map), info->type },
		{ "key size", bpf_map__key_size(map), info->key_size },
		{ "value size", bpf_map__value_size(map), info->value_size },
		{ "max_entries", bpf_map__max_entries(map), info->max_entries },
		{ "flags", bpf_map__map_flags(map), info->map_flags },
	};
	size_t i;

	for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		if (parts[i].here != parts[i].there)
			return cm_fail(cm, -EINVAL,
				       "%s: the shared map %s is there with %s %u, here it has %u",
				       object->name, bpf_map__name(map), parts[i].what,
				       parts[i].there, parts[i].here);
	return 0;
}

int cm_shared_use(struct cm *cm, const struct cm_object *object, struct bpf_map *map)
{
	struct bpf_map_info info = {};
	const char *name = bpf_map__name(map);
	uint32_t len = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "shared/%s", name);

	if (err)
		return err;
	fd = cm_pin_get(path);
	if (fd == -ENOENT)
		return 0; /* this policy is the first */
	err = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return cm_fail(cm, err, "cannot open %s: %s", path, strerror(-err));
	err = compare(cm, object, map, &info);
	if (err)
		return err;
	err = bpf_map__reuse_fd(map, fd);
	return err ? cm_fail(cm, err, "cannot use the shared map %s: %s", name, strerror(-err)) : 0;
}

int cm_shared_publish(struct cm *cm, const struct cm_object *object)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int err;

	bpf_object__for_each_map(map, object->bpf) {
		if (!cm_shared_is(object, map))
			continue;
		err = cm_pin_path(cm, path, "shared");
		if (!err)
			err = cm_pin_mkdir(cm, path);
		if (!err)
			err = cm_pin_path(cm, path, "shared/%s", bpf_map__name(map));
		if (!err && !cm_pin_exists(path))
			err = cm_pin_put(cm, bpf_map__fd(map), path);
		if (err)
			return err;
	}
	return 0;
}

struct use {
	const char *map, *parent;
	bool found;
};

static int find_use(struct cm *cm, const char *pack, void *arg)
{
	struct use *use = arg;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s/%s/shared_%s", use->parent, pack, use->map);

	if (!err && cm_pin_exists(path))
		use->found = true;
	return err;
}

static int is_used(struct cm *cm, const char *map, bool *ret)
{
	static const char *const parents[] = { "packs", "replacing" };
	struct use use = { .map = map };
	char path[PATH_MAX];
	size_t i;
	int err = 0;

	for (i = 0; !err && i < sizeof(parents) / sizeof(*parents); i++) {
		use.parent = parents[i];
		err = cm_pin_path(cm, path, "%s", use.parent);
		if (!err)
			err = cm_pin_each(cm, path, find_use, &use);
	}
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
