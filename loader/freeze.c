// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frozen maps: user space cannot write them any more, programs go on. For good, so what cannot be
 * frozen has to be known before anything is.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "internal.h"

/* How long a map may stay mapped for writing by someone else: a reader of ours is brief. */
#define FREEZE_TRIES	500
#define FREEZE_RETRY_MS 20

bool cm_frozen(int fd)
{
	char path[64], line[64];
	bool frozen = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		frozen |= !strcmp(line, "frozen:\t1\n");
	if (file)
		fclose(file);
	return frozen;
}

int cm_freeze(struct cm *cm, const char *path, int fd)
{
	struct timespec pause = { .tv_nsec = FREEZE_RETRY_MS * 1000000L };
	int tries, err = -EBUSY;

	for (tries = 0; !cm_frozen(fd); tries++) {
		err = bpf_map_freeze(fd);
		if (err && (err != -EBUSY || tries == FREEZE_TRIES))
			return cm_fail(cm, err, "cannot freeze %.400s%s: %s; lock again", path,
				       err == -EBUSY ? ", which someone has mapped for writing"
						     : "",
				       strerror(-err));
		if (err)
			nanosleep(&pause, NULL);
	}
	return 0;
}

/* Types of C end somewhere; what is deeper than this is taken for what cannot be frozen. */
#define MAX_DEPTH 16

/* A lock, a timer, a pointer that the kernel counts: struct bpf_*, or a pointer with a tag. */
static bool has_kernel_field(const struct btf *btf, uint32_t id, int depth)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	uint32_t i;

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	if (!type || depth > MAX_DEPTH)
		return true;
	if (btf_is_ptr(type)) {
		type = type->type ? btf__type_by_id(btf, type->type) : NULL;
		return type && btf_is_type_tag(type);
	}
	if (btf_is_array(type))
		return has_kernel_field(btf, btf_array(type)->type, depth + 1);
	if (!btf_is_composite(type))
		return false;
	if (!strncmp(btf__name_by_offset(btf, type->name_off), "bpf_", 4))
		return true;
	for (i = 0; i < btf_vlen(type); i++)
		if (has_kernel_field(btf, btf_members(type)[i].type, depth + 1))
			return true;
	return false;
}

int cm_freeze_check(struct cm *cm, const char *path, const struct bpf_map_info *info)
{
	struct btf *btf;
	bool has;

	if (!info->btf_id || !info->btf_value_type_id)
		return 0;
	btf = btf__load_from_kernel_by_id(info->btf_id);
	if (!btf)
		return cm_fail(cm, -errno, "cannot read the types of %.400s: %s", path,
			       strerror(errno));
	has = has_kernel_field(btf, info->btf_value_type_id, 0);
	btf__free(btf);
	return has ? cm_fail(cm, -EINVAL,
			     "%.400s cannot be frozen, as it holds a lock, a timer or the like: a "
			     "system with this policy cannot be locked",
			     path)
		   : 0;
}
