// SPDX-License-Identifier: GPL-2.0-only
/* Knobs: get, set. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "output.h"

static bool last_component_is(const char *name, const char *last)
{
	const char *dot = strrchr(name, '.');

	return dot && !strcmp(dot + 1, last);
}

/*
 * The knob's full name, however it was asked for; @asked itself if in doubt. A name is shown in the
 * spelling that sysctl(8) prints.
 */
static char *full_name(struct cm *cm, const char *asked)
{
	char *dotted = strdup(asked), *found = NULL;
	struct cm_packs *packs;

	if (!dotted)
		output_no_memory();
	for (char *c = dotted; *c; c++)
		if (*c == '/')
			*c = '.';
	if (strchr(dotted, '.') || cm_packs_get(cm, &packs))
		return dotted;
	for (size_t p = 0; p < packs->nr && !found; p++) {
		const struct cm_pack_info *pack = &packs->packs[p];

		for (size_t k = 0; k < pack->nr_knobs && !found && pack->enabled; k++)
			if (last_component_is(pack->knobs[k].name, dotted))
				found = strdup(pack->knobs[k].name);
	}
	cm_packs_free(packs);
	if (!found)
		return dotted;
	free(dotted);
	return found;
}

enum cli_status cmd_get(const struct cli *cli)
{
	struct json_object *json;
	CLI_SESSION cm = NULL;
	int err, value;
	char *name;

	if (cli_given(cli, CLI_VALUE_ONLY) && cli_given(cli, CLI_JSON))
		return cli_misuse(cli, "get: -n and -j exclude each other");
	if (strchr(cli->operands[0], '='))
		return cli_misuse(cli, "get: \"%.200s\" is not a name; \"set\" changes a value",
				  cli->operands[0]);
	err = cm_open(0, &cm);
	if (!err)
		err = cm_knob_get(cm, cli->operands[0], cli->cgroup, &value);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_VALUE_ONLY)) {
		printf("%d\n", value);
		return CLI_DONE;
	}
	name = full_name(cm, cli->operands[0]);
	if (cli_given(cli, CLI_JSON)) {
		json = output_need(json_object_new_object());
		json_object_object_add(json, "name", output_string(name, OUTPUT_UNLIMITED));
		json_object_object_add(json, "value", output_need(json_object_new_int(value)));
		json_object_object_add(json, "cgroup",
				       output_string(cli->cgroup ? cli->cgroup : "/",
						     OUTPUT_UNLIMITED));
		output_json(json);
	} else {
		output_escaped(stdout, name, OUTPUT_UNLIMITED, OUTPUT_TOKEN, OUTPUT_UNLIMITED);
		printf(" = %d\n", value);
	}
	free(name);
	return CLI_DONE;
}

enum cli_status cmd_set(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	const char *value;
	char *name;
	int err;

	if (!cli_is_setting(cli->operands[0]))
		return cli_misuse(cli, "set: \"%.200s\" is not NAME=VALUE", cli->operands[0]);
	value = strchr(cli->operands[0], '=') + 1;
	name = strndup(cli->operands[0], (size_t)(value - 1 - cli->operands[0]));
	if (!name)
		output_no_memory();
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_knob_set(cm, name, cli->cgroup, value);
	free(name);
	return cli_done(cm, err);
}
