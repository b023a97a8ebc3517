// SPDX-License-Identifier: GPL-2.0-only
/* Counters: stats. */
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "cli.h"
#include "output.h"

static const struct {
	enum cm_counter counter;
	const char *heading;
	const char *key;
} counters[] = {
	{ CM_COUNT_ALLOWED, "ALLOWED", "allowed" },
	{ CM_COUNT_DENIED, "DENIED", "denied" },
	{ CM_COUNT_WOULD_DENY, "WOULD-DENY", "would_deny" },
	{ CM_COUNT_LOST, "LOST", "lost" },
	{ CM_COUNT_SUPPRESSED, "SUPPRESSED", "suppressed" },
	{ CM_COUNT_ERROR, "ERRORS", "errors" },
};

#define NR_SHOWN (sizeof(counters) / sizeof(counters[0]))

static void print_json(const struct cm_hook_stats *stats, size_t nr)
{
	struct json_object *array = output_need(json_object_new_array());

	for (size_t i = 0; i < nr; i++) {
		struct json_object *json = output_need(json_object_new_object());

		json_object_object_add(json, "pack",
				       output_string(stats[i].pack, sizeof(stats[i].pack)));
		json_object_object_add(json, "hook",
				       output_string(stats[i].hook, sizeof(stats[i].hook)));
		for (size_t c = 0; c < NR_SHOWN; c++) {
			uint64_t count = stats[i].counters[counters[c].counter];

			json_object_object_add(json, counters[c].key,
					       output_need(json_object_new_uint64(count)));
		}
		json_object_array_add(array, json);
	}
	output_json(array);
}

static void print_text(const struct cm_hook_stats *stats, size_t nr)
{
	const char *headings[2 + NR_SHOWN] = { "PACK", "HOOK" };
	struct table *table;

	for (size_t c = 0; c < NR_SHOWN; c++)
		headings[2 + c] = counters[c].heading;
	table = table_new(2 + NR_SHOWN, headings, ~3u);
	for (size_t i = 0; i < nr; i++) {
		table_cell(table, stats[i].pack);
		table_cell(table, stats[i].hook);
		for (size_t c = 0; c < NR_SHOWN; c++)
			table_count(table, stats[i].counters[counters[c].counter]);
	}
	table_print(table);
}

enum cli_status cmd_stats(const struct cli *cli)
{
	struct cm_hook_stats *stats = NULL;
	CLI_SESSION cm = NULL;
	size_t nr = 0;
	int err;

	err = cm_open(0, &cm);
	if (!err)
		err = cm_stats_get(cm, &stats, &nr);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_JSON))
		print_json(stats, nr);
	else if (nr)
		print_text(stats, nr);
	else
		puts("no pack is enabled");
	free(stats);
	return CLI_DONE;
}
