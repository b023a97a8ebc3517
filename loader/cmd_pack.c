// SPDX-License-Identifier: GPL-2.0-only
/* Packs: list, status, enable, disable, mode, lock. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "json.h"
#include "show.h"

void profiles_json(struct json_object *json, const struct cm_pack_info *pack)
{
	struct json_object *array = json_array(json, "profiles");

	for (size_t i = 0; i < pack->nr_profiles; i++) {
		const struct cm_profile_decl *decl = &pack->profiles[i];
		struct json_object *profile = json_item(array);

		json_text(profile, "name", decl->name);
		json_text(profile, "settings", decl->settings);
		if (decl->with[0])
			json_text(profile, "with", decl->with);
		json_text(profile, "help", decl->help);
	}
}

/* The words of a declaration, one by one. */
static void words_json(struct json_object *array, const char *words)
{
	while (*(words += strspn(words, " "))) {
		size_t len = strcspn(words, " ");

		json_object_array_add(array, output_string(words, len));
		words += len;
	}
}

static void list_pack_json(struct json_object *array, const struct cm_pack_info *pack)
{
	struct json_object *json = json_item(array), *part;

	json_text(json, "name", pack->decl->name);
	json_flag(json, "enabled", pack->enabled);
	json_text(json, "question", pack->decl->question);
	if (pack->decl->sealed_by[0])
		json_text(json, "sealed_by", pack->decl->sealed_by);
	part = json_array(json, "knobs");
	for (size_t i = 0; i < pack->nr_knobs; i++) {
		const struct cm_knob_info *info = &pack->knobs[i];
		struct json_object *knob = json_item(part);

		json_text(knob, "name", info->name);
		if (info->alias[0])
			json_text(knob, "alias", info->alias);
		json_text(knob, "help", info->decl->help);
		json_int(knob, "min", info->decl->min);
		json_int(knob, "max", info->decl->max);
		json_int(knob, "default", info->decl->init);
		if (info->decl->flags & CM_KNOB_LATCH)
			json_int(knob, "latch", info->decl->latch);
		if (info->decl->flags & CM_KNOB_SEAL)
			json_flag(knob, "seal", true);
		if (info->decl->flags & CM_KNOB_RATE)
			json_flag(knob, "rate", true);
		if (info->decl->words[0])
			words_json(json_array(knob, "words"), info->decl->words);
	}
	profiles_json(json, pack);
	part = json_array(json, "hooks");
	for (size_t i = 0; i < pack->nr_hooks; i++)
		json_object_array_add(part, output_string(pack->hooks[i].name,
							  sizeof(pack->hooks[i].name)));
}

/* "NAME,NAME" */
static void profiles_cell(struct table *table, const struct cm_pack_info *pack)
{
	char *names;
	size_t len;
	FILE *f = output_memory(&names, &len);

	for (size_t i = 0; i < pack->nr_profiles; i++)
		fprintf(f, "%s%s", i ? "," : "", pack->profiles[i].name);
	output_memory_end(f);
	table_cell(table, names);
	free(names);
}

enum cli_status cmd_list(const struct cli *cli)
{
	static const char *const headings[] = { "PACK", "STATE", "PROFILES", "QUESTION" };
	struct json_object *array;
	PACKS packs = NULL;
	struct table *table;
	CLI_SESSION cm = NULL;
	int err;

	err = cm_open(0, &cm);
	if (!err)
		err = cm_packs_get(cm, CM_PACKS_ALL, &packs);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_JSON)) {
		array = output_need(json_object_new_array());
		for (size_t i = 0; i < packs->nr; i++)
			list_pack_json(array, &packs->packs[i]);
		output_json(array);
		return CLI_DONE;
	}
	table = table_new(4, headings, 0);
	for (size_t i = 0; i < packs->nr; i++) {
		table_cell(table, packs->packs[i].decl->name);
		table_cell(table, packs->packs[i].enabled ? "enabled" : "disabled");
		profiles_cell(table, &packs->packs[i]);
		table_text(table, packs->packs[i].decl->question);
	}
	table_print(table);
	return CLI_DONE;
}

static void lockout_json(struct json_object *scope, const struct cm_lockout_info *lockout)
{
	struct json_object *json = output_need(json_object_new_object());

	json_object_object_add(scope, "lockout", json);
	json_text(json, "reason", lockout->reason);
	json_int(json, "times", lockout->times);
	if (!lockout->held)
		json_int(json, "seconds", lockout->seconds);
}

void status_json(struct json_object *json, const struct cm_pack_info *pack)
{
	struct json_object *scopes;

	json_text(json, "name", pack->decl->name);
	json_text(json, "door", pack->door);
	json_flag(json, "native", pack->native);
	json_flag(json, "locked", pack->locked);
	scopes = json_array(json, "scopes");
	for (size_t i = 0; i < pack->nr_scopes; i++) {
		const struct cm_scope_info *info = &pack->scopes[i];
		struct json_object *scope = json_item(scopes), *knobs;

		json_text(scope, "cgroup", info->cgroup);
		json_object_object_add(scope, "cgroup_id",
				       output_need(json_object_new_uint64(info->id)));
		json_text(scope, "mode", show_mode(info->mode));
		knobs = json_array(scope, "knobs");
		for (size_t k = 0; k < pack->nr_knobs; k++) {
			struct json_object *knob = json_item(knobs);

			json_text(knob, "name", pack->knobs[k].name);
			json_int(knob, "set", info->values[k]);
			json_int(knob, "effective", info->effective[k]);
		}
		if (info->lockout.now)
			lockout_json(scope, &info->lockout);
	}
}

/* One line per knob of a scope: simple to read, simple to cut. The cgroup may be long. */
static void status_scope(struct table *table, const struct cm_pack_info *pack,
			 const struct cm_scope_info *scope)
{
	for (size_t k = 0; k < pack->nr_knobs || k == 0; k++) {
		table_cell(table, pack->decl->name);
		table_cell(table, pack->door);
		table_cell(table, show_mode(scope->mode));
		if (pack->nr_knobs) {
			table_cell(table, pack->knobs[k].name);
			table_number(table, scope->values[k]);
			table_number(table, scope->effective[k]);
		} else {
			table_cell(table, "-");
			table_cell(table, "-");
			table_cell(table, "-");
		}
		table_cell(table, scope->cgroup);
	}
}

struct table *status_table(struct table *table, const struct cm_pack_info *pack)
{
	static const char *const headings[] = { "PACK", "DOOR",	     "MODE",  "KNOB",
						"SET",	"EFFECTIVE", "CGROUP" };

	if (!table)
		table = table_new(7, headings, 1u << 4 | 1u << 5);
	for (size_t s = 0; s < pack->nr_scopes; s++)
		status_scope(table, pack, &pack->scopes[s]);
	return table;
}

/* What a scope has done to itself, and for how long. */
static void status_lockouts(const struct cm_pack_info *pack)
{
	for (size_t s = 0; s < pack->nr_scopes; s++) {
		const struct cm_lockout_info *lockout = &pack->scopes[s].lockout;

		if (!lockout->now)
			continue;
		output_escaped(stdout, pack->scopes[s].cgroup, OUTPUT_UNLIMITED, "",
			       OUTPUT_UNLIMITED);
		printf(" has locked itself out, %s: ", pack->decl->name);
		output_escaped(stdout, lockout->reason, OUTPUT_UNLIMITED, "", OUTPUT_UNLIMITED);
		if (lockout->held)
			printf(", until it is released");
		else
			printf(", for %llu more seconds", (unsigned long long)lockout->seconds);
		if (lockout->times > 1)
			printf(", %u times in a row", lockout->times);
		putchar('\n');
	}
}

static void status_text(const struct cm_packs *packs)
{
	struct table *table = NULL;
	bool locked = false;

	for (size_t i = 0; i < packs->nr; i++) {
		if (!packs->packs[i].enabled)
			continue;
		table = status_table(table, &packs->packs[i]);
		locked = packs->packs[i].locked;
	}
	if (table)
		table_print(table);
	else
		puts("no pack is enabled");
	for (size_t i = 0; i < packs->nr; i++)
		status_lockouts(&packs->packs[i]);
	if (locked)
		puts("locked until reboot");
}

enum cli_status cmd_status(const struct cli *cli)
{
	struct json_object *array;
	PACKS packs = NULL;
	CLI_SESSION cm = NULL;
	int err;

	err = cm_open(0, &cm);
	if (!err)
		err = cm_packs_get(cm, CM_PACKS_ENABLED, &packs);
	if (err)
		return cli_done(cm, err);
	if (!cli_given(cli, CLI_JSON)) {
		status_text(packs);
		return cli_done(cm, 0);
	}
	array = output_need(json_object_new_array());
	for (size_t i = 0; i < packs->nr; i++)
		if (packs->packs[i].enabled)
			status_json(json_item(array), &packs->packs[i]);
	output_json(array);
	return cli_done(cm, 0);
}

enum cli_status cmd_enable(const struct cli *cli)
{
	struct cm_enable_options options = { .profile = cli->profile,
					     .cgroups = (const char *const *)cli->cgroups,
					     .mode = cli_mode(cli),
					     .settings = &cli->operands[1] };
	CLI_SESSION cm = NULL;
	int err;

	for (int i = 1; i < cli->nr_operands; i++)
		if (!cli_is_setting(cli->operands[i]))
			return cli_misuse(cli, "enable: \"%.200s\" is not KNOB=VALUE",
					  cli->operands[i]);
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err && (cli->profile || cli->nr_cgroups > 1))
		err = cm_pack_enable_in(cm, cli->operands[0], &options);
	else if (!err)
		err = cm_pack_enable(cm, cli->operands[0], cli->cgroup, cli_mode(cli),
				     &cli->operands[1]);
	return err == -ENOKEY ? cli_misuse(cli, "%s", cm_error(cm)) : cli_done(cm, err);
}

enum cli_status cmd_disable(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err;

	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_pack_disable(cm, cli->operands[0], cli->cgroup);
	return cli_done(cm, err);
}

enum cli_status cmd_mode(const struct cli *cli)
{
	const char *word = cli->operands[1];
	CLI_SESSION cm = NULL;
	enum cm_mode mode;
	int err;

	if (!strcmp(word, "enforce"))
		mode = CM_ENFORCE;
	else if (!strcmp(word, "permissive"))
		mode = CM_PERMISSIVE;
	else
		return cli_misuse(cli, "mode: \"%.200s\" is neither enforce nor permissive", word);
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_pack_set_mode(cm, cli->operands[0], cli->cgroup, mode);
	return cli_done(cm, err);
}

enum cli_status cmd_release(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err;

	if (!cli->cgroup)
		return cli_misuse(cli, "release needs --cgroup: the whole system never locks "
				       "itself out");
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_release(cm, cli->cgroup);
	return cli_done(cm, err);
}

enum cli_status cmd_lock(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err;

	(void)cli;
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_lock(cm);
	return cli_done(cm, err);
}
