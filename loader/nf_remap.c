// SPDX-License-Identifier: GPL-2.0-only
/* The pack netfilter: ports that are exchanged, as they are written, and what they need in force.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "internal.h"
#include "nf_parse.h"
#include "nf_remap.h"

/* --- the word */

bool nf_remap(struct nf_parser *parser, const struct nf_place *place, const char *word,
	      struct nf_tail *tail)
{
	if (!nf_ports_parse(word, &tail->remap) || !tail->remap.from)
		return nf_refuse(parser, place,
				 "is not a port to get: write the first one, from 1 to 65535");
	tail->flags |= NF_REMAP | NF_COUNT;
	tail->remap_place = *place;
	return true;
}

/* Only what is bound by the kernel's code for all of the Internet's sockets can be rewritten. */
#define NF_CAN_REMAP (1u << NF_TCP | 1u << NF_UDP | 1u << NF_UDPLITE)

/* Does it name single addresses? Then whoever connects to one means this host. */
static bool is_own(const struct nf_list *address)
{
	size_t i;

	for (i = 0; address && i < address->nr_prefixes; i++)
		if (address->prefixes[i].len != (address->prefixes[i].ipv6 ? 128 : 32))
			return false;
	return address;
}

bool nf_remap_check(struct nf_parser *parser, const struct nf_place *place,
		    const struct nf_tail *tail, struct nf_statement *statement)
{
	const struct nf_range *to = &tail->remap, *from;

	if (!(tail->flags & NF_REMAP))
		return true;
	if (!statement)
		return nf_refuse(parser, place, "does not end a policy: write a rule with a port");
	if (statement->kind != NF_BIND)
		return nf_refuse(parser, place, "goes with bind alone");
	if (!statement->port || statement->port->nr_numbers != 1 ||
	    !statement->port->numbers[0].from)
		return nf_refuse(parser, place,
				 "needs one port or one range, without 0: write a rule for each");
	from = &statement->port->numbers[0];
	statement->protocols &= NF_CAN_REMAP;
	if (!statement->protocols)
		return nf_refuse(parser, place, "is for tcp, udp and udplite alone");
	if (to->from + from->to - from->from > 65535)
		return nf_refuse(parser, &tail->remap_place,
				 "is too high: the last port would be %u",
				 to->from + from->to - from->from);
	if (to->from != to->to && to->to - to->from != from->to - from->from)
		return nf_refuse(parser, &tail->remap_place,
				 "has %u ports for %u: write the first one alone",
				 to->to - to->from + 1, from->to - from->from + 1);
	statement->remap = to->from - from->from;
	if (is_own(statement->address))
		statement->verdict |= NF_OWN;
	return true;
}

/* --- in force */

int cm_nf_remap_note(struct cm *cm, const struct cm_pack *pack, uint32_t row, bool has)
{
	const struct bpf_map *map = cm_object_map(pack->object, ".bss.nf_remaps");
	struct nf_remaps *remaps = NULL;
	size_t size = 0, i;
	uint32_t nr = 0;

	if (!map && !has)
		return 0;
	if (map)
		remaps = cm_pack_map_of(pack, map, &size);
	if (!remaps || size < sizeof(*remaps))
		return cm_fail(cm, -EPROTO,
			       "%s/packs/%s was made by another checmate: disable it with that one",
			       CM_PINS, pack->name);
	__atomic_store_n(&remaps->rows[row], has, __ATOMIC_SEQ_CST);
	for (i = 0; i < CM_ROWS; i++)
		nr += remaps->rows[i];
	__atomic_store_n(&remaps->anywhere, nr, __ATOMIC_SEQ_CST);
	munmap(remaps, size);
	return 0;
}

int cm_nf_remap_prepare(struct cm *cm, const struct cm_pack *pack, uint32_t row)
{
	int err = cm_pack_attach_on_request(cm, pack->object);

	return err ? err : cm_nf_remap_note(cm, pack, row, true);
}
