// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of the pack netfilter: uids that the same rules are about are a group, whose number is the
 * part of a tree's key behind protocol and port. Interfaces likewise, each of which has a number;
 * their groups are the last part.
 */
#include <errno.h>
#include <stdlib.h>

#include "nf.h"

/* From this number on, lists of that mark begin or end. Two sums of marks are the same by chance
 * once in 2^64. */
struct edge {
	uint32_t from;
	uint64_t mark;
};

struct edges {
	struct edge *edges;
	size_t nr;
};

static uint64_t mark_of(uint64_t word)
{
	word = (word + 1) * 0x9e3779b97f4a7c15ull;
	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9ull;
	word = (word ^ word >> 27) * 0x94d049bb133111ebull;
	return word ^ word >> 31;
}

static int by_number(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int by_mark(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

static int make_edges(struct edges *edges, const struct nf_statement *all, size_t nr,
		      enum nf_grouped what)
{
	size_t i, j, room = 1;

	for (i = 0; i < nr; i++)
		room += all[i].of[what] ? 2 * all[i].of[what]->nr_numbers : 0;
	edges->edges = calloc(room, sizeof(*edges->edges));
	if (!edges->edges)
		return -ENOMEM;
	edges->nr = 1; /* the number 0 */
	for (i = 0; i < nr; i++) {
		for (j = 0; all[i].of[what] && j < all[i].of[what]->nr_numbers; j++) {
			const struct nf_range *range = &all[i].of[what]->numbers[j];

			edges->edges[edges->nr++] = (struct edge){ range->from, mark_of(i) };
			edges->edges[edges->nr++] = (struct edge){ range->to + 1, -mark_of(i) };
		}
	}
	return 0;
}

/* One edge for each number where something changes, with the mark of all that holds from there on.
 */
static void add_up(struct edges *edges)
{
	uint64_t sum = 0;
	size_t i, nr = 0;

	qsort(edges->edges, edges->nr, sizeof(*edges->edges), by_number);
	for (i = 0; i < edges->nr; i++) {
		sum += edges->edges[i].mark;
		if (nr && edges->edges[nr - 1].from == edges->edges[i].from)
			nr--;
		edges->edges[nr++] = (struct edge){ edges->edges[i].from, sum };
	}
	edges->nr = nr;
}

/* A number for each mark that there is. */
static int number(const struct edges *edges, struct nf_users *ret)
{
	struct edge *sorted = calloc(edges->nr, sizeof(*sorted)), *found;
	size_t i, nr = 0;

	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < edges->nr; i++)
		sorted[i] = edges->edges[i];
	qsort(sorted, edges->nr, sizeof(*sorted), by_mark);
	for (i = 0; i < edges->nr; i++)
		if (!nr || sorted[nr - 1].mark != sorted[i].mark)
			sorted[nr++] = sorted[i];
	for (i = 0; i < edges->nr; i++) {
		found = bsearch(&edges->edges[i], sorted, nr, sizeof(*sorted), by_mark);
		ret[i] = (struct nf_users){ edges->edges[i].from, found - sorted };
	}
	free(sorted);
	return nr <= NF_GROUPS_MAX ? 0 : -EOVERFLOW;
}

static int compare_users(const void *a, const void *b)
{
	const struct nf_users *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int give_groups(struct nf_statement *statement, enum nf_grouped what,
		       const struct nf_groups *of)
{
	struct nf_list *groups = calloc(1, sizeof(*groups));
	bool *has = calloc(NF_GROUPS_MAX, sizeof(*has));
	const struct nf_users *at;
	uint32_t group;
	size_t i;

	statement->groups[what] = groups;
	if (groups)
		groups->numbers = calloc(NF_GROUPS_MAX, sizeof(*groups->numbers));
	if (!has || !groups || !groups->numbers) {
		free(has);
		return -ENOMEM;
	}
	for (i = 0; i < statement->of[what]->nr_numbers; i++) {
		const struct nf_range *range = &statement->of[what]->numbers[i];
		const struct nf_users key = { .from = range->from };

		at = bsearch(&key, of->first, of->nr, sizeof(key), compare_users);
		for (; at && at < of->first + of->nr && at->from <= range->to; at++)
			has[at->group] = true;
	}
	for (group = 0; group < NF_GROUPS_MAX; group++) {
		if (!has[group])
			continue;
		if (!group || !has[group - 1])
			groups->numbers[groups->nr_numbers++].from = group;
		groups->numbers[groups->nr_numbers - 1].to = group;
	}
	free(has);
	groups->numbers = realloc(groups->numbers, groups->nr_numbers * sizeof(*groups->numbers));
	return groups->numbers ? 0 : -ENOMEM;
}

int nf_groups_make(struct nf_statement *all, size_t nr, enum nf_grouped what, struct nf_groups *ret)
{
	struct edges edges = { 0 };
	int err = make_edges(&edges, all, nr, what);
	size_t i;

	if (!err && edges.nr > 1) {
		add_up(&edges);
		ret->first = calloc(edges.nr, sizeof(*ret->first));
		ret->nr = edges.nr;
		err = ret->first ? number(&edges, ret->first) : -ENOMEM;
	}
	for (i = 0; !err && i < nr; i++)
		if (all[i].of[what])
			err = give_groups(&all[i], what, ret);
	free(edges.edges);
	return err;
}

void nf_groups_release(struct nf_statement *all, size_t nr)
{
	size_t i, what;

	for (i = 0; i < nr; i++) {
		for (what = 0; what < NF_GROUPED; what++) {
			if (all[i].groups[what])
				free(all[i].groups[what]->numbers);
			free(all[i].groups[what]);
		}
	}
}

/* --- as they are looked up: filled up to twice a power of two, by what nobody gets to */

void nf_output_users(struct nf_output *output, const struct nf_groups *groups,
		     struct nf_header *header)
{
	uint32_t half = 1, i, at;
	struct nf_users users;

	if (!groups->first)
		return;
	while (half * 2 < groups->nr)
		half *= 2;
	header->users_half = half;
	header->users = nf_output_room(output, 2 * half * sizeof(users), sizeof(users));
	for (i = 0; i < 2 * half; i++) {
		at = header->users + i * sizeof(users);
		users = i < groups->nr ? groups->first[i] : (struct nf_users){ .from = UINT32_MAX };
		nf_output_put(output, at, &users, sizeof(users));
	}
}

static int by_iface_mark(const void *a, const void *b)
{
	const struct nf_iface *x = a, *y = b;

	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

/* The one without a name, and those that a rule is about. */
static size_t make_ifaces(const struct nf_rules *rules, const struct nf_groups *groups,
			  struct nf_iface *ret)
{
	const struct nf_users *at = groups->first, *end = at + groups->nr;
	size_t number, nr = 1;

	for (number = 1; number <= rules->nr_ifaces; number++) {
		while (at + 1 < end && at[1].from <= number)
			at++;
		if (at->group)
			ret[nr++] = (struct nf_iface){ nf_iface_mark(&rules->ifaces[number - 1]),
						       rules->ifaces[number - 1], at->group, 0 };
	}
	qsort(ret, nr, sizeof(*ret), by_iface_mark);
	return nr;
}

void nf_output_ifaces(struct nf_output *output, const struct nf_rules *rules,
		      const struct nf_groups *groups, struct nf_header *header)
{
	static const struct nf_iface last = { .mark = UINT64_MAX };
	struct nf_iface *ifaces;
	uint32_t half = 1, i, at;
	size_t nr;

	if (!groups->first)
		return;
	ifaces = calloc(rules->nr_ifaces + 1, sizeof(*ifaces));
	if (!ifaces) {
		output->error = -ENOMEM;
		return;
	}
	nr = make_ifaces(rules, groups, ifaces);
	while (half * 2 < nr)
		half *= 2;
	header->ifaces_half = half;
	header->ifaces = nf_output_room(output, 2 * half * sizeof(*ifaces), sizeof(*ifaces));
	for (i = 0; i < 2 * half; i++) {
		at = header->ifaces + i * sizeof(*ifaces);
		nf_output_put(output, at, i < nr ? &ifaces[i] : &last, sizeof(*ifaces));
	}
	free(ifaces);
}
