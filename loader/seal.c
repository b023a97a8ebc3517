// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealed until reboot: while a knob with CM_KNOB_SEAL holds its latch for the whole system, its
 * policy, and each that names it in .sealed_by, is withdrawn, replaced or made permissive nowhere,
 * and its values only become stricter. The mode of the knob's own policy is of no account. It holds
 * against this library and the files of the module; lock.c is what holds against bpf(2).
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static const struct cm_knob_decl *own_seal(const struct cm_object *object)
{
	size_t i;

	for (i = 0; i < object->nr_knobs; i++)
		if (object->knobs[i].flags & CM_KNOB_SEAL)
			return &object->knobs[i];
	return NULL;
}

int cm_seal_open(struct cm *cm, const struct cm_object *object, struct cm_pack **ret,
		 const struct cm_knob_decl **ret_knob)
{
	const char *name = own_seal(object) ? object->name : object->pack->sealed_by;
	int err = *name ? cm_pack_open(cm, name, ret) : -ENOENT;

	if (err)
		return err;
	*ret_knob = own_seal((*ret)->object);
	return *ret_knob ? 0 : -ENOENT;
}

/* 1: sealed, by the knob that is named in @name, CM_PATH_LEN bytes; 0: not */
static int sealed(struct cm *cm, const struct cm_object *object, char *name, int *ret_value)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	const struct cm_knob_decl *knob;
	int err = cm_seal_open(cm, object, &pack, &knob);

	if (!err)
		err = cm_system_get(cm, pack, knob, ret_value);
	if (err)
		return err == -ENOENT ? 0 : err;
	cm_knob_name(knob, name);
	return cm_knob_latched(knob, *ret_value);
}

bool cm_sealed(struct cm *cm, const struct cm_object *object)
{
	char name[CM_PATH_LEN];
	int value;

	return sealed(cm, object, name, &value) != 0;
}

int cm_seal_refuse(struct cm *cm, const struct cm_object *object, const char *format, ...)
{
	char name[CM_PATH_LEN], what[sizeof(cm->error) - 2 * CM_PATH_LEN];
	int err, value;
	va_list args;

	if (cm->restoring) /* to what was in force under the same seal */
		return 0;
	err = sealed(cm, object, name, &value);
	if (err <= 0)
		return err;
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return cm_fail(cm, -EACCES, "%s=%d holds until reboot: %s", name, value, what);
}

int cm_seal_check_value(struct cm *cm, const struct cm_object *object,
			const struct cm_knob_decl *knob, const char *cgroup, int from, int to)
{
	char name[CM_PATH_LEN];

	/* Its own latch keeps the seal itself. */
	if ((knob->flags & CM_KNOB_SEAL) || cm_knob_strict(knob, from, to) == to)
		return 0;
	cm_knob_name(knob, name);
	return cm_seal_refuse(cm, object, "%s is %d%s%.300s and cannot become looser", name, from,
			      cgroup ? " in " : "", cgroup ? cgroup : "");
}
