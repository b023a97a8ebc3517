/* SPDX-License-Identifier: GPL-2.0-only */
/* What the grammar of the pack netfilter is made of: nf_lex.l, nf_grammar.y, nf_parse.c. */
#ifndef NF_PARSE_H
#define NF_PARSE_H

#include "nf.h"

struct nf_string {
	struct nf_string *next;
	char text[];
};

struct nf_parser {
	struct nf_rules *rules;
	struct nf_string *words; /* all that the scanner has made */
	const char *name;	 /* of the file */
	uint32_t line, column, offset;
	uint32_t braces;
	bool wants_ports; /* behind "port" */
	char *error;
	size_t error_size;
	int failed; /* 0, or what the first error was */
};

/* How a rule ends. */
struct nf_tail {
	bool given, drop;
	uint32_t error; /* of a drop; 0: the default */
	uint32_t flags;
	struct nf_range remap; /* with NF_REMAP */
	struct nf_place remap_place;
};

enum nf_side {
	NF_TO,
	NF_FROM,
	NF_ON,
};

void nf_advance(struct nf_parser *parser, struct nf_place *place, const char *text, size_t len);
char *nf_word(struct nf_parser *parser, const char *text, size_t len);
void nf_out_of_memory(const char *message) __attribute__((noreturn));

/* The sentence of a failure, the first one: "FILE:LINE:COLUMN: "WORD" WHAT". Always false. */
bool nf_refuse(struct nf_parser *parser, const struct nf_place *place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void nf_unexpected(struct nf_parser *parser, const struct nf_place *place,
		   const char *const *expected, int nr);

/* Each of these is false if it has refused. */
bool nf_set_add(struct nf_parser *parser, const struct nf_place *place, const char *name,
		struct nf_list *list);
bool nf_set_statement(struct nf_parser *parser);
bool nf_policy(struct nf_parser *parser, const struct nf_place *place, uint32_t kind,
	       const struct nf_place *tail_place, const struct nf_tail *tail);
bool nf_rule_begin(struct nf_parser *parser, const struct nf_place *place, uint32_t kind);
bool nf_rule_end(struct nf_parser *parser, const struct nf_place *place,
		 const struct nf_tail *tail);
bool nf_deny_port(struct nf_parser *parser, const struct nf_place *place, struct nf_list *ports);
bool nf_limit(struct nf_parser *parser, const struct nf_place *number_place, const char *number,
	      const struct nf_place *per_place, const char *per);
void nf_statement_end(struct nf_parser *parser, const struct nf_place *place);

bool nf_match_transport(struct nf_parser *parser, const struct nf_place *place, const char *word);
bool nf_match_family(struct nf_parser *parser, const struct nf_place *place, const char *word);
bool nf_match_address(struct nf_parser *parser, const struct nf_place *place, enum nf_side side,
		      struct nf_list *list);
bool nf_match_port(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list);
bool nf_match_uid(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list);
bool nf_match_iface(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list);
bool nf_create_family(struct nf_parser *parser, const struct nf_place *place, const char *word);
bool nf_create_type(struct nf_parser *parser, const struct nf_place *place, const char *word);
bool nf_create_protocol(struct nf_parser *parser, const struct nf_place *place, const char *word);
bool nf_note(struct nf_parser *parser, const struct nf_place *place, struct nf_tail *tail,
	     uint32_t flag);
bool nf_errno(struct nf_parser *parser, const struct nf_place *place, const char *word,
	      struct nf_tail *tail);

/* nf_remap.c */
bool nf_remap(struct nf_parser *parser, const struct nf_place *place, const char *word,
	      struct nf_tail *tail);
bool nf_remap_check(struct nf_parser *parser, const struct nf_place *place,
		    const struct nf_tail *tail, struct nf_statement *statement);

struct nf_list *nf_list_new(struct nf_parser *parser);
bool nf_list_add(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		 const char *word);
bool nf_list_add_uid(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		     const char *word);
/* nf_iface.c */
struct nf_list *nf_ifaces_new(struct nf_parser *parser);
bool nf_list_add_iface(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		       const char *word);
void nf_ifaces_release(struct nf_rules *rules);

bool nf_list_grow(struct nf_parser *parser, void *array, size_t nr, size_t size);
bool nf_list_add_numbers(struct nf_parser *parser, struct nf_list *list, struct nf_range range);
bool nf_list_add_set(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		     const char *name);
bool nf_is_addresses(struct nf_parser *parser, const struct nf_place *place,
		     const struct nf_list *list);
bool nf_is_ports(struct nf_parser *parser, const struct nf_place *place,
		 const struct nf_list *list);
bool nf_is_uids(struct nf_parser *parser, const struct nf_place *place, const struct nf_list *list);

#endif /* NF_PARSE_H */
