// SPDX-License-Identifier: GPL-2.0-only
/* Limits of a scope of the pack netfilter: they are knobs of the pack netfilter_limit. */
#include <stdio.h>
#include <string.h>

#include "nf_limit.h"

#define PACK "netfilter_limit"

static const char *const knobs[] = { [NF_PER_DESTINATION] = "limit_per_destination",
				     [NF_PER_SCOPE] = "limit_per_scope",
				     [NF_PER_SOURCE] = "limit_per_source" };

bool nf_has_limit(const uint32_t *limits)
{
	return limits[NF_PER_DESTINATION] || limits[NF_PER_SCOPE] || limits[NF_PER_SOURCE];
}

const struct cm_knob_decl *nf_limit_knob(const struct cm_object *object, enum nf_limit kind)
{
	return cm_object_knob(object, knobs[kind]);
}

/* The pack, if it is in that scope, whose row and limits are told; NULL if not. */
static int open_scope(struct cm *cm, const char *cgroup, struct cm_pack **ret, uint32_t *ret_row,
		      uint32_t *ret_limits)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_scope_record record;
	bool is_there = false;
	size_t i;
	int err = cm_pack_open(cm, PACK, &pack);

	*ret = NULL;
	memset(ret_limits, 0, NF_LIMITS * sizeof(*ret_limits));
	if (err == -ENOENT)
		return 0;
	if (!err)
		err = cm_scope_get(cm, pack, cgroup, &record, &is_there);
	if (err || !is_there)
		return err;
	for (i = 0; i < NF_LIMITS; i++)
		ret_limits[i] = record.values[nf_limit_knob(pack->object, i)->index];
	*ret_row = record.scope.row;
	*ret = pack;
	pack = NULL;
	return 0;
}

static int enable(struct cm *cm, const char *cgroup, enum cm_mode mode, const uint32_t *limits)
{
	char texts[NF_LIMITS][64];
	const char *settings[NF_LIMITS + 1] = {};
	size_t i;

	for (i = 0; i < NF_LIMITS; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s=%u", knobs[i], limits[i]);
		settings[i] = texts[i];
	}
	return cm_pack_enable(cm, PACK, cgroup, mode, settings);
}

static int set(struct cm *cm, const char *cgroup, const uint32_t *from, const uint32_t *to)
{
	char name[CM_PATH_LEN], text[16];
	size_t i;
	int err = 0;

	for (i = 0; !err && i < NF_LIMITS; i++) {
		if (from[i] == to[i])
			continue;
		snprintf(name, sizeof(name), "kernel.checmate.netfilter.%s", knobs[i]);
		snprintf(text, sizeof(text), "%u", to[i]);
		err = cm_knob_set(cm, name, cgroup, text);
	}
	return err;
}

/* NULL means everywhere to the one call, and the whole system to the other ones. */
int cm_nf_disable(struct cm *cm, const char *pack, const char *cgroup)
{
	int err = cgroup ? 0 : cm_cgroup_root(cm);

	return cm_pack_disable(cm, pack, cgroup ? cgroup : err < 0 ? NULL : cm->cgroup_mount);
}

int nf_limit_set(struct cm *cm, const char *cgroup, enum cm_mode mode, const uint32_t *limits,
		 uint32_t *ret_old)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	char why[sizeof(cm->error)];
	uint32_t row;
	int err = open_scope(cm, cgroup, &pack, &row, ret_old);

	if (err)
		return err;
	if (!nf_has_limit(limits))
		return pack ? cm_nf_disable(cm, PACK, cgroup) : 0;
	if (!pack)
		return enable(cm, cgroup, mode, limits);
	err = set(cm, cgroup, ret_old, limits);
	if (err) { /* the reason is worth more than what undoing it may say */
		memcpy(why, cm->error, sizeof(why));
		set(cm, cgroup, limits, ret_old);
		memcpy(cm->error, why, sizeof(why));
	}
	return err;
}

int nf_limit_use(struct cm *cm, const char *cgroup, struct nf_limit_use *ret)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	uint32_t row, limits[NF_LIMITS];
	_cleanup_close_ int fd = -1;
	int err = open_scope(cm, cgroup, &pack, &row, limits);

	memset(ret, 0, sizeof(*ret));
	if (err || !pack)
		return err;
	fd = cm_pack_map_open(cm, pack, cm_object_map(pack->object, CM_PER_SCOPE_MAP "uses"));
	err = fd < 0 ? fd : cm_pack_read_row(fd, row, ret, sizeof(*ret));
	return err && fd >= 0 ? cm_fail(cm, err, "cannot read what is counted by " PACK ": %s",
					strerror(-err))
			      : err;
}
