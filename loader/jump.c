// SPDX-License-Identifier: GPL-2.0-only
/*
 * Jumps within a hook's chain: CM_JUMP() of the SDK. Each is an array of one entry, pinned in the
 * policy's directory as jump_HOOK__TARGET, that holds the program of the policy TARGET while that
 * one stands further back in the chain, and nothing otherwise. So a jump never leads back, and one
 * that cannot be taken goes on at the next policy.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define PREFIX "cm_jump__"

bool cm_jump_is(const char *map)
{
	return !strncmp(map, PREFIX, strlen(PREFIX));
}

int cm_jump_pin(struct cm *cm, const struct cm_object *object, const char *dir)
{
	struct bpf_map *map;
	char path[PATH_MAX];
	int err = 0;

	bpf_object__for_each_map(map, object->bpf) {
		if (err || !cm_jump_is(bpf_map__name(map)))
			continue;
		err = cm_pin_path(cm, path, "%s/jump_%s", dir, bpf_map__name(map) + strlen(PREFIX));
		if (!err)
			err = cm_pin_put(cm, bpf_map__fd(map), path);
	}
	return err;
}

/* The chain as it is to be, and where in it the policy stands whose jumps are looked at. */
struct place {
	const char *hook;
	const struct cm_chain *chain;
	size_t at;
	bool set;
};

static int apply_jump(struct cm *cm, const char *name, void *arg)
{
	const struct place *place = arg;
	const struct cm_node *node = &place->chain->nodes[place->at];
	size_t hook = strlen(place->hook), i;
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	uint32_t zero = 0;
	int err;

	if (strncmp(name, "jump_", 5) || strncmp(name + 5, place->hook, hook) ||
	    strncmp(name + 5 + hook, "__", 2))
		return 0;
	for (i = place->at + 1; i < place->chain->nr; i++)
		if (!strcmp(place->chain->nodes[i].pack, name + 5 + hook + 2))
			break;
	if (place->set != (i < place->chain->nr))
		return 0;
	err = cm_pin_path(cm, path, "%s/%s/%s", node->parent, node->pack, name);
	if (err)
		return err;
	fd = cm_pin_get(path);
	err = fd;
	if (fd >= 0)
		err = place->set ? bpf_map_update_elem(fd, &zero,
						       &place->chain->nodes[i].program_fd, BPF_ANY)
				 : bpf_map_delete_elem(fd, &zero);
	return err < 0 && err != -ENOENT
		       ? cm_fail(cm, err, "cannot change the jump %s: %s", path, strerror(-err))
		       : 0;
}

static int apply(struct cm *cm, const char *hook, const struct cm_chain *chain, bool set)
{
	struct place place = { .hook = hook, .chain = chain, .set = set };
	char path[PATH_MAX];
	int err = 0;

	for (; !err && place.at < chain->nr; place.at++) {
		err = cm_pin_path(cm, path, "%s/%s", chain->nodes[place.at].parent,
				  chain->nodes[place.at].pack);
		if (!err)
			err = cm_pin_each(cm, path, apply_jump, &place);
	}
	return err;
}

/* Before the chain changes: no jump leads to what will not be behind it. */
int cm_jump_clear(struct cm *cm, const char *hook, const struct cm_chain *chain)
{
	return apply(cm, hook, chain, false);
}

/* After it. */
int cm_jump_set(struct cm *cm, const char *hook, const struct cm_chain *chain)
{
	return apply(cm, hook, chain, true);
}
