// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tries of the pack netfilter: address -> tree; ../policies/netfilter/ruleset.h says how they are
 * read. Leaves are the prefixes that contain no other one: apart from each other, and sorted.
 *
 * A node is made where leaves part, with twice as many ways as it has leaves, about; an empty way
 * leads to a leaf that has most bits in common with it. Then whoever comes to a leaf has no more
 * bits in common with any other, and is in just those prefixes around it that are no longer than
 * that.
 *
 * Depth: a node of n leaves takes log2(2n) bits, rounded down, and one below it has a leaf less. Of
 * 128 bits that makes 2 + 4 + 8 + 16 nodes at the most, of 2, 3, 4 and 5 bits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf.h"

struct place {
	struct nf_prefix prefix;
	struct place *parent; /* the nearest around it, NULL: it is all addresses */
	uint32_t tree;	      /* in the forest */
	uint32_t written;     /* its tree */
	uint32_t chain;	      /* of what is in here, but not in a prefix within; 0: not needed */
	uint32_t leaf;	      /* 0: not written yet */
	bool has_inner;
};

struct trie {
	struct nf_output *output;
	struct place *places;
	struct place **leaves;
	int bits; /* of an address */
};

static int compare(const void *a, const void *b)
{
	const struct nf_pair *x = a, *y = b;
	int i;

	for (i = 0; i < 2; i++)
		if (x->prefix.bits[i] != y->prefix.bits[i])
			return x->prefix.bits[i] < y->prefix.bits[i] ? -1 : 1;
	if (x->prefix.len != y->prefix.len)
		return x->prefix.len < y->prefix.len ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static int common_bits(const struct nf_prefix *a, const struct nf_prefix *b)
{
	uint64_t high = a->bits[0] ^ b->bits[0], low = a->bits[1] ^ b->bits[1];

	return high ? __builtin_clzll(high) : low ? 64 + __builtin_clzll(low) : 128;
}

static bool contains(const struct nf_prefix *outer, const struct nf_prefix *inner)
{
	return outer->len <= inner->len && common_bits(outer, inner) >= outer->len;
}

static uint64_t upper_bits(int n)
{
	return n <= 0 ? 0 : n >= 64 ? ~0ull : ~0ull << (64 - n);
}

/* What a mismatch at each bit leads to: within @place, outside of all in it. */
static uint32_t chain_of(struct trie *trie, struct place *place)
{
	size_t size = trie->bits * sizeof(uint32_t);
	uint32_t at, *trees;
	int i;

	if (place->chain)
		return place->chain;
	if (place->parent && !chain_of(trie, place->parent))
		return 0;
	at = nf_output_room(trie->output, size, sizeof(uint64_t));
	if (!at)
		return 0;
	trees = (uint32_t *)(trie->output->bytes + at);
	if (place->parent)
		memcpy(trees, trie->output->bytes + place->parent->chain, size);
	for (i = place->prefix.len; i < trie->bits; i++)
		trees[i] = place->written;
	place->chain = at;
	return at;
}

static uint32_t leaf_of(struct trie *trie, struct place *place)
{
	struct nf_leaf leaf = { .tree = place->written };
	int len = place->prefix.len;

	if (place->leaf)
		return place->leaf;
	memcpy(leaf.address, place->prefix.bits, sizeof(leaf.address));
	leaf.mask[0] = upper_bits(len);
	leaf.mask[1] = upper_bits(len - 64);
	if (place->parent)
		leaf.chain = chain_of(trie, place->parent);
	place->leaf = nf_output_room(trie->output, sizeof(leaf), sizeof(leaf));
	nf_output_put(trie->output, place->leaf, &leaf, sizeof(leaf));
	return place->leaf;
}

static uint32_t way_of(const struct nf_prefix *prefix, int from, int bits)
{
	return prefix->bits[from / 64] >> (64 - from % 64 - bits) & ((1u << bits) - 1);
}

static int stride_of(const struct trie *trie, size_t nr, int from)
{
	int end = trie->bits == 32 ? 32 : from < 64 ? 64 : 128, bits = 1;

	while (bits < NF_STRIDE_MAX && from + bits < end && (2ul << bits) <= 2 * nr)
		bits++;
	return bits;
}

/* The ways without a leaf, between two that have one: each to the one that it is nearer to. */
static void fill_ways(struct trie *trie, uint32_t at, int64_t before, struct place *before_leaf,
		      int64_t after, struct place *after_leaf)
{
	int64_t way;

	for (way = before + 1; way < after; way++) {
		bool back = before_leaf && (!after_leaf || (before ^ way) < (after ^ way));
		uint64_t entry = leaf_of(trie, back ? before_leaf : after_leaf);

		nf_output_put(trie->output, at + way * sizeof(entry), &entry, sizeof(entry));
	}
}

static uint64_t build(struct trie *trie, size_t from, size_t to)
{
	struct place **leaves = trie->leaves, *last = NULL;
	int start, bits, spare;
	int64_t way, end = -1;
	uint64_t entry;
	uint32_t at;
	size_t i, next;

	if (to - from == 1)
		return leaf_of(trie, leaves[from]);
	start = common_bits(&leaves[from]->prefix, &leaves[to - 1]->prefix);
	bits = stride_of(trie, to - from, start);
	at = nf_output_room(trie->output, sizeof(entry) << bits, sizeof(entry));
	for (i = from; i < to && !trie->output->error; i = next) {
		way = way_of(&leaves[i]->prefix, start, bits);
		spare = start + bits - leaves[i]->prefix.len;
		for (next = i + 1; next < to; next++)
			if (way_of(&leaves[next]->prefix, start, bits) != way)
				break;
		fill_ways(trie, at, end, last, way, leaves[i]);
		entry = build(trie, i, next);
		for (end = way; end < way + (spare > 0 ? 1 << spare : 1); end++)
			nf_output_put(trie->output, at + end * sizeof(entry), &entry,
				      sizeof(entry));
		end--;
		last = leaves[i];
	}
	if (!trie->output->error)
		fill_ways(trie, at, end, last, 1 << bits, NULL);
	return NF_ENTRY_NODE((uint64_t)at, 64 - start % 64 - bits, bits, start >= 64);
}

/* One place for each prefix, its tree that of what is around it with its own rules. */
static size_t make_places(struct trie *trie, struct nf_forest *forest, const struct nf_pair *pairs,
			  size_t nr, nf_apply_fn apply, const void *arg)
{
	struct place *place = NULL, *around;
	size_t nr_places = 0, i;

	for (i = 0; i < nr && !forest->error; i++) {
		if (place && place->prefix.len == pairs[i].prefix.len &&
		    contains(&place->prefix, &pairs[i].prefix)) {
			place->tree = apply(forest, place->tree, pairs[i].rule, arg);
			continue;
		}
		around = place;
		while (around && !contains(&around->prefix, &pairs[i].prefix))
			around = around->parent;
		place = &trie->places[nr_places++];
		place->prefix = pairs[i].prefix;
		place->parent = around;
		if (around)
			around->has_inner = true;
		place->tree = apply(forest, around ? around->tree : NF_RULE | (NF_RULES_MAX - 1),
				    pairs[i].rule, arg);
	}
	return nr_places;
}

uint64_t nf_trie_build(struct nf_output *output, struct nf_forest *forest, struct nf_pair *pairs,
		       size_t nr, nf_apply_fn apply, const void *arg)
{
	struct trie trie = { .output = output, .bits = pairs[0].prefix.ipv6 ? 128 : 32 };
	size_t nr_places, nr_leaves = 0, i;
	uint64_t root = 0;

	qsort(pairs, nr, sizeof(*pairs), compare);
	trie.places = calloc(nr, sizeof(*trie.places));
	trie.leaves = calloc(nr, sizeof(struct place *));
	if (!trie.places || !trie.leaves) {
		output->error = -ENOMEM;
		goto out;
	}
	nr_places = make_places(&trie, forest, pairs, nr, apply, arg);
	if (forest->error) {
		output->error = forest->error;
		goto out;
	}
	for (i = 0; i < nr_places; i++) {
		trie.places[i].written =
			nf_output_tree(output, forest, trie.places[i].tree, NF_KEY_LEVELS);
		if (!trie.places[i].has_inner)
			trie.leaves[nr_leaves++] = &trie.places[i];
	}
	if (!output->error)
		root = build(&trie, 0, nr_leaves);
out:
	free(trie.places);
	free(trie.leaves);
	return root;
}
