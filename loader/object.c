// SPDX-License-Identifier: GPL-2.0-only
/* A policy object: what it declares about itself, where its variables are. Nothing is loaded here.
 */
#include <string.h>
#include <stdio.h>

#include "internal.h"

struct bpf_object *cm_builtin_open(struct cm *cm, const struct cm_builtin *builtin,
				   const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	struct bpf_object *bpf = bpf_object__open_mem(builtin->data, builtin->size, &opts);

	if (!bpf)
		cm_fail(cm, -errno, "cannot open the built-in object %s: %s", name,
			strerror(errno));
	return bpf;
}

struct bpf_map *cm_object_map(const struct cm_object *object, const char *name)
{
	return bpf_object__find_map_by_name(object->bpf, name);
}

static const struct btf_type *find_section(const struct cm_object *object, const char *section)
{
	const struct btf *btf = bpf_object__btf(object->bpf);
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);

	return id < 0 ? NULL : btf__type_by_id(btf, id);
}

const char *cm_object_variable_name(const struct cm_object *object, const char *section, size_t i)
{
	const struct btf_type *type = find_section(object, section), *variable;
	const struct btf *btf = bpf_object__btf(object->bpf);

	if (!type || i >= btf_vlen(type))
		return NULL;
	variable = btf__type_by_id(btf, btf_var_secinfos(type)[i].type);
	return btf__name_by_offset(btf, variable->name_off);
}

int cm_object_variable(const struct cm_object *object, const char *section, const char *name)
{
	const struct btf_type *type = find_section(object, section);
	const char *variable;
	size_t i;

	for (i = 0; (variable = cm_object_variable_name(object, section, i)); i++)
		if (!strcmp(variable, name))
			return btf_var_secinfos(type)[i].offset;
	return -ENOENT;
}

int cm_object_set_u32(struct cm *cm, struct cm_object *object, const char *section,
		      const char *name, uint32_t value)
{
	return cm_object_set(cm, object, section, name, &value, sizeof(value));
}

int cm_object_set(struct cm *cm, struct cm_object *object, const char *section, const char *name,
		  const void *value, size_t value_size)
{
	struct bpf_map *map = cm_object_map(object, section);
	int offset = cm_object_variable(object, section, name);
	char *data;
	size_t size;

	data = cm_section(map, &size);
	if (!data || offset < 0 || offset + value_size > size)
		return cm_fail(cm, -EPROTO, "%s: the object has no variable %s in %s",
			       object->pack->name, name, section);
	memcpy(data + offset, value, value_size);
	return 0;
}

static const void *section_data(const struct cm_object *object, const char *section, size_t *size)
{
	struct bpf_map *map = cm_object_map(object, section);

	return cm_section(map, size);
}

/* A string from an object must end inside its field before anyone prints it. */
static bool terminated(const char *text, size_t size)
{
	return strnlen(text, size) < size;
}

static int check_knobs(struct cm *cm, const struct cm_object *object)
{
	const struct cm_knob_decl *knob = object->knobs;
	size_t i;

	for (i = 0; i < object->nr_knobs; i++, knob++) {
		if (!terminated(knob->path, sizeof(knob->path)) ||
		    !terminated(knob->help, sizeof(knob->help)) ||
		    knob->index >= object->in_force.index || knob->min > knob->max ||
		    knob->init < knob->min || knob->init > knob->max ||
		    knob->strictest > CM_STRICTEST_OR || !strchr(knob->path, '/'))
			return cm_fail(cm, -EPROTO, "%s: knob declaration %zu is broken",
				       object->pack->name, i);
	}
	return 0;
}

static int read_declarations(struct cm *cm, struct cm_object *object)
{
	struct bpf_map *rows = cm_object_map(object, "cm_rows");
	size_t size;

	object->pack = section_data(object, ".rodata.cm_pack", &size);
	if (!object->pack || size != sizeof(*object->pack))
		return cm_fail(cm, -EPROTO, "%s is not a Checmate policy: it has no CM_PACK()",
			       bpf_object__name(object->bpf));
	if (object->pack->abi != CM_ABI)
		return cm_fail(cm, -EPROTO,
			       "%s was built for layout %u, this checmate has %u: rebuild it",
			       bpf_object__name(object->bpf), object->pack->abi, CM_ABI);
	if (!terminated(object->pack->name, sizeof(object->pack->name)) ||
	    !terminated(object->pack->native_lsm, sizeof(object->pack->native_lsm)) ||
	    !terminated(object->pack->question, sizeof(object->pack->question)))
		return cm_fail(cm, -EPROTO, "%s: its CM_PACK() is broken",
			       bpf_object__name(object->bpf));
	if (!rows || bpf_map__value_size(rows) % sizeof(struct cm_value))
		return cm_fail(cm, -EPROTO, "%s has no rows map", object->pack->name);
	object->row_knobs = bpf_map__value_size(rows) / sizeof(struct cm_value);
	object->in_force =
		(struct cm_knob_decl){ .index = object->row_knobs - 1, .max = 1, .init = 1 };
	if (object->row_knobs > CM_KNOBS_MAX)
		return cm_fail(cm, -EPROTO, "%s declares room for more than %d knobs",
			       object->pack->name, CM_KNOBS_MAX);
	object->knobs = section_data(object, ".rodata.cm_knobs", &size);
	object->nr_knobs = size / sizeof(*object->knobs);
	return check_knobs(cm, object);
}

static int read_hooks(struct cm *cm, struct cm_object *object)
{
	char variable[sizeof("cm_counters__") + sizeof(object->hooks->name)];
	struct bpf_program *program;
	const char *section;
	struct cm_hook *hook;
	size_t count = 0;
	int offset;

	bpf_object__for_each_program(program, object->bpf)
		count++;
	object->hooks = calloc(count, sizeof(*object->hooks));
	if (!object->hooks)
		return cm_fail(cm, -ENOMEM, "out of memory");
	bpf_object__for_each_program(program, object->bpf) {
		section = bpf_program__section_name(program);
		if (strncmp(section, "lsm/", 4))
			continue;
		hook = &object->hooks[object->nr_hooks++];
		hook->program = program;
		if (strlen(section + 4) >= sizeof(hook->name))
			return cm_fail(cm, -EPROTO, "%s: hook name %s is too long",
				       object->pack->name, section + 4);
		strcpy(hook->name, section + 4);
		snprintf(variable, sizeof(variable), "cm_counters__%s", hook->name);
		offset = cm_object_variable(object, ".bss.cm_counters", variable);
		if (offset < 0)
			return cm_fail(cm, -EPROTO, "%s: hook %s is not a CM_HOOK()",
				       object->pack->name, hook->name);
		hook->counters = offset;
	}
	return 0;
}

int cm_object_open(struct cm *cm, const char *pack, struct cm_object **ret)
{
	_cleanup_object_ struct cm_object *object = NULL;
	const struct cm_builtin *builtin = cm_builtin_packs;
	int err;

	while (builtin->name && strcmp(builtin->name, pack))
		builtin++;
	if (!builtin->name)
		return cm_fail(cm, -ENOENT, "no pack is named '%.64s': see checmate list", pack);
	object = calloc(1, sizeof(*object));
	if (!object)
		return cm_fail(cm, -ENOMEM, "out of memory");
	object->bpf = cm_builtin_open(cm, builtin, builtin->name);
	if (!object->bpf)
		return -EPROTO;
	err = read_declarations(cm, object);
	if (!err)
		err = read_hooks(cm, object);
	if (err)
		return err;
	*ret = object;
	object = NULL;
	return 0;
}

void cm_object_free(struct cm_object *object)
{
	if (!object)
		return;
	bpf_object__close(object->bpf);
	free(object->hooks);
	free(object);
}

void cm_knob_name(const struct cm_knob_decl *knob, char *buf)
{
	char *c;

	strcpy(buf, knob->path);
	for (c = buf; *c; c++)
		if (*c == '/')
			*c = '.';
}

/* Full dotted name, path, or last component. */
const struct cm_knob_decl *cm_object_knob(const struct cm_object *object, const char *name)
{
	char dotted[CM_PATH_LEN];
	size_t i;

	for (i = 0; i < object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &object->knobs[i];

		cm_knob_name(knob, dotted);
		if (!strcmp(name, dotted) || !strcmp(name, knob->path) ||
		    !strcmp(name, strrchr(knob->path, '/') + 1))
			return knob;
	}
	return NULL;
}

int cm_knob_off(const struct cm_knob_decl *knob)
{
	if (knob->strictest == CM_STRICTEST_MIN)
		return knob->max;
	return knob->strictest == CM_STRICTEST_OR ? 0 : knob->min;
}

int cm_knob_strict(const struct cm_knob_decl *knob, int a, int b)
{
	if (knob->strictest == CM_STRICTEST_OR)
		return a | b;
	if (knob->strictest == CM_STRICTEST_MIN)
		return a < b ? a : b;
	return a > b ? a : b;
}

bool cm_knob_latched(const struct cm_knob_decl *knob, int value)
{
	return (knob->flags & CM_KNOB_LATCH) && value == knob->latch;
}
