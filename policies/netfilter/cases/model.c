// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "model.h"

uint32_t random_below(uint64_t *seed, uint32_t limit)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 16) % limit;
}

static const int protocols[] = { -1, -1, 6, 6, 6, 17, 17, 136, 132 };
static const char *const words[] = { [6] = "tcp", [17] = "udp", [136] = "udplite", [132] = "sctp" };

/* Few values for each byte, so that prefixes lie in each other, and now and then any. */
static void random_address(const struct model *model, uint64_t *seed, struct address *ret)
{
	int i;

	memset(ret, 0, sizeof(*ret));
	ret->ipv6 = random_below(seed, 2);
	for (i = 0; i < (ret->ipv6 ? 16 : 4); i++)
		ret->bytes[i] = random_below(seed, 4)
					? (ret->ipv6 ? 0xfd : 10) + random_below(seed, 2)
					: random_below(seed, 256);
	if (ret->ipv6)
		ret->bytes[0] = 0xfd; /* no v4-mapped one */
	else if (model->is_real)
		ret->bytes[0] = 10 + (ret->bytes[0] & 1);
}

static void cut(struct range *range)
{
	int bit;

	for (bit = range->len; bit < 128; bit++)
		range->address.bytes[bit / 8] &= ~(0x80 >> bit % 8);
}

static void random_range(const struct model *model, uint64_t *seed, struct range *ret)
{
	const struct rule *other;

	random_address(model, seed, &ret->address);
	if (model->nr && random_below(seed, 2)) { /* about another rule's */
		other = &model->rules[random_below(seed, model->nr)];
		if (other->nr_ranges)
			*ret = other->ranges[0];
	}
	ret->len = random_below(seed, 3) ? (ret->address.ipv6 ? 64 : 24) + random_below(seed, 9)
					 : random_below(seed, ret->address.ipv6 ? 129 : 33);
	cut(ret);
}

static void random_ports(uint64_t *seed, struct rule *rule)
{
	int i;

	rule->nr_ports = random_below(seed, 4);
	for (i = 0; i < rule->nr_ports; i++) {
		rule->ports[i][0] = random_below(seed, 3) ? 75 + random_below(seed, 10)
							  : random_below(seed, 65536);
		rule->ports[i][1] = rule->ports[i][0];
		if (!random_below(seed, 3))
			rule->ports[i][1] += random_below(seed, 65536 - rule->ports[i][0]);
	}
}

/* Mostly none: then it depends on the user in few places only. */
static void random_uids(uint64_t *seed, struct rule *rule)
{
	int i;

	rule->nr_uids = random_below(seed, 3) ? 0 : 1 + random_below(seed, 3);
	for (i = 0; i < rule->nr_uids; i++) {
		rule->uids[i][0] = random_below(seed, 4) ? 995 + random_below(seed, 10)
							 : random_below(seed, 4294967295u);
		rule->uids[i][1] = rule->uids[i][0];
		if (!random_below(seed, 3))
			rule->uids[i][1] += random_below(seed, 4294967295u - rule->uids[i][0]);
	}
}

/* Names that begin alike, and the two of calls.c's hosts. */
static const char *const ifaces[] = { "to-first",  "to-second", "eth0",		  "eth00",
				      "ethernet0", "ethernet1", "ethernet0.4094", "lo" };

static const char *random_iface(uint64_t *seed, int nr)
{
	return ifaces[random_below(seed, nr)];
}

static void random_ifaces(const struct model *model, uint64_t *seed, struct rule *rule)
{
	int i;

	if (rule->kind != INGRESS || random_below(seed, 2))
		return;
	rule->nr_ifaces = 1 + random_below(seed, 3);
	for (i = 0; i < rule->nr_ifaces; i++)
		rule->ifaces[i] = random_iface(seed, model->is_real ? 3 : 7);
}

static void random_create(uint64_t *seed, struct rule *rule)
{
	static const int families[] = { -1, AF_INET, AF_INET6, AF_ALG, AF_PACKET, AF_NETLINK };

	rule->family = families[random_below(seed, 6)];
	rule->type = random_below(seed, 2) ? -1 : 1 + (int)random_below(seed, 5);
	rule->protocol = random_below(seed, 2) ? -1 : protocols[2 + random_below(seed, 7)];
}

static void random_rule(const struct model *model, uint64_t *seed, struct rule *rule)
{
	static const int errors[] = { 0, 0, 0, EPERM, EACCES, ECONNREFUSED, ENETUNREACH };
	/* None that the network has itself. */
	static const int real_errors[] = { 0, 0, 0, EPERM, EACCES, EDOM, ENOTUNIQ };
	int i;

	memset(rule, 0, sizeof(*rule));
	rule->kind = random_below(seed, 3) ? EGRESS
		     : model->is_real	   ? INGRESS
					   : random_below(seed, KINDS);
	rule->error = (model->is_real ? real_errors
				      : errors)[random_below(seed, rule->kind == INGRESS ? 5 : 7)];
	if (!model->is_real)
		random_uids(seed, rule);
	if (rule->kind == CREATE) {
		random_create(seed, rule);
		return;
	}
	rule->protocol = protocols[random_below(seed, rule->kind == INGRESS ? 8 : 9)];
	rule->nr_ranges = random_below(seed, 4);
	for (i = 0; i < rule->nr_ranges; i++)
		random_range(model, seed, &rule->ranges[i]);
	random_ports(seed, rule);
	random_ifaces(model, seed, rule);
	if (!rule->nr_ranges && !random_below(seed, 4))
		rule->family = random_below(seed, 2) ? 4 : 6;
}

void model_make(struct model *model, uint64_t *seed, int nr)
{
	bool has_policy[KINDS] = {};
	struct rule *rule;

	model->rules = calloc(nr, sizeof(*model->rules));
	if (!model->rules)
		exit(2);
	for (model->nr = 0; model->nr < nr; model->nr++) {
		rule = &model->rules[model->nr];
		random_rule(model, seed, rule);
		rule->line = model->nr + 1;
		rule->policy = !has_policy[rule->kind] && !random_below(seed, 8);
		has_policy[rule->kind] |= rule->policy;
	}
}

static void print_range(const struct range *range, FILE *f)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(range->address.ipv6 ? AF_INET6 : AF_INET, range->address.bytes, text,
		  sizeof(text));
	if (range->len == (range->address.ipv6 ? 128 : 32))
		fputs(text, f);
	else
		fprintf(f, "%s/%d", text, range->len);
}

static void print_uids(const struct rule *rule, FILE *f)
{
	int i;

	for (i = 0; i < rule->nr_uids; i++)
		fprintf(f, "%s%u-%u", i ? ", " : " uid { ", rule->uids[i][0], rule->uids[i][1]);
	fputs(rule->nr_uids ? " }" : "", f);
}

static void print_ifaces(const struct rule *rule, FILE *f)
{
	int i;

	for (i = 0; i < rule->nr_ifaces; i++)
		fprintf(f, "%s%s", i ? ", " : " iface { ", rule->ifaces[i]);
	fputs(rule->nr_ifaces ? " }" : "", f);
}

static void print_matches(const struct rule *rule, FILE *f)
{
	static const char *const sides[] = { "to", "from", "on", "on" };
	int i;

	if (rule->family)
		fprintf(f, " family ipv%d", rule->family);
	if (rule->protocol >= 0)
		fprintf(f, " %s", words[rule->protocol]);
	for (i = 0; i < rule->nr_ranges; i++) {
		if (!i)
			fprintf(f, " %s {", sides[rule->kind]);
		fputs(i ? ", " : " ", f);
		print_range(&rule->ranges[i], f);
	}
	fputs(rule->nr_ranges ? " }" : "", f);
	for (i = 0; i < rule->nr_ports; i++)
		fprintf(f, "%s%d-%d", i ? "," : " port ", rule->ports[i][0], rule->ports[i][1]);
}

void model_print(const struct model *model, FILE *f)
{
	static const char *const kinds[] = { "egress", "ingress", "bind", "listen", "create" };
	int i;

	for (i = 0; i < model->nr; i++) {
		const struct rule *rule = &model->rules[i];

		fputs(kinds[rule->kind], f);
		if (rule->policy) {
			fputs(" policy", f);
		} else if (rule->kind == CREATE) {
			if (rule->family >= 0)
				fprintf(f, " family %d", rule->family);
			if (rule->type >= 0)
				fprintf(f, " type %d", rule->type);
			if (rule->protocol >= 0)
				fprintf(f, " protocol %d", rule->protocol);
		} else {
			print_matches(rule, f);
			print_ifaces(rule, f);
		}
		if (!rule->policy)
			print_uids(rule, f);
		if (rule->error)
			fprintf(f, " drop errno %s\n", strerrorname_np(rule->error));
		else
			fputs(" accept\n", f);
	}
}

void model_ask(const struct model *model, uint64_t *seed, struct question *ret)
{
	static const int families[] = { AF_INET, AF_INET6, AF_ALG, AF_PACKET, AF_NETLINK, AF_UNIX };
	const struct rule *rule = &model->rules[random_below(seed, model->nr)];
	int bit;

	memset(ret, 0, sizeof(*ret));
	ret->kind = rule->kind;
	ret->uid = random_below(seed, 4) ? 994 + random_below(seed, 12)
					 : random_below(seed, 4294967295u);
	ret->protocol = protocols[2 + random_below(seed, 7)];
	ret->iface = rule->kind == INGRESS ? random_iface(seed, 8) : "";
	if (rule->kind == CREATE) {
		ret->family = families[random_below(seed, 6)];
		ret->type = 1 + random_below(seed, 5);
		ret->protocol =
			random_below(seed, 3) ? ret->protocol : (int)random_below(seed, 300);
		return;
	}
	if (model->is_real)
		ret->protocol = random_below(seed, 2) ? 6 : 17;
	else if (!random_below(seed, 8))
		ret->protocol = 1; /* ICMP: without ports, whatever the question says */
	random_address(model, seed, &ret->address);
	if (rule->nr_ranges && random_below(seed, 5)) {
		ret->address = rule->ranges[random_below(seed, rule->nr_ranges)].address;
		bit = random_below(seed, ret->address.ipv6 ? 128 : 32);
		if (random_below(seed, 2))
			ret->address.bytes[bit / 8] ^= 0x80 >> bit % 8;
		if (model->is_real) /* where there is a host for each */
			ret->address.bytes[0] =
				ret->address.ipv6 ? 0xfd : 10 + (ret->address.bytes[0] & 1);
	}
	ret->port = random_below(seed, 3) ? 74 + random_below(seed, 12) : random_below(seed, 65536);
}

static bool is_in(const struct range *range, const struct address *address)
{
	int bit;

	if (range->address.ipv6 != address->ipv6)
		return false;
	for (bit = 0; bit < range->len; bit++)
		if ((range->address.bytes[bit / 8] ^ address->bytes[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return true;
}

static bool has_ports(int protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 136 || protocol == 132;
}

static bool is_of_user(const struct rule *rule, uint32_t uid)
{
	bool any = !rule->nr_uids;
	int i;

	for (i = 0; i < rule->nr_uids; i++)
		any |= uid >= rule->uids[i][0] && uid <= rule->uids[i][1];
	return any;
}

static bool is_by(const struct rule *rule, const char *iface)
{
	bool any = !rule->nr_ifaces;
	int i;

	for (i = 0; i < rule->nr_ifaces; i++)
		any |= !strcmp(rule->ifaces[i], iface);
	return any;
}

static bool matches(const struct rule *rule, const struct question *question)
{
	bool any = !rule->nr_ranges;
	int i;

	if (rule->kind != question->kind || !is_of_user(rule, question->uid) ||
	    !is_by(rule, question->iface))
		return false;
	if (rule->kind == CREATE)
		return (rule->family < 0 || rule->family == question->family) &&
		       (rule->type < 0 || rule->type == question->type) &&
		       (rule->protocol < 0 || rule->protocol == question->protocol);
	for (i = 0; i < rule->nr_ranges; i++)
		any |= is_in(&rule->ranges[i], &question->address);
	if (!any || (rule->family && (rule->family == 6) != question->address.ipv6) ||
	    (rule->protocol >= 0 && rule->protocol != question->protocol))
		return false;
	any = !rule->nr_ports;
	for (i = 0; i < rule->nr_ports; i++)
		any |= question->port >= rule->ports[i][0] && question->port <= rule->ports[i][1];
	return any && (!rule->nr_ports || has_ports(question->protocol));
}

/* Where there is a rule on egress, what goes around it is refused unless a rule says otherwise. */
static bool goes_around(const struct model *model, const struct question *question)
{
	bool seen = (question->type == SOCK_STREAM &&
		     (question->protocol == 6 || question->protocol == 262)) ||
		    (question->type == SOCK_DGRAM &&
		     (question->protocol == 17 || question->protocol == 136));
	int i;

	for (i = 0; i < model->nr; i++)
		if (model->rules[i].kind == EGRESS)
			return question->family == AF_PACKET ||
			       ((question->family == AF_INET || question->family == AF_INET6) &&
				!seen);
	return false;
}

struct answer model_answer(const struct model *model, const struct question *question)
{
	int i;

	for (i = 0; i < model->nr; i++)
		if (!model->rules[i].policy && matches(&model->rules[i], question))
			return (struct answer){ model->rules[i].line, model->rules[i].error };
	if (question->kind == CREATE && goes_around(model, question))
		return (struct answer){ 0, EPERM };
	for (i = 0; i < model->nr; i++)
		if (model->rules[i].policy && model->rules[i].kind == question->kind)
			return (struct answer){ model->rules[i].line, model->rules[i].error };
	return (struct answer){ 0, 0 };
}

void question_print(const struct question *question, FILE *f)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(question->address.ipv6 ? AF_INET6 : AF_INET, question->address.bytes, text,
		  sizeof(text));
	fprintf(f, "kind %d protocol %d address %s port %d family %d type %d uid %u iface \"%s\"",
		question->kind, question->protocol, text, question->port, question->family,
		question->type, question->uid, question->iface);
}
