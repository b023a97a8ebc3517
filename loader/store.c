// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a policy was made from, kept in the kernel beside it: pinned in its directory as "about" and
 * "object", two arrays of one element that nobody can write any more. So every later call, by
 * whatever checmate, speaks of the object that runs and not of one of the same name.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

int cm_store_bytes(struct cm *cm, const char *path, const char *name, const void *data, size_t size)
{
	_cleanup_close_ int fd = -1;
	uint32_t zero = 0;
	int err;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(zero), size, 1, NULL);
	err = fd < 0 ? fd : bpf_map_update_elem(fd, &zero, data, BPF_ANY);
	if (!err)
		err = bpf_map_freeze(fd);
	return err ? cm_fail(cm, err, "cannot store %zu bytes in the kernel: %s", size,
			     strerror(-err))
		   : cm_pin_put(cm, fd, path);
}

int cm_store_put(struct cm *cm, const char *dir, const struct cm_object *object)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s/about", dir);

	if (!err)
		err = cm_store_bytes(cm, path, "cm_about", &object->about, sizeof(object->about));
	if (!err)
		err = cm_pin_path(cm, path, "%s/object", dir);
	return err ? err : cm_store_bytes(cm, path, "cm_object", object->bytes, object->about.size);
}

/* The one element of a pinned array, if it has that size. */
static int get(const char *path, void *data, size_t size)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info), zero = 0;
	_cleanup_close_ int fd = cm_pin_get(path);
	int err;

	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return err;
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != size)
		return -EPROTO;
	return bpf_map_lookup_elem(fd, &zero, data);
}

static int foreign(struct cm *cm, const char *dir)
{
	return cm_fail(cm, -EPROTO, "%s/%s was made by another checmate: unload it with that one",
		       CM_PINS, dir);
}

int cm_about_get(struct cm *cm, const char *dir, struct cm_about *ret)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s/about", dir);

	if (err)
		return err;
	err = get(path, ret, sizeof(*ret));
	if (!err && (ret->abi != CM_ABI || strnlen(ret->origin, CM_ORIGIN_LEN) == CM_ORIGIN_LEN))
		err = -EPROTO;
	if (err == -ENOENT)
		return cm_pin_path(cm, path, "%s", dir) || !cm_pin_exists(path) ? err
										: foreign(cm, dir);
	return err ? foreign(cm, dir) : 0;
}

int cm_store_get(struct cm *cm, const char *dir, struct cm_about *ret, void **ret_bytes)
{
	char path[PATH_MAX];
	int err = cm_about_get(cm, dir, ret);
	void *bytes;

	if (!err)
		err = cm_pin_path(cm, path, "%s/object", dir);
	if (err)
		return err;
	bytes = malloc(ret->size + 1);
	if (!bytes)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = get(path, bytes, ret->size);
	if (err) {
		free(bytes);
		return foreign(cm, dir);
	}
	*ret_bytes = bytes;
	return 0;
}

int cm_store_text(struct cm *cm, const char *path, char **ret)
{
	_cleanup_close_ int fd = cm_pin_get(path);
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	char *text = NULL;
	int err = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);

	if (!err) {
		text = malloc(info.value_size + 1);
		err = text ? get(path, text, info.value_size) : -ENOMEM;
	}
	if (err) {
		free(text);
		return cm_fail(cm, err, "cannot read %s: %s", path, strerror(-err));
	}
	text[info.value_size] = '\0';
	*ret = text;
	return 0;
}
