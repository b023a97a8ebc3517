// SPDX-License-Identifier: GPL-2.0-only
/* The language of the pack netfilter: names of interfaces, each of which gets a number. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "nf_parse.h"

struct numbered {
	struct nf_iface_name name;
	uint32_t number;
};

struct nf_list *nf_ifaces_new(struct nf_parser *parser)
{
	struct nf_list *list = nf_list_new(parser);

	if (list)
		list->is_ifaces = true;
	return list;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct nf_iface_name));
}

/* 0: no memory */
static uint32_t number_of(struct nf_parser *parser, const struct nf_iface_name *name)
{
	struct nf_rules *rules = parser->rules;
	struct numbered **found = tfind(name, &rules->iface_numbers, compare), *added;

	if (found)
		return (*found)->number;
	if (!nf_list_grow(parser, &rules->ifaces, rules->nr_ifaces, sizeof(*name)))
		return 0;
	added = malloc(sizeof(*added));
	if (added)
		*added = (struct numbered){ *name, rules->nr_ifaces + 1 };
	if (!added || !tsearch(added, &rules->iface_numbers, compare)) {
		free(added);
		parser->failed = -ENOMEM;
		return 0;
	}
	rules->ifaces[rules->nr_ifaces] = *name;
	return ++rules->nr_ifaces;
}

const char *cm_nf_iface(const char *text, struct nf_iface_name *ret)
{
	struct nf_prefix prefix;

	if (strpbrk(text, "*%"))
		return "is no name of an interface, and patterns are none: write each name";
	if (strlen(text) >= NF_IFACE_LEN || strpbrk(text, "/:") || !strcmp(text, ".") ||
	    !strcmp(text, ".."))
		return "is no name of an interface: it has at most 15 bytes, none of them / or :";
	if (!cm_nf_prefix(text, &prefix))
		return "is an address: it goes behind \"from\"";
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, text, strlen(text));
	return NULL;
}

bool nf_list_add_iface(struct nf_parser *parser, const struct nf_place *place, struct nf_list *list,
		       const char *word)
{
	struct nf_iface_name name;
	const char *wrong = cm_nf_iface(word, &name);
	uint32_t number;

	if (wrong)
		return nf_refuse(parser, place, "%s", wrong);
	number = number_of(parser, &name);
	return number && nf_list_add_numbers(parser, list, (struct nf_range){ number, number });
}

void nf_ifaces_release(struct nf_rules *rules)
{
	tdestroy(rules->iface_numbers, free);
	free(rules->ifaces);
}
