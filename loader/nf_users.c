// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of the pack netfilter: uids that the same rules are about are a group, whose number is the
 * last part of a tree's key.
 */
#include <errno.h>
#include <stdlib.h>

#include "nf.h"

/* From this uid on, lists of that mark begin or end. Two sums of marks are the same by chance once
 * in 2^64. */
struct edge {
	uint32_t from;
	uint64_t mark;
};

struct users {
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

static int by_uid(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int by_mark(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->mark < y->mark ? -1 : x->mark > y->mark;
}

static int make_edges(struct users *users, const struct nf_statement *all, size_t nr)
{
	size_t i, j, room = 1;

	for (i = 0; i < nr; i++)
		room += all[i].uid ? 2 * all[i].uid->nr_numbers : 0;
	users->edges = calloc(room, sizeof(*users->edges));
	if (!users->edges)
		return -ENOMEM;
	users->nr = 1; /* uid 0 */
	for (i = 0; i < nr; i++) {
		for (j = 0; all[i].uid && j < all[i].uid->nr_numbers; j++) {
			const struct nf_range *range = &all[i].uid->numbers[j];

			users->edges[users->nr++] = (struct edge){ range->from, mark_of(i) };
			users->edges[users->nr++] = (struct edge){ range->to + 1, -mark_of(i) };
		}
	}
	return 0;
}

/* One edge for each uid where something changes, with the mark of all that holds from there on. */
static void add_up(struct users *users)
{
	uint64_t sum = 0;
	size_t i, nr = 0;

	qsort(users->edges, users->nr, sizeof(*users->edges), by_uid);
	for (i = 0; i < users->nr; i++) {
		sum += users->edges[i].mark;
		if (nr && users->edges[nr - 1].from == users->edges[i].from)
			nr--;
		users->edges[nr++] = (struct edge){ users->edges[i].from, sum };
	}
	users->nr = nr;
}

/* A number for each mark that there is. */
static int number(const struct users *users, struct nf_users *ret)
{
	struct edge *sorted = calloc(users->nr, sizeof(*sorted)), *found;
	size_t i, nr = 0;

	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < users->nr; i++)
		sorted[i] = users->edges[i];
	qsort(sorted, users->nr, sizeof(*sorted), by_mark);
	for (i = 0; i < users->nr; i++)
		if (!nr || sorted[nr - 1].mark != sorted[i].mark)
			sorted[nr++] = sorted[i];
	for (i = 0; i < users->nr; i++) {
		found = bsearch(&users->edges[i], sorted, nr, sizeof(*sorted), by_mark);
		ret[i] = (struct nf_users){ users->edges[i].from, found - sorted };
	}
	free(sorted);
	return nr <= NF_GROUPS_MAX ? 0 : -EOVERFLOW;
}

static int compare_users(const void *a, const void *b)
{
	const struct nf_users *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int give_groups(struct nf_statement *statement, const struct nf_users *users, size_t nr)
{
	struct nf_list *groups = calloc(1, sizeof(*groups));
	bool *has = calloc(NF_GROUPS_MAX, sizeof(*has));
	const struct nf_users *at;
	uint32_t group;
	size_t i;

	statement->groups = groups;
	if (groups)
		groups->numbers = calloc(NF_GROUPS_MAX, sizeof(*groups->numbers));
	if (!has || !groups || !groups->numbers) {
		free(has);
		return -ENOMEM;
	}
	for (i = 0; i < statement->uid->nr_numbers; i++) {
		const struct nf_range *range = &statement->uid->numbers[i];
		const struct nf_users key = { .from = range->from };

		at = bsearch(&key, users, nr, sizeof(*users), compare_users);
		for (; at && at < users + nr && at->from <= range->to; at++)
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

int nf_users_group(struct nf_statement *all, size_t nr, struct nf_users **ret, size_t *ret_nr)
{
	struct users users = { 0 };
	int err = make_edges(&users, all, nr);
	size_t i;

	*ret = NULL;
	if (!err && users.nr > 1) {
		add_up(&users);
		*ret = calloc(users.nr, sizeof(**ret));
		*ret_nr = users.nr;
		err = *ret ? number(&users, *ret) : -ENOMEM;
	}
	for (i = 0; !err && i < nr; i++)
		if (all[i].uid)
			err = give_groups(&all[i], *ret, *ret_nr);
	free(users.edges);
	return err;
}

void nf_users_release(struct nf_statement *all, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (all[i].groups)
			free(all[i].groups->numbers);
		free(all[i].groups);
	}
}
