// SPDX-License-Identifier: GPL-2.0-only
/* Statements of the pack netfilter -> a ruleset; ../policies/netfilter/ruleset.h has its layout. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "nf.h"

#define SIZE_MAX_OF_ALL (1u << CM_RULESET_3)

uint32_t nf_output_room(struct nf_output *output, size_t size, size_t align)
{
	size_t at = (output->size + align - 1) / align * align, room = output->room;
	unsigned char *more;

	if (output->error)
		return 0;
	if (at + size > SIZE_MAX_OF_ALL) {
		output->error = -E2BIG;
		return 0;
	}
	while (room < at + size)
		room = room ? room * 2 : 1 << CM_RULESET_0;
	if (room > output->room) {
		more = realloc(output->bytes, room);
		if (!more) {
			output->error = -ENOMEM;
			return 0;
		}
		memset(more + output->room, 0, room - output->room);
		output->bytes = more;
		output->room = room;
	}
	output->size = at + size;
	return at;
}

void nf_output_put(struct nf_output *output, uint32_t at, const void *bytes, size_t size)
{
	if (!output->error)
		memcpy(output->bytes + at, bytes, size);
}

static uint32_t rule_at(const struct nf_output *output, uint32_t rule)
{
	return output->rules + rule * sizeof(struct nf_rule);
}

/* With so many levels left, they are of groups only; then of those of interfaces. */
#define GROUPS (NF_GROUPED * NF_GROUP_LEVELS)
#define IFACES NF_GROUP_LEVELS

static uint32_t put_tree(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			 int levels);

static bool is_same(const struct nf_node *node)
{
	int i;

	for (i = 1; i < 16; i++)
		if (node->entries[i] != node->entries[0])
			return false;
	return true;
}

/* The parts of the keys that @tree is for, behind those before @from; false: too many. */
static bool add_parts(struct nf_output *output, struct nf_forest *forest, uint32_t tree, int levels,
		      uint32_t from, struct nf_parts *parts, int *nr)
{
	bool fits = true, is_one = false;
	uint32_t i, entry;

	for (; levels > GROUPS && !(tree & NF_RULE) && is_same(&forest->nodes[tree]); levels--) {
		tree = forest->nodes[tree].entries[0];
		is_one = true;
	}
	if (tree & NF_RULE || levels == GROUPS) {
		entry = put_tree(output, forest, tree, levels);
		if (*nr && parts->entries[*nr - 1] == entry)
			return true;
		if (*nr == NF_PARTS_MAX)
			return false;
		if (*nr)
			parts->from[*nr - 1] = from;
		parts->entries[(*nr)++] = entry;
		return true;
	}
	if (is_one) /* 16 times more than one */
		return false;
	for (i = 0; fits && i < 16; i++)
		fits = add_parts(output, forest, forest->nodes[tree].entries[i], levels - 1,
				 from + (i << 4 * (levels - 1 - GROUPS)), parts, nr);
	return fits;
}

static uint32_t put_parts(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			  int levels)
{
	struct nf_parts parts = { .mask = (1u << 4 * (levels - GROUPS)) - 1 };
	uint32_t at;
	int nr = 0;

	memset(parts.from, 0xff, sizeof(parts.from));
	if (!add_parts(output, forest, tree, levels, 0, &parts, &nr))
		return 0;
	at = nf_output_room(output, sizeof(parts), sizeof(parts));
	nf_output_put(output, at, &parts, sizeof(parts));
	return NF_END | NF_PARTS | at;
}

static uint32_t put_ways(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			 int levels)
{
	uint32_t at = nf_output_room(output, 16 * sizeof(uint32_t), 64), entry;
	int i;

	for (i = 0; i < 16 && !output->error; i++) {
		entry = put_tree(output, forest, forest->nodes[tree].entries[i], levels - 1);
		nf_output_put(output, at + i * sizeof(entry), &entry, sizeof(entry));
	}
	return at;
}

/* Who the user is does not matter there: no step for it. 0: it does. */
static uint32_t put_for_all(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			    int levels)
{
	for (; levels > IFACES && !(tree & NF_RULE); levels--) {
		if (!is_same(&forest->nodes[tree]))
			return 0;
		tree = forest->nodes[tree].entries[0];
	}
	return put_tree(output, forest, tree, levels);
}

static uint32_t put_by_iface(struct nf_output *output, struct nf_forest *forest, uint32_t tree)
{
	struct nf_rule record = { .verdict = EPERM | NF_BY_IFACE,
				  .tree = put_ways(output, forest, tree, IFACES) };
	uint32_t at = nf_output_room(output, sizeof(record), sizeof(record));

	nf_output_put(output, at, &record, sizeof(record));
	return NF_RULE | at;
}

static uint32_t put_tree(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			 int levels)
{
	uint32_t *at;

	if (tree & NF_RULE)
		return NF_RULE | rule_at(output, tree & ~NF_RULE);
	at = &forest->nodes[tree].at[levels];
	if (!*at && levels == IFACES)
		*at = put_by_iface(output, forest, tree);
	if (!*at && levels > IFACES && levels <= GROUPS)
		*at = put_for_all(output, forest, tree, levels);
	if (!*at && levels > GROUPS)
		*at = put_parts(output, forest, tree, levels);
	if (!*at)
		*at = put_ways(output, forest, tree, levels);
	return *at;
}

uint32_t nf_output_tree(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			int levels)
{
	return put_tree(output, forest, tree, levels + GROUPS);
}

struct compiler {
	const struct nf_rules *rules;
	struct nf_statement *all; /* those that decide, in their order, and what nobody wrote */
	size_t nr;
	struct nf_groups groups[NF_GROUPED];
	struct nf_forest forest;
	struct nf_output output;
};

/* --- keys of a rule */

static uint32_t put_ports(struct nf_forest *forest, uint32_t tree, int protocol,
			  const struct nf_statement *statement, uint32_t rule)
{
	const struct nf_list *port = statement->port;
	size_t i;

	if (!port)
		return nf_tree_put(forest, tree, NF_KEY_LEVELS, NF_KEY(protocol, 0),
				   NF_KEY(protocol, 0xffff), rule, statement->groups);
	for (i = 0; i < port->nr_numbers; i++)
		tree = nf_tree_put(forest, tree, NF_KEY_LEVELS,
				   NF_KEY(protocol, port->numbers[i].from),
				   NF_KEY(protocol, port->numbers[i].to), rule, statement->groups);
	return tree;
}

static uint32_t apply(struct nf_forest *forest, uint32_t tree, uint32_t rule, const void *arg)
{
	const struct nf_statement *statement = &((const struct nf_statement *)arg)[rule];
	uint32_t result = tree;
	int protocol;

	if (nf_tree_known(forest, tree, rule, &result))
		return result;
	result = tree;
	if (statement->protocols == NF_ANY_OF_ALL && !statement->port)
		result = nf_tree_put(forest, tree, NF_KEY_LEVELS, 0, NF_KEY(15, 0xffff), rule,
				     statement->groups);
	else
		for (protocol = 0; protocol < 16; protocol++)
			if (statement->protocols & 1u << protocol)
				result = put_ports(forest, result, protocol, statement, rule);
	nf_tree_know(forest, tree, rule, result);
	return result;
}

/* Sockets of these families that egress rules do not see: all but TCP and UDP. */
static uint32_t put_unseen(struct nf_forest *forest, uint32_t tree, int family, uint32_t rule)
{
	static const int seen[][2] = { { SOCK_STREAM, 6 },
				       { SOCK_STREAM, 262 }, /* MPTCP */
				       { SOCK_DGRAM, 17 },
				       { SOCK_DGRAM, 136 } }; /* UDP-Lite */
	size_t i;
	int type, from;

	for (type = 0; type < 16; type++) {
		from = 0;
		for (i = 0; i < sizeof(seen) / sizeof(*seen); i++) {
			if (seen[i][0] != type)
				continue;
			tree = nf_tree_put(forest, tree, NF_CREATE_LEVELS,
					   NF_CREATE_KEY(family, type, from),
					   NF_CREATE_KEY(family, type, seen[i][1] - 1), rule, NULL);
			from = seen[i][1] + 1;
		}
		tree = nf_tree_put(forest, tree, NF_CREATE_LEVELS,
				   NF_CREATE_KEY(family, type, from),
				   NF_CREATE_KEY(family, type, 0xffff), rule, NULL);
	}
	return tree;
}

static uint32_t put_create(struct nf_forest *forest, uint32_t tree,
			   const struct nf_statement *statement, uint32_t rule)
{
	int family = statement->family, type = statement->type, protocol = statement->protocol;
	int f, t;

	if (statement->verdict & NF_IMPLICIT && (family == AF_INET || family == AF_INET6))
		return put_unseen(forest, tree, family, rule);
	for (f = family == NF_ANY ? 0 : family; f <= (family == NF_ANY ? 255 : family); f++)
		for (t = type == NF_ANY ? 0 : type; t <= (type == NF_ANY ? 15 : type); t++)
			tree = nf_tree_put(forest, tree, NF_CREATE_LEVELS,
					   NF_CREATE_KEY(f, t, protocol == NF_ANY ? 0 : protocol),
					   NF_CREATE_KEY(f, t,
							 protocol == NF_ANY ? 0xffff : protocol),
					   rule, statement->groups);
	return tree;
}

/* --- the order of rules: as they are written, then what nobody wrote, then the policies */

static void add(struct compiler *compiler, const struct nf_statement *statement)
{
	compiler->all[compiler->nr++] = *statement;
}

static void add_implicit(struct compiler *compiler)
{
	static const int families[] = { AF_INET, AF_INET6, AF_PACKET, AF_XDP };
	struct nf_statement statement = { .kind = NF_CREATE,
					  .verdict = EPERM | NF_IMPLICIT | NF_COUNT,
					  .type = NF_ANY,
					  .protocol = NF_ANY };
	bool has_egress = false;
	size_t i;

	for (i = 0; i < compiler->rules->nr; i++)
		has_egress |= compiler->rules->statements[i].kind == NF_EGRESS;
	for (i = 0; has_egress && i < sizeof(families) / sizeof(*families); i++) {
		statement.family = families[i];
		add(compiler, &statement);
	}
}

static void add_policies(struct compiler *compiler)
{
	const struct nf_statement *statements = compiler->rules->statements;
	struct nf_statement policy;
	int kind;
	size_t i;

	for (kind = 0; kind < NF_KINDS; kind++) {
		policy = (struct nf_statement){ .kind = kind,
						.verdict = NF_POLICY | NF_IMPLICIT,
						.family = NF_ANY,
						.protocols = NF_ANY_OF_ALL,
						.type = NF_ANY,
						.protocol = NF_ANY };
		for (i = 0; i < compiler->rules->nr; i++)
			if (statements[i].verdict & NF_POLICY && (int)statements[i].kind == kind)
				policy = statements[i];
		add(compiler, &policy);
	}
}

static int order(struct compiler *compiler)
{
	size_t i;

	compiler->all = calloc(compiler->rules->nr + 16, sizeof(*compiler->all));
	if (!compiler->all)
		return -ENOMEM;
	for (i = 0; i < compiler->rules->nr; i++)
		if (!(compiler->rules->statements[i].verdict & (NF_POLICY | NF_NO_RULE)))
			add(compiler, &compiler->rules->statements[i]);
	add_implicit(compiler);
	add_policies(compiler);
	return compiler->nr < NF_RULES_MAX ? 0 : -E2BIG;
}

/* --- records: one for each that can decide, and behind them the statements that do not */

static void put_records(struct compiler *compiler, struct nf_header *header)
{
	const struct nf_rules *rules = compiler->rules;
	struct nf_output *output = &compiler->output;
	size_t i, sets = 0, n = 0;

	for (i = 0; i < rules->nr; i++)
		sets += !!(rules->statements[i].verdict & NF_NO_RULE);
	header->nr_rules = compiler->nr + sets;
	header->rules = nf_output_room(output, header->nr_rules * sizeof(struct nf_rule),
				       sizeof(struct nf_rule));
	output->rules = header->rules;
	for (i = 0; i < compiler->nr + rules->nr && !output->error; i++) {
		const struct nf_statement *statement =
			i < compiler->nr ? &compiler->all[i] : &rules->statements[i - compiler->nr];
		struct nf_rule record = { .verdict = statement->verdict,
					  .line = statement->line,
					  .text = statement->text,
					  .text_len = statement->text_len,
					  .remap = statement->remap,
					  .limit = statement->limit };

		if (i >= compiler->nr && !(statement->verdict & NF_NO_RULE))
			continue;
		nf_output_put(output, header->rules + n++ * sizeof(record), &record,
			      sizeof(record));
	}
}

/* What the loader has to know of all of it: NF_HAS_ constants. */
static uint32_t what_it_has(const struct nf_rules *rules)
{
	const struct nf_statement *statement;
	uint32_t has = 0;
	size_t i;

	for (i = 0; i < rules->nr; i++) {
		statement = &rules->statements[i];
		if (statement->verdict & NF_NO_RULE)
			continue;
		if (statement->kind == NF_INGRESS && statement->protocols & NF_PACKETS &&
		    statement->verdict & (NF_ERRNO | NF_COUNT | NF_LOG))
			has |= NF_HAS_PACKETS;
		if (statement->kind == NF_EGRESS && statement->protocols & NF_DATAGRAMS &&
		    statement->verdict & NF_ERRNO)
			has |= NF_HAS_NO_SENDING;
		if (statement->verdict & NF_REMAP)
			has |= NF_HAS_REMAPS;
	}
	return has;
}

/* --- tries */

static bool is_of(const struct nf_statement *statement, int kind, bool ipv6)
{
	return (int)statement->kind == kind &&
	       (statement->family == NF_ANY || (statement->family == AF_INET6) == ipv6);
}

/* All prefixes of all rules of a place; NULL @pairs: only their number. */
static size_t collect(const struct compiler *compiler, int kind, bool ipv6, struct nf_pair *pairs)
{
	size_t nr = 0, i, j;

	for (i = 0; i < compiler->nr; i++) {
		const struct nf_list *address = compiler->all[i].address;

		if (!is_of(&compiler->all[i], kind, ipv6))
			continue;
		if (!address && pairs)
			pairs[nr] = (struct nf_pair){ .prefix = { .ipv6 = ipv6 }, .rule = i };
		nr += !address;
		for (j = 0; address && j < address->nr_prefixes; j++) {
			if (address->prefixes[j].ipv6 != ipv6)
				continue;
			if (pairs)
				pairs[nr] = (struct nf_pair){ .prefix = address->prefixes[j],
							      .rule = i };
			nr++;
		}
	}
	return nr;
}

static void put_tries(struct compiler *compiler, struct nf_header *header)
{
	struct nf_pair *pairs;
	size_t nr;
	int place;

	for (place = 0; place < NF_PLACES && !compiler->output.error; place++) {
		nr = collect(compiler, place / 2, place % 2, NULL);
		pairs = calloc(nr, sizeof(*pairs));
		if (!pairs) {
			compiler->output.error = -ENOMEM;
			return;
		}
		collect(compiler, place / 2, place % 2, pairs);
		header->tries[place] = nf_trie_build(&compiler->output, &compiler->forest, pairs,
						     nr, apply, compiler->all);
		free(pairs);
	}
}

static void put_create_tree(struct compiler *compiler, struct nf_header *header)
{
	uint32_t tree = NF_RULE | (NF_RULES_MAX - 1), i;

	for (i = 0; i < compiler->nr; i++)
		if (compiler->all[i].kind == NF_CREATE)
			tree = put_create(&compiler->forest, tree, &compiler->all[i], i);
	if (compiler->forest.error)
		compiler->output.error = compiler->forest.error;
	else
		header->create = nf_output_tree(&compiler->output, &compiler->forest, tree,
						NF_CREATE_LEVELS);
}

static size_t size_for(size_t used)
{
	static const int shifts[] = { CM_RULESET_0, CM_RULESET_1, CM_RULESET_2, CM_RULESET_3 };
	size_t i = 0;

	while (used > 1ul << shifts[i])
		i++;
	return 1ul << shifts[i];
}

static int emit(struct compiler *compiler, void **ret, size_t *ret_size)
{
	struct nf_output *output = &compiler->output;
	struct nf_header header = { .layout = NF_LAYOUT, .has = what_it_has(compiler->rules) };

	nf_output_room(output, sizeof(header), 1);
	put_records(compiler, &header);
	nf_output_users(output, &compiler->groups[NF_USERS], &header);
	nf_output_ifaces(output, compiler->rules, &compiler->groups[NF_IFACES], &header);
	put_create_tree(compiler, &header);
	put_tries(compiler, &header);
	header.text_len = compiler->rules->size;
	header.text = nf_output_room(output, header.text_len, 1);
	nf_output_put(output, header.text, compiler->rules->text, header.text_len);
	header.size = output->size;
	nf_output_put(output, 0, &header, sizeof(header));
	if (output->error)
		return output->error;
	*ret_size = size_for(output->size);
	*ret = calloc(1, *ret_size);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, output->bytes, output->size);
	return 0;
}

int cm_nf_compile(const struct nf_rules *rules, void **ret, size_t *ret_size, char *error,
		  size_t error_size)
{
	struct compiler compiler = { .rules = rules };
	int err = nf_forest_init(&compiler.forest), what;

	if (!err)
		err = order(&compiler);
	for (what = 0; !err && what < NF_GROUPED; what++)
		err = nf_groups_make(compiler.all, compiler.nr, what, &compiler.groups[what]);
	if (!err)
		err = emit(&compiler, ret, ret_size);
	nf_forest_release(&compiler.forest);
	free(compiler.output.bytes);
	if (compiler.all)
		nf_groups_release(compiler.all, compiler.nr);
	for (what = 0; what < NF_GROUPED; what++)
		free(compiler.groups[what].first);
	free(compiler.all);
	if (err == -EOVERFLOW)
		snprintf(error, error_size,
			 "the rules tell more than %u groups of users, or of interfaces, apart: "
			 "have "
			 "fewer, by sets",
			 NF_GROUPS_MAX);
	else if (err == -E2BIG)
		snprintf(error, error_size,
			 "compiled, the rules take more than %u MiB: have fewer combinations of "
			 "address and port, by sets that many addresses share",
			 SIZE_MAX_OF_ALL >> 20);
	else if (err)
		snprintf(error, error_size, "%s", strerror(-err));
	return err;
}
