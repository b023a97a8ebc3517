// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scopes that have locked themselves out (kernel/lockout.bpf.h): who has, and their release. What
 * locks them out, and what lets them be when the time has come, is in the kernel.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "internal.h"

int cm_lockout_read(struct cm *cm, const struct cm_pack *pack, uint32_t row,
		    struct cm_lockout_info *ret)
{
	struct cm_lockout entry;
	struct timespec now;
	uint64_t now_ns;
	int err;

	memset(ret, 0, sizeof(*ret));
	if (pack->lockouts_fd < 0)
		return 0;
	err = cm_pack_read_row(pack->lockouts_fd, row, &entry, sizeof(entry));
	if (err)
		return cm_fail(cm, err, "cannot read the lockouts of %s: %s", pack->name,
			       strerror(-err));
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	ret->now = entry.until_ns > now_ns;
	ret->held = entry.until_ns == CM_LOCKOUT_HELD;
	if (ret->now && !ret->held)
		ret->seconds = (entry.until_ns - now_ns + 999999999) / 1000000000;
	ret->times = entry.times;
	memcpy(ret->reason, entry.reason, sizeof(ret->reason) - 1);
	return 0;
}

struct release {
	uint64_t id;
	size_t nr;
};

static int release(struct cm *cm, const char *name, void *arg)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	const struct cm_lockout never = {};
	struct cm_scope_record record;
	struct release *release = arg;
	struct cm_lockout_info info;
	int err = cm_pack_open(cm, name, &pack);

	if (err || cm_scope_find(pack, release->id, &record))
		return err;
	err = cm_lockout_read(cm, pack, record.scope.row, &info);
	if (err || !info.now)
		return err;
	release->nr++;
	err = cm_pack_write_row(pack->lockouts_fd, record.scope.row, &never, sizeof(never));
	return err ? cm_fail(cm, err, "cannot release it from %s: %s", name, strerror(-err)) : 0;
}

int cm_release(struct cm *cm, const char *cgroup)
{
	struct release arg = {};
	char path[PATH_MAX];
	int err = cm_cgroup_id(cm, cgroup, &arg.id, path);

	if (err)
		return err;
	if (cm->locked)
		return cm_fail(cm, -EPERM,
			       "%s cannot be released: the system is locked until reboot", cgroup);
	err = cm_pack_each(cm, release, &arg);
	if (err || arg.nr)
		return err;
	return cm_fail(cm, -ENOENT, "%s is not locked out: checmate status shows what is", cgroup);
}
