// SPDX-License-Identifier: GPL-2.0-only
/* A policy object: what it declares about itself, where its variables are. Nothing is loaded here.
 */
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

/* libbpf cuts the name of a data section's map and puts the object's before some. */
const char *cm_object_map_name(const struct cm_object *object, const struct bpf_map *map)
{
	const struct btf *btf = bpf_object__btf(object->bpf);
	const struct btf_type *type;
	const char *name;
	size_t i;

	for (i = 1; bpf_map__is_internal(map) && i < btf__type_cnt(btf); i++) {
		type = btf__type_by_id(btf, i);
		name = btf_is_datasec(type) ? btf__name_by_offset(btf, type->name_off) : "";
		if (name[0] == '.' && cm_object_map(object, name) == map)
			return name;
	}
	return bpf_map__name(map);
}

const struct btf_type *cm_object_section(const struct cm_object *object, const char *section)
{
	const struct btf *btf = bpf_object__btf(object->bpf);
	int id = btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC);

	return id < 0 ? NULL : btf__type_by_id(btf, id);
}

const char *cm_object_variable_name(const struct cm_object *object, const char *section, size_t i)
{
	const struct btf_type *type = cm_object_section(object, section), *variable;
	const struct btf *btf = bpf_object__btf(object->bpf);

	if (!type || i >= btf_vlen(type))
		return NULL;
	variable = btf__type_by_id(btf, btf_var_secinfos(type)[i].type);
	return btf__name_by_offset(btf, variable->name_off);
}

int cm_object_variable(const struct cm_object *object, const char *section, const char *name)
{
	const struct btf_type *type = cm_object_section(object, section);
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
		return cm_fail(cm, -EPROTO, "%s: the object has no variable %s in %s", object->name,
			       name, section);
	memcpy(data + offset, value, value_size);
	return 0;
}

static const void *section_data(const struct cm_object *object, const char *section, size_t *size)
{
	struct bpf_map *map = cm_object_map(object, section);

	return cm_section(map, size);
}

bool cm_is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len && !name[len] && len < CM_NAME_LEN;
}

bool cm_object_is_marked(const struct cm_object *object, const char *mark, const char *name)
{
	char section[64], variable[128];

	snprintf(section, sizeof(section), ".rodata.%s", mark);
	snprintf(variable, sizeof(variable), "%s__%s", mark, name);
	return cm_object_variable(object, section, variable) >= 0;
}

bool cm_is_per_scope(const char *map)
{
	return !strncmp(map, CM_PER_SCOPE_MAP, strlen(CM_PER_SCOPE_MAP));
}

size_t cm_object_level_size(const struct cm_object *object)
{
	return sizeof(struct cm_level_head) + object->row_knobs * sizeof(int);
}

/* What is kept by row must have a place for each row, all of them in one element. */
static int check_row_maps(struct cm *cm, const struct cm_object *object)
{
	const struct bpf_map *levels = cm_object_map(object, CM_LEVELS_MAP), *map;
	const char *name;

	if (levels && bpf_map__value_size(levels) != CM_ROWS * cm_object_level_size(object))
		return cm_fail(cm, -EPROTO, "%s: its levels map is broken", object->name);
	bpf_object__for_each_map(map, object->bpf) {
		name = cm_object_map_name(object, map);
		if ((map == levels || cm_is_per_scope(name)) &&
		    (bpf_map__type(map) != BPF_MAP_TYPE_ARRAY || bpf_map__max_entries(map) != 1 ||
		     bpf_map__value_size(map) % CM_ROWS))
			return cm_fail(cm, -EPROTO, "%s: its map %s has not a place for each scope",
				       object->name, name);
	}
	return 0;
}

static int read_declarations(struct cm *cm, struct cm_object *object, const char *whence)
{
	struct cm_pack_decl *pack;
	struct bpf_map *rows;
	size_t size;
	int err;

	pack = cm_section(cm_object_map(object, ".rodata.cm_pack"), &size);
	object->pack = pack;
	if (!pack || size < sizeof(pack->abi))
		return cm_fail(cm, -EPROTO, "%.300s is not a Checmate policy: it has no CM_PACK()",
			       whence);
	if (pack->abi != CM_ABI)
		return cm_fail(cm, -EPROTO,
			       "%.300s was built for layout %u, this checmate has %u: rebuild it",
			       whence, pack->abi, CM_ABI);
	if (size != sizeof(*pack) || !cm_decl_ends(pack->name, sizeof(pack->name)) ||
	    !cm_decl_ends(pack->native_lsm, sizeof(pack->native_lsm)) ||
	    !cm_decl_ends(pack->question, sizeof(pack->question)) || !cm_is_name(pack->name) ||
	    !cm_decl_ends(pack->sealed_by, sizeof(pack->sealed_by)))
		return cm_fail(cm, -EPROTO,
			       "%.300s: its CM_PACK() is broken: a name has a-z, 0-9 and _, and is "
			       "shorter than %d",
			       whence, CM_NAME_LEN);
	/* From here on, and in its events, it is called what the operator calls it. */
	if (!object->name[0])
		strcpy(object->name, pack->name);
	strcpy(pack->name, object->name);
	rows = cm_object_map(object, "cm_rows");
	if (!rows || bpf_map__value_size(rows) % sizeof(struct cm_value))
		return cm_fail(cm, -EPROTO, "%s has no rows map", object->name);
	object->row_knobs = bpf_map__value_size(rows) / sizeof(struct cm_value);
	object->in_force =
		(struct cm_knob_decl){ .index = object->row_knobs - 1, .max = 1, .init = 1 };
	if (object->row_knobs > CM_KNOBS_MAX)
		return cm_fail(cm, -EPROTO, "%s declares room for more than %d knobs", object->name,
			       CM_KNOBS_MAX);
	err = check_row_maps(cm, object);
	if (err)
		return err;
	object->knobs = section_data(object, ".rodata.cm_knobs", &size);
	object->nr_knobs = size / sizeof(*object->knobs);
	err = cm_decl_check(cm, object);
	if (err)
		return err;
	object->profiles = section_data(object, ".rodata.cm_profiles", &size);
	object->nr_profiles = size / sizeof(*object->profiles);
	return cm_profiles_check(cm, object);
}

static int read_hook(struct cm *cm, struct cm_object *object, struct bpf_program *program)
{
	char variable[sizeof("cm_counters__") + sizeof(object->hooks->name)];
	const char *name = bpf_program__section_name(program) + 4;
	struct cm_hook *hook = &object->hooks[object->nr_hooks];
	size_t i;
	int offset;

	hook->program = program;
	if (strlen(name) >= sizeof(hook->name) ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return cm_fail(cm, -EPROTO, "%s: '%.64s' is not the name of a hook", object->name,
			       name);
	strcpy(hook->name, name);
	for (i = 0; i < object->nr_hooks; i++)
		if (!strcmp(object->hooks[i].name, name))
			return cm_fail(cm, -EPROTO, "%s has two programs for hook %s", object->name,
				       name);
	snprintf(variable, sizeof(variable), "cm_counters__%s", name);
	offset = cm_object_variable(object, ".bss.cm_counters", variable);
	snprintf(variable, sizeof(variable), "cm_next__%s", name);
	if (offset < 0 || !cm_object_map(object, variable))
		return cm_fail(cm, -EPROTO, "%s: hook %s is not a CM_HOOK()", object->name, name);
	hook->counters = offset;
	object->nr_hooks++;
	return 0;
}

static int read_hooks(struct cm *cm, struct cm_object *object)
{
	struct bpf_program *program;
	size_t count = 0;
	int err = 0;

	bpf_object__for_each_program(program, object->bpf)
		count++;
	object->hooks = calloc(count + 1, sizeof(*object->hooks));
	if (!object->hooks)
		return cm_fail(cm, -ENOMEM, "out of memory");
	bpf_object__for_each_program(program, object->bpf)
		if (!err && !strncmp(bpf_program__section_name(program), "lsm/", 4))
			err = read_hook(cm, object, program);
	return err;
}

/* @bpf: as libbpf has just opened it */
static int read_object(struct cm *cm, struct cm_object *object, struct bpf_object *bpf,
		       const char *whence)
{
	int err;

	if (!bpf)
		return cm_fail(cm, -EPROTO, "%.300s is not an object that libbpf can read: %s",
			       whence, strerror(errno));
	object->bpf = bpf;
	err = read_declarations(cm, object, whence);
	return err ? err : read_hooks(cm, object);
}

/* @object: its bytes and what is known about it; takes it over. */
static int open_bytes(struct cm *cm, struct cm_object *object, const char *whence,
		      struct cm_object **ret)
{
	/* One name for all: it is part of the names of maps, and these must not depend on it. */
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "policy");
	int err = read_object(
		cm, object, bpf_object__open_mem(object->bytes, object->about.size, &opts), whence);

	if (err)
		cm_object_free(object);
	else
		*ret = object;
	return err;
}

static struct cm_object *new_object(struct cm *cm, const char *name)
{
	struct cm_object *object = calloc(1, sizeof(*object));

	if (!object)
		cm_fail(cm, -ENOMEM, "out of memory");
	else if (name)
		snprintf(object->name, sizeof(object->name), "%s", name);
	return object;
}

/* What is told of an object that is not in the kernel yet. */
static void describe(struct cm_object *object, const void *bytes, size_t size, const char *origin)
{
	struct timespec now;
	SHA2_CTX digest;

	clock_gettime(CLOCK_BOOTTIME, &now);
	object->bytes = bytes;
	object->about.abi = CM_ABI;
	object->about.sequence = now.tv_sec * 1000000000ull + now.tv_nsec;
	object->about.size = size;
	SHA256Init(&digest);
	SHA256Update(&digest, bytes, size);
	SHA256Final(object->about.digest, &digest);
	snprintf(object->about.origin, sizeof(object->about.origin), "%s", origin);
}

static const struct cm_builtin *find_builtin(const char *name)
{
	const struct cm_builtin *builtin = cm_builtin_packs;

	while (builtin->name && strcmp(builtin->name, name))
		builtin++;
	return builtin->name ? builtin : NULL;
}

bool cm_is_builtin(const char *name)
{
	return find_builtin(name);
}

int cm_object_open_pinned(struct cm *cm, const char *dir, const char *name, struct cm_object **ret)
{
	struct cm_object *object = new_object(cm, name);
	int err;

	if (!object)
		return -ENOMEM;
	err = cm_store_get(cm, dir, &object->about, &object->owned);
	if (err) {
		free(object);
		return err;
	}
	object->bytes = object->owned;
	return open_bytes(cm, object, name, ret);
}

int cm_object_open(struct cm *cm, const char *name, struct cm_object **ret)
{
	const struct cm_builtin *builtin;
	struct cm_object *object;
	char dir[64];
	int err = -ENOENT;

	if (cm_is_name(name)) {
		snprintf(dir, sizeof(dir), "packs/%s", name);
		err = cm_object_open_pinned(cm, dir, name, ret);
	}
	if (err != -ENOENT)
		return err;
	builtin = find_builtin(name);
	if (!builtin)
		return cm_fail(cm, -ENOENT, "no pack is named '%.64s': see checmate list", name);
	object = new_object(cm, name);
	if (!object)
		return -ENOMEM;
	describe(object, builtin->data, builtin->size, "");
	err = open_bytes(cm, object, name, ret);
	if (!err)
		(*ret)->about.priority = (*ret)->pack->priority;
	return err;
}

/*
 * The same to look at only: what a session has read of a policy serves until it finds another one
 * in its place. To read an object takes longer than most of what is done by it.
 */
int cm_object_look(struct cm *cm, const char *name, struct cm_object **ret)
{
	struct cm_object *last = cm->last;
	struct cm_about about;
	char dir[64];
	int err;

	snprintf(dir, sizeof(dir), "packs/%s", name);
	if (!last || strcmp(last->name, name) || cm_about_get(cm, dir, &about) ||
	    memcmp(&about, &last->about, sizeof(about))) {
		err = cm_object_open(cm, name, &last);
		if (err)
			return err;
		cm_object_free(cm->last);
		cm->last = last;
	}
	last->users++;
	*ret = last;
	return 0;
}

int cm_object_open_file(struct cm *cm, const char *path, const char *name, struct cm_object **ret)
{
	struct cm_object *object;
	char origin[PATH_MAX];
	size_t size;
	int err;

	object = new_object(cm, name);
	if (!object)
		return -ENOMEM;
	err = cm_file_read(cm, path, CM_OBJECT_MAX, origin, &object->owned, &size);
	if (!err)
		err = cm_file_check(cm, path, object->owned, size);
	if (err) {
		cm_object_free(object);
		return err;
	}
	describe(object, object->owned, size, origin);
	err = open_bytes(cm, object, path, ret);
	if (!err)
		(*ret)->about.priority = (*ret)->pack->priority;
	return err;
}

int cm_object_check(struct cm *cm, const char *path)
{
	_cleanup_object_ struct cm_object *object = new_object(cm, NULL);

	return object ? read_object(cm, object, bpf_object__open_file(path, NULL), path) : -ENOMEM;
}

void cm_object_free(struct cm_object *object)
{
	if (!object || object->users--)
		return;
	bpf_object__close(object->bpf);
	free(object->hooks);
	free(object->owned);
	free(object);
}
