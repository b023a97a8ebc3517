// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values of a locked policy: kernel/tighten.bpf.c makes them stricter, and is the only one who can.
 * Pinned as lock/tighten_NAME.
 */
#include <stdio.h>
#include <string.h>

#include "../kernel/tighten.h"
#include "internal.h"

struct place {
	char *path;
	uint32_t row;
};

static int by_path(const void *a, const void *b)
{
	return cm_path_compare(((const struct place *)a)->path, ((const struct place *)b)->path);
}

/* Which scopes lie in which is constant from now on: cgroups have their place for life. */
static int set_spans(struct cm *cm, struct cm_pack *pack, struct cm_span *spans)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	_cleanup_free_ struct place *places = NULL;
	char path[PATH_MAX];
	size_t nr, i, end;
	int err = cm_scopes_read(cm, pack, &records, &nr);

	for (i = 0; i < CM_ROWS; i++)
		spans[i] = (struct cm_span){ UINT16_MAX, 0 };
	if (err)
		return err;
	places = calloc(nr + 1, sizeof(*places));
	if (!places)
		return cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; !err && i < nr; i++) {
		err = cm_cgroup_path(cm, records[i].id, path, sizeof(path));
		places[i].row = records[i].scope.row;
		places[i].path = err ? NULL : strdup(path);
		if (!err && !places[i].path)
			err = cm_fail(cm, -ENOMEM, "out of memory");
	}
	if (!err)
		qsort(places, nr, sizeof(*places), by_path);
	for (i = 0; !err && i < nr; i++) {
		for (end = i + 1; end < nr && cm_path_contains(places[i].path, places[end].path);)
			end++;
		spans[places[i].row % CM_ROWS] = (struct cm_span){ i, end };
	}
	for (i = 0; i < nr; i++)
		free(places[i].path);
	return err;
}

static int set_rules(struct cm *cm, struct cm_pack *pack, struct cm_tighten_rules *rules)
{
	const struct cm_knob_decl *knob;
	size_t i;

	rules->nr_values = pack->object->row_knobs;
	rules->level_size = pack->levels_fd < 0 ? 0 : cm_object_level_size(pack->object);
	for (i = 0; i < CM_KNOBS_MAX; i++)
		rules->knobs[i] = (struct cm_tighten_knob){ .min = 1, .max = 0 };
	for (i = 0; i < pack->object->nr_knobs; i++) {
		knob = &pack->object->knobs[i];
		rules->knobs[knob->index] =
			(struct cm_tighten_knob){ knob->strictest, knob->min, knob->max };
	}
	return set_spans(cm, pack, rules->spans);
}

static int use_map(struct cm *cm, struct bpf_object *bpf, const char *map, int fd)
{
	int err = bpf_map__reuse_fd(bpf_object__find_map_by_name(bpf, map), fd);

	return err ? cm_fail(cm, err, "cannot use the map %s of a policy: %s", map, strerror(-err))
		   : 0;
}

static int use_levels(struct cm *cm, struct cm_pack *pack, struct bpf_object *bpf)
{
	return pack->levels_fd < 0 ? 0 : use_map(cm, bpf, "cm_levels", pack->levels_fd);
}

static int load(struct cm *cm, struct cm_pack *pack, struct bpf_object *bpf)
{
	_cleanup_close_ int state = -1;
	struct cm_tighten_rules *rules;
	char path[PATH_MAX];
	size_t size;
	int err = cm_pin_path(cm, path, "packs/%s/state", pack->name);

	if (err)
		return err;
	rules = cm_section(bpf_object__find_map_by_name(bpf, ".rodata.cm_rules"), &size);
	if (!rules || size != sizeof(*rules))
		return cm_fail(cm, -EPROTO, "the built-in object tighten is broken");
	state = cm_pin_get(path);
	err = set_rules(cm, pack, rules);
	if (!err)
		err = use_map(cm, bpf, "cm_state", state);
	if (!err)
		err = use_map(cm, bpf, "cm_scopes", pack->scopes_fd);
	if (!err)
		err = use_map(cm, bpf, "cm_rows", pack->rows_fd);
	if (!err)
		err = use_levels(cm, pack, bpf);
	if (err)
		return err;
	err = bpf_object__load(bpf);
	return err ? cm_fail(cm, err, "the kernel refuses the program that tightens %s: %s",
			     pack->name, strerror(-err))
		   : 0;
}

int cm_tighten_prepare(struct cm *cm, const char *name, void *arg)
{
	_cleanup_bpf_ struct bpf_object *bpf = NULL;
	_cleanup_pack_ struct cm_pack *pack = NULL;
	char path[PATH_MAX];
	int err = cm_pack_open(cm, name, &pack);

	(void)arg;
	if (err)
		return err;
	bpf = cm_builtin_open(cm, &cm_builtin_tighten, "checmate");
	if (!bpf)
		return -EIO;
	err = load(cm, pack, bpf);
	if (!err)
		err = cm_pin_path(cm, path, "locking/tighten_%s", name);
	return err ? err
		   : cm_pin_put(
			     cm,
			     bpf_program__fd(bpf_object__find_program_by_name(bpf, "cm_tighten")),
			     path);
}

int cm_tighten(struct cm *cm, const struct cm_pack *pack, const struct cm_knob_decl *knob,
	       uint64_t cgroup, int value)
{
	struct cm_tighten call = { .cgroup = cgroup, .index = knob->index, .value = value };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &call, .ctx_size_in = sizeof(call));
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "lock/tighten_%s", pack->name);

	if (err)
		return err;
	fd = cm_pin_get(path);
	err = fd < 0 ? fd : bpf_prog_test_run_opts(fd, &opts);
	if (!err)
		err = (int)opts.retval;
	cm_knob_name(knob, path);
	return err ? cm_fail(cm, err, "cannot set %s: %s", path, strerror(-err)) : 0;
}
