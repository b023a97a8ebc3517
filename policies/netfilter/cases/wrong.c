// SPDX-License-Identifier: GPL-2.0-only
/* Rules that are wrong, from the file of that name: each is refused, and the sentence says where.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "checmate.h"

#define FILE_NAME   "rules"
#define TOKEN_SHOWN 40

struct wrong {
	unsigned int number; /* the line of the file of cases */
	const char *what;    /* what the sentence says of the word, as far as it is given */
	unsigned int line, column;
	char *text;
	size_t size;
};

static void complain(const struct wrong *wrong, const char *why, const char *said)
{
	fprintf(stderr, "wrong:%u: %s: %s\n", wrong->number, why, said);
	exit(1);
}

/* As printf has it: \n \r \t \\ \xHH */
static size_t unescape(char *text)
{
	char *to = text, *end, *from, hex[3] = "";

	for (from = text; *from; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from == 'x' && isxdigit(from[1]) && isxdigit(from[2])) {
			memcpy(hex, from + 1, 2);
			*to++ = strtoul(hex, &end, 16);
			from += 2;
		} else {
			*to++ = *from == 'n'   ? '\n'
				: *from == 'r' ? '\r'
				: *from == 't' ? '\t'
					       : *from;
		}
	}
	return to - text;
}

static const char *place_of(const struct wrong *wrong)
{
	const char *at = wrong->text, *end = wrong->text + wrong->size;
	unsigned int line;

	for (line = 1; line < wrong->line; line++) {
		at = memchr(at, '\n', end - at);
		if (!at)
			complain(wrong, "there is no such line in", wrong->text);
		at++;
	}
	at += wrong->column - 1;
	if (at > end)
		complain(wrong, "there is no such column in", wrong->text);
	return at;
}

/* What is refused stands there, in quotation marks or by its name; the rest of the sentence. */
static const char *behind_token(const struct wrong *wrong, const char *said, const char *sentence)
{
	static const char end_of_line[] = "the end of the line ",
			  end_of_file[] = "the end of the file ";
	const char *at = place_of(wrong), *quote;
	size_t left = wrong->text + wrong->size - at, len;

	if (!strncmp(sentence, end_of_line, strlen(end_of_line))) {
		if (!left || at[*at == '\r'] != '\n')
			complain(wrong, "the line does not end there", said);
		return sentence + strlen(end_of_line);
	}
	if (!strncmp(sentence, end_of_file, strlen(end_of_file))) {
		if (left)
			complain(wrong, "the file does not end there", said);
		return sentence + strlen(end_of_file);
	}
	if (left && !*at && !strncmp(sentence, "\"\\x00\" ", 7))
		return sentence + 7;
	/* The mark behind the word may also stand in it. */
	for (quote = sentence; (quote = strstr(quote + 1, "\" "));) {
		len = quote - sentence - 1;
		if (len == TOKEN_SHOWN + 3 && !memcmp(quote - 3, "...", 3))
			len = TOKEN_SHOWN;
		if (*sentence == '"' && len && len <= left && !memcmp(sentence + 1, at, len))
			return quote + 2;
	}
	complain(wrong, "the word that stands there is not told", said);
	return NULL;
}

static void check_sentence(const struct wrong *wrong, int err, const char *said)
{
	const char *what;
	char place[64];
	int len = snprintf(place, sizeof(place), FILE_NAME ":%u:%u: ", wrong->line, wrong->column);

	if (err != -EINVAL)
		complain(wrong, err ? "it fails for another reason" : "it is accepted",
			 wrong->text);
	if (strncmp(said, place, len))
		complain(wrong, "another place is told", said);
	what = behind_token(wrong, said, said + len);
	if (strncmp(what, wrong->what, strlen(wrong->what)))
		complain(wrong, "something else is wrong", said);
	if (strchr(said, '\n') || !strchr(what, ' '))
		complain(wrong, "that is no sentence", said);
}

/* @cm: NULL, or where to load them as well, into @cgroup */
static void check(const struct wrong *wrong, struct cm *cm, const char *cgroup)
{
	char said[1024] = "";
	int err = cm_netfilter_check(FILE_NAME, wrong->text, wrong->size, said, sizeof(said));

	check_sentence(wrong, err, said);
	if (!cm)
		return;
	err = cm_netfilter_load(cm, cgroup, CM_ENFORCE, FILE_NAME, wrong->text, wrong->size);
	check_sentence(wrong, err, cm_error(cm));
}

void refuse_wrong(const char *path, const char *cgroup)
{
	struct wrong wrong = { .what = "" };
	unsigned int nr = 0, nr_kinds = 0;
	char *line = NULL, *what = NULL;
	struct cm *cm = NULL;
	size_t room = 0;
	FILE *f = fopen(path, "re");

	if (!f || (cgroup && cm_open(CM_OPEN_WRITE, &cm)))
		exit(2);
	while (getline(&line, &room, f) > 0) {
		wrong.number++;
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#')
			continue;
		if (!strncmp(line, "= ", 2)) {
			free(what);
			wrong.what = what = strdup(line + 2);
			nr_kinds++;
			continue;
		}
		wrong.text = strchr(line, '|');
		if (!wrong.text || sscanf(line, "%u:%u", &wrong.line, &wrong.column) != 2)
			complain(&wrong, "a case is LINE:COLUMN|TEXT", line);
		wrong.size = unescape(++wrong.text);
		check(&wrong, cm, cgroup);
		nr++;
	}
	printf("%u refused, of %u kinds\n", nr, nr_kinds);
	cm_close(cm);
	free(what);
	free(line);
	fclose(f);
}
