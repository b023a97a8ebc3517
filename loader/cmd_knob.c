// SPDX-License-Identifier: GPL-2.0-only
/* Knobs: get, set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "output.h"

/* A knob's name in the spelling that sysctl(8) prints, however it was asked for. */
static char *dotted(const char *asked)
{
	char *name = strdup(asked);

	if (!name)
		output_no_memory();
	for (char *c = name; *c; c++)
		if (*c == '/')
			*c = '.';
	return name;
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
	name = dotted(cli->operands[0]);
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
