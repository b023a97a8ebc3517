// SPDX-License-Identifier: GPL-2.0-only
/* Counters: stats. */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json.h"
#include "show.h"

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

_Static_assert(sizeof(counters) / sizeof(counters[0]) == STATS_SHOWN, "show.h says how many");

void stats_headings(const char **ret)
{
	for (size_t c = 0; c < STATS_SHOWN; c++)
		ret[c] = counters[c].heading;
}

void stats_cells(struct table *table, const struct cm_hook_stats *stats)
{
	for (size_t c = 0; c < STATS_SHOWN; c++)
		table_count(table, stats->counters[counters[c].counter]);
}

void stats_json(struct json_object *json, const struct cm_hook_stats *stats)
{
	for (size_t c = 0; c < STATS_SHOWN; c++)
		json_object_object_add(
			json, counters[c].key,
			output_need(json_object_new_uint64(stats->counters[counters[c].counter])));
}

static void print_json(const struct cm_hook_stats *stats, size_t nr)
{
	struct json_object *array = output_need(json_object_new_array());

	for (size_t i = 0; i < nr; i++) {
		struct json_object *json = json_item(array);

		json_text(json, "pack", stats[i].pack);
		json_text(json, "hook", stats[i].hook);
		stats_json(json, &stats[i]);
	}
	output_json(array);
}

static void print_text(const struct cm_hook_stats *stats, size_t nr)
{
	const char *headings[2 + STATS_SHOWN] = { "PACK", "HOOK" };
	struct table *table;

	stats_headings(headings + 2);
	table = table_new(2 + STATS_SHOWN, headings, ~3u);
	for (size_t i = 0; i < nr; i++) {
		table_cell(table, stats[i].pack);
		table_cell(table, stats[i].hook);
		stats_cells(table, &stats[i]);
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
