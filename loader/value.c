// SPDX-License-Identifier: GPL-2.0-only
/* How values are spelt: as numbers, by the words that a knob has for them, a rate as N/UNIT:BURST.
 */
#include <stdio.h>
#include <string.h>

#include "internal.h"

const char *cm_word_next(const char **words, size_t *ret_len)
{
	const char *word = *words + strspn(*words, " ");

	*ret_len = strcspn(word, " ");
	*words = word + *ret_len;
	return *ret_len ? word : NULL;
}

bool cm_is_number(const char *text, long long *ret)
{
	char *end;

	/* strtoll() would also take blanks and a plus sign, the kernel's parser no plus. */
	if (!((*text >= '0' && *text <= '9') || *text == '-'))
		return false;
	*ret = strtoll(text, &end, 0); /* what is too large stays so, hence out of any range */
	return !*end;
}

const struct cm_knob_decl *cm_rate_knob(const struct cm_object *object,
					const struct cm_knob_decl *rate, const char *suffix)
{
	char path[CM_PATH_LEN + 8];
	size_t i;

	snprintf(path, sizeof(path), "%s%s", rate->path, suffix);
	for (i = 0; i < object->nr_knobs; i++)
		if (!strcmp(object->knobs[i].path, path))
			return &object->knobs[i];
	return NULL;
}

static int add(struct cm *cm, struct cm_said *said, const struct cm_knob_decl *knob,
	       long long value, const char *text)
{
	char name[CM_PATH_LEN];

	cm_knob_name(knob, name);
	if (value < knob->min || value > knob->max)
		return cm_fail(cm, -ERANGE, "%s: %.32s is out of range: it goes from %d to %d",
			       name, text, knob->min, knob->max);
	said->knobs[said->nr] = knob;
	said->values[said->nr++] = value;
	return 0;
}

/* The place of that word among the knob's, -1 if it is none of them. */
static int find_word(const struct cm_knob_decl *knob, const char *text, size_t len)
{
	const char *words = knob->words, *word;
	size_t word_len;
	int place;

	for (place = 0; (word = cm_word_next(&words, &word_len)); place++)
		if (word_len == len && !memcmp(word, text, len))
			return place;
	return -1;
}

static int refuse_word(struct cm *cm, const struct cm_knob_decl *knob, const char *text, size_t len)
{
	char name[CM_PATH_LEN];
	int shown = len < 32 ? len : 32;

	cm_knob_name(knob, name);
	if (!knob->words[0])
		return cm_fail(cm, -EINVAL, "%s: '%.*s' is not a number", name, shown, text);
	return cm_fail(cm, -EINVAL, "%s: '%.*s' is neither a number nor one of: %s", name, shown,
		       text, knob->words);
}

static int parse_words(struct cm *cm, const struct cm_knob_decl *knob, const char *text,
		       long long *ret)
{
	bool is_list = knob->strictest == CM_STRICTEST_OR;
	size_t len;
	int place;

	*ret = is_list ? 0 : knob->min;
	if (is_list && knob->words[0] && !strcmp(text, "none") && find_word(knob, text, 4) < 0)
		return 0;
	for (;; text += len + 1) {
		len = is_list ? strcspn(text, ",") : strlen(text);
		place = find_word(knob, text, len);
		if (place < 0)
			return refuse_word(cm, knob, text, len);
		if (!is_list)
			*ret += place;
		else
			*ret |= 1ll << place;
		if (!text[len])
			return 0;
	}
}

/* The seconds of "s", "10s", "5m"; -1: that is no period. */
static long long parse_period(const char *text)
{
	static const struct {
		const char *name;
		int seconds;
	} units[] = { { "s", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 } };
	size_t digits = strspn(text, "0123456789"), i;
	long long count = digits ? strtoll(text, NULL, 10) : 1;

	if (count > INT_MAX)
		count = INT_MAX + 1ll; /* out of range in any unit */
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text + digits, units[i].name))
			return count * units[i].seconds;
	return -1;
}

/* N/UNIT[:BURST] */
static int parse_rate(struct cm *cm, const struct cm_object *object,
		      const struct cm_knob_decl *knob, const char *text, struct cm_said *ret)
{
	const struct cm_knob_decl *per = cm_rate_knob(object, knob, "_per"),
				  *burst = cm_rate_knob(object, knob, "_burst");
	char copy[64], name[CM_PATH_LEN], *rest = copy, *count, *unit;
	long long number, seconds, most = 0;
	int err;

	snprintf(copy, sizeof(copy), "%s", text);
	count = strsep(&rest, "/");
	unit = strsep(&rest, ":");
	seconds = parse_period(unit);
	if (strlen(text) >= sizeof(copy) || !cm_is_number(count, &number) || seconds < 0 ||
	    (rest && (!burst || !cm_is_number(rest, &most)))) {
		cm_knob_name(knob, name);
		return cm_fail(cm, -EINVAL,
			       "%s: '%.32s' is not N/UNIT%s, where UNIT is s, m, h, d, or a "
			       "number of them: 10s",
			       name, text, burst ? "[:BURST]" : "");
	}
	if (burst && !rest)
		most = number < burst->min ? burst->min : number > burst->max ? burst->max : number;
	err = add(cm, ret, knob, number, count);
	if (!err)
		err = add(cm, ret, per, seconds, unit);
	return err || !burst ? err : add(cm, ret, burst, most, rest ? rest : count);
}

int cm_value_parse(struct cm *cm, const struct cm_object *object, const struct cm_knob_decl *knob,
		   const char *text, struct cm_said *ret)
{
	long long value;
	int err = 0;

	ret->nr = 0;
	if ((knob->flags & CM_KNOB_RATE) && strchr(text, '/'))
		return parse_rate(cm, object, knob, text, ret);
	if (!cm_is_number(text, &value))
		err = parse_words(cm, knob, text, &value);
	return err ? err : add(cm, ret, knob, value, text);
}
