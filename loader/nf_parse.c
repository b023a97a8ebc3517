// SPDX-License-Identifier: GPL-2.0-only
/* The language of the pack netfilter: what the grammar's parts do, and what is refused. */
#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nf_parse.h"
#include "nf_grammar.h"

/* Of the scanner; it sees no more of its structures than these. */
int nf_yylex_init_extra(struct nf_parser *parser, void **ret);
int nf_yylex_destroy(void *scanner);
void *nf_yy_scan_bytes(const char *bytes, int len, void *scanner);

#define TOKEN_SHOWN 40

void nf_out_of_memory(const char *message)
{
	fprintf(stderr, "checmate: %s\n", message);
	abort();
}

char *nf_word(struct nf_parser *parser, const char *text, size_t len)
{
	struct nf_string *word = malloc(sizeof(*word) + len + 1);

	if (!word)
		nf_out_of_memory("out of memory");
	memcpy(word->text, text, len);
	word->text[len] = '\0';
	word->next = parser->words;
	parser->words = word;
	return word->text;
}

static void free_words(struct nf_parser *parser)
{
	struct nf_string *word, *next;

	for (word = parser->words; word; word = next) {
		next = word->next;
		free(word);
	}
}

void nf_advance(struct nf_parser *parser, struct nf_place *place, const char *text, size_t len)
{
	size_t i;

	*place = (struct nf_place){ parser->line, parser->column, parser->offset,
				    parser->offset + len };
	parser->offset += len;
	for (i = 0; i < len; i++) {
		parser->column++;
		if (text[i] == '\n') {
			parser->line++;
			parser->column = 1;
		}
	}
}

static void begin_error(struct nf_parser *parser, const struct nf_place *place, FILE *f)
{
	const char *token = parser->rules->text + place->start;
	size_t len = place->end - place->start;

	parser->failed = -EINVAL;
	fprintf(f, "%s:%u:%u: ", parser->name, place->line, place->column);
	if (!len)
		fprintf(f, "the end of the file ");
	else if (token[len - 1] == '\n')
		fprintf(f, "the end of the line ");
	else if (!*token)
		fprintf(f, "\"\\x00\" ");
	else
		fprintf(f, "\"%.*s%s\" ", (int)(len > TOKEN_SHOWN ? TOKEN_SHOWN : len), token,
			len > TOKEN_SHOWN ? "..." : "");
}

bool nf_refuse(struct nf_parser *parser, const struct nf_place *place, const char *format, ...)
{
	va_list args;
	FILE *f;

	if (parser->failed)
		return false;
	parser->failed = -ENOMEM;
	f = fmemopen(parser->error, parser->error_size, "w");
	if (!f)
		return false;
	begin_error(parser, place, f);
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	fclose(f);
	return false;
}

void nf_unexpected(struct nf_parser *parser, const struct nf_place *place,
		   const char *const *expected, int nr)
{
	char list[512] = "";
	size_t len = 0;
	int i;

	for (i = 0; i < nr; i++)
		len += snprintf(list + len, sizeof(list) - len, "%s%s",
				!i	      ? ""
				: i + 1 == nr ? " or "
					      : ", ",
				expected[i]);
	nf_refuse(parser, place, "is not expected: it may be %s", list);
}

/* --- lists and sets */

struct nf_list *nf_list_new(struct nf_parser *parser)
{
	struct nf_list *list = calloc(1, sizeof(*list));

	if (!list) {
		parser->failed = -ENOMEM;
		return NULL;
	}
	list->next = parser->rules->lists;
	parser->rules->lists = list;
	return list;
}

/* Room for one more behind @nr elements: doubled each time. */
bool nf_list_grow(struct nf_parser *parser, void *array, size_t nr, size_t size)
{
	void **at = array, *more;

	if (nr & (nr - 1))
		return true;
	more = realloc(*at, (nr ? nr * 2 : 1) * size);
	if (!more) {
		parser->failed = -ENOMEM;
		return false;
	}
	*at = more;
	return true;
}

static bool add_prefix(struct nf_parser *parser, struct nf_list *list,
		       const struct nf_prefix *prefix)
{
	if (!nf_list_grow(parser, &list->prefixes, list->nr_prefixes, sizeof(*prefix)))
		return false;
	list->prefixes[list->nr_prefixes++] = *prefix;
	return true;
}

bool nf_list_add_numbers(struct nf_parser *parser, struct nf_list *list, struct nf_range range)
{
	if (!nf_list_grow(parser, &list->numbers, list->nr_numbers, sizeof(range)))
		return false;
	list->numbers[list->nr_numbers++] = range;
	return true;
}

/* A port or a uid, or a range of them: the context tells which. */
static bool parse_numbers(const char *word, struct nf_range *ret)
{
	unsigned long from, to;
	char *end;

	from = to = strtoul(word, &end, 10);
	if (*end == '-')
		to = strtoul(end + 1, &end, 10);
	*ret = (struct nf_range){ from, to };
	return strlen(word) <= strlen("4294967294-4294967294") && word[0] != '-' &&
	       word[strlen(word) - 1] != '-' && !*end && from <= to && to <= NF_UID_MAX;
}

static bool is_numbers(const char *word)
{
	return strspn(word, "0123456789-") == strlen(word);
}

bool nf_ports_parse(const char *word, struct nf_range *ret)
{
	return is_numbers(word) && parse_numbers(word, ret) && ret->to <= UINT16_MAX;
}

static bool refuse_port(struct nf_parser *parser, const struct nf_place *place)
{
	return nf_refuse(parser, place,
			 "is not a port or a range of them: they go from 0 to 65535, such as 443 "
			 "or 8000-8099");
}

bool nf_list_add(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		 const char *word)
{
	struct nf_prefix prefix;
	struct nf_range range;
	const char *wrong;

	if (is_numbers(word)) {
		if (!parse_numbers(word, &range) || (parser->wants_ports && range.to > UINT16_MAX))
			return refuse_port(parser, place);
		if (list->nr_prefixes)
			return nf_refuse(parser, place, "is a port among addresses: make two sets");
		if (range.to > UINT16_MAX && !list->no_port.line)
			list->no_port = *place;
		return nf_list_add_numbers(parser, list, range);
	}
	if (parser->wants_ports)
		return nf_refuse(parser, place, "%s",
				 strpbrk(word, ".:/") ? "is not a port: write one such as 443"
						      : "is a name, and names are not resolved: "
							"write its number (\"getent services "
							"NAME\" shows it)");
	wrong = cm_nf_prefix(word, &prefix);
	if (wrong)
		return nf_refuse(parser, place, "%s", wrong);
	if (list->nr_numbers)
		return nf_refuse(parser, place, "is an address among ports: make two sets");
	return add_prefix(parser, list, &prefix);
}

bool nf_list_add_uid(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		     const char *word)
{
	const struct passwd *user;
	struct nf_range range;

	if (!is_numbers(word)) {
		user = getpwnam(word);
		if (!user)
			return nf_refuse(parser, place,
					 "is no user of this system: write a number");
		range = (struct nf_range){ user->pw_uid, user->pw_uid };
	} else if (!parse_numbers(word, &range)) {
		return nf_refuse(parser, place,
				 "is not a uid or a range of them: they go from 0 to %u, such as "
				 "1000 or 1000-1999",
				 NF_UID_MAX);
	}
	return nf_list_add_numbers(parser, list, range);
}

bool nf_list_add_set(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		     const char *name)
{
	const struct nf_list *set = NULL;
	size_t i;

	for (i = 0; i < parser->rules->nr_sets; i++)
		if (!strcmp(parser->rules->sets[i].name, name))
			set = parser->rules->sets[i].list;
	if (!set)
		return nf_refuse(parser, place,
				 "is no set so far: write \"set %.*s %s{ ... }\" above",
				 TOKEN_SHOWN, name, list->is_ifaces ? "iface " : "");
	if (set->is_ifaces != list->is_ifaces)
		return nf_refuse(parser, place, "%s",
				 set->is_ifaces
					 ? "is a set of interfaces: it goes behind \"iface\""
					 : "is no set of interfaces: write \"iface\" in front "
					   "of its brace");
	if ((set->nr_prefixes && list->nr_numbers) || (set->nr_numbers && list->nr_prefixes))
		return nf_refuse(parser, place, "mixes addresses and ports: make two sets");
	for (i = 0; i < set->nr_prefixes; i++)
		if (!add_prefix(parser, list, &set->prefixes[i]))
			return false;
	for (i = 0; i < set->nr_numbers; i++)
		if (!nf_list_add_numbers(parser, list, set->numbers[i]))
			return false;
	if (set->no_port.line && !list->no_port.line)
		list->no_port = *place;
	return true;
}

bool nf_is_addresses(struct nf_parser *parser, const struct nf_place *place,
		     const struct nf_list *list)
{
	return list->nr_numbers
		       ? nf_refuse(parser, place, "is not an address: write one such as 10.0.0.0/8")
		       : true;
}

bool nf_is_ports(struct nf_parser *parser, const struct nf_place *place, const struct nf_list *list)
{
	parser->wants_ports = false;
	if (list->nr_prefixes)
		return nf_refuse(parser, place, "is not a port: write one such as 443");
	return list->no_port.line ? refuse_port(parser, &list->no_port) : true;
}

bool nf_is_uids(struct nf_parser *parser, const struct nf_place *place, const struct nf_list *list)
{
	return list->nr_prefixes ? nf_refuse(parser, place, "is not a uid: write one such as 1000")
				 : true;
}

bool nf_set_add(struct nf_parser *parser, const struct nf_place *place, const char *name,
		struct nf_list *list)
{
	struct nf_rules *rules = parser->rules;
	size_t i;

	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
		    strlen(name) ||
	    strspn(name, "0123456789-"))
		return nf_refuse(parser, place,
				 "is not a name of a set: it has letters, digits, _ and -, and "
				 "begins with a letter");
	for (i = 0; i < rules->nr_sets; i++)
		if (!strcmp(rules->sets[i].name, name))
			return nf_refuse(parser, place, "is a set already: give another name");
	if (!nf_list_grow(parser, &rules->sets, rules->nr_sets, sizeof(*rules->sets)))
		return false;
	rules->sets[rules->nr_sets] = (struct nf_set){ strdup(name), list };
	return rules->sets[rules->nr_sets++].name;
}

/* --- the file */

static void release(struct nf_rules *rules)
{
	struct nf_list *list, *next;
	size_t i;

	for (list = rules->lists; list; list = next) {
		next = list->next;
		free(list->prefixes);
		free(list->numbers);
		free(list);
	}
	for (i = 0; i < rules->nr_sets; i++)
		free(rules->sets[i].name);
	free(rules->sets);
	nf_ifaces_release(rules);
	free(rules->statements);
	free(rules);
}

void cm_nf_free(struct nf_rules *rules)
{
	if (rules)
		release(rules);
}

int cm_nf_parse(const char *name, const char *text, size_t size, struct nf_rules **ret, char *error,
		size_t error_size)
{
	struct nf_rules *rules = calloc(1, sizeof(*rules));
	struct nf_parser parser = { .rules = rules,
				    .name = name,
				    .line = 1,
				    .column = 1,
				    .error = error,
				    .error_size = error_size };
	void *scanner;
	int failed;

	snprintf(error, error_size, "out of memory");
	if (!rules)
		return -ENOMEM;
	rules->text = text;
	rules->size = size;
	failed = nf_yylex_init_extra(&parser, &scanner);
	if (!failed) {
		failed = !nf_yy_scan_bytes(text, size, scanner) || nf_yyparse(scanner, &parser);
		nf_yylex_destroy(scanner);
	}
	free_words(&parser);
	if (!failed) {
		*ret = rules;
		return 0;
	}
	release(rules);
	return parser.failed ? parser.failed : -ENOMEM;
}
