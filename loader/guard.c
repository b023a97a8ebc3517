// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard (kernel/guard.bpf.c) is put in place: loaded, told what is ours, attached, pinned as
 * lock/, so far without effect beyond new programs. What it needs to know is read from the pins.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "../kernel/guard.h"
#include "internal.h"

enum pin_kind {
	PIN_MAP,
	PIN_PROGRAM,
	PIN_LINK,
	PIN_OTHER
};

static enum pin_kind kind_of(int fd)
{
	char path[64], target[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	len = readlink(path, target, sizeof(target) - 1);
	target[len < 0 ? 0 : len] = '\0';
	return strstr(target, "bpf-map")    ? PIN_MAP
	       : strstr(target, "bpf-prog") ? PIN_PROGRAM
	       : strstr(target, "bpf-link") ? PIN_LINK
					    : PIN_OTHER;
}

bool cm_guard_is_map(int fd)
{
	return kind_of(fd) == PIN_MAP;
}

struct walk {
	const char *dir;
	cm_guard_pin_fn fn;
	void *arg;
};

/* Calls @fn for all pins below, its directory aside. */
static int walk(struct cm *cm, const char *name, void *arg)
{
	const struct walk *above = arg;
	struct walk here = *above;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", above->dir, name) >= (int)sizeof(path) ||
	    lstat(path, &st))
		return cm_fail(cm, -EIO, "cannot look at %.200s in %.200s", name, above->dir);
	here.dir = path;
	if (S_ISDIR(st.st_mode))
		return cm_pin_each(cm, path, walk, &here);
	fd = cm_pin_get(path);
	if (fd < 0)
		return cm_fail(cm, fd, "cannot open %.400s: %s", path, strerror(-fd));
	return above->fn(cm, path, fd, above->arg);
}

int cm_guard_each_pin(struct cm *cm, cm_guard_pin_fn fn, void *arg)
{
	struct walk top = { .dir = CM_PINS, .fn = fn, .arg = arg };

	return cm_pin_each(cm, CM_PINS, walk, &top);
}

struct known {
	int ours_fd, shapes_fd;
};

static int put(struct cm *cm, int fd, const void *key)
{
	unsigned char there = 1;
	int err = bpf_map_update_elem(fd, key, &there, BPF_ANY);

	return err ? cm_fail(cm, err, "cannot tell the guard what is ours: %s", strerror(-err)) : 0;
}

static int know(struct cm *cm, const struct known *known, uint32_t kind, uint32_t id)
{
	struct cm_guard_key key = { kind, id };

	return put(cm, known->ours_fd, &key);
}

static int know_map(struct cm *cm, const struct known *known, const char *path, int fd);

/* The maps in a map of maps have no pins of their own. */
static int know_inner(struct cm *cm, const struct known *known, const char *path, int fd,
		      const struct bpf_map_info *outer)
{
	uint32_t key, id;
	int err = 0;

	for (key = 0; !err && key < outer->max_entries; key++) {
		_cleanup_close_ int inner = -1;

		if (bpf_map_lookup_elem(fd, &key, &id))
			continue;
		inner = bpf_map_get_fd_by_id(id);
		err = inner < 0 ? cm_fail(cm, inner, "cannot look into %.400s: %s", path,
					  strerror(-inner))
				: know_map(cm, known, path, inner);
	}
	return err;
}

static int know_map(struct cm *cm, const struct known *known, const char *path, int fd)
{
	struct cm_guard_shape shape;
	struct bpf_map_info info = {};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return cm_fail(cm, err, "cannot look at %.400s: %s", path, strerror(-err));
	err = cm_freeze_check(cm, path, &info);
	if (err)
		return err;
	shape = (struct cm_guard_shape){ info.type, info.key_size, info.value_size };
	err = put(cm, known->shapes_fd, &shape);
	if (!err && info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
		err = know_inner(cm, known, path, fd, &info);
	return err ? err : know(cm, known, CM_GUARD_MAP, info.id);
}

static int know_program(struct cm *cm, const struct known *known, int fd)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (err)
		return cm_fail(cm, err, "cannot look at a program: %s", strerror(-err));
	err = know(cm, known, CM_GUARD_PROGRAM, info.id);
	if (!err)
		err = know(cm, known, CM_GUARD_TYPE, info.type);
	if (!err && info.type == BPF_PROG_TYPE_LSM)
		err = know(cm, known, CM_GUARD_HOOK, info.attach_btf_id);
	return err;
}

static int know_link(struct cm *cm, const struct known *known, int fd)
{
	struct bpf_link_info info = {};
	uint32_t len = sizeof(info);
	_cleanup_close_ int program = -1;
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	if (!err)
		err = program = bpf_prog_get_fd_by_id(info.prog_id);
	if (err < 0)
		return cm_fail(cm, err, "cannot look at a link: %s", strerror(-err));
	if (info.type == BPF_LINK_TYPE_CGROUP) {
		err = know(cm, known, CM_GUARD_ATTACH, info.cgroup.attach_type);
		if (err)
			return err;
	}
	return know_program(cm, known, program);
}

static int know_pin(struct cm *cm, const char *path, int fd, void *known)
{
	switch (kind_of(fd)) {
	case PIN_MAP:
		return know_map(cm, known, path, fd);
	case PIN_PROGRAM:
		return know_program(cm, known, fd);
	case PIN_LINK:
		return know_link(cm, known, fd);
	default:
		return 0;
	}
}

/* --- the guard */

struct fences {
	int fd; /* -1: there is no map yet, they are counted */
	size_t nr;
};

static int add_fences(struct cm *cm, const char *name, void *arg)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct fences *fences = arg;
	size_t nr = 0, i;
	int err = cm_pack_open(cm, name, &pack);

	if (!err)
		err = cm_scopes_read(cm, pack, &records, &nr);
	for (i = 0; !err && fences->fd >= 0 && i < nr; i++)
		err = put(cm, fences->fd, &records[i].id);
	fences->nr += nr;
	return err;
}

/* No task leaves a scope: that is asked at each lookup of a name, and is not for nothing. */
static int skip_leaving(struct cm *cm, struct bpf_object *bpf)
{
	struct fences fences = { .fd = -1 };
	struct bpf_program *program;
	int err = cm_pack_each(cm, add_fences, &fences);

	bpf_object__for_each_program(program, bpf)
		if (!fences.nr && !strncmp(bpf_program__name(program), "cm_guard_leave", 14))
			bpf_program__set_autoload(program, false);
	return err;
}

static int load_guard(struct cm *cm, struct bpf_object **ret)
{
	_cleanup_bpf_ struct bpf_object *bpf = cm_builtin_open(cm, &cm_builtin_guard, "checmate");
	int err;

	if (!bpf)
		return -EIO;
	err = skip_leaving(cm, bpf);
	if (err)
		return err;
	err = bpf_object__load(bpf);
	if (err)
		return cm_fail(cm, err, "the kernel refuses the guard: %s", strerror(-err));
	*ret = bpf;
	bpf = NULL;
	return 0;
}

static int attach_program(struct cm *cm, struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);
	struct bpf_link *link = NULL;
	char path[PATH_MAX];
	int err, fd;

	if (!bpf_program__autoload(program)) {
		return 0;
	} else if (!strncmp(section, "lsm/", 4) || !strncmp(section, "fentry/", 7) ||
		   !strncmp(section, "fexit/", 6)) {
		link = bpf_program__attach(program);
	} else if (!strncmp(section, "cgroup/", 7)) {
		fd = cm_cgroup_root(cm);
		if (fd < 0)
			return cm_fail(cm, fd, "cannot lock without cgroup v2: %s", strerror(-fd));
		link = bpf_program__attach_cgroup(program, fd);
	} else {
		return 0;
	}
	if (!link)
		return cm_fail(cm, -errno, "cannot attach the guard to %s: %s", section,
			       strerror(errno));
	err = cm_pin_path(cm, path, "locking/link_%s", bpf_program__name(program));
	if (!err)
		err = cm_pin_put(cm, bpf_link__fd(link), path);
	bpf_link__destroy(link);
	return err;
}

static int pin_guard(struct cm *cm, struct bpf_object *bpf)
{
	static const struct {
		const char *map, *pin;
	} maps[] = {
		{ ".data.cm_guard", "state" },
		{ "cm_ours", "ours" },
		{ "cm_shapes", "shapes" },
		{ "cm_fences", "fences" },
	};
	struct bpf_program *program;
	char path[PATH_MAX];
	size_t i;
	int err = cm_pin_path(cm, path, "locking");

	if (!err)
		err = cm_pin_mkdir(cm, path);
	for (i = 0; !err && i < sizeof(maps) / sizeof(*maps); i++) {
		err = cm_pin_path(cm, path, "locking/%s", maps[i].pin);
		if (!err)
			err = cm_pin_put(
				cm, bpf_map__fd(bpf_object__find_map_by_name(bpf, maps[i].map)),
				path);
	}
	bpf_object__for_each_program(program, bpf)
		if (!err)
			err = attach_program(cm, program);
	return err;
}

static int tell_guard(struct cm *cm, struct bpf_object *bpf)
{
	struct fences fences = { .fd = bpf_object__find_map_fd_by_name(bpf, "cm_fences") };
	struct known known = {
		.ours_fd = bpf_object__find_map_fd_by_name(bpf, "cm_ours"),
		.shapes_fd = bpf_object__find_map_fd_by_name(bpf, "cm_shapes"),
	};
	struct bpf_program *program;
	int err = cm_guard_each_pin(cm, know_pin, &known);

	if (!err)
		err = cm_pack_each(cm, add_fences, &fences);
	bpf_object__for_each_program(program, bpf)
		if (!err && bpf_program__autoload(program))
			err = know_program(cm, &known, bpf_program__fd(program));
	return err;
}

/* Where the pins are: the guard finds out itself, from a descriptor of ours. */
static int show_place(struct cm *cm, struct bpf_object *bpf)
{
	_cleanup_close_ int directory = open(CM_PINS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cm_guard_place place = { .directory_fd = directory };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &place, .ctx_size_in = sizeof(place));
	struct bpf_program *program = bpf_object__find_program_by_name(bpf, "cm_guard_place");
	int err = directory < 0 ? -errno : bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	if (!err)
		err = (int)opts.retval;
	return err ? cm_fail(cm, err, "the guard cannot find %s: %s", CM_PINS, strerror(-err)) : 0;
}

static int refuse_program(struct cm *cm, uint32_t id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	if (fd >= 0)
		bpf_obj_get_info_by_fd(fd, &info, &len);
	return cm_fail(cm, -EBUSY,
		       "BPF program %u (%.16s) could undo the policies: end it, then lock "
		       "(bpftool prog show id %u)",
		       id, info.name, id);
}

/* Is a program there already that the guard would not let in? */
static int survey(struct cm *cm, struct bpf_object *bpf)
{
	struct bpf_program *program = bpf_object__find_program_by_name(bpf, "cm_guard_survey");
	struct bpf_link *link = bpf_program__attach_iter(program, NULL);
	_cleanup_close_ int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -errno;
	uint32_t id;
	ssize_t len;

	bpf_link__destroy(link);
	len = fd < 0 ? fd : read(fd, &id, sizeof(id));
	if (len < 0)
		return cm_fail(cm, -EIO, "cannot look through the BPF programs: %s",
			       strerror(fd < 0 ? -fd : errno));
	return len == sizeof(id) ? refuse_program(cm, id) : 0;
}

static void set_stage(struct bpf_object *bpf, uint32_t stage)
{
	size_t size;
	struct cm_guard_state *state =
		cm_section(bpf_object__find_map_by_name(bpf, ".data.cm_guard"), &size);

	__atomic_store_n(&state->stage, stage, __ATOMIC_SEQ_CST);
}

/* Up to the point of no return. */
static int begin(struct cm *cm, struct bpf_object *bpf)
{
	char from[PATH_MAX], to[PATH_MAX];
	int err = pin_guard(cm, bpf);

	if (!err)
		err = cm_pack_each(cm, cm_tighten_prepare, NULL);
	if (!err)
		err = tell_guard(cm, bpf);
	if (!err)
		err = show_place(cm, bpf);
	if (err)
		return err;
	set_stage(bpf, CM_GUARD_WARY);
	err = survey(cm, bpf);
	if (!err)
		err = cm_pin_path(cm, from, "locking");
	if (!err)
		err = cm_pin_path(cm, to, "lock");
	if (!err && rename(from, to))
		err = cm_fail(cm, -errno, "cannot rename %s: %s", from, strerror(errno));
	if (err)
		set_stage(bpf, CM_GUARD_IDLE);
	return err;
}

int cm_guard_begin(struct cm *cm)
{
	struct bpf_object *bpf = NULL;
	char path[PATH_MAX], why[sizeof(cm->error)];
	int err = load_guard(cm, &bpf);

	if (err)
		return err;
	err = begin(cm, bpf);
	bpf_object__close(bpf); /* and with it what maps the guard's state for writing */
	if (err) {		/* its sentence is worth more than what undoing may say */
		memcpy(why, cm->error, sizeof(why));
		if (!cm_pin_path(cm, path, "locking"))
			cm_pin_remove(cm, path);
		memcpy(cm->error, why, sizeof(why));
	}
	return err;
}
