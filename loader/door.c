// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doors: how a file under /proc/sys comes to be a knob. The procfs door is our module (see
 * kernel/module/door.h); the native door is the LSM that a pack re-implements, which has the file
 * already. Without either a knob is reached by cm_knob_get() and cm_knob_set() alone.
 */
#include <fcntl.h>
#include <libkmod.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../kernel/module/door.h"
#include "internal.h"

static int open_device(void)
{
	int fd = open(CM_DOOR_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* modprobe checmate; 0 or why not, for the operator. */
static const char *load_module(void)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	struct kmod_list *list = NULL;
	struct kmod_module *module;
	const char *why = NULL;
	int err;

	if (!ctx)
		return "out of memory";
	kmod_set_log_priority(ctx, -1);
	err = kmod_module_new_from_lookup(ctx, "checmate", &list);
	if (err < 0 || !list) {
		why = "module checmate is not installed for this kernel";
	} else {
		module = kmod_module_get_module(list);
		err = kmod_module_probe_insert_module(module, KMOD_PROBE_APPLY_BLACKLIST, NULL,
						      NULL, NULL, NULL);
		if (err < 0)
			why = strerror(-err);
		else if (err > 0)
			why = "module checmate is blacklisted";
		kmod_module_unref(module);
	}
	kmod_module_unref_list(list);
	kmod_unref(ctx);
	return why;
}

/* Marks that the module is there because of us: a name in the bpf file system, gone with our pins.
 */
#define OWN_MODULE CM_PINS "/own_module"

void cm_door_unload(void)
{
	struct kmod_ctx *ctx;
	struct kmod_module *module;

	if (access(OWN_MODULE, F_OK))
		return;
	ctx = kmod_new(NULL, NULL);
	if (!ctx)
		return;
	kmod_set_log_priority(ctx, -1);
	if (!kmod_module_new_from_name(ctx, "checmate", &module)) {
		kmod_module_remove_module(module, 0); /* in use or gone: then that is how it is */
		kmod_module_unref(module);
	}
	kmod_unref(ctx);
}

static uint32_t door_flags(const struct cm_knob_decl *knob)
{
	static const uint32_t directions[] = {
		[CM_STRICTEST_MAX] = CM_DOOR_UP,
		[CM_STRICTEST_MIN] = CM_DOOR_DOWN,
		[CM_STRICTEST_OR] = CM_DOOR_BITS,
		[CM_STRICTEST_LIMIT] = CM_DOOR_LIMIT,
	};

	return directions[knob->strictest] | (knob->flags & CM_KNOB_LATCH ? CM_DOOR_LATCH : 0);
}

static int state_of(struct cm *cm, const struct cm_pack *pack)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs/%s/state", pack->name);

	return err ? err : cm_pin_get(path);
}

static uint32_t offset_of(const struct cm_pack *pack, const struct cm_knob_decl *knob)
{
	return (char *)&pack->system[knob->index] - (char *)pack->state;
}

/* What all files of a pack need. */
struct door {
	int device;
	const struct cm_pack *pack;
	int state_fd;
	int seal_fd; /* state of the pack with its seal; -1: none */
	uint32_t seal_offset;
	int seal_value;
};

/* @path: the knob's own, or its alias: both are the same integer. */
static int add_file(struct cm *cm, const struct door *door, const struct cm_knob_decl *knob,
		    const char *path)
{
	struct cm_door_knob request = {
		.size = sizeof(request),
		.map_fd = door->state_fd,
		.offset = offset_of(door->pack, knob),
		.min = knob->min,
		.max = knob->max,
		.latch = knob->latch,
		.flags = door_flags(knob),
		.cap = knob->cap,
	};

	if (door->seal_fd >= 0 && !(knob->flags & CM_KNOB_SEAL)) {
		request.flags |= CM_DOOR_SEALED;
		request.seal_fd = door->seal_fd;
		request.seal_offset = door->seal_offset;
		request.seal_value = door->seal_value;
	}
	strcpy(request.path, path);
	/* EEXIST: it has its file; the one of a policy that is gone would have given way. */
	if (!ioctl(door->device, CM_DOOR_ADD, &request) || errno == EEXIST)
		return 0;
	cm_note(cm, "no file /proc/sys/%s: %s (checmate get and set work)", path, strerror(errno));
	return -errno;
}

static int add_knob(struct cm *cm, const struct door *door, const struct cm_knob_decl *knob)
{
	int err = add_file(cm, door, knob, knob->path);

	return err || !knob->alias[0] ? err : add_file(cm, door, knob, knob->alias);
}

/* -ENOENT: it has none, or that is not in force. */
static int find_seal(struct cm *cm, struct door *door)
{
	_cleanup_pack_ struct cm_pack *seal = NULL;
	const struct cm_knob_decl *knob;
	int err = cm_seal_open(cm, door->pack->object, &seal, &knob);

	if (err)
		return err;
	door->seal_fd = state_of(cm, seal);
	door->seal_offset = offset_of(seal, knob);
	door->seal_value = knob->latch;
	return 0;
}

static int add_files(struct cm *cm, int device, const struct cm_pack *pack)
{
	struct door door = { .device = device, .pack = pack, .seal_fd = -1 };
	size_t i;
	int err = find_seal(cm, &door);

	if (err == -ENOENT)
		err = 0;
	door.state_fd = state_of(cm, pack);
	for (i = 0; !err && i < pack->object->nr_knobs; i++)
		err = add_knob(cm, &door, &pack->object->knobs[i]);
	cm_close_fd(&door.state_fd);
	cm_close_fd(&door.seal_fd);
	return err;
}

int cm_door_add(struct cm *cm, struct cm_pack *pack)
{
	_cleanup_close_ int device = -1;
	const char *why = NULL;

	if (pack->native || !pack->object->nr_knobs)
		return 0;
	device = open_device();
	if (device == -ENOENT) {
		cm_pin_mkdir(cm, OWN_MODULE); /* first: a module of ours is never forgotten */
		why = load_module();
		device = open_device();
		if (device < 0)
			cm_pin_remove(cm, OWN_MODULE);
	}
	if (device < 0) {
		cm_note(cm, "no file /proc/sys/%s: %s (checmate get and set work)",
			pack->object->knobs[0].path, why ? why : strerror(-device));
		return device;
	}
	return add_files(cm, device, pack);
}

static int sync_pack(struct cm *cm, const char *name, void *arg)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;

	(void)arg;
	if (!cm_pack_open(cm, name, &pack))
		cm_door_add(cm, pack);
	return 0;
}

/* The module may have been loaded (again) since its packs were enabled. */
void cm_door_sync(struct cm *cm)
{
	if (!access(CM_DOOR_DEVICE, F_OK))
		cm_pack_each(cm, sync_pack, NULL);
}

static void remove_file(int device, const char *path)
{
	struct cm_door_path request = {};

	strcpy(request.path, path);
	ioctl(device, CM_DOOR_REMOVE, &request); /* ENOENT: it had none */
}

void cm_door_remove(const struct cm_object *object)
{
	_cleanup_close_ int device = open_device();
	size_t i;

	for (i = 0; device >= 0 && i < object->nr_knobs; i++) {
		remove_file(device, object->knobs[i].path);
		if (object->knobs[i].alias[0])
			remove_file(device, object->knobs[i].alias);
	}
}

static int reseal(struct cm *cm, const char *name, void *arg)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;

	if (!cm_pack_open(cm, name, &pack) && !strcmp(pack->object->pack->sealed_by, arg)) {
		cm_door_remove(pack->object);
		cm_door_add(cm, pack);
	}
	return 0;
}

void cm_door_reseal(struct cm *cm, const struct cm_pack *seal)
{
	if (!access(CM_DOOR_DEVICE, F_OK))
		cm_pack_each(cm, reseal, (void *)seal->name);
}

const char *cm_door_of(const struct cm_pack *pack)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX], c;

	if (pack->native)
		return "native";
	if (!pack->object->nr_knobs)
		return "none";
	snprintf(path, sizeof(path), "/proc/sys/%s", pack->object->knobs[0].path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* A file that outlived its policy gives ENODEV. */
	return fd >= 0 && read(fd, &c, 1) == 1 ? "procfs" : "none";
}
