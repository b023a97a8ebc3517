// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hook's chain: one dispatcher attached to the hook, a program array of slots behind it.
 * Pinned as hooks/HOOK/{chain,link}. The pin of the chain is part of the enforcement: a program
 * array is emptied when its last user reference goes.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/*
 * The one program shape that the core itself puts on a hook: go on at @slot of the chain, and allow
 * if there is nothing. As a dispatcher (slot 0) it is attached: the kernel calls it only after the
 * LSMs and BPF programs before it had no objection, so there is no earlier verdict to honour. In a
 * slot it holds the place of a policy that left. The slot is a constant: the JIT makes it one jump.
 * By hand, because libbpf would read the kernel's whole type information for each; @hook_btf_id is
 * what it would have found there.
 */
int cm_chain_program(const char *name, int chain_fd, uint32_t slot, uint32_t hook_btf_id)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC,
		    .attach_btf_id = hook_btf_id);
	const struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = chain_fd },
		{ .code = 0 }, /* the upper half of the constant */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = slot },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_LSM, name, "GPL", program,
			     sizeof(program) / sizeof(*program), &opts);
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

/* The hook's chain, made if it has none; without a dispatcher nothing runs it yet. */
int cm_chain_open(struct cm *cm, const char *hook, int *ret_fd)
{
	char dir[PATH_MAX], chain[PATH_MAX], link[PATH_MAX];
	int err = chain_paths(cm, hook, dir, chain, link), fd;

	if (err)
		return err;
	if (!cm_pin_exists(chain)) {
		err = cm_pin_remove(cm, dir); /* half a hook: left by an interrupted call */
		if (!err)
			err = cm_pin_mkdir(cm, dir);
		if (err)
			return err;
		/* The last slot stays empty: a chain ends by falling through. */
		fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "chain", sizeof(uint32_t),
				    sizeof(uint32_t), CM_SLOTS + 1, NULL);
		if (fd < 0)
			return cm_fail(cm, fd, "cannot create the chain of hook %s: %s", hook,
				       strerror(-fd));
		err = cm_pin_put(cm, fd, chain);
		if (err) {
			close(fd);
			return err;
		}
		*ret_fd = fd;
		return 0;
	}
	*ret_fd = cm_pin_get(chain);
	if (*ret_fd < 0)
		return cm_fail(cm, *ret_fd, "cannot open %s: %s", chain, strerror(-*ret_fd));
	return 0;
}

int cm_chain_attach(struct cm *cm, const char *hook, int chain_fd, uint32_t hook_btf_id)
{
	char dir[PATH_MAX], chain[PATH_MAX], link[PATH_MAX];
	_cleanup_close_ int program = -1, attached = -1;
	int err = chain_paths(cm, hook, dir, chain, link);

	if (err || cm_pin_exists(link))
		return err;
	program = cm_chain_program("cm_dispatch", chain_fd, 0, hook_btf_id);
	if (program < 0)
		return cm_fail(cm, program, "the kernel refuses the dispatcher of hook %s: %s",
			       hook, strerror(-program));
	attached = bpf_raw_tracepoint_open(NULL, program); /* how an LSM program is attached */
	if (attached < 0)
		return cm_fail(cm, attached, "cannot attach to hook %s: %s", hook,
			       strerror(-attached));
	return cm_pin_put(cm, attached, link);
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
static int put_pass(struct cm *cm, const char *hook, int chain_fd, uint32_t slot,
		    uint32_t hook_btf_id)
{
	_cleanup_close_ int program = cm_chain_program("cm_pass", chain_fd, slot + 1, hook_btf_id);

	if (program < 0)
		return cm_fail(cm, program, "the kernel refuses the pass program of hook %s: %s",
			       hook, strerror(-program));
	return cm_chain_put(cm, hook, chain_fd, slot, program);
}

int cm_chain_drop(struct cm *cm, const char *hook, uint32_t prog_id, uint32_t hook_btf_id)
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
		return put_pass(cm, hook, fd, found, hook_btf_id);
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
