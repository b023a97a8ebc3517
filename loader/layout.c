// SPDX-License-Identifier: GPL-2.0-only
/*
 * May one object go on with the maps of another? Its knobs must mean the same, and a map that both
 * have must be the same, a data section variable by variable. A map that only the new one has is
 * made; one that only the old one has would be lost, and so is a difference.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

static bool same_knob(const struct cm_knob_decl *a, const struct cm_knob_decl *b)
{
	return a->index == b->index && !strcmp(a->path, b->path) && !strcmp(a->alias, b->alias) &&
	       a->min == b->min && a->max == b->max && a->strictest == b->strictest &&
	       a->flags == b->flags && a->latch == b->latch && !strcmp(a->words, b->words);
}

static int check_knobs(struct cm *cm, const struct cm_object *old, const struct cm_object *new)
{
	char name[CM_PATH_LEN];
	size_t i, j;

	for (i = 0; i < old->nr_knobs; i++) {
		for (j = 0; j < new->nr_knobs; j++)
			if (same_knob(&old->knobs[i], &new->knobs[j]))
				break;
		if (j < new->nr_knobs)
			continue;
		cm_knob_name(&old->knobs[i], name);
		return cm_fail(cm, -EINVAL,
			       "%s: the new object lacks knob %s, or has it with other bounds, "
			       "place, alias, strictest, latch or words: unload and load it",
			       old->name, name);
	}
	if (old->nr_knobs != new->nr_knobs || old->row_knobs != new->row_knobs)
		return cm_fail(cm, -EINVAL,
			       "%s: the new object has other knobs: unload and load it", old->name);
	return 0;
}

/* Same variables at the same places, of the same size. */
static bool same_section(const struct cm_object *old, const struct cm_object *new, const char *name)
{
	const struct btf_type *a = cm_object_section(old, name), *b = cm_object_section(new, name);
	const struct btf_var_secinfo *x, *y;
	size_t i;

	if (!a || !b || btf_vlen(a) != btf_vlen(b))
		return a == b; /* both absent */
	for (i = 0; i < btf_vlen(a); i++) {
		x = &btf_var_secinfos(a)[i];
		y = &btf_var_secinfos(b)[i];
		if (x->offset != y->offset || x->size != y->size ||
		    strcmp(cm_object_variable_name(old, name, i),
			   cm_object_variable_name(new, name, i)))
			return false;
	}
	return true;
}

bool cm_layout_same_counters(const struct cm_object *old, const struct cm_object *new)
{
	return same_section(old, new, ".bss.cm_counters");
}

static bool same_map(const struct cm_object *old, const struct bpf_map *a,
		     const struct cm_object *new, const struct bpf_map *b)
{
	return bpf_map__type(a) == bpf_map__type(b) &&
	       bpf_map__key_size(a) == bpf_map__key_size(b) &&
	       bpf_map__value_size(a) == bpf_map__value_size(b) &&
	       bpf_map__max_entries(a) == bpf_map__max_entries(b) &&
	       bpf_map__map_flags(a) == bpf_map__map_flags(b) &&
	       (!bpf_map__is_internal(a) || same_section(old, new, cm_object_map_name(old, a)));
}

bool cm_layout_is_new(const struct cm_object *object, const struct bpf_map *map)
{
	const char *name = cm_object_map_name(object, map);

	return !strncmp(name, "cm_next__", 9) || cm_jump_is(name) ||
	       (bpf_map__is_internal(map) && bpf_map__map_flags(map) & BPF_F_RDONLY_PROG);
}

int cm_layout_check(struct cm *cm, const struct cm_object *old, const struct cm_object *new)
{
	const struct bpf_map *map, *other;
	const char *name;
	int err = check_knobs(cm, old, new);

	if (err)
		return err;
	if (strcmp(old->pack->native_lsm, new->pack->native_lsm))
		return cm_fail(cm, -EINVAL, "%s: the new object names another native LSM",
			       old->name);
	if (strcmp(old->pack->sealed_by, new->pack->sealed_by))
		return cm_fail(cm, -EINVAL, "%s: the new object names another pack's seal",
			       old->name);
	bpf_object__for_each_map(map, old->bpf) {
		name = cm_object_map_name(old, map);
		/* Counters go on by name: see build.c. */
		if (cm_layout_is_new(old, map) || !strcmp(name, ".bss.cm_counters"))
			continue;
		other = cm_object_map(new, name);
		if (!other || !same_map(old, map, new, other))
			return cm_fail(cm, -EINVAL,
				       "%s: the new object lacks map %s, or has it with another "
				       "layout: unload and load it",
				       old->name, name);
	}
	return 0;
}
