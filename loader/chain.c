// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hook's chain: one dispatcher attached to the hook, a program array of slots behind it.
 * Pinned as hooks/HOOK/{chain,link}. The pin of the chain is part of the enforcement: a program
 * array is emptied when its last user reference goes.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

static struct bpf_object *open_template(struct cm *cm, const char *hook, const char *wanted)
{
	struct bpf_object *bpf = cm_builtin_open(cm, &cm_builtin_dispatch, "checmate");
	struct bpf_program *program;
	int err = 0;

	if (!bpf)
		return NULL;
	bpf_object__for_each_program(program, bpf) {
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), wanted));
		if (!err)
			err = bpf_program__set_attach_target(program, 0, hook);
	}
	if (err) {
		cm_fail(cm, err, "this kernel has no LSM hook %s for BPF", hook);
		bpf_object__close(bpf);
		return NULL;
	}
	return bpf;
}

static int attach_dispatcher(struct cm *cm, const char *hook, const char *chain_path,
			     const char *link_path)
{
	_cleanup_bpf_ struct bpf_object *bpf = open_template(cm, hook, "cm_dispatch");
	struct bpf_link *link;
	int err;

	if (!bpf)
		return -EOPNOTSUPP;
	err = bpf_object__load(bpf);
	if (err)
		return cm_fail(cm, err, "the kernel refuses the dispatcher of hook %s: %s", hook,
			       strerror(-err));
	err = cm_pin_put(cm, bpf_object__find_map_fd_by_name(bpf, "chain"), chain_path);
	if (err)
		return err;
	link = bpf_program__attach_lsm(bpf_object__find_program_by_name(bpf, "cm_dispatch"));
	if (!link)
		return cm_fail(cm, -errno, "cannot attach to hook %s: %s", hook, strerror(errno));
	err = cm_pin_put(cm, bpf_link__fd(link), link_path);
	bpf_link__destroy(link); /* the pin keeps it */
	return err;
}

static int chain_paths(struct cm *cm, const char *hook, char *dir, char *chain, char *link)
{
	int err = cm_pin_path(cm, dir, "hooks/%s", hook);

	if (!err)
		err = cm_pin_path(cm, chain, "hooks/%s/chain", hook);
	if (!err)
		err = cm_pin_path(cm, link, "hooks/%s/link", hook);
	return err;
}

int cm_chain_open(struct cm *cm, const char *hook, int *ret_fd)
{
	char dir[PATH_MAX], chain[PATH_MAX], link[PATH_MAX];
	int err = chain_paths(cm, hook, dir, chain, link);

	if (err)
		return err;
	if (!cm_pin_exists(link) || !cm_pin_exists(chain)) {
		err = cm_pin_remove(cm, dir); /* half a hook: left by an interrupted call */
		if (!err)
			err = cm_pin_mkdir(cm, dir);
		if (!err)
			err = attach_dispatcher(cm, hook, chain, link);
		if (err)
			return err;
	}
	*ret_fd = cm_pin_get(chain);
	if (*ret_fd < 0)
		return cm_fail(cm, *ret_fd, "cannot open %s: %s", chain, strerror(-*ret_fd));
	return 0;
}

static bool is_pass(uint32_t prog_id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(prog_id);
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
	       !strcmp(info.name, "cm_pass");
}

/* Program in a slot, 0 if none. */
static uint32_t slot_program(int chain_fd, uint32_t slot)
{
	uint32_t id = 0;

	return bpf_map_lookup_elem(chain_fd, &slot, &id) ? 0 : id;
}

int cm_chain_free_slot(struct cm *cm, const char *hook, int chain_fd)
{
	uint32_t slot, id;

	for (slot = 0; slot < CM_SLOTS; slot++) {
		id = slot_program(chain_fd, slot);
		if (!id || is_pass(id))
			return slot;
	}
	return cm_fail(cm, -ENOSPC, "hook %s has its %d policies already: disable one first", hook,
		       CM_SLOTS);
}

int cm_chain_put(struct cm *cm, const char *hook, int chain_fd, int slot, int prog_fd)
{
	uint32_t key = slot;
	int err = bpf_map_update_elem(chain_fd, &key, &prog_fd, BPF_ANY);

	if (err)
		return cm_fail(cm, err, "cannot put a program in slot %d of hook %s: %s", slot,
			       hook, strerror(-err));
	return 0;
}

/* The chain must go on behind a policy that leaves: its slot gets a program that only does that. */
static int put_pass(struct cm *cm, const char *hook, int chain_fd, uint32_t slot)
{
	_cleanup_bpf_ struct bpf_object *bpf = open_template(cm, hook, "cm_pass");
	struct bpf_map *constants;
	size_t size;
	void *data;
	int err;

	if (!bpf)
		return -EOPNOTSUPP;
	constants = bpf_object__find_map_by_name(bpf, ".rodata");
	data = cm_section(constants, &size);
	memcpy(data, &slot, sizeof(slot));
	err = bpf_map__reuse_fd(bpf_object__find_map_by_name(bpf, "chain"), chain_fd);
	if (!err)
		err = bpf_object__load(bpf);
	if (err)
		return cm_fail(cm, err, "the kernel refuses the pass program of hook %s: %s", hook,
			       strerror(-err));
	return cm_chain_put(cm, hook, chain_fd, slot,
			    bpf_program__fd(bpf_object__find_program_by_name(bpf, "cm_pass")));
}

int cm_chain_drop(struct cm *cm, const char *hook, uint32_t prog_id)
{
	char dir[PATH_MAX], chain[PATH_MAX], link[PATH_MAX];
	_cleanup_close_ int fd = -1;
	uint32_t slot, last = 0;
	int err = chain_paths(cm, hook, dir, chain, link), found = -1;

	if (err)
		return err;
	fd = cm_pin_get(chain);
	if (fd < 0)
		return fd == -ENOENT ? 0 : cm_fail(cm, fd, "cannot open %s", chain);
	for (slot = 0; slot < CM_SLOTS; slot++) {
		uint32_t id = slot_program(fd, slot);

		if (id == prog_id)
			found = slot;
		else if (id && !is_pass(id))
			last = slot + 1;
	}
	if (found < 0)
		return 0;
	if ((uint32_t)found < last)
		return put_pass(cm, hook, fd, found);
	/* From the end, so that the chain is whole at every moment. */
	for (slot = CM_SLOTS; slot-- > last;)
		if (slot_program(fd, slot) && bpf_map_delete_elem(fd, &slot))
			return cm_fail(cm, -errno, "cannot empty slot %u of hook %s: %s", slot,
				       hook, strerror(errno));
	return 0;
}

static int sweep_hook(struct cm *cm, const char *hook, void *arg)
{
	char dir[PATH_MAX], chain[PATH_MAX], link[PATH_MAX];
	int err = chain_paths(cm, hook, dir, chain, link);
	uint32_t slot;
	int fd;

	(void)arg;
	if (err)
		return err;
	fd = cm_pin_get(chain);
	for (slot = 0; fd >= 0 && slot < CM_SLOTS; slot++) {
		if (slot_program(fd, slot)) {
			close(fd);
			return 0;
		}
	}
	if (fd >= 0)
		close(fd);
	return cm_pin_remove(cm, dir);
}

int cm_chain_sweep(struct cm *cm)
{
	char dir[PATH_MAX];
	int err = cm_pin_path(cm, dir, "hooks");

	return err ? err : cm_pin_each(cm, dir, sweep_hook, NULL);
}
