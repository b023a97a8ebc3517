/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A compiled ruleset: bytes that loader/nf_emit.c writes and nf_find() reads, in the kernel and in
 * the unit test alike. All references are offsets in bytes. A lookup has three parts, each of a
 * bounded number of steps that does not grow with the number of rules:
 *
 *	tries	address -> the most specific prefix that a rule names. A trie over the prefixes that
 *		contain no other one; its nodes skip the bits that all below have in common, so a
 *		leaf has to be compared in the end.
 *	chain	of an address that is not in the leaf's prefix after all: the number of bits that
 *		the two share tells which of the prefixes around the leaf it is in.
 *	tree	protocol and port -> the first rule that matches; 16 ways at each step, until what
 *		is left has so few parts that they are told by comparing. Equal subtrees are there
 *		once. Where it depends on the user as well, the tree goes on by the number of a
 *		group of users, which is looked up only there. Where it depends on the interface, it
 *		ends with a record that is no rule, NF_BY_IFACE, and refers to a tree of groups of
 *		interfaces: nf_find_by_iface() goes on there.
 */
#ifndef NF_RULESET_H
#define NF_RULESET_H

#include "abi.h"

#define NF_LAYOUT 0x4e460004 /* "NF", version */

enum nf_kind {
	NF_EGRESS = 0,
	NF_INGRESS = 1,
	NF_BIND = 2,
	NF_LISTEN = 3,
	NF_CREATE = 4,
	NF_KINDS = 5,
};

/* Of a query: a kind with addresses, and whether it is IPv6; or create. */
#define NF_PLACES	8
#define NF_PLACE(KIND)	((KIND)*2)
#define NF_PLACE_CREATE NF_PLACE(NF_CREATE)
#define NF_PLACE_TEST	16 /* count nothing */

/* Of connections at once, by the pack netfilter_limit. */
enum nf_limit {
	NF_PER_DESTINATION = 0,
	NF_PER_SCOPE = 1,
	NF_PER_SOURCE = 2,
	NF_LIMITS = 3,
};
#define NF_LIMIT_MAX 1000000

/* What that pack says of a scope, the element of its memory for each. */
struct nf_limit_use {
	__u64 held[NF_LIMITS], refused[NF_LIMITS];
	__u32 number; /* of the scope, which no other one in its row has had; 0: not yet given */
	__u32 unused;
};

/* Of a socket, as the rules have it: others are NF_OTHER. */
enum nf_protocol {
	NF_TCP = 0, /* and MPTCP */
	NF_UDP = 1,
	NF_UDPLITE = 2,
	NF_ICMP = 3, /* ICMPv6 as well */
	NF_SCTP = 4,
	NF_DCCP = 5,
	NF_OTHER = 15,
};

/* What has no connections: ingress is asked for each packet. Raw sockets have them of any kind. */
#define NF_DATAGRAMS (1u << NF_UDP | 1u << NF_UDPLITE | 1u << NF_ICMP)
#define NF_PACKETS   (NF_DATAGRAMS | 1u << NF_OTHER)

/* Keys of a tree: protocol (4 bits), port (16); of `create`: family (8), type (4), protocol (16).
 */
#define NF_KEY(PROTOCOL, PORT) ((__u32)(PROTOCOL) << 16 | (PORT))
#define NF_KEY_LEVELS	       5
#define NF_CREATE_KEY(FAMILY, TYPE, PROTOCOL)                                                      \
	(((__u32)(FAMILY)&0xff) << 20 | ((__u32)(TYPE)&0xf) << 16 | ((__u32)(PROTOCOL)&0xffff))
#define NF_CREATE_LEVELS 7
#define NF_GROUP_LEVELS	 3 /* below those: the group of users, then that of interfaces */
#define NF_GROUPS_MAX	 (1u << 4 * NF_GROUP_LEVELS)

/*
 * Entry of a trie: of a node, which has 2^n more of them, or of a leaf, the offset of its struct
 * nf_leaf. A node's bits lie in one word of the address.
 */
#define NF_NODE	      (1u << 30)
#define NF_LOW	      (1u << 29) /* of bytes 8 to 15, not 0 to 7 */
#define NF_MASK_AT    32
#define NF_SHIFT_AT   58 /* the last */
#define NF_STRIDE_MAX 16
#define NF_DEPTH      32 /* nodes above a leaf; 30 is the most that can be needed, see nf_trie.c */
#define NF_ENTRY_NODE(AT, SHIFT, BITS, LOW)                                                        \
	(NF_NODE | (AT) | (__u64)(SHIFT) << NF_SHIFT_AT | ((1ull << (BITS)) - 1) << NF_MASK_AT |   \
	 ((LOW) ? NF_LOW : 0))

/* An entry of a tree is the offset of 16 more, or NF_END and that of a rule or a struct nf_parts.
 */
#define NF_END	 (1u << 31)
#define NF_PARTS (1u << 30)
#define NF_RULE	 NF_END

/* Keys in up to 8 parts, by the first key of each but one. */
#define NF_PARTS_MAX 8
struct nf_parts {
	__u32 mask;		      /* of the key, the bits that are left */
	__u32 from[NF_PARTS_MAX - 1]; /* ascending; NF_NO_PART: there are no more */
	__u32 entries[NF_PARTS_MAX];  /* NF_RULE */
};
#define NF_NO_PART 0xffffffff

struct nf_leaf {
	__u64 address[2]; /* in the machine's order; IPv4 is the upper half of the first */
	__u64 mask[2];
	__u32 tree;
	__u32 chain; /* trees, by the number of bits shared with an address that is not in here */
	__u8 unused[24];
};

/* From this uid on, up to the next one's. The first is of uid 0. */
struct nf_users {
	__u32 from;
	__u32 group;
};
#define NF_USERS_SHIFT_MAX 23 /* 2^n of them fill the largest ruleset */

/* A network interface's, zeros behind it. */
#define NF_IFACE_LEN 16
struct nf_iface_name {
	__u64 words[2];
};

/* Sorted by mark, see nf_iface_mark(); the first has no name, and the group of all others. */
struct nf_iface {
	__u64 mark;
	struct nf_iface_name name;
	__u32 group;
	__u32 unused;
};
#define NF_IFACES_SHIFT_MAX 21 /* 2^n of them fill the largest ruleset */

#define NF_ERRNO    0xfff      /* 0: accept */
#define NF_COUNT    (1u << 16) /* what it decides is counted */
#define NF_LOG	    (1u << 17) /* an event also where it accepts */
#define NF_POLICY   (1u << 18)
#define NF_IMPLICIT (1u << 19) /* nobody wrote it */
#define NF_NO_RULE  (1u << 20) /* a statement that decides nothing: a set, a limit */
#define NF_REMAP    (1u << 21) /* of bind: accepts, on another port */
#define NF_REAL	    (1u << 22) /* ... which the program is shown */
#define NF_OWN	    (1u << 23) /* ... at addresses that are named one by one: own ones */
#define NF_BY_IFACE (1u << 24) /* no rule: the interface decides */
#define NF_DEFAULT  (1u << 25) /* of a drop: nobody wrote its errno, the scope's knob counts */

struct nf_rule {
	__u32 verdict;
	__u32 line;
	__u64 count;
	union {
		__u32 text; /* its statement, within the text */
		__u32 tree; /* of NF_BY_IFACE, for the interface's group */
	};
	__u32 text_len;
	__u32 limit; /* enum nf_limit and one more; 0: it is none */
	__u16 remap; /* is added to the port, modulo 65536 */
	__u16 unused;
};

#define NF_HAS_PACKETS	  (1u << 0) /* ingress says more on NF_PACKETS than "accept" */
#define NF_HAS_NO_SENDING (1u << 1) /* egress refuses datagrams */
#define NF_HAS_REMAPS	  (1u << 2) /* rules with NF_REMAP */

struct nf_header {
	__u32 layout;
	__u32 size; /* of all of it, in use */
	__u32 rules, nr_rules;
	__u32 text, text_len; /* what was loaded */
	__u32 create;	      /* tree */
	__u32 has;	      /* NF_HAS_ constants */
	__u32 users;	      /* struct nf_users, in their order; 0: it depends on none */
	__u32 users_half;     /* the power of two below their number */
	__u32 ifaces;	      /* struct nf_iface, likewise */
	__u32 ifaces_half;
	__u64 tries[NF_PLACES];
};

CM_ASSERT(sizeof(struct nf_leaf) == 64, "nf_leaf: offsets are masked");
CM_ASSERT(sizeof(struct nf_parts) == 64, "nf_parts: offsets are masked");
CM_ASSERT(sizeof(struct nf_rule) == 32, "nf_rule: offsets are masked");
CM_ASSERT(sizeof(struct nf_users) == 8, "nf_users: offsets are masked");
CM_ASSERT(sizeof(struct nf_iface) == 32, "nf_iface: offsets are masked");
CM_ASSERT(sizeof(struct nf_header) == 112, "nf_header layout");

/* Section ".bss.nf_remaps": where there are rules with NF_REMAP. */
struct nf_remaps {
	__u32 anywhere;
	__u8 rows[CM_ROWS];
};

struct nf_query {
	__u32 place;
	__u32 key;
	__u64 address[2];
	__u32 uid;
	__u32 unused;
};

/* What `checmate netfilter test` asks, and the answer. */
struct nf_test {
	__u32 kind;
	__u32 row; /* of the nearest scope; then of the one that decided */
	__u64 address[2];
	__u32 ipv6, port;	      /* then the one that it becomes */
	__u32 family, type, protocol; /* of `create`, the last of all */
	__u32 is_denied; /* 0, and an errno in the verdict: a permissive scope would deny */
	__u32 verdict;
	__u32 by; /* offset of the rule in that scope's ruleset; 0: none has rules */
	__u32 uid;
	__u32 unused;
	struct nf_iface_name iface; /* of ingress; zeros: not told */
};

CM_ASSERT(sizeof(struct nf_test) == 80, "nf_test layout");

static inline __attribute__((always_inline)) __u32 nf_leading_zeros(__u64 word)
{
	__u32 zeros = 0;

	if (!(word >> 32)) {
		zeros += 32;
		word <<= 32;
	}
	if (!(word >> 48)) {
		zeros += 16;
		word <<= 16;
	}
	if (!(word >> 56)) {
		zeros += 8;
		word <<= 8;
	}
	if (!(word >> 60)) {
		zeros += 4;
		word <<= 4;
	}
	if (!(word >> 62)) {
		zeros += 2;
		word <<= 2;
	}
	return zeros + !(word >> 63);
}

/*
 * An offset within @size bytes, of what is aligned to @unit. Assembler, lest the compiler make one
 * of several sizes, which the verifier could not follow.
 */
static inline __attribute__((always_inline)) __u64 nf_bound(__u64 offset, const __u64 size,
							    const __u64 unit)
{
#ifdef __bpf__
	asm("%0 &= %1" : "+r"(offset) : "i"(size - unit));
	return offset;
#else
	return offset & (size - unit);
#endif
}

#define NF_AT(RULESET, OFFSET, SIZE, UNIT)                                                         \
	((const void *)((const char *)(RULESET) + nf_bound(OFFSET, SIZE, UNIT)))

/* The tree for an address; @words: of the address, that count: 1 for IPv4, 2 for either. */
static inline __attribute__((always_inline)) __u32
nf_find_address(const void *ruleset, const __u64 size, const struct nf_query *query, int words)
{
	const struct nf_header *header = ruleset;
	__u64 entry = header->tries[query->place & (NF_PLACES - 1)];
	__u64 word, high, low = 0, at;
	const struct nf_leaf *leaf;
	int i;

	for (i = 0; i < NF_DEPTH && entry & NF_NODE; i++) {
		word = words > 1 && entry & NF_LOW ? query->address[1] : query->address[0];
		/* What is above the mask falls off with the offset's. */
		at = word >> (entry >> NF_SHIFT_AT) & entry >> NF_MASK_AT;
		at = entry + at * sizeof(entry);
		entry = *(const __u64 *)NF_AT(ruleset, at, size, sizeof(entry));
	}
	leaf = NF_AT(ruleset, entry, size, sizeof(*leaf));
	high = (query->address[0] ^ leaf->address[0]) & leaf->mask[0];
	if (words > 1)
		low = (query->address[1] ^ leaf->address[1]) & leaf->mask[1];
	if (!(high | low))
		return leaf->tree;
	at = high ? nf_leading_zeros(high) : 64 + nf_leading_zeros(low);
	at = leaf->chain + at * sizeof(__u32);
	return *(const __u32 *)NF_AT(ruleset, at, size, sizeof(__u32));
}

/* One step of a tree; of what ends it already, none. */
#define NF_STEP(RULESET, SIZE, ENTRY, NIBBLE)                                                      \
	((ENTRY)&NF_END ? (ENTRY) : ((const __u32 *)NF_AT(RULESET, ENTRY, SIZE, 64))[(NIBBLE)&15])

/* Written out, for three comparisons and a load are all that is done. */
static inline __attribute__((always_inline)) __u32 nf_find_part(const struct nf_parts *parts,
								__u32 key)
{
	const __u32 *from = parts->from, *entries = parts->entries;

	if (key < from[3]) {
		if (key < from[1])
			return key < from[0] ? entries[0] : entries[1];
		return key < from[2] ? entries[2] : entries[3];
	}
	if (key < from[5])
		return key < from[4] ? entries[4] : entries[5];
	return key < from[6] ? entries[6] : entries[7];
}

static inline __attribute__((always_inline)) __u32
nf_find_in_tree(const void *ruleset, const __u64 size, __u32 entry, __u32 key)
{
	const struct nf_parts *parts;

	entry = NF_STEP(ruleset, size, entry, key >> 16);
	entry = NF_STEP(ruleset, size, entry, key >> 12);
	entry = NF_STEP(ruleset, size, entry, key >> 8);
	entry = NF_STEP(ruleset, size, entry, key >> 4);
	entry = NF_STEP(ruleset, size, entry, key);
	if (entry & NF_PARTS) {
		parts = NF_AT(ruleset, entry, size, sizeof(*parts));
		key &= parts->mask;
		entry = nf_find_part(parts, key);
	}
	return entry;
}

/* The group of users that the uid is in. */
static inline __attribute__((always_inline)) __u32 nf_find_group(const void *ruleset,
								 const __u64 size, __u32 uid)
{
	const struct nf_header *header = ruleset;
	const struct nf_users *users;
	__u64 at = header->users;
	__u32 half = header->users_half;
	int i;

	for (i = 0; i < NF_USERS_SHIFT_MAX && half; i++) {
		users = NF_AT(ruleset, at + half * sizeof(*users), size, sizeof(*users));
		if (users->from <= uid)
			at += half * sizeof(*users);
		half >>= 1;
	}
	users = NF_AT(ruleset, at, size, sizeof(*users));
	return users->group;
}

/*
 * nf_find_ip - nf_find() of what is not `create`; 0: that depends on the user
 * @words: as those of nf_find_address()
 */
static inline __attribute__((always_inline)) __u64
nf_find_ip(const void *ruleset, const __u64 size, const struct nf_query *query, int words)
{
	__u32 entry = nf_find_address(ruleset, size, query, words);

	entry = nf_find_in_tree(ruleset, size, entry, query->key);
	return entry & NF_END ? nf_bound(entry, size, sizeof(struct nf_rule)) : 0;
}

/*
 * nf_find - offset of the rule that decides; there always is one
 * @ruleset: @size bytes, a power of two that is a constant
 */
static inline __attribute__((always_inline)) __u64 nf_find(const void *ruleset, const __u64 size,
							   const struct nf_query *query)
{
	const struct nf_header *header = ruleset;
	__u32 entry, group;

	if (query->place & NF_PLACE_CREATE) {
		entry = header->create;
		entry = NF_STEP(ruleset, size, entry, query->key >> 24);
		entry = NF_STEP(ruleset, size, entry, query->key >> 20);
	} else {
		entry = nf_find_address(ruleset, size, query, 2);
	}
	entry = nf_find_in_tree(ruleset, size, entry, query->key);
	if (!(entry & NF_END)) {
		group = nf_find_group(ruleset, size, query->uid);
		entry = NF_STEP(ruleset, size, entry, group >> 8);
		entry = NF_STEP(ruleset, size, entry, group >> 4);
		entry = NF_STEP(ruleset, size, entry, group);
	}
	return nf_bound(entry, size, sizeof(struct nf_rule));
}

/*
 * One word of two, for a search that compares one. That of no name is 0; two that rules name have
 * the same by chance once in 2^64.
 */
static inline __attribute__((always_inline)) __u64 nf_iface_mark(const struct nf_iface_name *name)
{
	__u64 mark = name->words[0] * 0x9e3779b97f4a7c15ull;

	return (mark ^ mark >> 32 ^ name->words[1]) * 0xbf58476d1ce4e5b9ull;
}

/* The group of interfaces that the name is in; that of the others is 0. */
static inline __attribute__((always_inline)) __u32
nf_find_iface(const void *ruleset, const __u64 size, const struct nf_iface_name *name)
{
	const struct nf_header *header = ruleset;
	const struct nf_iface *iface;
	__u64 mark = nf_iface_mark(name);
	__u64 at = header->ifaces;
	__u32 half = header->ifaces_half;
	int i;

	for (i = 0; i < NF_IFACES_SHIFT_MAX && half; i++) {
		iface = NF_AT(ruleset, at + half * sizeof(*iface), size, sizeof(*iface));
		if (iface->mark <= mark)
			at += half * sizeof(*iface);
		half >>= 1;
	}
	iface = NF_AT(ruleset, at, size, sizeof(*iface));
	if (iface->name.words[0] != name->words[0] || iface->name.words[1] != name->words[1])
		return 0;
	return iface->group;
}

/* nf_find_by_iface - what nf_find() has found, or the rule that decides for that interface */
static inline __attribute__((always_inline)) __u64
nf_find_by_iface(const void *ruleset, const __u64 size, __u64 found,
		 const struct nf_iface_name *name)
{
	const struct nf_rule *rule = NF_AT(ruleset, found, size, sizeof(*rule));
	__u32 entry, group;

	if (!(rule->verdict & NF_BY_IFACE))
		return found;
	group = nf_find_iface(ruleset, size, name);
	entry = rule->tree;
	entry = NF_STEP(ruleset, size, entry, group >> 8);
	entry = NF_STEP(ruleset, size, entry, group >> 4);
	entry = NF_STEP(ruleset, size, entry, group);
	return nf_bound(entry, size, sizeof(struct nf_rule));
}

#endif /* NF_RULESET_H */
