// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locked until reboot. Every map is frozen, so that user space cannot write it any more, and the
 * guard (kernel/guard.bpf.c) refuses what would make that void.
 *
 *	locking/	the guard is being put in place; what interrupts it leaves it to be removed
 *	lock/		the point of no return is passed: the next call completes it
 *
 * It is complete when the guard's own state is frozen, which comes last. Until then the guard
 * refuses no change of names, so both ways stay open to whoever comes next.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../kernel/guard.h"
#include "internal.h"

static int state_fd(struct cm *cm)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "lock/state");

	return err ? err : cm_pin_get(path);
}

enum cm_lock_state cm_lock_state(struct cm *cm)
{
	_cleanup_close_ int fd = state_fd(cm);

	if (fd < 0)
		return CM_LOCK_NONE;
	return cm_frozen(fd) ? CM_LOCK_COMPLETE : CM_LOCK_BEGUN;
}

int cm_lock_refuse(struct cm *cm, const char *what)
{
	return cm->locked ? cm_fail(cm, -EPERM, "cannot %s: locked until reboot", what) : 0;
}

/* The pins last as long as a mount does: that of process 1's namespace is never given up. */
static int check_namespace(struct cm *cm)
{
	struct stat own, first;

	if (!stat("/proc/self/ns/mnt", &own) && !stat("/proc/1/ns/mnt", &first) &&
	    own.st_ino == first.st_ino && own.st_dev == first.st_dev)
		return 0;
	return cm_fail(cm, -EPERM,
		       "cannot lock from another mount namespace than that of process 1");
}

static int count(struct cm *cm, const char *name, void *arg)
{
	(void)cm;
	(void)name;
	++*(size_t *)arg;
	return 0;
}

int cm_lock(struct cm *cm)
{
	size_t packs = 0;
	int err;

	if (cm->locked)
		return cm_fail(cm, -EALREADY, "already locked: that holds until reboot");
	err = cm_pack_each(cm, count, &packs);
	if (!err && !packs)
		err = cm_fail(cm, -ENOENT, "nothing is in force that could be locked");
	if (!err)
		err = check_namespace(cm);
	if (!err)
		err = cm_guard_begin(cm);
	return err ? err : cm_lock_finish(cm);
}

/* --- after the point of no return: each step may have been taken already */

/* What the native LSM enforces by itself is ours to keep, too: its file may be written lower. */
static int seal_pack(struct cm *cm, const char *name, void *arg)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	const struct cm_knob_decl *knob;
	size_t i;
	int err = cm_pack_open(cm, name, &pack), value;

	(void)arg;
	if (err || pack->state->locked)
		return err;
	for (i = 0; !err && pack->native && i < pack->object->nr_knobs; i++) {
		knob = &pack->object->knobs[i];
		err = cm_system_get(cm, pack, knob, &value);
		if (!err)
			__atomic_store_n(&pack->system[knob->index], value, __ATOMIC_SEQ_CST);
	}
	if (!err)
		__atomic_store_n(&pack->state->locked, 1, __ATOMIC_SEQ_CST);
	return err;
}

/* All but the events, which a reader consumes, and the guard's state, which comes last. */
static int freeze_pin(struct cm *cm, const char *path, int fd, void *last)
{
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	int err;

	if (!cm_guard_is_map(fd) || !strcmp(path, last))
		return 0;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		return cm_fail(cm, err, "cannot look at %.400s: %s", path, strerror(-err));
	return info.type == BPF_MAP_TYPE_RINGBUF ? 0 : cm_freeze(cm, path, fd);
}

int cm_lock_finish(struct cm *cm)
{
	_cleanup_close_ int fd = state_fd(cm);
	struct cm_guard_state *state;
	char last[PATH_MAX];
	size_t size;
	int err = cm_pack_each(cm, seal_pack, NULL);

	if (!err)
		err = cm_pin_path(cm, last, "lock/state");
	if (!err)
		err = cm_guard_each_pin(cm, freeze_pin, last);
	if (err)
		return err;
	state = cm_pack_map("lock", "state", &size);
	if (!state)
		return cm_fail(cm, -EIO, "cannot map %s", last);
	__atomic_store_n(&state->stage, CM_GUARD_LOCKED, __ATOMIC_SEQ_CST);
	munmap(state, size);
	err = cm_freeze(cm, last, fd);
	cm->locked = !err;
	return err;
}
