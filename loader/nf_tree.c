// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of the pack netfilter: key -> the first rule that matches. A change makes new nodes from
 * the root to where it is and leaves the old tree as it was; equal nodes are one. So the thousands
 * of trees of a large ruleset take the room of what is different in them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nf.h"

struct nf_map {
	uint64_t *keys; /* 0: free */
	uint32_t *values;
	size_t nr, room; /* a power of two */
};

static uint64_t mix(uint64_t word)
{
	word ^= word >> 32;
	word *= 0x9e3779b97f4a7c15ull;
	word ^= word >> 29;
	word *= 0xbf58476d1ce4e5b9ull;
	return word ^ word >> 32;
}

static struct nf_map *map_new(size_t room)
{
	struct nf_map *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->room = room;
	map->keys = calloc(room, sizeof(*map->keys));
	map->values = calloc(room, sizeof(*map->values));
	return map;
}

static void map_free(struct nf_map *map)
{
	if (!map)
		return;
	free(map->keys);
	free(map->values);
	free(map);
}

static size_t map_place(const struct nf_map *map, uint64_t key)
{
	size_t i = mix(key) & (map->room - 1);

	while (map->keys[i] && map->keys[i] != key)
		i = (i + 1) & (map->room - 1);
	return i;
}

static int map_grow(struct nf_map *map)
{
	struct nf_map *larger = map_new(map->room * 2), old = *map;
	size_t i, j;

	if (!larger || !larger->keys || !larger->values) {
		map_free(larger);
		return -ENOMEM;
	}
	for (i = 0; i < old.room; i++) {
		if (!old.keys[i])
			continue;
		j = map_place(larger, old.keys[i]);
		larger->keys[j] = old.keys[i];
		larger->values[j] = old.values[i];
	}
	larger->nr = old.nr;
	*map = *larger;
	*larger = old;
	map_free(larger);
	return 0;
}

/* @key is not 0. */
static int map_put(struct nf_map *map, uint64_t key, uint32_t value)
{
	size_t i;

	if (map->nr * 2 >= map->room && map_grow(map))
		return -ENOMEM;
	i = map_place(map, key);
	map->nr += !map->keys[i];
	map->keys[i] = key;
	map->values[i] = value;
	return 0;
}

int nf_forest_init(struct nf_forest *forest)
{
	memset(forest, 0, sizeof(*forest));
	forest->known = map_new(1 << 12);
	forest->made = map_new(1 << 12);
	return forest->known && forest->known->keys && forest->known->values && forest->made &&
			       forest->made->keys && forest->made->values
		       ? 0
		       : -ENOMEM;
}

void nf_forest_release(struct nf_forest *forest)
{
	free(forest->nodes);
	map_free(forest->known);
	map_free(forest->made);
}

/* Of a rule: all of it, or what it does to a whole tree, or from so many levels less one on. */
enum {
	ALL = 0,
	WHOLE = 255,
};

static uint64_t result_of(uint32_t tree, uint32_t rule, int part)
{
	return (uint64_t)tree << 32 | (uint32_t)part << 24 | (rule + 1);
}

static bool is_known(const struct nf_forest *forest, uint64_t key, uint32_t *ret)
{
	size_t i = map_place(forest->made, key);

	*ret = forest->made->values[i];
	return forest->made->keys[i];
}

static void know(struct nf_forest *forest, uint64_t key, uint32_t result)
{
	if (map_put(forest->made, key, result))
		forest->error = -ENOMEM;
}

bool nf_tree_known(struct nf_forest *forest, uint32_t tree, uint32_t rule, uint32_t *ret)
{
	return is_known(forest, result_of(tree, rule, ALL), ret);
}

void nf_tree_know(struct nf_forest *forest, uint32_t tree, uint32_t rule, uint32_t result)
{
	know(forest, result_of(tree, rule, ALL), result);
}

static uint32_t least_of(const struct nf_forest *forest, uint32_t entry)
{
	return entry & NF_RULE ? entry & ~NF_RULE : forest->nodes[entry].least;
}

static uint32_t most_of(const struct nf_forest *forest, uint32_t entry)
{
	return entry & NF_RULE ? entry & ~NF_RULE : forest->nodes[entry].most;
}

/* The node of that hash which is the same, or the place behind the last of them. */
static bool find_node(const struct nf_forest *forest, uint64_t *hash, const uint32_t *entries,
		      uint32_t *ret)
{
	size_t i;

	for (;; (*hash)++) {
		*hash += !*hash;
		i = map_place(forest->known, *hash);
		if (!forest->known->keys[i])
			return false;
		*ret = forest->known->values[i];
		if (!memcmp(forest->nodes[*ret].entries, entries, sizeof(forest->nodes->entries)))
			return true;
	}
}

static bool is_uniform(const uint32_t *entries)
{
	int i;

	for (i = 0; i < 16; i++)
		if (!(entries[i] & NF_RULE) || entries[i] != entries[0])
			return false;
	return true;
}

static struct nf_node *new_node(struct nf_forest *forest)
{
	size_t room = forest->room ? forest->room * 2 : 1024;
	struct nf_node *more;

	if (forest->nr == forest->room) {
		more = realloc(forest->nodes, room * sizeof(*more));
		if (!more)
			return NULL;
		forest->nodes = more;
		forest->room = room;
	}
	return &forest->nodes[forest->nr];
}

static uint32_t node_of(struct nf_forest *forest, const uint32_t *entries)
{
	uint64_t hash = 0;
	struct nf_node *node;
	uint32_t number;
	int i;

	if (is_uniform(entries))
		return entries[0];
	for (i = 0; i < 16; i++)
		hash = mix(hash ^ entries[i]);
	if (find_node(forest, &hash, entries, &number))
		return number;
	node = new_node(forest);
	if (!node || map_put(forest->known, hash, forest->nr)) {
		forest->error = -ENOMEM;
		return entries[0];
	}
	memset(node, 0, sizeof(*node));
	memcpy(node->entries, entries, sizeof(node->entries));
	node->least = UINT32_MAX;
	for (i = 0; i < 16; i++) {
		if (least_of(forest, entries[i]) < node->least)
			node->least = least_of(forest, entries[i]);
		if (most_of(forest, entries[i]) > node->most)
			node->most = most_of(forest, entries[i]);
	}
	return forest->nr++;
}

/* @rule, in all of @entry, where none before it is. */
static uint32_t lower(struct nf_forest *forest, uint32_t entry, uint32_t rule)
{
	uint64_t key = result_of(entry, rule, WHOLE);
	uint32_t entries[16], result;
	int i;

	if (most_of(forest, entry) <= rule)
		return entry;
	if (least_of(forest, entry) >= rule)
		return NF_RULE | rule;
	if (is_known(forest, key, &result))
		return result;
	memcpy(entries, forest->nodes[entry].entries, sizeof(entries));
	for (i = 0; i < 16 && !forest->error; i++)
		entries[i] = lower(forest, entries[i], rule);
	result = node_of(forest, entries);
	know(forest, key, result);
	return result;
}

static uint32_t way(const struct nf_forest *forest, uint32_t entry, int i)
{
	return entry & NF_RULE ? entry : forest->nodes[entry].entries[i];
}

/* A rule, and which groups are told apart below. */
struct below {
	uint32_t rule;
	struct nf_list *const *groups; /* NULL: none */
	int what;		       /* enum nf_grouped */
};

static uint32_t put(struct nf_forest *forest, uint32_t tree, int levels, uint32_t from, uint32_t to,
		    const struct below *below);

/* Those of one kind, and below them the next kind. */
static uint32_t put_groups(struct nf_forest *forest, uint32_t tree, const struct below *below)
{
	static struct nf_range all = { 0, NF_GROUPS_MAX - 1 };
	static const struct nf_list any = { .numbers = &all, .nr_numbers = 1 };
	const struct nf_list *groups = below->groups[below->what];
	struct below next = *below;
	size_t i;

	groups = groups ? groups : &any;
	next.what++;
	for (i = 0; i < groups->nr_numbers; i++)
		tree = put(forest, tree, NF_GROUP_LEVELS, groups->numbers[i].from,
			   groups->numbers[i].to, &next);
	return tree;
}

/* As lower(), for the rule's groups only, which are below so many levels. */
static uint32_t lower_for(struct nf_forest *forest, uint32_t entry, int levels,
			  const struct below *below)
{
	uint64_t key = result_of(entry, below->rule, below->what * 16 + levels + 1);
	uint32_t entries[16], result = entry;
	int i;

	if (forest->error || most_of(forest, entry) <= below->rule ||
	    is_known(forest, key, &result))
		return result;
	if (levels) {
		for (i = 0; i < 16; i++)
			entries[i] = lower_for(forest, way(forest, entry, i), levels - 1, below);
		result = node_of(forest, entries);
	} else {
		result = put_groups(forest, entry, below);
	}
	know(forest, key, result);
	return result;
}

static bool has_groups(const struct below *below)
{
	int what;

	for (what = below->what; below->groups && what < NF_GROUPED; what++)
		if (below->groups[what])
			return true;
	return false;
}

static uint32_t put(struct nf_forest *forest, uint32_t tree, int levels, uint32_t from, uint32_t to,
		    const struct below *below)
{
	uint32_t entries[16], part = levels ? 1u << 4 * (levels - 1) : 0, i, first, last;

	if (forest->error || most_of(forest, tree) <= below->rule)
		return tree;
	if (!levels || (!from && to == part * 16 - 1))
		return has_groups(below) ? lower_for(forest, tree, levels, below)
					 : lower(forest, tree, below->rule);
	for (i = 0; i < 16; i++)
		entries[i] = way(forest, tree, i);
	for (i = from / part; i <= to / part; i++) {
		first = i == from / part ? from % part : 0;
		last = i == to / part ? to % part : part - 1;
		entries[i] = put(forest, entries[i], levels - 1, first, last, below);
	}
	return node_of(forest, entries);
}

uint32_t nf_tree_put(struct nf_forest *forest, uint32_t tree, int levels, uint32_t from,
		     uint32_t to, uint32_t rule, struct nf_list *const *groups)
{
	const struct below below = { .rule = rule, .groups = groups };

	return put(forest, tree, levels, from, to, &below);
}
