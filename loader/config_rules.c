// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of the pack netfilter in a configuration:
 *
 *	scope "/web" {
 *		rules {
 *			set lan { 10.0.0.0/8 }
 *			egress policy drop
 *		}
 *	}
 *
 * The block is in the language of the pack, where neither braces nor quotes are libconfuse's. So it
 * is cut out before that reads the rest, and kept byte by byte: a text that is saved is the one
 * that was loaded, comments included.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "nf_limit.h"

#define PACK  CM_NF_PACK
#define LIMIT "netfilter_limit"

/* --- the text */

struct scan {
	const char *at;
	uint32_t line;
	int depth;    /* of braces */
	bool is_open; /* a comment that nothing ends */
	FILE *rest;
};

/* So many bytes, also of the rest. */
static void pass(struct scan *scan, size_t len)
{
	fwrite(scan->at, 1, len, scan->rest);
	for (; len; len--)
		scan->line += *scan->at++ == '\n';
}

static size_t string_len(const char *text)
{
	size_t len = 1;

	while (text[len] && text[len] != *text)
		len += text[len] == '\\' && text[len + 1] ? 2 : 1;
	return text[len] ? len + 1 : len;
}

static size_t until(const char *text, const char *end)
{
	const char *found = strstr(text, end);

	return found ? (size_t)(found - text) + strlen(end) : strlen(text);
}

/* Of a word of libconfuse's language. */
static size_t word_len(const char *text)
{
	size_t len = strcspn(text, "\\ \"'\t\r\n={}()+,");

	if (*text == '#' || !strncmp(text, "//", 2))
		return strcspn(text, "\n");
	if (!strncmp(text, "/*", 2))
		return 2 + until(text + 2, "*/");
	if (!strncmp(text, "${", 2))
		return until(text, "}");
	if (*text == '"' || *text == '\'')
		return string_len(text);
	return len ? len : 1;
}

/* The brace that ends a block; NULL: there is none. */
static const char *block_end(const char *at)
{
	int depth = 0;

	for (;; at++) {
		if (*at == '#')
			at += strcspn(at, "\n");
		if (!*at || (*at == '}' && !depth))
			return *at ? at : NULL;
		depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
	}
}

/* What is between the braces, but for the rest of the first line and what the last is indented by.
 */
static void trim(struct cm_block *block, const char **start, const char **end)
{
	size_t blanks = strspn(*start, " \t\r");

	if ((*start)[blanks] == '\n') {
		block->line++;
		block->column = 1;
		*start += blanks + 1;
	} else {
		block->column += blanks;
		*start += blanks;
	}
	if (*end < *start)
		*end = *start;
	while (*end > *start && ((*end)[-1] == ' ' || (*end)[-1] == '\t'))
		(*end)--;
}

static uint32_t column_of(const char *text, const char *at)
{
	const char *line = at;

	while (line > text && line[-1] != '\n')
		line--;
	return at - line + 1;
}

/* Behind the word "rules". */
static int cut(struct cm *cm, const char *from, const char *text, struct scan *scan,
	       struct cm_blocks *blocks)
{
	struct cm_block *more = realloc(blocks->blocks, (blocks->nr + 1) * sizeof(*more));
	const char *start, *end, *behind;
	uint32_t line = scan->line;

	if (!more)
		return cm_fail(cm, -ENOMEM, "out of memory");
	blocks->blocks = more;
	pass(scan, strspn(scan->at, " \t\r\n"));
	start = scan->at + 1;
	end = *scan->at == '{' ? block_end(start) : NULL;
	if (!end)
		return cm_fail(cm, -EINVAL, "%.300s:%u: 'rules' needs a block: rules { ... }", from,
			       line);
	behind = end + 1;
	more[blocks->nr] =
		(struct cm_block){ .line = scan->line, .column = column_of(text, start) };
	trim(&more[blocks->nr], &start, &end);
	more[blocks->nr].text = strndup(start, end - start);
	if (!more[blocks->nr++].text)
		return cm_fail(cm, -ENOMEM, "out of memory");
	fprintf(scan->rest, "+= %zu", blocks->nr - 1);
	for (; scan->at < behind; scan->at++) {
		if (*scan->at != '\n')
			continue;
		scan->line++;
		fputc('\n', scan->rest);
	}
	fputc(' ', scan->rest);
	return 0;
}

int cm_blocks_cut(struct cm *cm, const char *from, const char *text, char **ret,
		  struct cm_blocks *ret_blocks)
{
	struct scan scan = { .at = text, .line = 1 };
	size_t size, len;
	int err = 0;

	*ret_blocks = (struct cm_blocks){};
	scan.rest = open_memstream(ret, &size);
	if (!scan.rest)
		return cm_fail(cm, -ENOMEM, "out of memory");
	while (!err && *scan.at) {
		len = word_len(scan.at);
		scan.is_open = !strncmp(scan.at, "/*", 2) && !strstr(scan.at + 2, "*/");
		if (len == 1 && *scan.at == '{')
			scan.depth++;
		if (len == 1 && *scan.at == '}')
			scan.depth--;
		if (scan.depth == 2 && len == strlen("rules") && !strncmp(scan.at, "rules", len)) {
			pass(&scan, len);
			err = cut(cm, from, text, &scan, ret_blocks);
		} else {
			pass(&scan, len);
		}
	}
	/* libconfuse takes it: what is missing of a file cut short would be withdrawn. */
	if (!err && (scan.depth > 0 || scan.is_open))
		err = cm_fail(cm, -EINVAL, "%.300s:%u: the text ends within a %s: '%s' is missing",
			      from, scan.line, scan.is_open ? "comment" : "block",
			      scan.is_open ? "*/" : "}");
	if (fclose(scan.rest) && !err)
		err = cm_fail(cm, -ENOMEM, "out of memory");
	return err;
}

void cm_blocks_free(struct cm_blocks *blocks)
{
	size_t i;

	for (i = 0; i < blocks->nr; i++)
		free(blocks->blocks[i].text);
	free(blocks->blocks);
	*blocks = (struct cm_blocks){};
}

/* --- a scope's rules */

void cm_rules_free(struct cm_config_rules *rules)
{
	if (rules)
		free(rules->text);
	free(rules);
}

/* What is wrong is told with its place in the whole text, so it is brought to that. */
static int check(struct cm *cm, const char *from, const struct cm_block *block,
		 uint32_t *ret_limits)
{
	size_t lines = block->line - 1, columns = block->column - 1, len = strlen(block->text);
	_cleanup_free_ char *text = malloc(lines + columns + len + 1);
	char error[sizeof(cm->error)];
	int err;

	if (!text)
		return cm_fail(cm, -ENOMEM, "out of memory");
	memset(text, '\n', lines);
	memset(text + lines, ' ', columns);
	memcpy(text + lines + columns, block->text, len);
	err = cm_nf_check(from, text, lines + columns + len, ret_limits, error, sizeof(error));
	return err ? cm_fail(cm, err, "%s", error) : 0;
}

int cm_rules_take(struct cm *cm, const char *from, struct cm_blocks *blocks, const char *number,
		  bool is_new, struct cm_config_policy *policy, struct cm_config_scope *scope)
{
	size_t i = strtoul(number, NULL, 10);
	struct cm_block *block = i < blocks->nr ? &blocks->blocks[i] : NULL;

	if (!block || !block->text)
		return cm_fail(cm, -EINVAL, "%.300s: 'rules' needs a block: rules { ... }", from);
	if (policy->file || !cm_nf_is(policy->name))
		return cm_fail(cm, -EINVAL, "%.300s:%u: policy %s has no rules, " PACK " has", from,
			       block->line, policy->name);
	if (scope->rules)
		return cm_fail(cm, -EINVAL, "%.300s:%u: scope %.300s has rules already", from,
			       block->line, scope->cgroup);
	scope->rules = calloc(1, sizeof(*scope->rules));
	if (!scope->rules)
		return cm_fail(cm, -ENOMEM, "out of memory");
	if (is_new && check(cm, from, block, scope->rules->limits))
		return -EINVAL;
	scope->rules->text = block->text;
	block->text = NULL;
	return 0;
}

int cm_rules_read(struct cm *cm, struct cm_config_policy *policy)
{
	_cleanup_pack_ struct cm_pack *pack = NULL;
	struct cm_config_rules rules;
	size_t i;
	int err;

	if (!policy->nr_scopes || !cm_nf_is(policy->name))
		return 0;
	err = cm_pack_open(cm, PACK, &pack);
	for (i = 0; !err && i < policy->nr_scopes; i++) {
		err = cm_nf_read(cm, pack, policy->scopes[i].id, &rules.text, rules.limits);
		if (err || !rules.text)
			continue;
		policy->scopes[i].rules = malloc(sizeof(rules));
		if (!policy->scopes[i].rules) {
			free(rules.text);
			return cm_fail(cm, -ENOMEM, "out of memory");
		}
		*policy->scopes[i].rules = rules;
	}
	return err;
}

bool cm_rules_hold(const struct cm_config_policy *policy, const struct cm_config_scope *scope)
{
	const struct cm_knob_decl *enable =
		cm_nf_is(policy->name) ? cm_object_knob(policy->object, "enable") : NULL;

	return scope->mode == CM_ENFORCE && (!enable || scope->values[enable->index]);
}

static size_t len_of(const char *text)
{
	size_t len = strlen(text);

	return len && text[len - 1] == '\n' ? len - 1 : len;
}

/* A line that is not ended is the same line. */
bool cm_rules_equal(const struct cm_config_rules *a, const struct cm_config_rules *b)
{
	return a && b ? len_of(a->text) == len_of(b->text) &&
				!memcmp(a->text, b->text, len_of(a->text))
		      : a == b;
}

/* --- limits */

static const struct cm_config_rules *limits_of(const struct cm_config *config, uint64_t id,
					       enum cm_mode *ret_mode)
{
	const struct cm_config_policy *policy = cm_config_policy(config, PACK);
	const struct cm_config_scope *scope = policy ? cm_config_scope(policy, id) : NULL;

	if (!scope || !scope->rules || !nf_has_limit(scope->rules->limits))
		return NULL;
	*ret_mode = scope->mode;
	return scope->rules;
}

bool cm_rules_imply(const struct cm_config *config, const struct cm_config_policy *policy,
		    const struct cm_config_scope *scope)
{
	const struct cm_config_rules *rules;
	enum cm_mode mode;
	size_t i;

	if (policy->file || strcmp(policy->name, LIMIT) != 0 ||
	    policy->priority != policy->object->pack->priority)
		return false;
	rules = limits_of(config, scope->id, &mode);
	if (!rules || mode != scope->mode)
		return false;
	for (i = 0; i < NF_LIMITS; i++)
		if (scope->values[nf_limit_knob(policy->object, i)->index] != (int)rules->limits[i])
			return false;
	return true;
}

/* That of the limits' pack, which is made if there is none: there is room for one more. */
static int need_policy(struct cm *cm, struct cm_config *config, struct cm_config_policy **ret)
{
	struct cm_config_policy *policy;
	int err;

	*ret = (struct cm_config_policy *)cm_config_policy(config, LIMIT);
	if (*ret)
		return 0;
	policy = &config->policies[config->nr++];
	strcpy(policy->name, LIMIT);
	err = cm_object_open(cm, LIMIT, &policy->object);
	if (!err)
		policy->priority = policy->object->pack->priority;
	*ret = policy;
	return err;
}

static int add_limits(struct cm *cm, struct cm_config *config, const struct cm_config_scope *of)
{
	struct cm_config_scope *scope, *more;
	struct cm_config_policy *policy;
	size_t i;
	int err = need_policy(cm, config, &policy);

	if (err || cm_config_scope(policy, of->id))
		return err;
	more = realloc(policy->scopes, (policy->nr_scopes + 1) * sizeof(*more));
	if (!more)
		return cm_fail(cm, -ENOMEM, "out of memory");
	policy->scopes = more;
	scope = &more[policy->nr_scopes++];
	*scope = (struct cm_config_scope){ .cgroup = strdup(of->cgroup),
					   .id = of->id,
					   .mode = of->mode };
	if (!scope->cgroup)
		return cm_fail(cm, -ENOMEM, "out of memory");
	memset(scope->given, 1, sizeof(scope->given));
	for (i = 0; i < NF_LIMITS; i++)
		scope->values[nf_limit_knob(policy->object, i)->index] = of->rules->limits[i];
	return 0;
}

int cm_rules_add_limits(struct cm *cm, struct cm_config *config)
{
	const struct cm_config_policy *policy = cm_config_policy(config, PACK);
	size_t i;
	int err = 0;

	for (i = 0; !err && policy && i < policy->nr_scopes; i++)
		if (policy->scopes[i].rules && nf_has_limit(policy->scopes[i].rules->limits))
			err = add_limits(cm, config, &policy->scopes[i]);
	return err;
}
