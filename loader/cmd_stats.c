// SPDX-License-Identifier: GPL-2.0-only
/* Counters: stats. */
#include <stdio.h>

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

static void freep(struct cm_stats **stats)
{
	cm_stats_free(*stats);
}

#define STATS __attribute__((cleanup(freep))) struct cm_stats *

static struct json_object *item(struct json_object *array, const char *pack)
{
	struct json_object *json = output_need(json_object_new_object());

	json_object_object_add(json, "pack", output_string(pack, CM_NAME_LEN));
	json_object_array_add(array, json);
	return json;
}

static void json_count(struct json_object *json, const char *key, uint64_t count)
{
	json_object_object_add(json, key, output_need(json_object_new_uint64(count)));
}

/* One array: an element has "hook" and the counters that each one has, or "counter" and "count". */
static void print_json(const struct cm_stats *stats)
{
	struct json_object *array = output_need(json_object_new_array()), *json;

	for (size_t i = 0; i < stats->nr_hooks; i++) {
		const struct cm_hook_stats *row = &stats->hooks[i];

		json = item(array, row->pack);
		json_object_object_add(json, "hook", output_string(row->hook, sizeof(row->hook)));
		for (size_t c = 0; c < NR_SHOWN; c++)
			json_count(json, counters[c].key, row->counters[counters[c].counter]);
	}
	for (size_t i = 0; i < stats->nr_own; i++) {
		const struct cm_own_stats *own = &stats->own[i];

		json = item(array, own->pack);
		json_object_object_add(json, "counter",
				       output_string(own->name, sizeof(own->name)));
		json_count(json, "count", own->count);
	}
	output_json(array);
}

static void print_hooks(const struct cm_stats *stats)
{
	const char *headings[2 + NR_SHOWN] = { "PACK", "HOOK" };
	struct table *table;

	for (size_t c = 0; c < NR_SHOWN; c++)
		headings[2 + c] = counters[c].heading;
	table = table_new(2 + NR_SHOWN, headings, ~3u);
	for (size_t i = 0; i < stats->nr_hooks; i++) {
		table_cell(table, stats->hooks[i].pack);
		table_cell(table, stats->hooks[i].hook);
		for (size_t c = 0; c < NR_SHOWN; c++)
			table_count(table, stats->hooks[i].counters[counters[c].counter]);
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
