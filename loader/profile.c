// SPDX-License-Identifier: GPL-2.0-only
/*
 * Profiles: values that a policy declares under one name, and a built-in pack that is to be in
 * force along with it. Both come into force in all the scopes that are asked for, or nothing does.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"

#define BLANKS " \t\n"

static const struct cm_profile_decl *find(const struct cm_object *object, const char *name)
{
	size_t i;

	for (i = 0; i < object->nr_profiles; i++)
		if (!strcmp(object->profiles[i].name, name))
			return &object->profiles[i];
	return NULL;
}

static size_t count(const char *const *strings)
{
	size_t nr = 0;

	while (strings && strings[nr])
		nr++;
	return nr;
}

/* The values of a profile, if there is one, and then those of @more: the last one counts. */
static int parse(struct cm *cm, const struct cm_object *object,
		 const struct cm_profile_decl *profile, const char *const *more, int *values,
		 char *given)
{
	char text[CM_SETTINGS_LEN] = "", *rest = text, *word;
	_cleanup_free_ const char **settings = NULL;
	size_t nr = 0, i;

	if (profile)
		strcpy(text, profile->settings);
	settings = calloc(sizeof(text) + count(more), sizeof(*settings));
	if (!settings)
		return cm_fail(cm, -ENOMEM, "out of memory");
	while ((word = strsep(&rest, BLANKS)))
		if (*word)
			settings[nr++] = word;
	for (i = 0; i < count(more); i++)
		settings[nr++] = more[i];
	return cm_settings_parse(cm, object, settings, values, given);
}

static int check(struct cm *cm, const struct cm_object *object,
		 const struct cm_profile_decl *profile)
{
	char given[CM_KNOBS_MAX], why[sizeof(cm->error)];
	int values[CM_KNOBS_MAX], err;

	err = parse(cm, object, profile, NULL, values, given);
	if (!err && profile->with[0] &&
	    (!cm_is_builtin(profile->with) || !strcmp(profile->with, object->name)))
		err = cm_fail(cm, -EPROTO, "there is no other built-in pack '%s'", profile->with);
	if (!err)
		return 0;
	memcpy(why, cm->error, sizeof(why));
	return cm_fail(cm, -EPROTO, "%s: profile %s: %.900s", object->name, profile->name, why);
}

int cm_profiles_check(struct cm *cm, const struct cm_object *object)
{
	const struct cm_profile_decl *profile = object->profiles;
	size_t i;
	int err = 0;

	for (i = 0; !err && i < object->nr_profiles; i++, profile++) {
		if (!cm_decl_ends(profile->name, sizeof(profile->name)) ||
		    !cm_decl_ends(profile->settings, sizeof(profile->settings)) ||
		    !cm_decl_ends(profile->with, sizeof(profile->with)) ||
		    !cm_decl_ends(profile->help, sizeof(profile->help)) ||
		    !cm_is_name(profile->name) || find(object, profile->name) != profile)
			return cm_fail(cm, -EPROTO, "%s: profile declaration %zu is broken",
				       object->name, i);
		err = check(cm, object, profile);
	}
	return err;
}

static int refuse_unknown(struct cm *cm, const struct cm_object *object, const char *name)
{
	char known[512] = "";
	size_t i, len = 0;

	if (!object->nr_profiles)
		return cm_fail(cm, -ENOKEY, "pack %s has no profiles", object->name);
	for (i = 0; i < object->nr_profiles && len < sizeof(known); i++)
		len += snprintf(known + len, sizeof(known) - len, "%s%s", i ? ", " : "",
				object->profiles[i].name);
	return cm_fail(cm, -ENOKEY, "pack %s has no profile '%.64s', it has: %s", object->name,
		       name, known);
}

static bool is_enabled_in(struct cm *cm, const char *name, uint64_t id)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_scope_record record;

	if (cm_pack_open(cm, name, &pack))
		return false;
	return id == CM_CGROUP_ROOT ? pack->state->system_enabled
				    : !cm_scope_find(pack, id, &record);
}

static int add_scope(struct cm *cm, struct cm_config_policy *policy, uint64_t id,
		     const struct cm_placement *place)
{
	struct cm_config_scope *scope = &policy->scopes[policy->nr_scopes];

	scope->id = id;
	scope->cgroup = strdup(place->cgroup);
	if (!scope->cgroup)
		return cm_fail(cm, -ENOMEM, "out of memory");
	scope->mode = place->mode;
	memcpy(scope->values, place->values, sizeof(scope->values));
	memcpy(scope->given, place->given, sizeof(scope->given));
	policy->nr_scopes++;
	return 0;
}

/*
 * One more policy of @config, in all scopes of @options.
 * @along: where it is enabled already it stays as it is
 */
static int add_policy(struct cm *cm, struct cm_config *config, const char *name,
		      const struct cm_enable_options *options, bool along)
{
	struct cm_config_policy *policy = &config->policies[config->nr++];
	static const char *const system[] = { "/", NULL };
	const char *const *cgroups = count(options->cgroups) ? options->cgroups : system;
	const struct cm_profile_decl *profile = NULL;
	char path[PATH_MAX], given[CM_KNOBS_MAX];
	int values[CM_KNOBS_MAX], err;
	struct cm_placement place = { .mode = options->mode, .values = values, .given = given };
	uint64_t id;

	err = cm_object_open(cm, name, &policy->object);
	if (err)
		return err;
	strcpy(policy->name, policy->object->name);
	if (!along && options->profile) {
		profile = find(policy->object, options->profile);
		if (!profile)
			return refuse_unknown(cm, policy->object, options->profile);
	}
	err = parse(cm, policy->object, profile, along ? NULL : options->settings, values, given);
	policy->scopes = calloc(count(cgroups), sizeof(*policy->scopes));
	if (!err && !policy->scopes)
		err = cm_fail(cm, -ENOMEM, "out of memory");
	for (; !err && *cgroups; cgroups++) {
		place.cgroup = *cgroups;
		err = cm_cgroup_id(cm, *cgroups, &id, path);
		if (!err && !(along && is_enabled_in(cm, name, id)))
			err = add_scope(cm, policy, id, &place);
	}
	if (!err && profile && profile->with[0])
		err = add_policy(cm, config, profile->with, options, true);
	return err;
}

int cm_pack_enable_in(struct cm *cm, const char *pack, const struct cm_enable_options *options)
{
	_cleanup_config_ struct cm_config *more = calloc(1, sizeof(*more));
	int err = cm_lock_refuse(cm, "enable a pack");

	if (err)
		return err;
	if (more) /* the pack, and one along with it */
		more->policies = calloc(2, sizeof(*more->policies));
	if (!more || !more->policies)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = add_policy(cm, more, pack, options, false);
	return err ? err : cm_config_add(cm, more);
}
