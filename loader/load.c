// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has been built (build.c) comes into force as packs/NAME/, and goes again. There the state
 * map's phase tells what an interrupted call leaves: anything but "enabled" is removed by the next
 * call. Values are all off until the last step of enabling, so a pack that is half there denies
 * nothing. See recover.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

/* What libbpf found for the pack's program serves the dispatcher too. */
static int hook_btf_id(struct cm *cm, const char *path, uint32_t *ret)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	_cleanup_close_ int fd = cm_pin_get(path);
	int err = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return cm_fail(cm, err, "cannot look at %s: %s", path, strerror(-err));
	*ret = info.attach_btf_id;
	return 0;
}

static int attach_hook(struct cm *cm, const char *name, void *dir)
{
	char path[PATH_MAX];
	uint32_t btf_id = 0;
	int err;

	if (strncmp(name, "prog_", 5))
		return 0;
	err = cm_pin_path(cm, path, "%s/%s", (const char *)dir, name);
	if (!err)
		err = hook_btf_id(cm, path, &btf_id);
	return err ? err : cm_chain_attach(cm, name + 5, btf_id);
}

static int apply_hook(struct cm *cm, const char *name, void *dir)
{
	(void)dir;
	return strncmp(name, "prog_", 5) ? 0 : cm_chain_apply(cm, name + 5);
}

int cm_pack_attach(struct cm *cm, const char *dir)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s", dir);

	return err ? err : cm_pin_each(cm, path, attach_hook, (void *)dir);
}

int cm_pack_apply(struct cm *cm, const char *dir)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s", dir);

	return err ? err : cm_pin_each(cm, path, apply_hook, NULL);
}

int cm_pack_load(struct cm *cm, struct cm_object *object)
{
	char from[PATH_MAX], to[PATH_MAX], dir[64];
	int err = cm_pack_build(cm, object, CM_BUILD_NEW);

	snprintf(dir, sizeof(dir), "packs/%s", object->name);
	if (!err)
		err = cm_pin_path(cm, from, "building/%s", object->name);
	if (!err)
		err = cm_pin_path(cm, to, "%s", dir);
	if (err)
		return err;
	if (rename(from, to))
		return cm_fail(cm, -errno, "cannot rename %s: %s", from, strerror(errno));
	err = cm_pin_path(cm, from, "building");
	if (!err)
		err = cm_pin_remove(cm, from);
	if (!err)
		err = cm_pack_attach(cm, dir);
	return err ? err : cm_pack_apply(cm, dir);
}

int cm_pack_sweep(struct cm *cm)
{
	char path[PATH_MAX];
	int err = cm_chain_sweep(cm);

	if (!err)
		err = cm_pin_path(cm, path, "building");
	if (!err)
		err = cm_pin_remove(cm, path);
	if (!err)
		err = cm_shared_sweep(cm);
	if (!err)
		err = cm_pin_path(cm, path, "packs");
	if (err || (rmdir(path) && errno == ENOTEMPTY))
		return err; /* other packs are in force */
	cm_door_unload();
	err = cm_pin_path(cm, path, "events");
	if (!err)
		err = cm_pin_remove(cm, path);
	return err ? err : cm_pin_remove(cm, CM_PINS);
}

uint32_t cm_pack_phase(const char *dir)
{
	struct cm_state *state;
	uint32_t phase;
	size_t size;

	state = cm_pack_map(dir, "state", &size);
	if (!state)
		return CM_PHASE_NONE;
	phase = __atomic_load_n(&state->phase, __ATOMIC_SEQ_CST);
	munmap(state, size);
	return phase;
}

int cm_pack_each(struct cm *cm, cm_pin_fn fn, void *arg)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs");

	return err ? err : cm_pin_each(cm, path, fn, arg);
}

/* Whatever there is of it, in any phase. */
int cm_pack_unload(struct cm *cm, const char *name)
{
	char dir[64], path[PATH_MAX];
	struct cm_object *object;
	struct cm_state *state;
	size_t size;
	int err;

	snprintf(dir, sizeof(dir), "packs/%s", name);
	err = cm_pin_path(cm, path, "%s", dir);
	if (err)
		return err;
	state = cm_pack_map(dir, "state", &size);
	if (state) {
		__atomic_store_n(&state->phase, CM_PHASE_DISABLING, __ATOMIC_SEQ_CST);
		munmap(state, size);
	}
	if (!cm_object_open_pinned(cm, dir, name, &object)) {
		cm_door_remove(object);
		cm_object_free(object);
	}
	err = cm_pack_apply(cm, dir);
	if (!err && cm_pin_exists(path))
		err = cm_chain_settle(cm);
	if (!err)
		err = cm_pin_remove(cm, path);
	return err ? err : cm_pack_sweep(cm);
}
