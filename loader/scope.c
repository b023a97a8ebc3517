// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scopes of a pack. The entries of "cm_scopes" are what the administrator said and the only truth;
 * rows, ceiling, nr_scopes and the generation are derived from them and can be derived again at any
 * time (state->dirty says that it is needed). kernel/scope.bpf.h reads all of it.
 *
 * Order keeps a promise while rows change one by one: no task is ever bound less than both the old
 * and the new configuration bind it, and a scope's row is never looser than its ancestor's.
 */
#include <stdio.h>
#include <string.h>

#include "ruleset.h"

static size_t entry_size(const struct cm_pack *pack)
{
	return sizeof(struct cm_scope) + pack->object->row_knobs * sizeof(int);
}

static void record_from(const struct cm_pack *pack, uint64_t id, const void *entry,
			struct cm_scope_record *record)
{
	memset(record, 0, sizeof(*record));
	record->id = id;
	memcpy(&record->scope, entry, sizeof(record->scope));
	memcpy(record->values, (const char *)entry + sizeof(record->scope),
	       pack->object->row_knobs * sizeof(int));
}

int cm_scopes_read(struct cm *cm, struct cm_pack *pack, struct cm_scope_record **ret, size_t *nr)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	_cleanup_free_ uint64_t *keys = NULL;
	_cleanup_free_ char *entries = NULL;
	uint32_t count = CM_ROWS, batch = 0;
	size_t i;
	int err;

	keys = calloc(CM_ROWS, sizeof(*keys));
	entries = calloc(CM_ROWS, entry_size(pack));
	records = calloc(CM_ROWS, sizeof(*records));
	if (!keys || !entries || !records)
		return cm_fail(cm, -ENOMEM, "out of memory");
	/* One call: there is room for more entries than the map may hold. */
	err = bpf_map_lookup_batch(pack->scopes_fd, NULL, &batch, keys, entries, &count, NULL);
	if (err && err != -ENOENT)
		return cm_fail(cm, err, "cannot read the scopes of %s: %s", pack->name,
			       strerror(-err));
	for (i = 0; i < count; i++)
		record_from(pack, keys[i], entries + i * entry_size(pack), &records[i]);
	*ret = records;
	records = NULL;
	*nr = count;
	return 0;
}

int cm_scope_find(struct cm_pack *pack, uint64_t id, struct cm_scope_record *ret)
{
	char entry[sizeof(struct cm_scope) + CM_KNOBS_MAX * sizeof(int)];
	int err = bpf_map_lookup_elem(pack->scopes_fd, &id, entry);

	if (!err)
		record_from(pack, id, entry, ret);
	return err;
}

int cm_scope_get(struct cm *cm, struct cm_pack *pack, const char *cgroup,
		 struct cm_scope_record *ret, bool *ret_is_there)
{
	uint64_t id = CM_CGROUP_ROOT;
	char path[PATH_MAX];
	int err = cgroup ? cm_cgroup_id(cm, cgroup, &id, path) : 0;

	memset(ret, 0, sizeof(*ret));
	*ret_is_there = false;
	if (err)
		return err;
	if (id != CM_CGROUP_ROOT) {
		*ret_is_there = !cm_scope_find(pack, id, ret);
		return 0;
	}
	ret->id = id;
	ret->scope.mode = pack->state->system_mode;
	memcpy(ret->values, pack->system, pack->object->row_knobs * sizeof(int));
	*ret_is_there = pack->state->system_enabled;
	return 0;
}

static int read_row(const struct cm_pack *pack, uint32_t row, struct cm_value *ret)
{
	return bpf_map_lookup_elem(pack->rows_fd, &row, ret);
}

static int write_row(struct cm *cm, const struct cm_pack *pack, uint32_t row,
		     const struct cm_value *values)
{
	int err = bpf_map_update_elem(pack->rows_fd, &row, values, BPF_ANY);

	return err ? cm_fail(cm, err, "cannot write row %u of %s: %s", row, pack->name,
			     strerror(-err))
		   : 0;
}

/* The scope itself, for a policy that looks at them one by one (kernel/level.bpf.h). */
static int write_level(struct cm *cm, const struct cm_pack *pack,
		       const struct cm_scope_record *record, uint32_t above)
{
	char entry[sizeof(struct cm_level_head) + CM_KNOBS_MAX * sizeof(int)];
	struct cm_level_head head = { .above = above,
				      .mode = record->scope.mode,
				      .cgroup = record->id };
	int err;

	if (pack->levels_fd < 0)
		return 0;
	memcpy(entry, &head, sizeof(head));
	memcpy(entry + sizeof(head), record->values, sizeof(record->values));
	err = cm_pack_write_row(pack->levels_fd, record->scope.row, entry,
				cm_object_level_size(pack->object));
	return err ? cm_fail(cm, err, "cannot write level %u of %s: %s", record->scope.row,
			     pack->name, strerror(-err))
		   : 0;
}

static int clear_map(struct cm *cm, const struct cm_pack *pack, const struct bpf_map *map,
		     uint32_t row)
{
	size_t size = bpf_map__value_size(map) / CM_ROWS;
	_cleanup_free_ char *zeros = calloc(1, size);
	_cleanup_close_ int fd = -1;
	int err;

	if (!zeros)
		return cm_fail(cm, -ENOMEM, "out of memory");
	fd = cm_pack_map_open(cm, pack, map);
	if (fd < 0)
		return fd;
	err = cm_pack_write_row(fd, row, zeros, size);
	return err ? cm_fail(cm, err, "cannot clear the map %s of %s: %s", bpf_map__name(map),
			     pack->name, strerror(-err))
		   : 0;
}

/* What the policy kept for a scope that is gone is not the new one's. */
int cm_scope_clear(struct cm *cm, struct cm_pack *pack, uint32_t row)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, pack->object->bpf)
		if (!err && cm_is_per_scope(cm_object_map_name(pack->object, map)))
			err = clear_map(cm, pack, map, row);
	return err ? err : cm_ruleset_clear(cm, pack, row);
}

/* "/a/b" -> "/a" -> "/" -> false */
static bool to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || !path[1])
		return false;
	slash[slash == path] = '\0';
	return true;
}

static void loosest(const struct cm_pack *pack, struct cm_value *values)
{
	size_t i;

	memset(values, 0, CM_KNOBS_MAX * sizeof(*values));
	for (i = 0; i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);
		int off = cm_knob_off(knob);

		values[knob->index] = (struct cm_value){ off, off };
	}
}

uint32_t cm_scope_row(struct cm *cm, struct cm_pack *pack, const char *path)
{
	struct cm_scope_record record;
	char at[PATH_MAX];
	uint64_t id;

	snprintf(at, sizeof(at), "%s", path);
	do {
		if (!cm_cgroup_id_below(cm, at, &id) && !cm_scope_find(pack, id, &record))
			return record.scope.row;
	} while (to_parent(at));
	return 0;
}

int cm_scope_values(struct cm *cm, struct cm_pack *pack, const char *path, struct cm_value *ret)
{
	uint32_t row = cm_scope_row(cm, pack, path);

	loosest(pack, ret);
	return row ? read_row(pack, row, ret) : 0;
}

bool cm_scope_covers(struct cm *cm, struct cm_pack *pack, const char *path)
{
	return pack->state->system_enabled || cm_system_in_force(pack) ||
	       cm_scope_row(cm, pack, path);
}

/* @values, on entry the surroundings', become those of the scope. */
static void combine(const struct cm_pack *pack, const struct cm_scope_record *record,
		    struct cm_value *values)
{
	size_t i;

	for (i = 0; i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);
		struct cm_value *value = &values[knob->index];
		int own = record->values[knob->index];

		value->shadow = cm_knob_strict(knob, value->shadow, own);
		if (record->scope.mode == CM_ENFORCE)
			value->enforced = cm_knob_strict(knob, value->enforced, own);
	}
}

static void stricter(const struct cm_pack *pack, struct cm_value *values,
		     const struct cm_value *others)
{
	size_t i;

	for (i = 0; i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);
		struct cm_value *value = &values[knob->index];
		const struct cm_value *other = &others[knob->index];

		value->shadow = cm_knob_strict(knob, value->shadow, other->shadow);
		value->enforced = cm_knob_strict(knob, value->enforced, other->enforced);
	}
}

static uint64_t used_bit(const struct cm_knob_decl *knob, int ceiling)
{
	return knob->index < CM_USED_MAX && ceiling != cm_knob_off(knob) ? CM_USED(knob->index) : 0;
}

/* Before a change: a value that no scope had yet must not be skipped by the fast path. */
static void raise_ceiling(struct cm_pack *pack, const struct cm_scope_record *record)
{
	uint64_t used = 0;
	size_t i;

	for (i = 0; i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);
		int *place = &pack->ceiling[knob->index];
		int ceiling = cm_knob_strict(knob, *place, record->values[knob->index]);

		used |= used_bit(knob, ceiling);
		__atomic_store_n(place, ceiling, __ATOMIC_SEQ_CST);
	}
	__atomic_fetch_or(&pack->state->used, used, __ATOMIC_SEQ_CST);
}

/* After it: the cached answers end, and what the scopes have in common is what they have now. */
static int publish(struct cm *cm, struct cm_pack *pack, const struct cm_scope_record *records,
		   size_t nr)
{
	uint64_t generation = (pack->state->generation + CM_GENERATION) & CM_GENERATION_MAX;
	_cleanup_free_ char *zeros = NULL;
	uint64_t used = CM_USED_LOCKOUT;
	uint32_t zero = 0;
	size_t i, j;
	int err;

	__atomic_store_n(&pack->state->generation, generation, __ATOMIC_SEQ_CST);
	if (!generation) { /* wrapped: answers of 2^19 changes ago would be believed */
		zeros = calloc(CM_CACHE, sizeof(uint64_t));
		if (!zeros)
			return cm_fail(cm, -ENOMEM, "out of memory");
		err = bpf_map_update_elem(pack->cache_fd, &zero, zeros, BPF_ANY);
		if (err)
			return cm_fail(cm, err, "cannot clear the cache of %s", pack->name);
		__atomic_store_n(&pack->state->generation, CM_GENERATION, __ATOMIC_SEQ_CST);
	}
	for (i = 0; i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);
		int ceiling = cm_knob_off(knob);

		for (j = 0; j < nr; j++)
			ceiling = cm_knob_strict(knob, ceiling, records[j].values[knob->index]);
		__atomic_store_n(&pack->ceiling[knob->index], ceiling, __ATOMIC_SEQ_CST);
		used |= used_bit(knob, ceiling);
	}
	__atomic_fetch_and(&pack->state->used, used, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pack->state->nr_scopes, nr, __ATOMIC_SEQ_CST);
	__atomic_store_n(&pack->state->dirty, 0, __ATOMIC_SEQ_CST);
	return 0;
}

struct placed {
	const struct cm_scope_record *record;
	char *path;
	struct cm_value *values;
	int parent; /* index of the nearest scoped ancestor, -1 if none */
};

/* Ancestors before descendants, and each subtree in one run: '/' sorts before all else. */
int cm_path_compare(const char *a, const char *b)
{
	const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return (*x == '/' ? 1 : *x) - (*y == '/' ? 1 : *y);
}

static int by_path(const void *a, const void *b)
{
	return cm_path_compare(((const struct placed *)a)->path, ((const struct placed *)b)->path);
}

bool cm_path_contains(const char *ancestor, const char *path)
{
	size_t len = strlen(ancestor);

	return !ancestor[1] || (!strncmp(ancestor, path, len) && path[len] == '/');
}

static int write_placed(struct cm *cm, struct cm_pack *pack, struct placed *placed, size_t nr)
{
	struct cm_value row[CM_KNOBS_MAX];
	size_t i;
	int err;

	/* Tighten from the leaves, then loosen from the root: see the head of this file. */
	for (i = nr; i-- > 0;) {
		err = read_row(pack, placed[i].record->scope.row, row);
		if (err)
			return cm_fail(cm, err, "cannot read a row of %s", pack->name);
		stricter(pack, row, placed[i].values);
		err = write_row(cm, pack, placed[i].record->scope.row, row);
		if (err)
			return err;
	}
	for (i = 0; i < nr; i++) {
		err = write_row(cm, pack, placed[i].record->scope.row, placed[i].values);
		if (!err)
			err = write_level(cm, pack, placed[i].record,
					  placed[i].parent < 0
						  ? 0
						  : placed[placed[i].parent].record->scope.row);
		if (err)
			return err;
	}
	return 0;
}

static void place_values(struct cm_pack *pack, struct placed *placed, size_t nr)
{
	size_t i;
	int up;

	qsort(placed, nr, sizeof(*placed), by_path);
	for (i = 0; i < nr; i++) {
		/* The nearest scoped ancestor is the one before, or one of its ancestors. */
		up = (int)i - 1;
		while (up >= 0 && !cm_path_contains(placed[up].path, placed[i].path))
			up = placed[up].parent;
		placed[i].parent = up;
		if (up < 0)
			loosest(pack, placed[i].values);
		else
			memcpy(placed[i].values, placed[up].values,
			       CM_KNOBS_MAX * sizeof(struct cm_value));
		combine(pack, placed[i].record, placed[i].values);
	}
}

/* All rows from the entries. */
int cm_scopes_derive(struct cm *cm, struct cm_pack *pack)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	_cleanup_free_ struct cm_value *values = NULL;
	_cleanup_free_ struct placed *placed = NULL;
	char path[PATH_MAX];
	size_t nr, i, live = 0;
	int err = cm_scopes_read(cm, pack, &records, &nr);

	if (err)
		return err;
	placed = calloc(nr + 1, sizeof(*placed));
	values = calloc((nr + 1) * CM_KNOBS_MAX, sizeof(*values));
	if (!placed || !values)
		return cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; i < nr && !err; i++) {
		err = cm_cgroup_path(cm, records[i].id, path, sizeof(path));
		if (err)
			break;
		if (path[0] != '/') { /* removed before its entry was made */
			bpf_map_delete_elem(pack->scopes_fd, &records[i].id);
			continue;
		}
		records[live] = records[i];
		placed[live].record = &records[live];
		placed[live].values = values + live * CM_KNOBS_MAX;
		placed[live].path = strdup(path);
		if (!placed[live++].path)
			err = cm_fail(cm, -ENOMEM, "out of memory");
	}
	if (!err) {
		place_values(pack, placed, live);
		err = write_placed(cm, pack, placed, live);
	}
	if (!err)
		err = publish(cm, pack, records, live);
	for (i = 0; i < live; i++)
		free(placed[i].path);
	return err;
}

static uint32_t unused_row(const struct cm_scope_record *records, size_t nr)
{
	char used[CM_ROWS] = { 1 };
	uint32_t row;
	size_t i;

	for (i = 0; i < nr; i++)
		used[records[i].scope.row % CM_ROWS] = 1;
	for (row = 1; row < CM_ROWS; row++)
		if (!used[row])
			return row;
	return 0;
}

static int write_entry(struct cm *cm, struct cm_pack *pack, const struct cm_scope_record *record)
{
	char entry[sizeof(struct cm_scope) + CM_KNOBS_MAX * sizeof(int)];
	int err;

	memcpy(entry, &record->scope, sizeof(record->scope));
	memcpy(entry + sizeof(record->scope), record->values, sizeof(record->values));
	err = bpf_map_update_elem(pack->scopes_fd, &record->id, entry, BPF_ANY);
	if (err)
		return cm_fail(cm, err, "cannot store a scope of %s: %s", pack->name,
			       strerror(-err));
	return 0;
}

/* A new scope: what is in its row is written before the entry makes it count. */
static int insert(struct cm *cm, struct cm_pack *pack, const char *path,
		  struct cm_scope_record *record, const struct cm_scope_record *records, size_t nr)
{
	struct cm_value values[CM_KNOBS_MAX];
	int err = cm_scope_values(cm, pack, path, values);

	if (err)
		return cm_fail(cm, err, "cannot read the scopes around %s", path);
	record->scope.row = unused_row(records, nr);
	if (!record->scope.row)
		return cm_fail(cm, -ENOSPC, "%s has its %d scopes already: disable one first",
			       pack->name, CM_ROWS - 1);
	combine(pack, record, values);
	err = write_row(cm, pack, record->scope.row, values);
	if (!err)
		err = write_level(cm, pack, record, cm_scope_row(cm, pack, path));
	return err ? err : cm_scope_clear(cm, pack, record->scope.row);
}

/* Had the cgroup been removed by then, nobody would ever take the new entry away. */
static int check_alive(struct cm *cm, struct cm_pack *pack, const char *path, uint64_t id)
{
	char now[PATH_MAX];
	int err = cm_cgroup_path(cm, id, now, sizeof(now));

	if (err || now[0] == '/')
		return err;
	err = cm_scope_remove(cm, pack, id);
	return err ? err : cm_fail(cm, -ENOENT, "cgroup %s was removed meanwhile", path);
}

int cm_scope_write(struct cm *cm, struct cm_pack *pack, const char *path,
		   struct cm_scope_record *record)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	struct cm_scope_record old;
	bool is_new = cm_scope_find(pack, record->id, &old);
	size_t nr;
	int err = cm_scopes_read(cm, pack, &records, &nr);

	if (err)
		return err;
	__atomic_store_n(&pack->state->dirty, 1, __ATOMIC_SEQ_CST);
	/*
	 * A freed row may still be named by a cached answer for a cgroup that is gone (a zombie, a
	 * socket): it is not reused within the generation in which that answer was given.
	 */
	if (is_new) {
		err = publish(cm, pack, records, nr);
		if (!err)
			err = insert(cm, pack, path, record, records, nr);
		if (err)
			return err;
		__atomic_store_n(&pack->state->dirty, 1, __ATOMIC_SEQ_CST);
	}
	raise_ceiling(pack, record);
	__atomic_store_n(&pack->state->nr_scopes, nr + 1, __ATOMIC_SEQ_CST);
	err = write_entry(cm, pack, record);
	if (!err && is_new)
		err = check_alive(cm, pack, path, record->id);
	if (err)
		return err;
	if (!is_new || cm_cgroup_has_children(cm, path))
		return cm_scopes_derive(cm, pack);
	records[nr] = *record;
	return publish(cm, pack, records, nr + 1);
}

int cm_scope_remove(struct cm *cm, struct cm_pack *pack, uint64_t id)
{
	struct cm_scope_record record = {};
	int err = cm_scope_find(pack, id, &record);

	__atomic_store_n(&pack->state->dirty, 1, __ATOMIC_SEQ_CST);
	err = bpf_map_delete_elem(pack->scopes_fd, &id);
	if (err && err != -ENOENT)
		return cm_fail(cm, err, "cannot remove a scope of %s: %s", pack->name,
			       strerror(-err));
	err = cm_scopes_derive(cm, pack);
	return err || !record.scope.row ? err : cm_ruleset_clear(cm, pack, record.scope.row);
}
