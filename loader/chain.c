// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hook's chain: a dispatcher attached to the hook, then one program of each policy. Each of them,
 * the dispatcher too, goes on by a tail call to what its own array of one entry holds: a list that
 * is linked in the kernel. Joining it, leaving it and taking another's place is one write to the
 * entry before, so no caller ever misses a policy or meets it twice.
 *
 * Pinned as hooks/HOOK/{root,link}, and of each policy next_HOOK and prog_HOOK. The pin of an array
 * is part of the enforcement: it is emptied when its last user reference goes.
 *
 * Nothing but the pins says what a chain should be: the programs of the policies that are not on
 * their way out, by priority and then by age. Any call can bring it about from any state in
 * which an interrupted one has left it.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

/*
 * The one program that the core itself puts on a hook: go on at the first policy, allow if there is
 * none. The kernel calls it only after the LSMs and BPF programs before it had no objection, so
 * there is no earlier verdict to honour. By hand, because libbpf would read the kernel's whole type
 * information for each; @hook_btf_id is what it would have found there.
 */
int cm_chain_dispatcher(int root_fd, uint32_t hook_btf_id)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_LSM_MAC,
		    .attach_btf_id = hook_btf_id);
	const struct bpf_insn program[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = root_fd },
		{ .code = 0 }, /* the upper half of the constant */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_tail_call },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_LSM, "cm_dispatch", "GPL", program,
			     sizeof(program) / sizeof(*program), &opts);
}

static int hook_paths(struct cm *cm, const char *hook, char *dir, char *root, char *link)
{
	int err = cm_pin_path(cm, dir, "hooks/%s", hook);

	if (!err)
		err = cm_pin_path(cm, root, "hooks/%s/root", hook);
	if (!err)
		err = cm_pin_path(cm, link, "hooks/%s/link", hook);
	return err;
}

static int open_root(struct cm *cm, const char *hook, int *ret_fd)
{
	char dir[PATH_MAX], root[PATH_MAX], link[PATH_MAX];
	int err = hook_paths(cm, hook, dir, root, link);

	if (err)
		return err;
	*ret_fd = cm_pin_get(root);
	return *ret_fd < 0 ? cm_fail(cm, *ret_fd, "cannot open %s: %s", root, strerror(-*ret_fd))
			   : 0;
}

/* The hook gets its dispatcher, if it has none; its chain is empty then. */
int cm_chain_attach(struct cm *cm, const char *hook, uint32_t hook_btf_id)
{
	char dir[PATH_MAX], root[PATH_MAX], link[PATH_MAX];
	_cleanup_close_ int program = -1, attached = -1, fd = -1;
	int err = hook_paths(cm, hook, dir, root, link);

	if (err || cm_pin_exists(link))
		return err;
	err = cm_pin_remove(cm, dir); /* half a hook: left by an interrupted call */
	if (!err)
		err = cm_pin_mkdir(cm, dir);
	if (err)
		return err;
	fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "cm_root", sizeof(uint32_t), sizeof(uint32_t),
			    1, NULL);
	if (fd < 0)
		return cm_fail(cm, fd, "cannot create the chain of hook %s: %s", hook,
			       strerror(-fd));
	program = cm_chain_dispatcher(fd, hook_btf_id);
	if (program < 0)
		return cm_fail(cm, program, "the kernel refuses the dispatcher of hook %s: %s",
			       hook, strerror(-program));
	err = cm_pin_put(cm, fd, root);
	if (err)
		return err;
	attached = bpf_raw_tracepoint_open(NULL, program); /* how an LSM program is attached */
	if (attached < 0)
		return cm_fail(cm, attached, "cannot attach to hook %s: %s", hook,
			       strerror(-attached));
	return cm_pin_put(cm, attached, link);
}

/* Program in an array of one, 0 if none. */
static uint32_t entry(int fd)
{
	uint32_t zero = 0, id = 0;

	return bpf_map_lookup_elem(fd, &zero, &id) ? 0 : id;
}

static int program_id(int fd, uint32_t *ret)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	*ret = info.id;
	return err;
}

/* What is collected, and from which of the two directories of policies. */
struct collect {
	struct cm_chain *chain;
	const char *hook, *parent;
	bool replacing;
};

static int collect_node(struct cm *cm, const char *pack, void *arg)
{
	const struct collect *collect = arg;
	struct cm_chain *chain = collect->chain;
	struct cm_node *node = &chain->nodes[chain->nr];
	char dir[PATH_MAX], path[PATH_MAX];
	struct cm_about about;
	uint32_t phase;
	int err;

	snprintf(dir, sizeof(dir), "%s/%s", collect->parent, pack);
	err = cm_pin_path(cm, path, "%s/prog_%s", dir, collect->hook);
	if (err || !cm_pin_exists(path))
		return err;
	phase = cm_pack_phase(dir);
	if (phase != CM_PHASE_ENABLED && phase != CM_PHASE_ENABLING)
		return 0;
	if (!collect->replacing) { /* its successor stands for it */
		err = cm_pin_path(cm, path, "replacing/%s", pack);
		if (err || cm_pin_exists(path))
			return err;
	}
	if (chain->nr == CM_SLOTS)
		return cm_fail(cm, -ENOSPC, "hook %s has its %d policies already", collect->hook,
			       CM_SLOTS);
	err = cm_about_get(cm, dir, &about);
	if (err)
		return err;
	snprintf(node->pack, sizeof(node->pack), "%s", pack);
	node->parent = collect->parent;
	node->priority = about.priority;
	node->sequence = about.sequence;
	node->fresh = collect->replacing || phase == CM_PHASE_ENABLING;
	node->program_fd = node->next_fd = -1;
	chain->nr++;
	err = cm_pin_path(cm, path, "%s/prog_%s", dir, collect->hook);
	if (!err)
		err = node->program_fd = cm_pin_get(path);
	if (err >= 0)
		err = program_id(node->program_fd, &node->program_id);
	if (!err)
		err = cm_pin_path(cm, path, "%s/next_%s", dir, collect->hook);
	if (!err)
		err = node->next_fd = cm_pin_get(path);
	return err < 0 ? cm_fail(cm, err, "cannot open %s: %s", path, strerror(-err)) : 0;
}

static int by_order(const void *a, const void *b)
{
	const struct cm_node *x = a, *y = b;

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* The policies of a hook in the order they should have; release it also on failure. */
int cm_chain_read(struct cm *cm, const char *hook, struct cm_chain *ret)
{
	struct collect collect = { .chain = ret, .hook = hook, .parent = "packs" };
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "packs");

	ret->nr = 0;
	if (!err)
		err = cm_pin_each(cm, path, collect_node, &collect);
	collect.parent = "replacing";
	collect.replacing = true;
	if (!err)
		err = cm_pin_path(cm, path, "replacing");
	if (!err)
		err = cm_pin_each(cm, path, collect_node, &collect);
	if (!err)
		qsort(ret->nodes, ret->nr, sizeof(*ret->nodes), by_order);
	return err;
}

/* Only the first @nr stay. */
static void cut(struct cm_chain *chain, size_t nr)
{
	size_t i;

	for (i = nr; i < chain->nr; i++) {
		cm_close_fd(&chain->nodes[i].program_fd);
		cm_close_fd(&chain->nodes[i].next_fd);
	}
	chain->nr = nr;
}

void cm_chain_release(struct cm_chain *chain)
{
	cut(chain, 0);
}

/* Only those that the kernel comes by, in the order in which it does. */
int cm_chain_follow(struct cm *cm, const char *hook, struct cm_chain *chain)
{
	_cleanup_close_ int root = -1;
	struct cm_node node;
	size_t at, i;
	uint32_t id;
	int err = open_root(cm, hook, &root);

	if (err)
		return err;
	id = entry(root);
	for (at = 0; id; at++) {
		for (i = at; i < chain->nr && chain->nodes[i].program_id != id; i++)
			;
		if (i >= chain->nr)
			return cm_fail(cm, -EPROTO, "the chain of hook %s has a program of nobody",
				       hook);
		node = chain->nodes[i];
		chain->nodes[i] = chain->nodes[at];
		chain->nodes[at] = node;
		id = entry(node.next_fd);
	}
	cut(chain, at);
	return 0;
}

static int set_entry(struct cm *cm, const char *hook, int fd, const struct cm_node *next)
{
	uint32_t zero = 0;
	int err;

	if (entry(fd) == (next ? next->program_id : 0))
		return 0;
	err = next ? bpf_map_update_elem(fd, &zero, &next->program_fd, BPF_ANY)
		   : bpf_map_delete_elem(fd, &zero);
	return err ? cm_fail(cm, err, "cannot change the chain of hook %s: %s", hook,
			     strerror(-err))
		   : 0;
}

/*
 * Bring about the order that the pins ask for. What nobody comes by yet is linked first. Each
 * further write then puts one stretch of the chain in place of another: those that stay where they
 * are are the ends of the stretches, for whoever would have to pass one of them is new (policy.c).
 */
int cm_chain_apply(struct cm *cm, const char *hook)
{
	_cleanup_chain_ struct cm_chain chain;
	char dir[PATH_MAX], path[PATH_MAX], link[PATH_MAX];
	_cleanup_close_ int root = -1;
	int err = cm_chain_read(cm, hook, &chain), fresh;
	struct cm_node *node;
	size_t i;

	if (!err)
		err = hook_paths(cm, hook, dir, path, link);
	if (!err && !cm_pin_exists(path))
		return 0; /* it had not come to that: the policy is on its way out already */
	if (!err)
		err = open_root(cm, hook, &root);
	if (!err)
		err = cm_jump_clear(cm, hook, &chain);
	for (fresh = 1; fresh >= 0; fresh--) {
		for (i = 0; !err && i < chain.nr; i++) {
			node = &chain.nodes[i];
			if (node->fresh == fresh)
				err = set_entry(cm, hook, node->next_fd,
						i + 1 < chain.nr ? node + 1 : NULL);
		}
	}
	if (!err)
		err = set_entry(cm, hook, root, chain.nr ? chain.nodes : NULL);
	return err ? err : cm_jump_set(cm, hook, &chain);
}

/* A hook whose chain is empty loses its dispatcher. */
static int sweep_hook(struct cm *cm, const char *hook, void *arg)
{
	char dir[PATH_MAX], root[PATH_MAX], link[PATH_MAX];
	int err = hook_paths(cm, hook, dir, root, link);
	_cleanup_close_ int fd = -1;

	(void)arg;
	if (err)
		return err;
	fd = cm_pin_get(root);
	return fd >= 0 && entry(fd) ? 0 : cm_pin_remove(cm, dir);
}

int cm_chain_sweep(struct cm *cm)
{
	char dir[PATH_MAX];
	int err = cm_pin_path(cm, dir, "hooks");

	return err ? err : cm_pin_each(cm, dir, sweep_hook, NULL);
}

/*
 * Wait until nobody runs any more what has left a chain: until then its array must keep what is
 * behind it. The kernel waits so for every change of a map of maps, that being its promise to user
 * space.
 */
int cm_chain_settle(struct cm *cm)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	_cleanup_close_ int inner = -1, outer = -1;
	uint32_t zero = 0;
	int err;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cm_settle", sizeof(zero), sizeof(zero), 1,
			       NULL);
	opts.inner_map_fd = inner;
	outer = inner < 0 ? inner
			  : bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "cm_settle", sizeof(zero),
					   sizeof(zero), 1, &opts);
	err = outer < 0 ? outer : bpf_map_update_elem(outer, &zero, &inner, BPF_ANY);
	return err ? cm_fail(cm, err, "cannot wait for the programs that run: %s", strerror(-err))
		   : 0;
}
