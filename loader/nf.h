/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The language of the pack netfilter: text -> statements -> the bytes that its programs read. No
 * kernel is needed here.
 *
 *	nf_lex.l, nf_grammar.y	the language
 *	nf_parse.c		its words: addresses, ports, names; errors
 *	nf_iface.c		names of interfaces
 *	nf_tree.c		protocol and port -> rule
 *	nf_trie.c		address -> tree
 *	nf_groups.c		uids -> groups of users, interfaces -> groups of them
 *	nf_emit.c		the whole ruleset
 *	nf_remap.c		ports that are exchanged: words, and what has to be in place
 */
#ifndef NF_H
#define NF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../policies/netfilter/ruleset.h"

/* IPv4 is the upper half of the first word; a v4-mapped address is IPv4. */
struct nf_prefix {
	uint64_t bits[2];
	uint8_t len;
	bool ipv6;
};

/* Of a word in the text: where it begins, and its bytes. */
struct nf_place {
	uint32_t line, column;
	uint32_t start, end;
};

#define NF_UID_MAX 4294967294u

/* Of ports, uids or interfaces. */
struct nf_range {
	uint32_t from, to;
};

/* What stands between braces or behind a set's name: addresses, or ports or uids, or interfaces. */
struct nf_list {
	struct nf_list *next; /* of all there are */
	struct nf_prefix *prefixes;
	size_t nr_prefixes;
	struct nf_range *numbers;
	size_t nr_numbers;
	struct nf_place no_port; /* a number that is too large for one; line 0: there is none */
	bool is_ifaces;		 /* the numbers are those of struct nf_rules */
};

#define NF_ANY	      -1
#define NF_ANY_OF_ALL 0xffffu
#define NF_WITH_PORTS                                                                              \
	(1u << NF_TCP | 1u << NF_UDP | 1u << NF_UDPLITE | 1u << NF_SCTP | 1u << NF_DCCP)

/* What is looked up by groups. */
enum nf_grouped {
	NF_USERS = 0,
	NF_IFACES = 1,
	NF_GROUPED = 2,
};

struct nf_statement {
	enum nf_kind kind;
	uint32_t verdict; /* as in struct nf_rule */
	uint32_t line, text, text_len;
	int family;			    /* AF_INET, AF_INET6; of create any; or NF_ANY */
	uint32_t protocols;		    /* bit n: enum nf_protocol */
	struct nf_list *address;	    /* NULL: any */
	struct nf_list *port;		    /* NULL: any */
	struct nf_list *of[NF_GROUPED];	    /* uids, interfaces; NULL: any */
	struct nf_list *groups[NF_GROUPED]; /* theirs, as numbers; NULL: any */
	int type, protocol;		    /* of create; or NF_ANY */
	uint16_t remap;			    /* as in struct nf_rule */
	uint32_t limit;			    /* as in struct nf_rule */
};

struct nf_set {
	char *name;
	struct nf_list *list;
};

struct nf_rules {
	const char *text; /* the caller's */
	size_t size;
	struct nf_statement *statements;
	size_t nr;
	struct nf_set *sets;
	size_t nr_sets;
	struct nf_list *lists;
	struct nf_iface_name *ifaces; /* their numbers begin with 1 */
	size_t nr_ifaces;
	void *iface_numbers;	    /* of tsearch(3) */
	uint32_t limits[NF_LIMITS]; /* 0: none */
};

/* @name: of the file, for the sentence in @error: "NAME:LINE:COLUMN: what is wrong" */
int cm_nf_parse(const char *name, const char *text, size_t size, struct nf_rules **ret, char *error,
		size_t error_size);
void cm_nf_free(struct nf_rules *rules);

/* @ret: of *ret_size bytes, one of the sizes that the programs know; released with free() */
int cm_nf_compile(const struct nf_rules *rules, void **ret, size_t *ret_size, char *error,
		  size_t error_size);

/* Families, types and protocols of sockets by name or number; negative: no such. */
int cm_nf_family(const char *name);
int cm_nf_type(const char *name);
int cm_nf_socket_protocol(const char *name);
/* enum nf_protocol, or negative */
int cm_nf_protocol(const char *name);
/* Eight bytes of an address, as in struct nf_prefix */
uint64_t nf_word_of(const unsigned char *bytes);
/* NULL, or what is wrong with it */
const char *cm_nf_prefix(const char *text, struct nf_prefix *ret);

/* @ret: one port or a range */
bool nf_ports_parse(const char *word, struct nf_range *ret);

/* NULL, or what is wrong with it; at most 15 bytes, the others zero */
const char *cm_nf_iface(const char *text, struct nf_iface_name *ret);

/* nf_tree.c: trees that share what they have in common */
#define NF_RULES_MAX (1u << 20)

struct nf_node {
	uint32_t entries[16]; /* NF_RULE | number of the rule, or number of a node */
	uint32_t least, most; /* rules below */
	/* entry, where it has been written for so many levels */
	uint32_t at[NF_CREATE_LEVELS + NF_GROUPED * NF_GROUP_LEVELS + 1];
};

struct nf_map; /* of 64-bit keys to 32-bit numbers */

struct nf_forest {
	struct nf_node *nodes;
	size_t nr, room;
	struct nf_map *known; /* hash of a node -> number of it */
	struct nf_map *made;  /* tree and rule -> tree */
	int error;
};

int nf_forest_init(struct nf_forest *forest);
void nf_forest_release(struct nf_forest *forest);
/*
 * From now on @rule decides for the keys from @from to @to, of @levels nibbles, and for the groups
 * below them, as those of struct nf_statement; unless one before it does.
 */
uint32_t nf_tree_put(struct nf_forest *forest, uint32_t tree, int levels, uint32_t from,
		     uint32_t to, uint32_t rule, struct nf_list *const *groups);
/* The result of applying @rule to @tree, if it is known: 0 and *ret. */
bool nf_tree_known(struct nf_forest *forest, uint32_t tree, uint32_t rule, uint32_t *ret);
void nf_tree_know(struct nf_forest *forest, uint32_t tree, uint32_t rule, uint32_t result);

/* nf_emit.c: the bytes, as far as they are written */
struct nf_output {
	unsigned char *bytes;
	size_t size, room;
	uint32_t rules; /* offset of the records */
	int error;
};

/* Offset of @size zeroed bytes, aligned to @align; 0 on failure. */
uint32_t nf_output_room(struct nf_output *output, size_t size, size_t align);
void nf_output_put(struct nf_output *output, uint32_t at, const void *bytes, size_t size);
/* Its entry; @levels: nibbles of the keys, without the groups below. */
uint32_t nf_output_tree(struct nf_output *output, struct nf_forest *forest, uint32_t tree,
			int levels);

/* nf_groups.c: from which uid, or number of an interface, on they are in which group */
struct nf_groups {
	struct nf_users *first; /* NULL: no statement has any */
	size_t nr;
};

/* Give each statement with uids, or interfaces, its groups. -EOVERFLOW: too many. */
int nf_groups_make(struct nf_statement *all, size_t nr, enum nf_grouped what,
		   struct nf_groups *ret);
void nf_groups_release(struct nf_statement *all, size_t nr);
void nf_output_users(struct nf_output *output, const struct nf_groups *groups,
		     struct nf_header *header);
void nf_output_ifaces(struct nf_output *output, const struct nf_rules *rules,
		      const struct nf_groups *groups, struct nf_header *header);

/* nf_trie.c */
struct nf_pair {
	struct nf_prefix prefix;
	uint32_t rule;
};

typedef uint32_t (*nf_apply_fn)(struct nf_forest *forest, uint32_t tree, uint32_t rule,
				const void *arg);

/* The root's entry of a trie; @pairs, which get sorted, have one at least whose length is 0. */
uint64_t nf_trie_build(struct nf_output *output, struct nf_forest *forest, struct nf_pair *pairs,
		       size_t nr, nf_apply_fn apply, const void *arg);

#endif /* NF_H */
