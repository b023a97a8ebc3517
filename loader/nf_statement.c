// SPDX-License-Identifier: GPL-2.0-only
/* Statements of the pack netfilter: what each kind may say. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nf_parse.h"

static struct nf_statement *add(struct nf_parser *parser)
{
	struct nf_rules *rules = parser->rules;
	struct nf_statement *more, *statement;

	if (!(rules->nr & (rules->nr - 1))) {
		more = realloc(rules->statements, (rules->nr ? rules->nr * 2 : 1) * sizeof(*more));
		if (!more) {
			parser->failed = -ENOMEM;
			return NULL;
		}
		rules->statements = more;
	}
	statement = &rules->statements[rules->nr++];
	*statement = (struct nf_statement){
		.family = NF_ANY, .protocols = NF_ANY_OF_ALL, .type = NF_ANY, .protocol = NF_ANY
	};
	return statement;
}

static struct nf_statement *last(struct nf_parser *parser)
{
	return &parser->rules->statements[parser->rules->nr - 1];
}

void nf_statement_end(struct nf_parser *parser, const struct nf_place *place)
{
	struct nf_statement *statement = last(parser);

	statement->line = place->line;
	statement->text = place->start;
	statement->text_len = place->end - place->start;
}

bool nf_set_statement(struct nf_parser *parser)
{
	struct nf_statement *statement = add(parser);

	if (statement)
		statement->verdict = NF_NO_RULE;
	return statement;
}

/* Whom ingress drops hears nothing, so nobody's errno counts there. */
static uint32_t verdict_of(const struct nf_tail *tail, enum nf_kind kind)
{
	uint32_t error = tail->error	      ? tail->error
			 : kind == NF_INGRESS ? EPERM
					      : EPERM | NF_DEFAULT;

	return tail->drop ? error | tail->flags | NF_COUNT : tail->flags;
}

/* Who is dropped is told nothing: the packet goes. */
static bool check_tail(struct nf_parser *parser, const struct nf_place *place, uint32_t kind,
		       const struct nf_tail *tail)
{
	if (kind == NF_INGRESS && tail->error && tail->error != EACCES && tail->error != EPERM)
		return nf_refuse(parser, place,
				 "names an errno that nobody gets: who is dropped hears nothing");
	return true;
}

bool nf_policy(struct nf_parser *parser, const struct nf_place *place, uint32_t kind,
	       const struct nf_place *tail_place, const struct nf_tail *tail)
{
	struct nf_statement *statement;
	size_t i;

	for (i = 0; i < parser->rules->nr; i++) {
		statement = &parser->rules->statements[i];
		if (statement->verdict & NF_POLICY && statement->kind == kind)
			return nf_refuse(parser, place, "has a policy in line %u: take one out",
					 statement->line);
	}
	if (!check_tail(parser, tail_place, kind, tail) ||
	    !nf_remap_check(parser, tail_place, tail, NULL))
		return false;
	statement = add(parser);
	if (!statement)
		return false;
	statement->kind = kind;
	statement->verdict = verdict_of(tail, kind) | NF_POLICY;
	return true;
}

bool nf_rule_begin(struct nf_parser *parser, const struct nf_place *place, uint32_t kind)
{
	struct nf_statement *statement;

	if (parser->rules->nr >= NF_RULES_MAX - 64)
		return nf_refuse(parser, place, "is one rule too many: there may be %u",
				 NF_RULES_MAX - 64);
	statement = add(parser);
	if (statement)
		statement->kind = kind;
	return statement;
}

/* A port without a protocol is that of any which has ports. */
static bool check_ports(struct nf_parser *parser, const struct nf_place *place,
			struct nf_statement *statement)
{
	if (!statement->port)
		return true;
	statement->protocols &= NF_WITH_PORTS;
	return statement->protocols ? true
				    : nf_refuse(parser, place,
						"ends a rule on ports of a protocol without any: "
						"take the ports out");
}

/* An address of the other family never matches: that is a mistake, or a set for both. */
static bool check_family(struct nf_parser *parser, const struct nf_place *place,
			 const struct nf_statement *statement)
{
	size_t i;

	if (statement->family == NF_ANY || !statement->address || statement->kind == NF_CREATE)
		return true;
	for (i = 0; i < statement->address->nr_prefixes; i++)
		if (statement->address->prefixes[i].ipv6 == (statement->family == AF_INET6))
			return true;
	return nf_refuse(parser, place, "ends a rule without an address of its family");
}

bool nf_rule_end(struct nf_parser *parser, const struct nf_place *place, const struct nf_tail *tail)
{
	struct nf_statement *statement = last(parser);

	statement->verdict = verdict_of(tail, statement->kind);
	return check_tail(parser, place, statement->kind, tail) &&
	       nf_remap_check(parser, place, tail, statement) &&
	       check_ports(parser, place, statement) && check_family(parser, place, statement);
}

bool nf_deny_port(struct nf_parser *parser, const struct nf_place *place, struct nf_list *ports)
{
	struct nf_tail tail = { .given = true, .drop = true };

	if (!nf_rule_begin(parser, place, NF_EGRESS))
		return false;
	last(parser)->port = ports;
	return nf_rule_end(parser, place, &tail);
}

bool nf_limit(struct nf_parser *parser, const struct nf_place *number_place, const char *number,
	      const struct nf_place *per_place, const char *per)
{
	static const char *const names[] = { [NF_PER_DESTINATION] = "destination",
					     [NF_PER_SCOPE] = "scope",
					     [NF_PER_SOURCE] = "source" };
	uint32_t i, limit = strtoul(number, NULL, 10);
	struct nf_statement *statement;

	if (strspn(number, "0123456789") != strlen(number) || strlen(number) > 7 || !limit ||
	    limit > NF_LIMIT_MAX)
		return nf_refuse(parser, number_place,
				 "is no number of connections: they go from 1 to %u", NF_LIMIT_MAX);
	for (i = 0; i < NF_LIMITS && strcmp(per, names[i]); i++)
		;
	if (i == NF_LIMITS)
		return nf_refuse(parser, per_place,
				 "has no limit: destination, scope and source have");
	if (parser->rules->limits[i])
		return nf_refuse(parser, per_place, "has a limit already: take one out");
	parser->rules->limits[i] = limit;
	statement = add(parser);
	if (!statement)
		return false;
	statement->verdict = NF_NO_RULE;
	statement->limit = i + 1;
	return true;
}

/* --- what a rule matches */

bool nf_match_transport(struct nf_parser *parser, const struct nf_place *place, const char *word)
{
	struct nf_statement *statement = last(parser);

	if (statement->protocols != NF_ANY_OF_ALL)
		return nf_refuse(parser, place, "is a second protocol: write a rule for each");
	statement->protocols = 1u << cm_nf_protocol(word);
	if (statement->kind == NF_INGRESS && !(statement->protocols & (1u << NF_TCP | NF_PACKETS)))
		return nf_refuse(parser, place,
				 "is not seen by ingress: tcp, udp, udplite and icmp are");
	return true;
}

bool nf_match_family(struct nf_parser *parser, const struct nf_place *place, const char *word)
{
	int family = cm_nf_family(word);

	if (family != AF_INET && family != AF_INET6)
		return nf_refuse(parser, place, "is no family with addresses: ipv4 and ipv6 are");
	if (last(parser)->family != NF_ANY)
		return nf_refuse(parser, place, "is a second family: write a rule for each");
	last(parser)->family = family;
	return true;
}

bool nf_match_address(struct nf_parser *parser, const struct nf_place *place, enum nf_side side,
		      struct nf_list *list)
{
	static const struct {
		enum nf_side side;
		const char *wrong;
	} sides[] = {
		[NF_EGRESS] = { NF_TO, "does not go with egress: write \"to\"" },
		[NF_INGRESS] = { NF_FROM, "does not go with ingress: write \"from\"" },
		[NF_BIND] = { NF_ON, "does not go with bind: write \"on\"" },
		[NF_LISTEN] = { NF_ON, "does not go with listen: write \"on\"" },
	};
	struct nf_statement *statement = last(parser);

	if (sides[statement->kind].side != side)
		return nf_refuse(parser, place, "%s", sides[statement->kind].wrong);
	if (statement->address)
		return nf_refuse(parser, place, "is there already: put the addresses in braces");
	statement->address = list;
	return true;
}

bool nf_match_port(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list)
{
	if (last(parser)->port)
		return nf_refuse(parser, place, "is there already: put the ports in braces");
	last(parser)->port = list;
	return true;
}

bool nf_match_uid(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list)
{
	if (last(parser)->of[NF_USERS])
		return nf_refuse(parser, place, "is there already: put the uids in braces");
	last(parser)->of[NF_USERS] = list;
	return true;
}

/* Only what arrives has come by one. Elsewhere a rule could be gone round. */
bool nf_match_iface(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list)
{
	static const char *const unknown[] = {
		[NF_EGRESS] =
			"is not known to egress: the route is chosen later, and again while a "
			"socket sends; match by \"to\"",
		[NF_BIND] = "is not known to bind: a socket can be tied to one or set free later; "
			    "write \"ingress iface\"",
		[NF_LISTEN] = "is not known to listen: a socket can be tied to one or set free "
			      "later; write \"ingress iface\"",
	};
	struct nf_statement *statement = last(parser);

	if (statement->kind != NF_INGRESS)
		return nf_refuse(parser, place, "%s", unknown[statement->kind]);
	if (statement->of[NF_IFACES])
		return nf_refuse(parser, place, "is there already: put the interfaces in braces");
	statement->of[NF_IFACES] = list;
	return true;
}

static bool set_number(struct nf_parser *parser, const struct nf_place *place, int *at, int number,
		       const char *what)
{
	if (number < 0)
		return nf_refuse(parser, place, "is no %s that is known here: write its number",
				 what);
	if (*at != NF_ANY)
		return nf_refuse(parser, place, "is a second %s: write a rule for each", what);
	*at = number;
	return true;
}

bool nf_create_family(struct nf_parser *parser, const struct nf_place *place, const char *word)
{
	return set_number(parser, place, &last(parser)->family, cm_nf_family(word), "family");
}

bool nf_create_type(struct nf_parser *parser, const struct nf_place *place, const char *word)
{
	return set_number(parser, place, &last(parser)->type, cm_nf_type(word), "type");
}

bool nf_create_protocol(struct nf_parser *parser, const struct nf_place *place, const char *word)
{
	return set_number(parser, place, &last(parser)->protocol, cm_nf_socket_protocol(word),
			  "protocol");
}

bool nf_note(struct nf_parser *parser, const struct nf_place *place, struct nf_tail *tail,
	     uint32_t flag)
{
	if (tail->flags & flag)
		return nf_refuse(parser, place, "is there already: take one out");
	tail->flags |= flag;
	return true;
}

bool nf_errno(struct nf_parser *parser, const struct nf_place *place, const char *word,
	      struct nf_tail *tail)
{
	const char *name;
	int error;

	for (error = 1; error < 256; error++) {
		name = strerrorname_np(error);
		if (name && !strcmp(name, word)) {
			tail->error = error;
			return true;
		}
	}
	return nf_refuse(parser, place, "is no errno: write its name, such as EACCES");
}
