// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way from what is in force to a configuration: which changes, in which order, and all of them
 * or none. What adds or tightens comes first, so that nothing is bound less than both
 * configurations bind it; a value that lasts until reboot comes last, since it cannot be taken
 * back.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"

enum pass {
	TIGHTEN,
	LOOSEN,
	WITHDRAW,
	LATCH,
};

struct step {
	struct cm_change change; /* its strings belong to a configuration */
	enum pass pass;
	size_t order; /* within the pass: that of the file */
	const struct cm_config_policy *policy;
	const struct cm_config_scope *scope;
};

struct plan {
	size_t nr;
	struct step *steps;
	bool no_memory;
};

static struct step *add(struct plan *plan, enum cm_change_kind kind, enum pass pass,
			const struct cm_config_policy *policy, const struct cm_config_scope *scope)
{
	static struct step nowhere;
	struct step *more = realloc(plan->steps, (plan->nr + 1) * sizeof(*more)), *step;

	if (!more) {
		plan->no_memory = true;
		return &nowhere;
	}
	plan->steps = more;
	step = &more[plan->nr++];
	memset(step, 0, sizeof(*step));
	step->pass = pass;
	step->policy = policy;
	step->scope = scope;
	step->change.kind = kind;
	step->change.policy = policy->name;
	step->change.cgroup = scope ? scope->cgroup : NULL;
	step->change.file = policy->file;
	return step;
}

static void add_set(struct plan *plan, const struct cm_config_policy *policy,
		    const struct cm_config_scope *scope, const struct cm_knob_decl *knob, int from)
{
	int to = scope->values[knob->index];
	enum pass pass = cm_knob_latched(knob, to)		? LATCH
			 : cm_knob_strict(knob, from, to) == to ? TIGHTEN
								: LOOSEN;
	struct step *step = add(plan, CM_CHANGE_SET, pass, policy, scope);

	cm_knob_name(knob, step->change.knob);
	step->change.from = from;
	step->change.to = to;
}

/* What an enabled scope begins with: a value that lasts until reboot is set at the very end. */
static int first_value(const struct cm_knob_decl *knob, const struct cm_config_scope *scope)
{
	int value = scope->values[knob->index];

	return cm_knob_latched(knob, value) ? cm_knob_off(knob) : value;
}

static void add_rules(struct plan *plan, enum pass pass, const struct cm_config_policy *policy,
		      const struct cm_config_scope *now, const struct cm_config_scope *wanted)
{
	struct step *step;

	if (cm_rules_equal(now ? now->rules : NULL, wanted->rules))
		return;
	step = add(plan, CM_CHANGE_RULES, pass, policy, wanted);
	step->change.rules_from = now && now->rules ? now->rules->text : NULL;
	step->change.rules_to = wanted->rules ? wanted->rules->text : NULL;
}

static void plan_new_scope(struct plan *plan, enum cm_change_kind kind,
			   const struct cm_config_policy *policy,
			   const struct cm_config_scope *scope)
{
	size_t i;

	add(plan, kind, TIGHTEN, policy, scope)->change.to = scope->mode;
	add_rules(plan, TIGHTEN, policy, NULL, scope);
	for (i = 0; i < policy->object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &policy->object->knobs[i];

		if (cm_knob_latched(knob, scope->values[knob->index]))
			add_set(plan, policy, scope, knob, first_value(knob, scope));
	}
}

static void plan_scope(struct plan *plan, const struct cm_config_policy *policy,
		       const struct cm_config_scope *now, const struct cm_config_scope *wanted)
{
	bool held = cm_rules_hold(policy, now), hold = cm_rules_hold(policy, wanted);
	enum pass pass = wanted->mode == CM_ENFORCE ? TIGHTEN : LOOSEN;
	size_t i;

	/* Those that are not enforced in one of the configurations are not for a moment either. */
	if (hold && !held)
		add_rules(plan, TIGHTEN, policy, now, wanted);
	for (i = 0; i < policy->object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &policy->object->knobs[i];

		if (now->values[knob->index] != wanted->values[knob->index])
			add_set(plan, policy, wanted, knob, now->values[knob->index]);
	}
	if (now->mode != wanted->mode) {
		struct step *step = add(plan, CM_CHANGE_MODE, pass, policy, wanted);

		step->change.from = now->mode;
		step->change.to = wanted->mode;
	}
	/* Which rules are looser cannot be told, but those that come where there were none. */
	if (held || !hold)
		add_rules(plan, hold && !now->rules ? TIGHTEN : LOOSEN, policy, now, wanted);
}

static void add_priority(struct plan *plan, const struct cm_config_policy *policy, uint32_t from)
{
	struct step *step;

	if (policy->priority == from)
		return;
	step = add(plan, CM_CHANGE_PRIORITY, TIGHTEN, policy, NULL);
	step->change.from = from;
	step->change.to = policy->priority;
}

static int plan_replacement(struct cm *cm, struct plan *plan, const struct cm_config_policy *now,
			    const struct cm_config_policy *wanted)
{
	int err;

	if (!now->file != !wanted->file)
		return cm_fail(cm, -EEXIST, "policy %s is in force %s: unload it first", now->name,
			       now->file ? "from a file" : "as the built-in pack");
	if (!now->file || !memcmp(now->object->about.digest, wanted->object->about.digest,
				  sizeof(now->object->about.digest)))
		return 0;
	err = cm_layout_check(cm, now->object, wanted->object);
	if (!err)
		add(plan, CM_CHANGE_REPLACE, TIGHTEN, wanted, NULL);
	return err;
}

static int plan_policy(struct cm *cm, struct plan *plan, const struct cm_config_policy *now,
		       const struct cm_config_policy *wanted)
{
	size_t i;
	int err;

	if (!now) {
		for (i = 0; i < wanted->nr_scopes; i++)
			plan_new_scope(plan, i || !wanted->file ? CM_CHANGE_ENABLE : CM_CHANGE_LOAD,
				       wanted, &wanted->scopes[i]);
		if (!wanted->file) /* of one from a file it is loaded with */
			add_priority(plan, wanted, wanted->object->pack->priority);
		return 0;
	}
	err = plan_replacement(cm, plan, now, wanted);
	if (err)
		return err;
	add_priority(plan, wanted, now->priority);
	for (i = 0; i < wanted->nr_scopes; i++) {
		const struct cm_config_scope *scope = &wanted->scopes[i],
					     *old = cm_config_scope(now, scope->id);

		if (old)
			plan_scope(plan, wanted, old, scope);
		else
			plan_new_scope(plan, CM_CHANGE_ENABLE, wanted, scope);
	}
	for (i = 0; i < now->nr_scopes; i++)
		if (!cm_config_scope(wanted, now->scopes[i].id))
			add(plan, CM_CHANGE_DISABLE, WITHDRAW, now, &now->scopes[i]);
	return 0;
}

static int by_pass(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->pass != y->pass)
		return x->pass < y->pass ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Into the order in which they are taken. */
static int sort(struct cm *cm, struct plan *plan)
{
	size_t i;

	if (plan->no_memory)
		return cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; i < plan->nr; i++)
		plan->steps[i].order = i;
	if (plan->nr)
		qsort(plan->steps, plan->nr, sizeof(*plan->steps), by_pass);
	return 0;
}

static int make(struct cm *cm, const struct cm_config *now, const struct cm_config *wanted,
		struct plan *plan)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < wanted->nr; i++)
		if (wanted->policies[i].nr_scopes)
			err = plan_policy(cm, plan, cm_config_policy(now, wanted->policies[i].name),
					  &wanted->policies[i]);
	for (i = 0; !err && i < now->nr; i++) {
		const struct cm_config_policy *policy =
			cm_config_policy(wanted, now->policies[i].name);

		if (!policy || !policy->nr_scopes)
			add(plan, CM_CHANGE_UNLOAD, WITHDRAW, &now->policies[i], NULL);
	}
	return err ? err : sort(cm, plan);
}

static int enable(struct cm *cm, const struct step *step)
{
	const struct cm_object *object = step->policy->object;
	int values[CM_KNOBS_MAX], err;
	char given[CM_KNOBS_MAX];
	struct cm_placement place = { .cgroup = step->scope->cgroup,
				      .mode = step->scope->mode,
				      .values = values,
				      .given = given };
	size_t i;

	err = cm_settings_parse(cm, object, NULL, values, given);
	if (err)
		return err;
	for (i = 0; i < object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &object->knobs[i];

		values[knob->index] = first_value(knob, step->scope);
		given[knob->index] = step->scope->given[knob->index] &&
				     !cm_knob_latched(knob, step->scope->values[knob->index]);
	}
	if (step->change.kind == CM_CHANGE_ENABLE)
		return cm_pack_place(cm, step->policy->object, &place, 1);
	step->policy->object->about.priority = step->policy->priority;
	return cm_policy_load_object(cm, step->policy->object, &place, 1);
}

/* What a seal refuses is refused before anything is done. */
static int check_seal(struct cm *cm, const struct step *step)
{
	const struct cm_object *object = step->policy->object;
	const struct cm_change *change = &step->change;
	bool is_system = step->scope && step->scope->id == CM_CGROUP_ROOT;

	switch (change->kind) {
	case CM_CHANGE_SET:
		return cm_seal_check_value(cm, object, cm_object_knob(object, change->knob),
					   is_system ? NULL : change->cgroup, change->from,
					   change->to);
	case CM_CHANGE_MODE:
		return change->to == CM_ENFORCE
			       ? 0
			       : cm_seal_refuse(cm, object, "pack %s cannot become permissive",
						change->policy);
	case CM_CHANGE_REPLACE:
		return cm_seal_refuse(cm, object, "policy %s cannot be replaced", change->policy);
	case CM_CHANGE_DISABLE:
	case CM_CHANGE_UNLOAD:
		return cm_seal_refuse(cm, object, "pack %s cannot be withdrawn", change->policy);
	default:
		return 0;
	}
}

static int take(struct cm *cm, const struct step *step)
{
	const struct cm_change *change = &step->change;
	char number[16];

	switch (change->kind) {
	case CM_CHANGE_LOAD:
	case CM_CHANGE_ENABLE:
		return enable(cm, step);
	case CM_CHANGE_REPLACE:
		return cm_policy_replace_object(cm, change->policy, step->policy->object);
	case CM_CHANGE_PRIORITY:
		return cm_policy_set_priority(cm, change->policy, step->policy->priority);
	case CM_CHANGE_SET:
		snprintf(number, sizeof(number), "%d", (int)change->to);
		return cm_knob_set(cm, change->knob, change->cgroup, number);
	case CM_CHANGE_MODE:
		return cm_pack_change_mode(cm, change->policy, change->cgroup, change->to);
	case CM_CHANGE_RULES:
		return cm_nf_write(cm, change->cgroup, change->rules_to);
	case CM_CHANGE_DISABLE:
		return cm_pack_disable(cm, change->policy, change->cgroup);
	case CM_CHANGE_UNLOAD:
		return cm_pack_disable(cm, change->policy, NULL);
	}
	return -EINVAL;
}

static int take_all(struct cm *cm, const struct plan *plan)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < plan->nr; i++)
		err = take(cm, &plan->steps[i]);
	return err;
}

int cm_config_reach(struct cm *cm, const struct cm_config *now, const struct cm_config *wanted)
{
	struct plan plan = {};
	int err = make(cm, now, wanted, &plan);

	if (!err)
		err = take_all(cm, &plan);
	free(plan.steps);
	return err;
}

/* More than the rules of any pack take; what is in force has to be kept as a text. */
#define CONFIG_MAX (256 << 20)

static int read_both(struct cm *cm, const char *path, struct cm_config **now,
		     struct cm_config **wanted)
{
	_cleanup_free_ char *text = NULL;
	char real[PATH_MAX];
	size_t size;
	void *bytes;
	int err;

	err = cm_file_read(cm, path, CONFIG_MAX, real, &bytes, &size);
	if (err)
		return err;
	text = bytes;
	if (memchr(text, '\0', size))
		return cm_fail(cm, -EINVAL, "%.300s is not a text", path);
	text[size] = '\0';
	err = cm_config_parse(cm, path, text, false, wanted);
	return err ? err : cm_config_read(cm, now);
}

/* The changes and what their strings belong to. */
struct list {
	struct cm_changes changes; /* first: what the caller sees */
	struct cm_config *now;
	struct cm_config *wanted;
};

void cm_changes_free(struct cm_changes *changes)
{
	struct list *list = (struct list *)changes;
	size_t i;

	if (!list)
		return;
	for (i = 0; i < changes->nr; i++)
		free(changes->changes[i].settings);
	free(changes->changes);
	cm_config_free(list->now);
	cm_config_free(list->wanted);
	free(list);
}

/* "NAME=VALUE NAME=VALUE" of a scope that is new */
static char *settings_of(const struct step *step)
{
	const struct cm_object *object = step->policy->object;
	char name[CM_PATH_LEN], *text = NULL;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (i = 0; i < object->nr_knobs; i++) {
		cm_knob_name(&object->knobs[i], name);
		fprintf(f, "%s%s=%d", i ? " " : "", name,
			first_value(&object->knobs[i], step->scope));
	}
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

static int fill(struct list *list, const struct plan *plan)
{
	size_t i;

	list->changes.changes = calloc(plan->nr + 1, sizeof(*list->changes.changes));
	if (!list->changes.changes)
		return -ENOMEM;
	for (i = 0; i < plan->nr; i++) {
		struct cm_change *change = &list->changes.changes[list->changes.nr++];

		*change = plan->steps[i].change;
		if (change->kind != CM_CHANGE_LOAD && change->kind != CM_CHANGE_ENABLE)
			continue;
		change->settings = settings_of(&plan->steps[i]);
		if (!change->settings)
			return -ENOMEM;
	}
	return 0;
}

int cm_config_diff(struct cm *cm, const char *path, struct cm_changes **ret)
{
	struct list *list = calloc(1, sizeof(*list));
	struct plan plan = {};
	int err;

	if (!list)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = read_both(cm, path, &list->now, &list->wanted);
	if (!err)
		err = make(cm, list->now, list->wanted, &plan);
	if (!err && fill(list, &plan))
		err = cm_fail(cm, -ENOMEM, "out of memory");
	free(plan.steps);
	if (err)
		cm_changes_free(&list->changes);
	else
		*ret = &list->changes;
	return err;
}

/* What rules end cannot be undone: it is done when all the rest is. */
static void end_sockets(struct cm *cm, const struct plan *plan)
{
	bool ended = false;
	size_t i;

	for (i = 0; !ended && i < plan->nr; i++) {
		const struct cm_change *change = &plan->steps[i].change;

		if (change->kind == CM_CHANGE_RULES ||
		    (change->kind == CM_CHANGE_MODE && cm_nf_is(change->policy)))
			ended = cm_nf_end_sockets(cm, change->cgroup);
	}
}

/* All of it, or what was in force before. */
static int apply(struct cm *cm, const struct cm_config *now, const struct plan *plan)
{
	char why[sizeof(cm->error)];
	int err = 0, undone;
	size_t i;

	for (i = 0; !err && i < plan->nr; i++)
		err = check_seal(cm, &plan->steps[i]);
	if (!err)
		err = cm_journal_put(cm, now);
	if (err)
		return err;
	err = take_all(cm, plan);
	if (!err) {
		err = cm_journal_remove(cm);
		if (!err)
			end_sockets(cm, plan);
		return err;
	}
	memcpy(why, cm->error, sizeof(why));
	undone = cm_journal_undo(cm);
	if (undone)
		return cm_fail(cm, err, "%.450s; what was in force before is not restored: %.450s",
			       why, cm->error[0] ? strdupa(cm->error) : strerror(-undone));
	return cm_fail(cm, err, "%.900s; nothing was changed", why);
}

int cm_config_apply(struct cm *cm, const char *path)
{
	_cleanup_config_ struct cm_config *now = NULL, *wanted = NULL;
	struct plan plan = {};
	int err = read_both(cm, path, &now, &wanted);

	if (!err)
		err = make(cm, now, wanted, &plan);
	if (!err && plan.nr)
		err = cm_lock_refuse(cm, "apply a configuration");
	if (!err && plan.nr)
		err = apply(cm, now, &plan);
	free(plan.steps);
	return err;
}

int cm_config_add(struct cm *cm, const struct cm_config *more)
{
	_cleanup_config_ struct cm_config *now = NULL;
	struct plan plan = {};
	size_t i, j;
	int err;

	for (i = 0; i < more->nr; i++)
		for (j = 0; j < more->policies[i].nr_scopes; j++)
			plan_new_scope(&plan, CM_CHANGE_ENABLE, &more->policies[i],
				       &more->policies[i].scopes[j]);
	err = sort(cm, &plan);
	if (!err)
		err = cm_config_read(cm, &now);
	if (!err)
		err = apply(cm, now, &plan);
	free(plan.steps);
	return err;
}

int cm_config_save(struct cm *cm, char **ret)
{
	_cleanup_config_ struct cm_config *now = NULL;
	int err = cm_config_read(cm, &now);

	if (err)
		return err;
	*ret = cm_config_format(now, false);
	return *ret ? 0 : cm_fail(cm, -ENOMEM, "out of memory");
}
