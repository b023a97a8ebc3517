// SPDX-License-Identifier: GPL-2.0-only
/* One policy in full, and the order of all: show, order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "show.h"

static void freep(void *pointer)
{
	free(*(void **)pointer);
}

#define FREED __attribute__((cleanup(freep)))

static void order_json(const struct cm_hook_order *orders, size_t nr)
{
	struct json_object *array = output_need(json_object_new_array());

	for (size_t i = 0; i < nr; i++) {
		struct json_object *json = json_item(array), *policies;

		json_text(json, "hook", orders[i].hook);
		json_int(json, "count", orders[i].nr);
		policies = json_array(json, "policies");
		for (size_t p = 0; p < orders[i].nr; p++) {
			struct json_object *policy = json_item(policies);

			json_text(policy, "name", orders[i].policies[p].policy);
			json_int(policy, "priority", orders[i].policies[p].priority);
		}
	}
	output_json(array);
}

static void order_text(const struct cm_hook_order *orders, size_t nr)
{
	static const char *const headings[] = { "HOOK", "PLACE", "OF", "PRIORITY", "POLICY" };
	struct table *table;

	if (!nr) {
		puts("no policy is in force there");
		return;
	}
	table = table_new(5, headings, 1u << 1 | 1u << 2 | 1u << 3);
	for (size_t i = 0; i < nr; i++) {
		for (size_t p = 0; p < orders[i].nr; p++) {
			table_cell(table, orders[i].hook);
			table_number(table, (long long)p + 1);
			table_number(table, (long long)orders[i].nr);
			table_number(table, orders[i].policies[p].priority);
			table_cell(table, orders[i].policies[p].policy);
		}
	}
	table_print(table);
}

static enum cli_status set_priority(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	uint32_t priority;
	int err;

	if (!cli->nr_operands)
		return cli_misuse(cli, "order: --priority is for a policy");
	if (cli->cgroup || cli_given(cli, CLI_JSON))
		return cli_misuse(cli, "order: --priority stands alone: the order is the same in "
				       "every cgroup");
	if (cli_priority(cli, &priority) != CLI_DONE)
		return CLI_MISUSE;
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_policy_set_priority(cm, cli->operands[0], priority);
	return cli_done(cm, err);
}

enum cli_status cmd_order(const struct cli *cli)
{
	FREED struct cm_hook_order *orders = NULL;
	CLI_SESSION cm = NULL;
	size_t nr = 0;
	int err;

	if (cli_given(cli, CLI_PRIORITY))
		return set_priority(cli);
	err = cm_open(0, &cm);
	if (!err)
		err = cm_order_get(cm, cli->operands[0], cli->cgroup, &orders, &nr);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_JSON))
		order_json(orders, nr);
	else
		order_text(orders, nr);
	return CLI_DONE;
}

/* All that is known about one policy. */
struct shown {
	const struct cm_pack_info *pack;
	const struct cm_hook_order *orders;
	size_t nr_orders;
	const struct cm_stats *stats;
};

/* Its place on a hook, from 1; 0: not in that chain. */
static size_t place(const struct shown *shown, const char *hook, size_t *ret_of)
{
	for (size_t i = 0; i < shown->nr_orders; i++) {
		const struct cm_hook_order *order = &shown->orders[i];

		if (strcmp(order->hook, hook))
			continue;
		*ret_of = order->nr;
		for (size_t p = 0; p < order->nr; p++)
			if (!strcmp(order->policies[p].policy, shown->pack->decl->name))
				return p + 1;
	}
	*ret_of = 0;
	return 0;
}

static const char *origin(const struct cm_pack_info *pack)
{
	return pack->origin ? pack->origin : "built-in";
}

static void hooks_json(struct json_object *array, const struct shown *shown)
{
	size_t at, of;

	for (size_t i = 0; i < shown->stats->nr_hooks; i++) {
		const struct cm_hook_stats *stats = &shown->stats->hooks[i];
		struct json_object *hook;

		if (strcmp(stats->pack, shown->pack->decl->name))
			continue;
		hook = json_item(array);
		at = place(shown, stats->hook, &of);
		json_text(hook, "hook", stats->hook);
		json_int(hook, "place", at);
		json_int(hook, "of", of);
		stats_json(hook, stats);
	}
}

static void show_json(const struct shown *shown)
{
	struct json_object *json = output_need(json_object_new_object());

	status_json(json, shown->pack);
	json_text(json, "question", shown->pack->decl->question);
	json_text(json, "origin", origin(shown->pack));
	json_text(json, "sha256", shown->pack->digest);
	json_int(json, "layout", shown->pack->decl->abi);
	json_int(json, "priority", shown->pack->priority);
	profiles_json(json, shown->pack);
	hooks_json(json_array(json, "hooks"), shown);
	output_json(json);
}

static void show_line(const char *what, const char *text)
{
	printf("%-10s", what);
	output_escaped(stdout, text, OUTPUT_UNLIMITED, "", OUTPUT_UNLIMITED);
	putchar('\n');
}

/* "NAME: KNOB=VALUE KNOB=VALUE, with PACK" */
static void show_profile(const struct cm_profile_decl *profile)
{
	char *line;
	size_t len;
	FILE *f = output_memory(&line, &len);

	fprintf(f, "%s: %s%s%s", profile->name, profile->settings,
		profile->with[0] ? ", with " : "", profile->with);
	output_memory_end(f);
	show_line("profile", line);
	free(line);
}

static void show_text(const struct shown *shown)
{
	const char *headings[3 + STATS_SHOWN] = { "HOOK", "PLACE", "OF" };
	const struct cm_pack_info *pack = shown->pack;
	struct table *table;
	size_t at, of;

	show_line("policy", pack->decl->name);
	show_line("question", pack->decl->question);
	show_line("origin", origin(pack));
	show_line("sha256", pack->digest);
	printf("%-10s%u\n%-10s%u\n", "layout", pack->decl->abi, "priority", pack->priority);
	for (size_t i = 0; i < pack->nr_profiles; i++)
		show_profile(&pack->profiles[i]);
	putchar('\n');
	stats_headings(headings + 3);
	table = table_new(3 + STATS_SHOWN, headings, ~1u);
	for (size_t i = 0; i < shown->stats->nr_hooks; i++) {
		if (strcmp(shown->stats->hooks[i].pack, pack->decl->name))
			continue;
		at = place(shown, shown->stats->hooks[i].hook, &of);
		table_cell(table, shown->stats->hooks[i].hook);
		table_number(table, (long long)at);
		table_number(table, (long long)of);
		stats_cells(table, &shown->stats->hooks[i]);
	}
	table_print(table);
	putchar('\n');
	table_print(status_table(NULL, pack));
}

enum cli_status cmd_show(const struct cli *cli)
{
	FREED struct cm_hook_order *orders = NULL;
	struct shown shown = { 0 };
	PACKS packs = NULL;
	STATS stats = NULL;
	CLI_SESSION cm = NULL;
	int err;

	err = cm_open(0, &cm);
	if (!err)
		err = cm_packs_get(cm, CM_PACKS_ALL, &packs);
	if (!err)
		err = cm_order_get(cm, NULL, NULL, &orders, &shown.nr_orders);
	if (!err)
		err = cm_stats_get(cm, &stats);
	if (err)
		return cli_done(cm, err);
	shown.orders = orders;
	shown.stats = stats;
	for (size_t i = 0; i < packs->nr; i++)
		if (packs->packs[i].enabled &&
		    !strcmp(packs->packs[i].decl->name, cli->operands[0]))
			shown.pack = &packs->packs[i];
	if (!shown.pack) {
		cli_error("no policy \"%.64s\" is in force: see checmate status", cli->operands[0]);
		return CLI_FAILED;
	}
	if (cli_given(cli, CLI_JSON))
		show_json(&shown);
	else
		show_text(&shown);
	return CLI_DONE;
}
