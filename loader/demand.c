// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks on demand: CM_ON_DEMAND() of the SDK. While no ruleset in force needs them their programs
 * are pinned as packs/NAME/idle_HOOK, where no chain looks for one, and then as prog_HOOK.
 *
 * That is derived from the rulesets, so an interrupted call leaves nothing that the next one could
 * not find out: state->dirty says that it is needed.
 */
#include <stdio.h>
#include <string.h>

#include "ruleset.h"

#define MARK	 "cm_on_demand"
#define IN_CHAIN "prog_"
#define IDLE	 "idle_"

static bool is_on_demand(const struct cm_object *object, const char *hook)
{
	return cm_object_is_marked(object, MARK, hook);
}

static bool has_any(const struct cm_object *object)
{
	return cm_object_section(object, ".rodata." MARK);
}

/* A policy that takes its own place anew is needed as before. */
const char *cm_demand_prefix(const struct cm_object *object, const char *hook)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), CM_PINS "/packs/%s/" IN_CHAIN "%s", object->name, hook);
	return is_on_demand(object, hook) && !cm_pin_exists(path) ? IDLE : IN_CHAIN;
}

/* Pinned as that, if it is pinned as the other one. */
static int rename_program(struct cm *cm, const char *pack, const char *hook, bool wake)
{
	char idle[PATH_MAX], chain[PATH_MAX];
	int err = cm_pin_path(cm, idle, "packs/%s/" IDLE "%s", pack, hook);

	if (!err)
		err = cm_pin_path(cm, chain, "packs/%s/" IN_CHAIN "%s", pack, hook);
	if (err)
		return err;
	if (rename(wake ? idle : chain, wake ? chain : idle) && errno != ENOENT)
		return cm_fail(cm, -errno, "cannot rename %s: %s", wake ? idle : chain,
			       strerror(errno));
	return 0;
}

static int move(struct cm *cm, struct cm_pack *pack, const char *hook, bool wake)
{
	char dir[64];
	int err = rename_program(cm, pack->name, hook, wake);

	snprintf(dir, sizeof(dir), "packs/%s", pack->name);
	if (!err && wake)
		err = cm_pack_attach(cm, dir);
	return err ? err : cm_chain_apply(cm, hook);
}

static int move_all(struct cm *cm, struct cm_pack *pack, bool wake)
{
	uint32_t dirty = pack->state->dirty;
	size_t i;
	int err = 0;

	__atomic_store_n(&pack->state->dirty, dirty ? dirty : 1, __ATOMIC_SEQ_CST);
	for (i = 0; !err && i < pack->object->nr_hooks; i++)
		if (is_on_demand(pack->object, pack->object->hooks[i].name))
			err = move(cm, pack, pack->object->hooks[i].name, wake);
	if (!err && !wake)
		err = cm_chain_settle(cm);
	if (!err && !wake)
		err = cm_chain_sweep(cm);
	if (!err)
		__atomic_store_n(&pack->state->dirty, dirty, __ATOMIC_SEQ_CST);
	return err;
}

int cm_demand_wake(struct cm *cm, struct cm_pack *pack)
{
	return has_any(pack->object) ? move_all(cm, pack, true) : 0;
}

/* Are they in their chains? */
static bool is_awake(const struct cm_pack *pack)
{
	const struct cm_object *object = pack->object;
	size_t i;

	for (i = 0; i < object->nr_hooks; i++)
		if (is_on_demand(object, object->hooks[i].name) &&
		    !strcmp(cm_demand_prefix(object, object->hooks[i].name), IN_CHAIN))
			return true;
	return false;
}

static int is_needed(struct cm *cm, struct cm_pack *pack, bool *ret)
{
	_cleanup_free_ struct cm_scope_record *records = NULL;
	_cleanup_free_ uint32_t *rows = NULL;
	size_t nr, i;
	int err = cm_scopes_read(cm, pack, &records, &nr);

	rows = err ? NULL : calloc(nr + 1, sizeof(*rows));
	if (!rows)
		return err ? err : cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; i < nr; i++) /* the last one is row 0: the system's */
		rows[i] = records[i].scope.row;
	return cm_ruleset_demands(cm, pack, rows, nr + 1, ret);
}

int cm_demand_settle(struct cm *cm, struct cm_pack *pack)
{
	bool needed = false;
	int err = has_any(pack->object) ? is_needed(cm, pack, &needed) : 0;

	return err || needed == is_awake(pack) ? err : move_all(cm, pack, needed);
}

int cm_demand_recover(struct cm *cm, struct cm_pack *pack)
{
	bool needed = false;
	int err = has_any(pack->object) ? is_needed(cm, pack, &needed) : 0;

	return err || !has_any(pack->object) ? err : move_all(cm, pack, needed);
}
