// SPDX-License-Identifier: GPL-2.0-only
/* Rules of the pack netfilter: netfilter load, list, flush, test, check. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"

/* More text than any ruleset that fits; so an endless input ends. */
#define TEXT_MAX (64u << 20)

struct text {
	char *bytes;
	size_t size;
};

static void free_text(struct text *text)
{
	free(text->bytes);
}

#define TEXT __attribute__((cleanup(free_text))) struct text

static int read_all(FILE *f, struct text *ret)
{
	size_t room = 1 << 16, n;
	char *more;

	for (;;) {
		more = realloc(ret->bytes, room);
		if (!more)
			return -ENOMEM;
		ret->bytes = more;
		n = fread(more + ret->size, 1, room - ret->size, f);
		ret->size += n;
		if (ferror(f))
			return -EIO;
		if (ret->size < room)
			return 0;
		if (room >= TEXT_MAX)
			return -EFBIG;
		room *= 2;
	}
}

/* "-" is standard input; *ret_name: as messages have it */
static enum cli_status read_rules(const char *path, struct text *ret, const char **ret_name)
{
	bool is_input = !strcmp(path, "-");
	FILE *f = is_input ? stdin : fopen(path, "re");
	int err = f ? 0 : -errno;

	*ret_name = is_input ? "<stdin>" : path;
	if (f)
		err = read_all(f, ret);
	if (f && !is_input)
		fclose(f);
	if (!err)
		return CLI_DONE;
	cli_error("cannot read %s: %s", *ret_name, strerror(-err));
	return CLI_FAILED;
}

static enum cli_status load(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	TEXT text = { 0 };
	const char *name;
	int err;

	if (cli->nr_operands != 2)
		return cli_misuse(cli, "netfilter load needs one FILE, or - for standard input");
	if (read_rules(cli->operands[1], &text, &name) != CLI_DONE)
		return CLI_FAILED;
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_netfilter_load(cm, cli->cgroup, cli_mode(cli), name, text.bytes,
					text.size);
	return cli_done(cm, err);
}

static enum cli_status check(const struct cli *cli)
{
	TEXT text = { 0 };
	char error[1024];
	const char *name;

	if (cli->nr_operands != 2)
		return cli_misuse(cli, "netfilter check needs one FILE, or - for standard input");
	if (read_rules(cli->operands[1], &text, &name) != CLI_DONE)
		return CLI_FAILED;
	if (!cm_netfilter_check(name, text.bytes, text.size, error, sizeof(error)))
		return CLI_DONE;
	cli_error("%s", error);
	return CLI_FAILED;
}

static enum cli_status flush(const struct cli *cli)
{
	CLI_SESSION cm = NULL;
	int err;

	if (cli->nr_operands != 1)
		return cli_misuse(cli, "netfilter flush takes no operand");
	err = cm_open(CM_OPEN_WRITE, &cm);
	if (!err)
		err = cm_netfilter_flush(cm, cli->cgroup);
	return cli_done(cm, err);
}

static char *text_of(const struct cm_netfilter_rule *rule)
{
	char now[32] = "", *text;

	if (rule->is_limit)
		snprintf(now, sizeof(now), ": %llu now", (unsigned long long)rule->held);
	if (asprintf(&text, "%.*s%s", (int)rule->text_len, rule->text, now) < 0)
		output_no_memory();
	return text;
}

static void print_rules(const struct cm_netfilter_rules *rules)
{
	static const char *const headings[] = { "LINE", "COUNT", "RULE" };
	struct table *table = table_new(3, headings, 3);
	char *text;

	for (size_t i = 0; i < rules->nr; i++) {
		const struct cm_netfilter_rule *rule = &rules->rules[i];

		text = text_of(rule);
		for (char *c = text; *c; c++) /* a set may have several lines */
			if (strchr("\r\n\t", *c))
				*c = ' ';
		table_number(table, rule->line);
		if (rule->is_counted)
			table_count(table, rule->count);
		else
			table_cell(table, "");
		table_text(table, text);
		free(text);
	}
	table_print(table);
}

static void print_rules_json(const struct cm_netfilter_rules *rules)
{
	struct json_object *array = output_need(json_object_new_array()), *json;

	for (size_t i = 0; i < rules->nr; i++) {
		const struct cm_netfilter_rule *rule = &rules->rules[i];

		json = json_item(array);
		json_int(json, "line", rule->line);
		json_object_object_add(json, "rule", output_string(rule->text, rule->text_len));
		if (rule->is_counted)
			json_object_object_add(json, "count",
					       output_need(json_object_new_uint64(rule->count)));
		if (rule->is_limit)
			json_object_object_add(json, "now",
					       output_need(json_object_new_uint64(rule->held)));
	}
	output_json(array);
}

static enum cli_status list(const struct cli *cli)
{
	struct cm_netfilter_rules *rules = NULL;
	CLI_SESSION cm = NULL;
	int err;

	if (cli->nr_operands != 1)
		return cli_misuse(cli, "netfilter list takes no operand");
	err = cm_open(0, &cm);
	if (!err)
		err = cm_netfilter_list(cm, cli->cgroup, &rules);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_JSON))
		print_rules_json(rules);
	else if (rules->nr)
		print_rules(rules);
	else
		puts("no rules");
	cm_netfilter_rules_free(rules);
	return CLI_DONE;
}

static const char *verdict_of(const struct cm_netfilter_answer *answer)
{
	return answer->is_denied ? "denied" : answer->error ? "would be denied" : "accepted";
}

static bool is_remapped(const struct cm_netfilter_query *query,
			const struct cm_netfilter_answer *answer)
{
	return answer->port != query->port;
}

static void print_answer(const struct cm_netfilter_query *query,
			 const struct cm_netfilter_answer *answer)
{
	fputs(verdict_of(answer), stdout);
	if (is_remapped(query, answer))
		printf(" as port %u", answer->port);
	if (answer->error)
		printf(" with %s", strerrorname_np(answer->error));
	if (answer->rule) {
		printf(" by line %u of ", answer->line);
		output_escaped(stdout, answer->cgroup, OUTPUT_UNLIMITED, "", OUTPUT_UNLIMITED);
		fputs(": ", stdout);
		output_escaped(stdout, answer->rule, OUTPUT_UNLIMITED, "", OUTPUT_UNLIMITED);
		putchar('\n');
	} else {
		puts(answer->error ? ": it would go around the egress rules"
				   : ": no rule says otherwise");
	}
}

static void print_answer_json(const struct cm_netfilter_query *query,
			      const struct cm_netfilter_answer *answer)
{
	struct json_object *json = output_need(json_object_new_object());

	json_text(json, "verdict",
		  answer->is_denied ? "denied"
		  : answer->error   ? "would-deny"
				    : "accepted");
	if (answer->error)
		json_text(json, "error", strerrorname_np(answer->error));
	if (is_remapped(query, answer))
		json_int(json, "port", answer->port);
	if (answer->rule) {
		json_text(json, "cgroup", answer->cgroup);
		json_int(json, "line", answer->line);
		json_text(json, "rule", answer->rule);
	}
	output_json(json);
}

static enum cli_status test(const struct cli *cli)
{
	struct cm_netfilter_answer answer;
	struct cm_netfilter_query query = { 0 };
	CLI_SESSION cm = NULL;
	char error[256];
	int err;

	if (cm_netfilter_query(&cli->operands[1], &query, error, sizeof(error)))
		return cli_misuse(cli, "netfilter test: %s", error);
	err = cm_open(0, &cm);
	if (!err)
		err = cm_netfilter_test(cm, cli->cgroup, &query, &answer);
	if (err)
		return cli_done(cm, err);
	if (cli_given(cli, CLI_JSON))
		print_answer_json(&query, &answer);
	else
		print_answer(&query, &answer);
	free(answer.rule);
	return CLI_DONE;
}

enum cli_status cmd_netfilter(const struct cli *cli)
{
	static const struct {
		const char *name;
		unsigned int options;
		enum cli_status (*run)(const struct cli *cli);
	} actions[] = {
		{ "load", CLI_CGROUP | CLI_PERMISSIVE, load },
		{ "list", CLI_CGROUP | CLI_JSON, list },
		{ "flush", CLI_CGROUP, flush },
		{ "test", CLI_CGROUP | CLI_JSON, test },
		{ "check", 0, check },
	};
	size_t i;

	for (i = 0; i < sizeof(actions) / sizeof(*actions); i++)
		if (!strcmp(cli->operands[0], actions[i].name))
			break;
	if (i == sizeof(actions) / sizeof(*actions))
		return cli_misuse(cli,
				  "netfilter: \"%.200s\" is not load, list, flush, test or check",
				  cli->operands[0]);
	if (cli->options & (CLI_CGROUP | CLI_PERMISSIVE | CLI_JSON) & ~actions[i].options)
		return cli_misuse(cli, "netfilter %s does not take that option", actions[i].name);
	return actions[i].run(cli);
}
