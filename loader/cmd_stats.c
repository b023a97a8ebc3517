// SPDX-License-Identifier: GPL-2.0-only
/* Counters: stats. */
#include <stdio.h>

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

/* One array: an element has "hook" and the counters that each one has, or "counter" and "count". */
static void print_json(const struct cm_stats *stats)
{
	struct json_object *array = output_need(json_object_new_array()), *json;

	for (size_t i = 0; i < stats->nr_hooks; i++) {
		json = json_item(array);
		json_text(json, "pack", stats->hooks[i].pack);
		json_text(json, "hook", stats->hooks[i].hook);
		stats_json(json, &stats->hooks[i]);
	}
	for (size_t i = 0; i < stats->nr_own; i++) {
		json = json_item(array);
		json_text(json, "pack", stats->own[i].pack);
		json_text(json, "counter", stats->own[i].name);
		json_object_object_add(json, "count",
				       output_need(json_object_new_uint64(stats->own[i].count)));
	}
	output_json(array);
}

static void print_hooks(const struct cm_stats *stats)
{
	const char *headings[2 + STATS_SHOWN] = { "PACK", "HOOK" };
	struct table *table;

	stats_headings(headings + 2);
	table = table_new(2 + STATS_SHOWN, headings, ~3u);
	for (size_t i = 0; i < stats->nr_hooks; i++) {
		table_cell(table, stats->hooks[i].pack);
		table_cell(table, stats->hooks[i].hook);
		stats_cells(table, &stats->hooks[i]);
	}
	table_print(table);
}

static void print_own(const struct cm_stats *stats)
{
	static const char *const headings[] = { "PACK", "COUNTER", "COUNT" };
	struct table *table = table_new(3, headings, 1 << 2);

	putchar('\n');
	for (size_t i = 0; i < stats->nr_own; i++) {
		table_cell(table, stats->own[i].pack);
		table_cell(table, stats->own[i].name);
		table_count(table, stats->own[i].count);
	}
	table_print(table);
}

enum cli_status cmd_stats(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	STATS stats = NULL;
	int err;

	err = cm_open(0, &cm);
	if (!err)
		err = cm_stats_get(cm, &stats);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_JSON)) {
		print_json(stats);
		return CLI_DONE;
	}
	if (stats->nr_hooks)
		print_hooks(stats);
	else
		puts("no pack is enabled");
	if (stats->nr_own)
		print_own(stats);
	return CLI_DONE;
}
