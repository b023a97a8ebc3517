// SPDX-License-Identifier: GPL-2.0-only
/* Configurations: apply (checmate -f), diff, save. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "show.h"

static void freep(struct cm_changes **changes)
{
	cm_changes_free(*changes);
}

enum cli_status cmd_apply(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err = cm_open(CM_OPEN_WRITE, &cm);

	if (!err)
		err = cm_config_apply(cm, cli->file);
	return cli_done(cm, err);
}

static const char *const kinds[] = {
	[CM_CHANGE_LOAD] = "load",	 [CM_CHANGE_ENABLE] = "enable",
	[CM_CHANGE_REPLACE] = "replace", [CM_CHANGE_PRIORITY] = "priority",
	[CM_CHANGE_SET] = "set",	 [CM_CHANGE_MODE] = "mode",
	[CM_CHANGE_RULES] = "rules",	 [CM_CHANGE_DISABLE] = "disable",
	[CM_CHANGE_UNLOAD] = "unload",
};

/* The lines of a text, NULL: none. */
static size_t split(const char *text, const char ***ret)
{
	size_t nr = 0;

	for (const char *at = text; at && *at; at += strcspn(at, "\n"), at += *at == '\n')
		nr++;
	*ret = calloc(nr + 1, sizeof(**ret));
	if (!*ret)
		output_no_memory();
	nr = 0;
	for (const char *at = text; at && *at; at += strcspn(at, "\n"), at += *at == '\n')
		(*ret)[nr++] = at;
	return nr;
}

static bool is_same(const char *a, const char *b)
{
	size_t len = strcspn(a, "\n");

	return len == strcspn(b, "\n") && !memcmp(a, b, len);
}

static void show_lines(char sign, const char *const *lines, size_t from, size_t to)
{
	char *line;

	for (; from < to; from++) {
		line = strndup(lines[from], strcspn(lines[from], "\r\n"));
		if (!line)
			output_no_memory();
		for (char *tab = line; (tab = strchr(tab, '\t'));)
			*tab = ' ';
		printf("\t%c ", sign);
		output_escaped(stdout, line, OUTPUT_UNLIMITED, "", OUTPUT_UNLIMITED);
		putchar('\n');
		free(line);
	}
}

/* Of rules, what goes and what comes; not what both begin and end with. */
static void show_rules(const struct cm_change *change)
{
	const char **old, **new;
	size_t nr_old = split(change->rules_from, &old), nr_new = split(change->rules_to, &new);
	size_t first = 0;

	while (first < nr_old && first < nr_new && is_same(old[first], new[first]))
		first++;
	for (; nr_old > first && nr_new > first; nr_old--, nr_new--)
		if (!is_same(old[nr_old - 1], new[nr_new - 1]))
			break;
	show_lines('-', old, first, nr_old);
	show_lines('+', new, first, nr_new);
	free(old);
	free(new);
}

/* One line: what, of which policy, in which scope, and the values before and after. */
static void show_text(const struct cm_change *change)
{
	char *line;
	size_t len;
	FILE *f = output_memory(&line, &len);

	fprintf(f, "%s %s", kinds[change->kind], change->policy);
	if (change->cgroup) {
		fputs(" in ", f);
		output_escaped(f, change->cgroup, OUTPUT_UNLIMITED, OUTPUT_TOKEN, OUTPUT_UNLIMITED);
	}
	switch (change->kind) {
	case CM_CHANGE_LOAD:
	case CM_CHANGE_ENABLE:
		fprintf(f, ": %s%s%s", show_mode(change->to), *change->settings ? " " : "",
			change->settings);
		break;
	case CM_CHANGE_SET:
		fprintf(f, ": %s %" PRId64 " -> %" PRId64, change->knob, change->from, change->to);
		break;
	case CM_CHANGE_PRIORITY:
		fprintf(f, ": %" PRId64 " -> %" PRId64, change->from, change->to);
		break;
	case CM_CHANGE_MODE:
		fprintf(f, ": %s -> %s", show_mode(change->from), show_mode(change->to));
		break;
	default:
		break;
	}
	if (change->kind == CM_CHANGE_LOAD || change->kind == CM_CHANGE_REPLACE) {
		fputs(change->kind == CM_CHANGE_LOAD ? " from " : " by ", f);
		output_escaped(f, change->file, OUTPUT_UNLIMITED, OUTPUT_TOKEN, OUTPUT_UNLIMITED);
	}
	output_memory_end(f);
	puts(line);
	free(line);
	if (change->kind == CM_CHANGE_RULES)
		show_rules(change);
}

static void show_json(struct json_object *json, const struct cm_change *change)
{
	json_text(json, "change", kinds[change->kind]);
	json_text(json, "policy", change->policy);
	if (change->cgroup)
		json_text(json, "cgroup", change->cgroup);
	switch (change->kind) {
	case CM_CHANGE_LOAD:
	case CM_CHANGE_ENABLE:
		json_text(json, "mode", show_mode(change->to));
		json_text(json, "settings", change->settings);
		break;
	case CM_CHANGE_SET:
		json_text(json, "knob", change->knob);
		json_int(json, "from", change->from);
		json_int(json, "to", change->to);
		break;
	case CM_CHANGE_PRIORITY:
		json_int(json, "from", change->from);
		json_int(json, "to", change->to);
		break;
	case CM_CHANGE_MODE:
		json_text(json, "from", show_mode(change->from));
		json_text(json, "to", show_mode(change->to));
		break;
	case CM_CHANGE_RULES:
		if (change->rules_from)
			json_text(json, "from", change->rules_from);
		if (change->rules_to)
			json_text(json, "to", change->rules_to);
		break;
	default:
		break;
	}
	if (change->kind == CM_CHANGE_LOAD || change->kind == CM_CHANGE_REPLACE)
		json_text(json, "file", change->file);
}

enum cli_status cmd_diff(const struct cli *cli)
{
	__attribute__((cleanup(freep))) struct cm_changes *changes = NULL;
	struct json_object *array;
	CLI_SESSION cm = NULL;
	int err;

	if (!cli->file)
		return cli_misuse(cli, "diff needs -f FILE");
	err = cm_open(0, &cm);
	if (!err)
		err = cm_config_diff(cm, cli->file, &changes);
	if (err)
		return cli_done(cm, err);
	if (!cli_given(cli, CLI_JSON)) {
		for (size_t i = 0; i < changes->nr; i++)
			show_text(&changes->changes[i]);
		return CLI_DONE;
	}
	array = output_need(json_object_new_array());
	for (size_t i = 0; i < changes->nr; i++)
		show_json(json_item(array), &changes->changes[i]);
	output_json(array);
	return CLI_DONE;
}

enum cli_status cmd_save(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	char *text = NULL;
	int err;

	(void)cli;
	err = cm_open(0, &cm);
	if (!err)
		err = cm_config_save(cm, &text);
	if (err)
		return cli_done(cm, err);
	fputs(text, stdout);
	free(text);
	return CLI_DONE;
}
