// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as rules: parsed, compiled, and each decision of a few is by a rule that is there; what
 * is refused has its place in the sentence. For libFuzzer: `make fuzz` runs it on, `make
 * fuzz-replay` tries what it has found so far (corpus/).
 */
#include <stdlib.h>
#include <string.h>

#include "nf.h"

#define ROOM 256

static void decide(const void *ruleset, size_t size, const struct nf_query *query,
		   const struct nf_iface_name *iface)
{
	const struct nf_header *header = ruleset;
	uint32_t at;

#define FIND(SIZE)                                                                                 \
	nf_find_by_iface(ruleset, 1u << (SIZE), nf_find(ruleset, 1u << (SIZE), query), iface)
	switch (size) {
	case 1u << CM_RULESET_0:
		at = FIND(CM_RULESET_0);
		break;
	case 1u << CM_RULESET_1:
		at = FIND(CM_RULESET_1);
		break;
	case 1u << CM_RULESET_2:
		at = FIND(CM_RULESET_2);
		break;
	default:
		at = FIND(CM_RULESET_3);
	}
	if (at < header->rules || (at - header->rules) % sizeof(struct nf_rule) ||
	    at - header->rules >= header->nr_rules * sizeof(struct nf_rule))
		abort();
}

/* Of each place, with the bytes for addresses and keys. */
static void decide_all(const void *ruleset, size_t size, const uint8_t *bytes, size_t nr)
{
	static const struct nf_iface_name lo = { { 'l' | 'o' << 8, 0 } };
	struct nf_iface_name iface;
	struct nf_query query = { 0 };
	size_t i;

	for (i = 0; i < 64; i++) {
		query.place = i % (NF_PLACES + 1);
		memcpy(&query.address[0], bytes + i % nr, nr - i % nr < 8 ? nr - i % nr : 8);
		query.address[1] = query.address[0] << i;
		query.key = (query.address[0] >> i) & 0xfffff;
		iface = (struct nf_iface_name){ { query.address[0], query.address[1] } };
		decide(ruleset, size, &query, i % 2 ? &lo : &iface);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	struct nf_rules *rules;
	char error[ROOM] = "";
	void *ruleset;
	size_t size;

	if (cm_nf_parse("f", (const char *)bytes, nr, &rules, error, sizeof(error))) {
		if (strncmp(error, "f:", 2))
			abort();
		return 0;
	}
	if (!cm_nf_compile(rules, &ruleset, &size, error, sizeof(error))) {
		if (nr)
			decide_all(ruleset, size, bytes, nr);
		free(ruleset);
	}
	cm_nf_free(rules);
	return 0;
}
