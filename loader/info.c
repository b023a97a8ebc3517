// SPDX-License-Identifier: GPL-2.0-only
/* What packs are known, and what is in force of them. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* The list owns the objects that its declarations point into. */
struct list {
	struct cm_packs packs; /* first: what the caller sees */
	struct cm_object **objects;
};

static int fill_declarations(struct cm *cm, struct cm_pack_info *info,
			     const struct cm_object *object)
{
	size_t i;

	info->decl = object->pack;
	info->door = "none";
	info->priority = object->about.priority;
	info->origin = object->about.origin[0] ? object->about.origin : NULL;
	for (i = 0; i < CM_DIGEST_LEN; i++)
		sprintf(info->digest + 2 * i, "%02x", object->about.digest[i]);
	info->knobs = calloc(object->nr_knobs + 1, sizeof(*info->knobs));
	info->hooks = calloc(object->nr_hooks + 1, sizeof(*info->hooks));
	if (!info->knobs || !info->hooks)
		return cm_fail(cm, -ENOMEM, "out of memory");
	info->nr_profiles = object->nr_profiles;
	info->profiles = object->profiles;
	info->nr_knobs = object->nr_knobs;
	info->nr_hooks = object->nr_hooks;
	for (i = 0; i < object->nr_knobs; i++) {
		info->knobs[i].decl = &object->knobs[i];
		cm_knob_name(&object->knobs[i], info->knobs[i].name);
		cm_knob_dotted(object->knobs[i].alias, info->knobs[i].alias);
	}
	for (i = 0; i < object->nr_hooks; i++)
		memcpy(info->hooks[i].name, object->hooks[i].name, sizeof(info->hooks[i].name));
	return 0;
}

static int new_scope(struct cm *cm, struct cm_pack_info *info, const char *path,
		     struct cm_scope_info **ret)
{
	struct cm_scope_info *scope = &info->scopes[info->nr_scopes++];

	scope->cgroup = strdup(path);
	scope->values = calloc(info->nr_knobs + 1, sizeof(int));
	scope->effective = calloc(info->nr_knobs + 1, sizeof(int));
	if (!scope->cgroup || !scope->values || !scope->effective)
		return cm_fail(cm, -ENOMEM, "out of memory");
	*ret = scope;
	return 0;
}

static int fill_system(struct cm *cm, struct cm_pack_info *info, struct cm_pack *pack)
{
	struct cm_scope_info *scope;
	size_t i;
	int err = new_scope(cm, info, "/", &scope);

	if (err)
		return err;
	scope->id = CM_CGROUP_ROOT;
	scope->mode = pack->state->system_mode;
	for (i = 0; !err && i < info->nr_knobs; i++) {
		err = cm_system_get(cm, pack, &pack->object->knobs[i], &scope->values[i]);
		scope->effective[i] = scope->values[i];
	}
	return err;
}

static int fill_cgroup(struct cm *cm, struct cm_pack_info *info, struct cm_pack *pack,
		       const struct cm_scope_record *record)
{
	struct cm_value row[CM_KNOBS_MAX];
	struct cm_scope_info *scope;
	char path[PATH_MAX];
	size_t i;
	int err, system;

	err = cm_cgroup_path(cm, record->id, path, sizeof(path));
	if (!err)
		err = new_scope(cm, info, path, &scope);
	if (!err && bpf_map_lookup_elem(pack->rows_fd, &record->scope.row, row))
		err = cm_fail(cm, -EIO, "cannot read a row of %s", pack->name);
	if (err)
		return err;
	scope->id = record->id;
	scope->mode = record->scope.mode;
	err = cm_lockout_read(cm, pack, record->scope.row, &scope->lockout);
	for (i = 0; !err && i < info->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &pack->object->knobs[i];

		err = cm_system_get(cm, pack, knob, &system);
		scope->values[i] = record->values[knob->index];
		scope->effective[i] = cm_knob_strict(knob, row[knob->index].shadow, system);
	}
	return err;
}

static int by_cgroup(const void *a, const void *b)
{
	return strcmp(((const struct cm_scope_info *)a)->cgroup,
		      ((const struct cm_scope_info *)b)->cgroup);
}

/* Enabled in cgroups only, but someone wrote the file under /proc/sys. */
bool cm_system_in_force(const struct cm_pack *pack)
{
	size_t i;

	for (i = 0; !pack->native && i < pack->object->nr_knobs; i++)
		if (pack->system[pack->object->knobs[i].index] !=
		    cm_knob_off(&pack->object->knobs[i]))
			return true;
	return false;
}

static int fill_state(struct cm *cm, struct cm_pack_info *info)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	_cleanup_pack_ struct cm_pack *pack = NULL;
	size_t nr, i, first;
	int err = cm_pack_open(cm, info->decl->name, &pack);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = cm_scopes_read(cm, pack, &records, &nr);
	if (err)
		return err;
	info->enabled = true;
	info->locked = cm->locked;
	info->native = pack->native;
	info->door = cm_door_of(pack);
	info->scopes = calloc(nr + 1, sizeof(*info->scopes));
	if (!info->scopes)
		return cm_fail(cm, -ENOMEM, "out of memory");
	if (pack->state->system_enabled || cm_system_in_force(pack))
		err = fill_system(cm, info, pack);
	first = info->nr_scopes;
	for (i = 0; !err && i < nr; i++)
		err = fill_cgroup(cm, info, pack, &records[i]);
	if (!err)
		qsort(info->scopes + first, info->nr_scopes - first, sizeof(*info->scopes),
		      by_cgroup);
	return err;
}

static int add_pack(struct cm *cm, const char *name, void *arg)
{
	struct list *list = arg;
	size_t nr = list->packs.nr, i;
	struct cm_pack_info *packs;
	struct cm_object **objects;
	int err;

	for (i = 0; i < nr; i++)
		if (!strcmp(list->objects[i]->name, name))
			return 0;
	packs = realloc(list->packs.packs, (nr + 1) * sizeof(*packs));
	if (packs)
		list->packs.packs = packs;
	objects = realloc(list->objects, (nr + 1) * sizeof(*objects));
	if (objects)
		list->objects = objects;
	if (!packs || !objects)
		return cm_fail(cm, -ENOMEM, "out of memory");
	memset(&packs[nr], 0, sizeof(*packs));
	err = cm_object_look(cm, name, &objects[nr]);
	if (err)
		return err;
	list->packs.nr++;
	err = fill_declarations(cm, &packs[nr], objects[nr]);
	return err ? err : fill_state(cm, &packs[nr]);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cm_pack_info *)a)->decl->name,
		      ((const struct cm_pack_info *)b)->decl->name);
}

int cm_packs_get(struct cm *cm, enum cm_packs_which which, struct cm_packs **ret)
{
	struct list *list = calloc(1, sizeof(*list));
	const struct cm_builtin *builtin;
	int err;

	if (!list)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = cm_pack_each(cm, add_pack, list);
	for (builtin = cm_builtin_packs; !err && which == CM_PACKS_ALL && builtin->name; builtin++)
		err = add_pack(cm, builtin->name, list);
	if (err) {
		cm_packs_free(&list->packs);
		return err;
	}
	qsort(list->packs.packs, list->packs.nr, sizeof(*list->packs.packs), by_name);
	if (cm_tracer_is_off())
		cm_note(cm, "no policy is asked: the kernel's function tracer is off (echo 1 "
			    ">/proc/sys/kernel/ftrace_enabled)");
	*ret = &list->packs;
	return 0;
}

void cm_packs_free(struct cm_packs *packs)
{
	struct list *list = (struct list *)packs;
	size_t i, j;

	if (!packs)
		return;
	for (i = 0; i < packs->nr; i++) {
		struct cm_pack_info *info = &packs->packs[i];

		for (j = 0; j < info->nr_scopes; j++) {
			free(info->scopes[j].cgroup);
			free(info->scopes[j].values);
			free(info->scopes[j].effective);
		}
		free(info->scopes);
		free(info->knobs);
		free(info->hooks);
		cm_object_free(list->objects[i]);
	}
	free(list->objects);
	free(packs->packs);
	free(list);
}
