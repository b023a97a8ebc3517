// SPDX-License-Identifier: GPL-2.0-only
/* Policies from files: load, unload, replace. */
#include "cli.h"

enum cli_status cmd_load(const struct cli *cli)
{
	struct cm_load_options options = { .name = cli->name,
					   .cgroups = (const char *const *)cli->cgroups,
					   .mode = cli_mode(cli),
					   .settings = &cli->operands[1] };
	CLI_SESSION cm = NULL;
	uint32_t priority;
	int err;

	for (int i = 1; i < cli->nr_operands; i++)
		if (!cli_is_setting(cli->operands[i]))
			return cli_misuse(cli, "load: \"%.200s\" is not KNOB=VALUE",
					  cli->operands[i]);
	if (cli->priority) {
		if (cli_priority(cli, &priority) != CLI_DONE)
			return CLI_MISUSE;
		options.priority = &priority;
	}
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_policy_load(cm, cli->operands[0], &options);
	return cli_done(cm, err);
}

enum cli_status cmd_unload(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err;

	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_pack_disable(cm, cli->operands[0], NULL);
	return cli_done(cm, err);
}

enum cli_status cmd_replace(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err;

	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_policy_replace(cm, cli->operands[0], cli->operands[1]);
	return cli_done(cm, err);
}
