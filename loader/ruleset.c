// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rulesets: bytes of a policy's own for each scope, see kernel/ruleset.bpf.h. Each is a map of one
 * element, frozen before any program sees it, in a map of maps for its size. Which size counts is
 * one number, so a scope's ruleset is exchanged by one write, whatever the two sizes are.
 *
 * The kernel promises to user space that after a change of a map of maps no program runs any more
 * that has not seen it: so nothing is taken away that one may still look for.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "ruleset.h"

static const uint32_t sizes[] = { CM_RULESET_0, CM_RULESET_1, CM_RULESET_2, CM_RULESET_3 };
#define NR_SIZES (sizeof(sizes) / sizeof(*sizes))

/* What says which size counts for each row; NULL: the policy has no rulesets. */
static const struct bpf_map *rows_map(const struct cm_pack *pack)
{
	return cm_object_map(pack->object, ".bss.cm_rulesets");
}

static int open_outer(struct cm *cm, const struct cm_pack *pack, uint32_t shift)
{
	const struct bpf_map *map;
	char name[32];

	snprintf(name, sizeof(name), "cm_rulesets_%u", shift);
	map = cm_object_map(pack->object, name);
	return map ? cm_pack_map_open(cm, pack, map)
		   : cm_fail(cm, -EPROTO, "policy %s has no map %s", pack->name, name);
}

static struct cm_ruleset_rows *map_rows(struct cm *cm, const struct cm_pack *pack)
{
	const struct bpf_map *map = rows_map(pack);
	struct cm_ruleset_rows *rows = NULL;
	size_t size = 0;

	if (map)
		rows = cm_pack_map_of(pack, map, &size);
	if (rows && size == sizeof(*rows))
		return rows;
	if (rows)
		munmap(rows, size);
	cm_fail(cm, -EPROTO, "policy %s has no rules for each scope", pack->name);
	return NULL;
}

static int set_row(struct cm *cm, const struct cm_pack *pack, uint32_t row, uint32_t shift,
		   bool demands)
{
	struct cm_ruleset_rows *rows = map_rows(cm, pack);

	if (!rows)
		return -EPROTO;
	/* At no time in force and not known to need them. */
	if (demands)
		__atomic_store_n(&rows->demands[row], true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&rows->shifts[row], shift, __ATOMIC_SEQ_CST);
	__atomic_store_n(&rows->demands[row], demands, __ATOMIC_SEQ_CST);
	munmap(rows, sizeof(*rows));
	return 0;
}

int cm_ruleset_demands(struct cm *cm, const struct cm_pack *pack, const uint32_t *rows, size_t nr,
		       bool *ret)
{
	struct cm_ruleset_rows *known = rows_map(pack) ? map_rows(cm, pack) : NULL;
	size_t i;

	*ret = false;
	if (!known)
		return rows_map(pack) ? -EPROTO : 0;
	for (i = 0; i < nr; i++)
		*ret |= known->demands[rows[i]];
	munmap(known, sizeof(*known));
	return 0;
}

/* A map with these bytes that nobody can write any more. */
static int make_inner(struct cm *cm, const struct cm_pack *pack, const void *bytes, size_t size)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cm_ruleset", sizeof(uint32_t), size, 1, &opts);
	void *value = MAP_FAILED;
	int err = fd < 0 ? fd : 0;

	if (!err)
		value = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (value != MAP_FAILED) {
		memcpy(value, bytes, size);
		munmap(value, size);
		err = bpf_map_freeze(fd);
	} else if (!err) {
		err = -errno;
	}
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return cm_fail(cm, err, "cannot make room for %zu KiB of rules for %s: %s", size >> 10,
		       pack->name, strerror(-err));
}

static int put_inner(struct cm *cm, const struct cm_pack *pack, uint32_t shift, uint32_t row,
		     int inner)
{
	_cleanup_close_ int fd = open_outer(cm, pack, shift);
	int err = fd < 0 ? fd : bpf_map_update_elem(fd, &row, &inner, BPF_ANY);

	return err && fd >= 0 ? cm_fail(cm, err, "cannot put the rules of %s in place: %s",
					pack->name, strerror(-err))
			      : err;
}

/* Of every size but one (0: of all) that there is for the row, when nobody looks for it any more.
 */
static int drop_inner(struct cm *cm, const struct cm_pack *pack, uint32_t row, uint32_t but)
{
	bool is_settled = but;
	uint32_t id;
	size_t i;
	int err = 0;

	for (i = 0; !err && i < NR_SIZES; i++) {
		_cleanup_close_ int fd = open_outer(cm, pack, sizes[i]);

		if (fd < 0)
			return fd;
		if (sizes[i] == but || bpf_map_lookup_elem(fd, &row, &id))
			continue;
		err = is_settled ? 0 : cm_chain_settle(cm);
		is_settled = true;
		if (!err)
			err = bpf_map_delete_elem(fd, &row);
	}
	return err;
}

int cm_ruleset_put(struct cm *cm, struct cm_pack *pack, uint32_t row,
		   const struct cm_ruleset *ruleset)
{
	_cleanup_close_ int inner = -1;
	uint32_t shift = __builtin_ctzl(ruleset->size);
	int err;

	inner = make_inner(cm, pack, ruleset->bytes, ruleset->size);
	if (inner < 0)
		return inner;
	err = ruleset->demands ? cm_demand_wake(cm, pack) : 0;
	if (!err)
		err = put_inner(cm, pack, shift, row, inner);
	if (!err)
		err = set_row(cm, pack, row, shift, ruleset->demands);
	if (!err) /* once more: who has read the old number is gone then */
		err = put_inner(cm, pack, shift, row, inner);
	if (!err)
		err = drop_inner(cm, pack, row, shift);
	return err ? err : cm_demand_settle(cm, pack);
}

int cm_ruleset_clear(struct cm *cm, struct cm_pack *pack, uint32_t row)
{
	int err;

	if (!rows_map(pack))
		return 0;
	err = set_row(cm, pack, row, 0, false);
	if (!err)
		err = drop_inner(cm, pack, row, 0);
	return err ? err : cm_demand_settle(cm, pack);
}

static int read_inner(uint32_t id, size_t size, void **ret)
{
	_cleanup_close_ int fd = bpf_map_get_fd_by_id(id);
	uint32_t zero = 0;
	void *bytes;
	int err;

	if (fd < 0)
		return fd;
	bytes = malloc(size);
	err = bytes ? bpf_map_lookup_elem(fd, &zero, bytes) : -ENOMEM;
	if (err)
		free(bytes);
	else
		*ret = bytes;
	return err;
}

int cm_ruleset_get(struct cm *cm, const struct cm_pack *pack, uint32_t row, void **ret,
		   size_t *ret_size)
{
	struct cm_ruleset_rows *rows = map_rows(cm, pack);
	_cleanup_close_ int outer = -1;
	uint32_t shift, id;
	int err;

	*ret = NULL;
	if (!rows)
		return -EPROTO;
	shift = rows->shifts[row];
	munmap(rows, sizeof(*rows));
	if (!shift)
		return 0;
	outer = open_outer(cm, pack, shift);
	err = outer < 0 ? outer : bpf_map_lookup_elem(outer, &row, &id);
	*ret_size = 1ul << shift;
	if (!err)
		err = read_inner(id, *ret_size, ret);
	return err ? cm_fail(cm, err, "cannot read the rules of %s: %s", pack->name, strerror(-err))
		   : 0;
}
