/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The language of the pack netfilter: a statement a line, the first rule that matches decides.
 * policies/netfilter/README.md has it in words.
 */
%{
#include <sys/socket.h>
#include "nf_parse.h"
#include "nf_grammar.h"

int nf_yylex(NF_YYSTYPE *value, struct nf_place *place, void *scanner);
static void nf_yyerror(const struct nf_place *place, void *scanner, struct nf_parser *parser,
		       const char *message);

/* The default places an empty part behind what was last. */
#define YYLLOC_DEFAULT(CURRENT, RHS, N)                                                            \
	do {                                                                                       \
		(CURRENT) = YYRHSLOC(RHS, (N) ? 1 : 0);                                            \
		(CURRENT).end = YYRHSLOC(RHS, N).end;                                              \
		if (!(N))                                                                          \
			(CURRENT).start = (CURRENT).end;                                           \
	} while (0)

#define MUST(CALL)                                                                                 \
	do {                                                                                       \
		if (!(CALL))                                                                       \
			YYABORT;                                                                   \
	} while (0)
%}

%code requires {
#include "nf_parse.h"
}

%define api.prefix {nf_yy}
%define api.pure full
%define api.location.type {struct nf_place}
%define parse.error custom
%define parse.lac full
%locations
%param {void *scanner}
%parse-param {struct nf_parser *parser}
%expect 0

%union {
	uint32_t number;
	char *word;
	struct nf_list *list;
	struct nf_tail tail;
}

%token END 0 "the end of the file" END_OF_LINE "the end of the line"
%token SET "set" CREATE "create" DENY "deny" POLICY "policy" ACCEPT "accept" DROP "drop"
%token ERRNO "errno" LOG "log" COUNT "count" TO "to" FROM "from" ON "on" PORT "port"
%token UID "uid" IFACE "iface" FAMILY "family" TYPE "type" PROTOCOL "protocol"
%token REMAP "remap" SHOW "show" REAL "real"
%token LIMIT "limit" CONNECTIONS "connections" PER "per"
%token <number> EGRESS "egress" INGRESS "ingress" LOCAL "bind or listen"
%token <word> TRANSPORT "a protocol (tcp, udp, ...)" SET_NAME "@SET" WORD "a word"

%type <number> direction show
%type <word> word name
%type <list> addresses ports uids items users ifaces interfaces
%type <tail> tail notes verdict

%initial-action { @$ = (struct nf_place){ 1, 1, 0, 0 }; }

%%

file: line | file END_OF_LINE line ;

line: %empty | statement { nf_statement_end(parser, &@1); } ;

statement:
  SET name '{' items '}'	{ MUST(nf_set_add(parser, &@2, $2, $4) && nf_set_statement(parser)); }
| SET name IFACE '{' interfaces '}'	{ MUST(nf_set_add(parser, &@2, $2, $5) && nf_set_statement(parser)); }
| direction POLICY tail		{ MUST(nf_policy(parser, &@1, $1, &@3, &$3)); }
| CREATE POLICY tail		{ MUST(nf_policy(parser, &@1, NF_CREATE, &@3, &$3)); }
| rule matches tail		{ MUST(nf_rule_end(parser, &@3, &$3)); }
| create create_matches tail	{ MUST(nf_rule_end(parser, &@3, &$3)); }
| DENY port ports		{ MUST(nf_deny_port(parser, &@3, $3)); }
| LIMIT CONNECTIONS WORD PER word	{ MUST(nf_limit(parser, &@3, $3, &@5, $5)); }
;

direction: EGRESS | INGRESS | LOCAL ;
rule: direction			{ MUST(nf_rule_begin(parser, &@1, $1)); } ;
create: CREATE			{ MUST(nf_rule_begin(parser, &@1, NF_CREATE)); } ;

matches: %empty | matches match ;
match:
  TRANSPORT			{ MUST(nf_match_transport(parser, &@1, $1)); }
| PROTOCOL TRANSPORT		{ MUST(nf_match_transport(parser, &@2, $2)); }
| FAMILY word			{ MUST(nf_match_family(parser, &@2, $2)); }
| TO addresses			{ MUST(nf_match_address(parser, &@1, NF_TO, $2)); }
| FROM addresses		{ MUST(nf_match_address(parser, &@1, NF_FROM, $2)); }
| ON addresses			{ MUST(nf_match_address(parser, &@1, NF_ON, $2)); }
| port ports			{ MUST(nf_match_port(parser, &@1, $2)); }
| UID uids			{ MUST(nf_match_uid(parser, &@1, $2)); }
| IFACE ifaces			{ MUST(nf_match_iface(parser, &@1, $2)); }
;

create_matches: %empty | create_matches create_match ;
create_match:
  FAMILY word			{ MUST(nf_create_family(parser, &@2, $2)); }
| TYPE word			{ MUST(nf_create_type(parser, &@2, $2)); }
| PROTOCOL word			{ MUST(nf_create_protocol(parser, &@2, $2)); }
| UID uids			{ MUST(nf_match_uid(parser, &@1, $2)); }
;

addresses: items		{ MUST(nf_is_addresses(parser, &@1, $1)); $$ = $1; }
| '{' items '}'			{ MUST(nf_is_addresses(parser, &@2, $2)); $$ = $2; }
;
port: PORT			{ parser->wants_ports = true; } ;
ports: items			{ MUST(nf_is_ports(parser, &@1, $1)); $$ = $1; }
| '{' items '}'			{ MUST(nf_is_ports(parser, &@2, $2)); $$ = $2; }
;
uids: users			{ MUST(nf_is_uids(parser, &@1, $1)); $$ = $1; }
| '{' users '}'			{ MUST(nf_is_uids(parser, &@2, $2)); $$ = $2; }
;

ifaces: interfaces | '{' interfaces '}' { $$ = $2; } ;

interfaces:
  word				{ MUST($$ = nf_ifaces_new(parser));
				  MUST(nf_list_add_iface(parser, &@1, $$, $1)); }
| SET_NAME			{ MUST($$ = nf_ifaces_new(parser));
				  MUST(nf_list_add_set(parser, &@1, $$, $1)); }
| interfaces ',' word		{ $$ = $1; MUST(nf_list_add_iface(parser, &@3, $$, $3)); }
| interfaces ',' SET_NAME	{ $$ = $1; MUST(nf_list_add_set(parser, &@3, $$, $3)); }
;

users:
  WORD				{ MUST($$ = nf_list_new(parser));
				  MUST(nf_list_add_uid(parser, &@1, $$, $1)); }
| SET_NAME			{ MUST($$ = nf_list_new(parser));
				  MUST(nf_list_add_set(parser, &@1, $$, $1)); }
| users ',' WORD		{ $$ = $1; MUST(nf_list_add_uid(parser, &@3, $$, $3)); }
| users ',' SET_NAME		{ $$ = $1; MUST(nf_list_add_set(parser, &@3, $$, $3)); }
;

items:
  WORD				{ MUST($$ = nf_list_new(parser));
				  MUST(nf_list_add(parser, &@1, $$, $1)); }
| SET_NAME			{ MUST($$ = nf_list_new(parser));
				  MUST(nf_list_add_set(parser, &@1, $$, $1)); }
| items ',' WORD		{ $$ = $1; MUST(nf_list_add(parser, &@3, $$, $3)); }
| items ',' SET_NAME		{ $$ = $1; MUST(nf_list_add_set(parser, &@3, $$, $3)); }
;

tail: notes verdict		{ $$ = $2; $$.flags |= $1.flags; @$ = @2; } ;

notes:
  %empty			{ $$ = (struct nf_tail){ .flags = 0 }; }
| notes LOG			{ MUST(nf_note(parser, &@2, &$1, NF_LOG)); $$ = $1; }
| notes COUNT			{ MUST(nf_note(parser, &@2, &$1, NF_COUNT)); $$ = $1; }
;
verdict:
  ACCEPT			{ $$ = (struct nf_tail){ .given = true }; }
| DROP				{ $$ = (struct nf_tail){ .given = true, .drop = true }; }
| DROP ERRNO word		{ $$ = (struct nf_tail){ .given = true, .drop = true };
				  MUST(nf_errno(parser, &@3, $3, &$$)); }
| REMAP WORD show		{ $$ = (struct nf_tail){ .given = true, .flags = $3 };
				  MUST(nf_remap(parser, &@2, $2, &$$)); }
;

show: %empty			{ $$ = 0; }
| SHOW REAL			{ $$ = NF_REAL; }
;

word: WORD | TRANSPORT ;
name: word ;

%%

/* What stands there, and what might. */
static int yyreport_syntax_error(const yypcontext_t *context, void *scanner,
				    struct nf_parser *parser)
{
	enum { SHOWN = 24 };
	yysymbol_kind_t expected[SHOWN];
	int nr = yypcontext_expected_tokens(context, expected, SHOWN), i;
	const char *names[SHOWN];

	(void)scanner;
	for (i = 0; i < nr; i++)
		names[i] = yysymbol_name(expected[i]);
	nf_unexpected(parser, yypcontext_location(context), names, nr);
	return 0;
}

static void nf_yyerror(const struct nf_place *place, void *scanner, struct nf_parser *parser,
		       const char *message)
{
	(void)scanner;
	nf_refuse(parser, place, "%s", message);
}
