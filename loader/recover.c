// SPDX-License-Identifier: GPL-2.0-only
/*
 * Order after an interrupted call: what it has left is finished or undone before anything else.
 *
 *	lock/		complete, or completed: nothing else can be under way then
 *	locking/	not locked yet: removed
 *	building/	never in force: removed
 *	replacing/	complete, perhaps in force on some hooks: finished
 *	retired/	replaced: removed
 *	journal/	a configuration was being applied: back to the one before
 *	packs/NAME	in another phase than "enabled": removed; with values half derived: derived
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "config.h"
#include "ruleset.h"

static const char *const traces[] = { "locking", "building", "replacing", "retired" };

struct survey {
	size_t packs;
	bool incomplete;
};

static int check_pack(struct cm *cm, const char *name, void *arg)
{
	struct survey *survey = arg;
	struct cm_state *state;
	char dir[PATH_MAX];
	size_t size;

	(void)cm;
	survey->packs++;
	snprintf(dir, sizeof(dir), "packs/%s", name);
	state = cm_pack_map(dir, "state", &size);
	if (!state || (state->abi == CM_ABI && (state->phase != CM_PHASE_ENABLED || state->dirty)))
		survey->incomplete = true;
	if (state)
		munmap(state, size);
	return 0;
}

/* A chain that nothing is attached for. */
static int check_hook(struct cm *cm, const char *name, void *arg)
{
	struct survey *survey = arg;
	char link[PATH_MAX];

	if (cm_pin_path(cm, link, "hooks/%s/link", name) || !cm_pin_exists(link))
		survey->incomplete = true;
	return 0;
}

bool cm_needs_recovery(struct cm *cm)
{
	struct survey survey = {};
	enum cm_lock_state lock;
	char path[PATH_MAX];
	size_t i;

	if (!cm_pin_exists(CM_PINS))
		return false;
	lock = cm_lock_state(cm);
	if (lock != CM_LOCK_NONE)
		return lock == CM_LOCK_BEGUN;
	for (i = 0; i < sizeof(traces) / sizeof(*traces); i++)
		if (cm_pin_path(cm, path, "%s", traces[i]) || cm_pin_exists(path))
			return true;
	if (cm_journal_exists(cm) || cm_pack_each(cm, check_pack, &survey) ||
	    cm_pin_path(cm, path, "hooks") || cm_pin_each(cm, path, check_hook, &survey))
		return true;
	/* Without a pack the rest is what the last one, or the first, has left behind. */
	return survey.incomplete || !survey.packs || cm_shared_needs_sweep(cm);
}

static int recover_pack(struct cm *cm, const char *name, void *arg)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_state *state;
	uint32_t phase, abi;
	char dir[PATH_MAX];
	size_t size, i;
	bool undo;
	int err;

	(void)arg;
	snprintf(dir, sizeof(dir), "packs/%s", name);
	state = cm_pack_map(dir, "state", &size);
	if (!state)
		return cm_pack_unload(cm, name);
	phase = state->phase;
	abi = state->abi;
	munmap(state, size);
	if (abi == CM_ABI && phase != CM_PHASE_ENABLED)
		return cm_pack_unload(cm, name);
	err = cm_pack_open(cm, name, &pack);
	if (err || !pack->state->dirty)
		return err;
	/* Enabling for the whole system had not come to its end: undo the values it had set. */
	undo = pack->state->dirty == 2 && !pack->state->system_enabled &&
	       !cm_sealed(cm, pack->object);
	for (i = 0; undo && i < cm_object_nr_values(pack->object); i++) {
		const struct cm_knob_decl *knob = cm_object_value(pack->object, i);

		if (!cm_knob_latched(knob, pack->system[knob->index]))
			pack->system[knob->index] = cm_knob_off(knob);
	}
	err = cm_demand_recover(cm, pack);
	return err ? err : cm_scopes_derive(cm, pack);
}

static int remove_trace(struct cm *cm, const char *name)
{
	char path[PATH_MAX];
	int err = cm_pin_path(cm, path, "%s", name);

	return err ? err : cm_pin_remove(cm, path);
}

int cm_recover(struct cm *cm)
{
	int err;

	if (cm_lock_state(cm) != CM_LOCK_NONE)
		return cm_lock_finish(cm);
	err = remove_trace(cm, "locking");
	if (!err)
		err = remove_trace(cm, "building");
	if (!err)
		err = cm_policy_finish_replacing(cm);
	if (!err)
		err = cm_pack_each(cm, recover_pack, NULL);
	if (!err && cm_journal_exists(cm))
		err = cm_journal_undo(cm);
	if (!err && cm_pin_exists(CM_PINS))
		err = cm_pack_sweep(cm);
	return err;
}
