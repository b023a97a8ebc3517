// SPDX-License-Identifier: GPL-2.0-only
/*
 * Configurations as text:
 *
 *	policy yama {
 *		scope "/" {
 *			knobs { kernel.yama.ptrace_scope = 1 }
 *		}
 *	}
 *	policy port_one {
 *		file = "/etc/checmate/port_one.bpf.o"
 *		priority = 10
 *		scope "/machine.slice" {
 *			mode = permissive
 *		}
 *	}
 *	policy netfilter {
 *		scope "/web" {
 *			rules {
 *				egress policy drop
 *			}
 *		}
 *	}
 */
#include <confuse.h>
#include <stdio.h>
#include <string.h>

#include "config.h"

/* libconfuse gives its error function no argument of ours. */
static _Thread_local struct cm *parsing;
static _Thread_local const char *parsing_from;
static _Thread_local struct cm_blocks parsing_blocks;

static void syntax_error(cfg_t *cfg, const char *format, va_list args)
{
	char why[512];

	if (parsing->error[0])
		return; /* what follows from the first one */
	vsnprintf(why, sizeof(why), format, args);
	cm_fail(parsing, -EINVAL, "%.300s:%d: %s", parsing_from, cfg->line, why);
}

/* The sentence of a failure, with the place before it. */
static int at(struct cm *cm, int err, const char *policy, const char *cgroup)
{
	char why[sizeof(cm->error)];

	memcpy(why, cm->error, sizeof(why));
	return cm_fail(cm, err, "%.200s: policy %.64s%s%.200s: %s", parsing_from, policy,
		       cgroup ? ", scope " : "", cgroup ? cgroup : "", why);
}

/* The section's "KNOB = VALUE" as the strings that enable takes. */
static int parse_knobs(struct cm *cm, cfg_t *section, const struct cm_object *object, int *values)
{
	size_t nr = section ? cfg_num(section) : 0, i;
	char given[CM_KNOBS_MAX], **settings;
	int err = 0;

	settings = calloc(nr + 1, sizeof(*settings));
	if (!settings)
		return cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; !err && i < nr; i++) {
		cfg_opt_t *option = cfg_getnopt(section, i);

		if (asprintf(&settings[i], "%s=%s", cfg_opt_name(option),
			     cfg_opt_getnstr(option, 0)) < 0) {
			settings[i] = NULL;
			err = cm_fail(cm, -ENOMEM, "out of memory");
		}
	}
	if (!err)
		err = cm_settings_parse(cm, object, (const char *const *)settings, values, given);
	for (i = 0; i < nr; i++)
		free(settings[i]);
	free(settings);
	return err;
}

static int parse_mode(struct cm *cm, const char *word, enum cm_mode *ret)
{
	if (!strcmp(word, "enforce"))
		*ret = CM_ENFORCE;
	else if (!strcmp(word, "permissive"))
		*ret = CM_PERMISSIVE;
	else
		return cm_fail(cm, -EINVAL, "mode '%.64s' is neither enforce nor permissive", word);
	return 0;
}

static int parse_rules(struct cm *cm, cfg_t *section, bool journal, struct cm_config_policy *policy,
		       struct cm_config_scope *scope)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < cfg_size(section, "rules"); i++)
		err = cm_rules_take(cm, parsing_from, &parsing_blocks,
				    cfg_getnstr(section, "rules", i), !journal, policy, scope);
	return err;
}

static int parse_scope(struct cm *cm, cfg_t *section, bool journal, struct cm_config_policy *policy)
{
	struct cm_config_scope *scope = &policy->scopes[policy->nr_scopes];
	const char *cgroup = cfg_title(section);
	char path[PATH_MAX];
	int err = cm_cgroup_id(cm, cgroup, &scope->id, path);

	if (err == -ENOENT && journal)
		return 0;
	if (!err && cm_config_scope(policy, scope->id))
		err = cm_fail(cm, -EINVAL, "it is there already, by another name of that cgroup");
	if (!err)
		err = parse_mode(cm, cfg_getstr(section, "mode"), &scope->mode);
	if (!err)
		err = parse_knobs(cm, cfg_getsec(section, "knobs"), policy->object, scope->values);
	if (err)
		return at(cm, err, policy->name, cgroup);
	scope->cgroup = strdup(path);
	memset(scope->given, 1, sizeof(scope->given)); /* the text says all that is to be */
	policy->nr_scopes++;
	return scope->cgroup ? parse_rules(cm, section, journal, policy, scope)
			     : cm_fail(cm, -ENOMEM, "out of memory");
}

static int parse_priority(struct cm *cm, const char *text, uint32_t *ret)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || number > UINT32_MAX)
		return cm_fail(cm, -EINVAL, "priority '%.64s' is no number from 0 to %u", text,
			       UINT32_MAX);
	*ret = number;
	return 0;
}

static int open_object(struct cm *cm, struct cm_config_policy *policy, bool journal)
{
	char dir[CM_NAME_LEN + sizeof(CM_JOURNAL)];

	if (!cm_is_name(policy->name))
		return cm_fail(cm, -EINVAL,
			       "that is no name: it has a-z, 0-9 and _, and is shorter than %d",
			       CM_NAME_LEN);
	if (policy->file && journal) {
		snprintf(dir, sizeof(dir), "%s/%s", CM_JOURNAL, policy->name);
		return cm_object_open_pinned(cm, dir, policy->name, &policy->object);
	}
	if (policy->file)
		return cm_object_open_file(cm, policy->file, policy->name, &policy->object);
	if (!cm_is_builtin(policy->name))
		return cm_fail(cm, -ENOENT,
			       "no built-in pack has that name: give the file of its object");
	return cm_object_open(cm, policy->name, &policy->object);
}

static int parse_policy(struct cm *cm, cfg_t *section, bool journal,
			struct cm_config_policy *policy)
{
	const char *name = cfg_title(section), *file = cfg_getstr(section, "file"),
		   *priority = cfg_getstr(section, "priority");
	size_t nr = cfg_size(section, "scope"), i;
	int err;

	snprintf(policy->name, sizeof(policy->name), "%s", name);
	policy->file = file ? strdup(file) : NULL;
	policy->scopes = calloc(nr + 1, sizeof(*policy->scopes));
	if ((file && !policy->file) || !policy->scopes)
		return cm_fail(cm, -ENOMEM, "out of memory");
	if (strlen(name) >= sizeof(policy->name))
		return at(cm, cm_fail(cm, -EINVAL, "that name is too long"), name, NULL);
	err = open_object(cm, policy, journal);
	if (!err && !nr)
		err = cm_fail(cm, -EINVAL, "it has no scope: \"/\" is the whole system");
	if (err)
		return at(cm, err, name, NULL);
	policy->priority = policy->object->about.priority;
	err = priority ? parse_priority(cm, priority, &policy->priority) : 0;
	if (err)
		return at(cm, err, name, NULL);
	for (i = 0; !err && i < nr; i++)
		err = parse_scope(cm, cfg_getnsec(section, "scope", i), journal, policy);
	return err;
}

static int parse_all(struct cm *cm, cfg_t *cfg, bool journal, struct cm_config **ret)
{
	_cleanup_config_ struct cm_config *config = calloc(1, sizeof(*config));
	size_t nr = cfg_size(cfg, "policy"), i;
	int err = 0;

	if (!config)
		return cm_fail(cm, -ENOMEM, "out of memory");
	config->policies = calloc(nr + 1, sizeof(*config->policies)); /* one for the limits */
	if (!config->policies)
		return cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; !err && i < nr; i++) {
		config->nr = i + 1;
		err = parse_policy(cm, cfg_getnsec(cfg, "policy", i), journal,
				   &config->policies[i]);
	}
	if (!err && !journal)
		err = cm_rules_add_limits(cm, config);
	if (err)
		return err;
	*ret = config;
	config = NULL;
	return 0;
}

int cm_config_parse(struct cm *cm, const char *from, const char *text, bool journal,
		    struct cm_config **ret)
{
	cfg_opt_t any[] = { CFG_END() };
	cfg_opt_t scope[] = { CFG_STR("mode", "enforce", CFGF_NONE),
			      CFG_SEC("knobs", any, CFGF_KEYSTRVAL),
			      CFG_STR_LIST("rules", NULL, CFGF_NONE), CFG_END() };
	cfg_opt_t policy[] = {
		CFG_STR("file", NULL, CFGF_NONE), CFG_STR("priority", NULL, CFGF_NONE),
		CFG_SEC("scope", scope, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END()
	};
	cfg_opt_t top[] = {
		CFG_SEC("policy", policy, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END()
	};
	_cleanup_free_ char *rest = NULL;
	int err = cm_blocks_cut(cm, from, text, &rest, &parsing_blocks);
	cfg_t *cfg = err ? NULL : cfg_init(top, CFGF_NONE);

	if (!cfg) {
		cm_blocks_free(&parsing_blocks);
		return err ? err : cm_fail(cm, -ENOMEM, "out of memory");
	}
	parsing = cm;
	parsing_from = from;
	cm->error[0] = '\0';
	cfg_set_error_function(cfg, syntax_error);
	if (cfg_parse_buf(cfg, rest) != CFG_SUCCESS)
		err = cm->error[0] ? -EINVAL
				   : cm_fail(cm, -EINVAL, "%.300s: cannot be understood", from);
	else
		err = parse_all(cm, cfg, journal, ret);
	cfg_free(cfg);
	cm_blocks_free(&parsing_blocks);
	return err;
}

static int take_scopes(struct cm *cm, const struct cm_pack_info *info,
		       struct cm_config_policy *policy)
{
	size_t i, k;

	policy->scopes = calloc(info->nr_scopes + 1, sizeof(*policy->scopes));
	if (!policy->scopes)
		return cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; i < info->nr_scopes; i++) {
		struct cm_config_scope *scope = &policy->scopes[policy->nr_scopes];

		if (info->scopes[i].cgroup[0] != '/')
			continue; /* removed meanwhile */
		scope->id = info->scopes[i].id;
		scope->mode = info->scopes[i].mode;
		for (k = 0; k < info->nr_knobs; k++)
			scope->values[info->knobs[k].decl->index] = info->scopes[i].values[k];
		scope->cgroup = strdup(info->scopes[i].cgroup);
		policy->nr_scopes++;
		if (!scope->cgroup)
			return cm_fail(cm, -ENOMEM, "out of memory");
	}
	return 0;
}

static int take_policy(struct cm *cm, const struct cm_pack_info *info, struct cm_config *config)
{
	struct cm_config_policy *policy = &config->policies[config->nr++];
	int err = cm_object_open(cm, info->decl->name, &policy->object);

	if (err)
		return err;
	strcpy(policy->name, info->decl->name);
	policy->priority = info->priority;
	policy->file = info->origin ? strdup(info->origin) : NULL;
	if (info->origin && !policy->file)
		return cm_fail(cm, -ENOMEM, "out of memory");
	err = take_scopes(cm, info, policy);
	return err ? err : cm_rules_read(cm, policy);
}

/* In the order in which they were loaded: of equal priority that is the order of the chain. */
static int by_age(const void *a, const void *b)
{
	const struct cm_config_policy *x = a, *y = b;
	uint64_t one = x->object->about.sequence, other = y->object->about.sequence;

	return one < other ? -1 : one > other;
}

int cm_config_read(struct cm *cm, struct cm_config **ret)
{
	_cleanup_config_ struct cm_config *config = calloc(1, sizeof(*config));
	struct cm_packs *packs;
	size_t i;
	int err = cm_packs_get(cm, CM_PACKS_ENABLED, &packs);

	if (err)
		return err;
	if (config)
		config->policies = calloc(packs->nr + 1, sizeof(*config->policies));
	if (!config || !config->policies)
		err = cm_fail(cm, -ENOMEM, "out of memory");
	for (i = 0; !err && i < packs->nr; i++)
		if (packs->packs[i].enabled)
			err = take_policy(cm, &packs->packs[i], config);
	cm_packs_free(packs);
	if (err)
		return err;
	qsort(config->policies, config->nr, sizeof(*config->policies), by_age);
	*ret = config;
	config = NULL;
	return 0;
}

/* A string as libconfuse reads it back. */
static void quote(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		if (strchr("\"\\$", *text))
			fputc('\\', f);
		if (*text == '\n')
			fputs("\\n", f);
		else
			fputc(*text, f);
	}
	fputc('"', f);
}

/* As they are, for whoever wrote them. */
static void format_rules(FILE *f, const char *text)
{
	size_t len = strlen(text);

	fprintf(f, "\t\trules {\n%s%s\t\t}\n", text, len && text[len - 1] != '\n' ? "\n" : "");
}

static void format_scope(FILE *f, const struct cm_object *object,
			 const struct cm_config_scope *scope)
{
	char name[CM_PATH_LEN];
	size_t i;

	fputs("\tscope ", f);
	quote(f, scope->cgroup);
	fprintf(f, " {\n\t\tmode = %s\n", scope->mode == CM_PERMISSIVE ? "permissive" : "enforce");
	if (object->nr_knobs)
		fputs("\t\tknobs {\n", f);
	for (i = 0; i < object->nr_knobs; i++) {
		cm_knob_name(&object->knobs[i], name);
		fprintf(f, "\t\t\t%s = %d\n", name, scope->values[object->knobs[i].index]);
	}
	if (object->nr_knobs)
		fputs("\t\t}\n", f);
	if (scope->rules)
		format_rules(f, scope->rules->text);
	fputs("\t}\n", f);
}

static void format_head(FILE *f, const struct cm_config_policy *policy)
{
	fprintf(f, "policy %s {\n", policy->name);
	if (policy->file) {
		fputs("\tfile = ", f);
		quote(f, policy->file);
		fputc('\n', f);
	}
	fprintf(f, "\tpriority = %u\n", policy->priority);
}

static void format_policy(FILE *f, const struct cm_config *config,
			  const struct cm_config_policy *policy, bool journal)
{
	bool begun = false;
	size_t i;

	for (i = 0; i < policy->nr_scopes; i++) { /* none: its cgroups are gone */
		if (!journal && cm_rules_imply(config, policy, &policy->scopes[i]))
			continue;
		if (!begun)
			format_head(f, policy);
		begun = true;
		format_scope(f, policy->object, &policy->scopes[i]);
	}
	if (begun)
		fputs("}\n", f);
}

char *cm_config_format(const struct cm_config *config, bool journal)
{
	char *text = NULL;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (i = 0; i < config->nr; i++)
		format_policy(f, config, &config->policies[i], journal);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

void cm_config_free(struct cm_config *config)
{
	size_t i, j;

	if (!config)
		return;
	for (i = 0; i < config->nr; i++) {
		struct cm_config_policy *policy = &config->policies[i];

		for (j = 0; j < policy->nr_scopes; j++) {
			free(policy->scopes[j].cgroup);
			cm_rules_free(policy->scopes[j].rules);
		}
		free(policy->scopes);
		free(policy->file);
		cm_object_free(policy->object);
	}
	free(config->policies);
	free(config);
}

const struct cm_config_policy *cm_config_policy(const struct cm_config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->nr; i++)
		if (!strcmp(config->policies[i].name, name))
			return &config->policies[i];
	return NULL;
}

const struct cm_config_scope *cm_config_scope(const struct cm_config_policy *policy, uint64_t id)
{
	size_t i;

	for (i = 0; i < policy->nr_scopes; i++)
		if (policy->scopes[i].id == id)
			return &policy->scopes[i];
	return NULL;
}
