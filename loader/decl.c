// SPDX-License-Identifier: GPL-2.0-only
/* Knobs as an object declares them: is that in order, their names, which value is the stricter. */
#include <stdio.h>
#include <string.h>

#include "internal.h"

bool cm_decl_ends(const char *text, size_t size)
{
	return strnlen(text, size) < size;
}

/* "kernel/yama/ptrace_scope": what the door takes, so that nothing else below /proc/sys is meant.
 */
static bool is_knob_path(const char *path)
{
	return path[strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789_-./")] == '\0' &&
	       strchr(path, '/') && path[0] != '/' && path[0] != '.' && !strstr(path, "//") &&
	       !strstr(path, "/.") && !strstr(path, "..") && path[strlen(path) - 1] != '/';
}

/* What is wrong with a knob's words, NULL if nothing is. */
static const char *words_fault(const struct cm_knob_decl *knob)
{
	const char *words = knob->words, *word, *others, *other;
	char copy[CM_WORDS_LEN];
	size_t len, other_len;
	long long value;
	int place;

	if (!cm_decl_ends(knob->words, sizeof(knob->words)))
		return "they do not end";
	for (place = 0; (word = cm_word_next(&words, &len)); place++) {
		snprintf(copy, sizeof(copy), "%.*s", (int)len, word);
		if (copy[strspn(copy, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-")])
			return "a word has A-Z, a-z, 0-9, _, . and -";
		if (cm_is_number(copy, &value))
			return "one is a number";
		for (others = knob->words; (other = cm_word_next(&others, &other_len)) != word;)
			if (other_len == len && !memcmp(other, word, len))
				return "one is there twice";
		value = knob->strictest == CM_STRICTEST_OR ? 1ll << (place < 31 ? place : 31)
							   : (long long)knob->min + place;
		if (value > knob->max)
			return "there are more than its bounds allow";
	}
	return NULL;
}

static int check_words(struct cm *cm, const struct cm_object *object)
{
	const char *fault = NULL;
	char name[CM_PATH_LEN];
	size_t i;

	for (i = 0; i < object->nr_knobs; i++) {
		fault = words_fault(&object->knobs[i]);
		cm_knob_name(&object->knobs[i], name);
		if (fault)
			return cm_fail(cm, -EPROTO, "%s: the words of knob %s: %s", object->name,
				       name, fault);
	}
	return 0;
}

static int check_rates(struct cm *cm, const struct cm_object *object)
{
	char name[CM_PATH_LEN];
	size_t i;

	for (i = 0; i < object->nr_knobs; i++) {
		cm_knob_name(&object->knobs[i], name);
		if ((object->knobs[i].flags & CM_KNOB_RATE) &&
		    !cm_rate_knob(object, &object->knobs[i], "_per"))
			return cm_fail(cm, -EPROTO, "%s: the rate %s has no knob %s_per",
				       object->name, name, name);
	}
	return 0;
}

static int check_knobs(struct cm *cm, const struct cm_object *object)
{
	const struct cm_knob_decl *knob = object->knobs;
	char used[CM_KNOBS_MAX] = {};
	size_t i;

	for (i = 0; i < object->nr_knobs; i++, knob++) {
		if (!cm_decl_ends(knob->path, sizeof(knob->path)) ||
		    !cm_decl_ends(knob->alias, sizeof(knob->alias)) ||
		    !cm_decl_ends(knob->help, sizeof(knob->help)) ||
		    knob->index >= object->in_force.index || knob->min > knob->max ||
		    knob->init < knob->min || knob->init > knob->max ||
		    knob->strictest > CM_STRICTEST_LIMIT ||
		    (knob->strictest == CM_STRICTEST_LIMIT && knob->min) ||
		    !is_knob_path(knob->path) || (knob->alias[0] && !is_knob_path(knob->alias)) ||
		    used[knob->index]++)
			return cm_fail(cm, -EPROTO, "%s: knob declaration %zu is broken",
				       object->name, i);
	}
	return 0;
}

void cm_knob_dotted(const char *path, char *buf)
{
	char *c;

	strcpy(buf, path);
	for (c = buf; *c; c++)
		if (*c == '/')
			*c = '.';
}

void cm_knob_name(const struct cm_knob_decl *knob, char *buf)
{
	cm_knob_dotted(knob->path, buf);
}

/* As it is, or with dots. */
static bool is_path(const char *path, const char *name)
{
	char dotted[CM_PATH_LEN];

	cm_knob_dotted(path, dotted);
	return !strcmp(name, dotted) || !strcmp(name, path);
}

/* Is one name of @b one of @a as well? Then it is in *ret_name, CM_PATH_LEN bytes. */
static bool share_name(const struct cm_knob_decl *a, const struct cm_knob_decl *b, char *ret_name)
{
	cm_knob_name(b, ret_name);
	if (cm_knob_is(a, ret_name))
		return true;
	cm_knob_dotted(b->alias, ret_name);
	return b->alias[0] && cm_knob_is(a, ret_name);
}

static int check_names(struct cm *cm, const struct cm_object *object)
{
	char name[CM_PATH_LEN];
	size_t i, j;

	for (i = 0; i < object->nr_knobs; i++) {
		const struct cm_knob_decl *knob = &object->knobs[i];

		cm_knob_dotted(knob->alias, name);
		if (is_path(knob->path, name))
			return cm_fail(cm, -EPROTO, "%s: knob %s has itself as an alias",
				       object->name, name);
		for (j = 0; j < i; j++)
			if (share_name(&object->knobs[j], knob, name))
				return cm_fail(cm, -EPROTO, "%s: two knobs are named %s",
					       object->name, name);
	}
	return 0;
}

static int check_seals(struct cm *cm, const struct cm_object *object)
{
	const char *by = object->pack->sealed_by;
	size_t seals = *by ? 1 : 0, i;

	if (*by && !cm_is_name(by))
		return cm_fail(cm, -EPROTO, "%s: .sealed_by is no name", object->name);
	for (i = 0; i < object->nr_knobs; i++) {
		if (!(object->knobs[i].flags & CM_KNOB_SEAL))
			continue;
		if (!(object->knobs[i].flags & CM_KNOB_LATCH))
			return cm_fail(cm, -EPROTO, "%s: a seal needs a latch", object->name);
		seals++;
	}
	return seals < 2 ? 0
			 : cm_fail(cm, -EPROTO, "%s: a pack has one seal, its own or another's",
				   object->name);
}

int cm_decl_check(struct cm *cm, const struct cm_object *object)
{
	int err = check_knobs(cm, object);

	if (!err)
		err = check_names(cm, object);
	if (!err)
		err = check_words(cm, object);
	if (!err)
		err = check_rates(cm, object);
	return err ? err : check_seals(cm, object);
}

int cm_decl_check_apart(struct cm *cm, const struct cm_object *object,
			const struct cm_object *other)
{
	char name[CM_PATH_LEN];
	size_t i, j;

	for (i = 0; i < object->nr_knobs; i++)
		for (j = 0; j < other->nr_knobs; j++)
			if (share_name(&other->knobs[j], &object->knobs[i], name))
				return cm_fail(cm, -EEXIST, "%s: policy %s has knob %s already",
					       object->name, other->name, name);
	return 0;
}

bool cm_knob_is(const struct cm_knob_decl *knob, const char *name)
{
	return is_path(knob->path, name) || (knob->alias[0] && is_path(knob->alias, name));
}

static bool ends_in(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return slash && !strcmp(slash + 1, name);
}

const struct cm_knob_decl *cm_object_knob(const struct cm_object *object, const char *name)
{
	size_t i;

	for (i = 0; i < object->nr_knobs; i++)
		if (cm_knob_is(&object->knobs[i], name) || ends_in(object->knobs[i].path, name))
			return &object->knobs[i];
	for (i = 0; i < object->nr_knobs; i++)
		if (ends_in(object->knobs[i].alias, name))
			return &object->knobs[i];
	return NULL;
}

int cm_knob_off(const struct cm_knob_decl *knob)
{
	if (knob->strictest == CM_STRICTEST_MIN)
		return knob->max;
	return knob->strictest == CM_STRICTEST_MAX ? knob->min : 0;
}

int cm_knob_strict(const struct cm_knob_decl *knob, int a, int b)
{
	if (knob->strictest == CM_STRICTEST_OR)
		return a | b;
	if (knob->strictest == CM_STRICTEST_MIN)
		return a < b ? a : b;
	if (knob->strictest == CM_STRICTEST_LIMIT) /* 0 is the largest of all */
		return (uint32_t)a - 1 < (uint32_t)b - 1 ? a : b;
	return a > b ? a : b;
}

bool cm_knob_latched(const struct cm_knob_decl *knob, int value)
{
	return (knob->flags & CM_KNOB_LATCH) && value == knob->latch;
}
