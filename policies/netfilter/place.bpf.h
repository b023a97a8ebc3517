/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Places: what a socket, or a request that may become one, is counted in. All that it needs is
 * taken before it goes on, or nothing is; and given back once, by whoever deletes its record.
 */
#ifndef PLACE_BPF_H
#define PLACE_BPF_H

#include "count.bpf.h"
#include "ruleset.h"

static const char per_names[NF_LIMITS][16] = { "destination", "scope", "source" };

/* Scopes within each other, and limits along them that one connection is counted in. */
#define LEVELS 64
#define HOLDS  8

CM_PER_SCOPE(struct nf_limit_use, uses);

static volatile __u32 numbers;

struct hold {
	__u32 at; /* of count_up() */
	__u32 number;
	__u16 row;
	__u16 per;
};

struct place {
	struct hold holds[HOLDS];
	__u32 nr;
	__u32 ports;	/* of a request: the peer's and the own one */
	__u64 until_ns; /* of a request */
};

/* By the address of the socket or the request. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct place);
} places SEC(".maps");

/* A connection is to be counted along the path of a scope. */
struct taking {
	struct place place; /* so far */
	__u32 from;	    /* row of the nearest scope */
	__u32 is_incoming;
	__u32 is_there;	   /* it cannot be refused any more */
	__be32 address[4]; /* IPv4 as v4-mapped IPv6 */
	__u32 port;
	__u32 row, above, asked;		   /* a scope, the one above it, a kind of limit */
	__u32 denied, would_deny, no_room, broken; /* the answer */
	__u32 limit, per;			   /* which objects */
};

/* Not static: see cm_forget(). */
__noinline int give_all(struct place *place)
{
	const struct hold *hold;
	struct nf_limit_use *use;
	__u32 i;

	for (i = 0; place && i < HOLDS; i++) {
		hold = &place->holds[i];
		if (i >= place->nr)
			break;
		count_down(hold->at);
		use = cm_per_scope(uses, hold->row);
		if (use && use->number == hold->number && hold->per < NF_LIMITS)
			__sync_fetch_and_add(&use->held[hold->per], -1);
	}
	return 0;
}

/* Only one caller can delete a record. Not inlined: the stack is small. */
static __noinline int give_back(__u64 key)
{
	struct place *place = bpf_map_lookup_elem(&places, &key), copy;

	if (!place)
		return 0;
	copy = *place;
	if (!bpf_map_delete_elem(&places, &key))
		give_all(&copy);
	return 0;
}

static __always_inline __u32 number_of(struct nf_limit_use *use)
{
	if (!use->number)
		__sync_val_compare_and_swap(&use->number, 0, __sync_fetch_and_add(&numbers, 1) + 1);
	return use->number;
}

static __always_inline __u64 key_of(const struct taking *taking, __u32 number, __u32 per)
{
	__u64 key = hash_step(hash_start(), (__u64)number << 32 | per << 16 |
						    (per == NF_PER_DESTINATION ? taking->port : 0));

	if (per == NF_PER_SCOPE)
		return key;
	key = hash_step(key, (__u64)taking->address[0] << 32 | taking->address[1]);
	return hash_step(key, (__u64)taking->address[2] << 32 | taking->address[3]);
}

static __always_inline void object(struct taking *taking, __u32 mode, __u32 limit)
{
	if (mode == CM_ENFORCE)
		taking->denied = 1;
	else if (taking->would_deny)
		return;
	taking->would_deny = 1;
	taking->limit = limit;
	taking->per = taking->asked;
}

/* A scope that refuses nothing counts on, so that its number is right when it does. */
static __always_inline void take_one(struct taking *taking, const struct cm_level *level,
				     __u32 limit)
{
	__u32 per = taking->asked < NF_LIMITS ? taking->asked : 0;
	bool must = level->mode != CM_ENFORCE || taking->is_there;
	struct counting counting = { .limit = must ? COUNT_MAX : limit };
	struct nf_limit_use *use = cm_per_scope(uses, taking->row);
	struct hold *hold;

	if (!limit || taking->denied)
		return;
	if (!use) {
		taking->broken = taking->denied = 1;
		return;
	}
	counting.key = key_of(taking, number_of(use), per);
	if (taking->place.nr < HOLDS)
		count_up(&counting);
	else
		counting.is_full = 1;
	if (!taking->is_there && (counting.had >= limit || !counting.at)) {
		__sync_fetch_and_add(&use->refused[per], 1);
		object(taking, level->mode, limit);
	}
	taking->no_room |= counting.is_full;
	if (!counting.at || taking->place.nr >= HOLDS)
		return;
	hold = &taking->place.holds[taking->place.nr & (HOLDS - 1)];
	*hold = (struct hold){ counting.at, use->number, taking->row, per };
	taking->place.nr++;
	__sync_fetch_and_add(&use->held[per], 1);
}

/* The limit that is asked, in the scope of taking->row. Not static: see cm_forget(). */
__noinline int take_level(struct taking *taking)
{
	struct cm_level level;
	__u32 row;

	if (!taking)
		return 0;
	row = taking->row;
	if (!cm_read_level(row, &level)) {
		taking->broken = taking->denied = 1;
		return 0;
	}
	taking->above = level.above;
	if (!row && !cm_system_in_force())
		return 0;
	take_one(taking, &level,
		 taking->asked == NF_PER_DESTINATION ? cm_own(&level, limit_per_destination)
		 : taking->asked == NF_PER_SCOPE     ? cm_own(&level, limit_per_scope)
						     : cm_own(&level, limit_per_source));
	return 0;
}

static long take_above(__u64 i, struct taking *taking)
{
	if (i)
		taking->row = taking->above;
	take_level(taking);
	return taking->denied || !taking->row;
}

static __always_inline void take_each(struct taking *taking, __u32 asked)
{
	if (taking->denied)
		return;
	taking->row = taking->from;
	taking->asked = asked;
	bpf_loop(LEVELS, take_above, taking, 0);
	if (!taking->denied && taking->row)
		taking->broken = taking->denied = 1;
}

/*
 * A place in every limit from the scope of taking->from up, or none, and it is told which one
 * objects. In an order in which whoever needs a place needs those behind it as well: nobody is
 * refused for a place that is given back because another limit refuses.
 */
static __always_inline void take(struct taking *taking)
{
	if (taking->is_incoming) {
		take_each(taking, NF_PER_SOURCE);
	} else {
		take_each(taking, NF_PER_DESTINATION);
		take_each(taking, NF_PER_SCOPE);
	}
	if (taking->denied)
		give_all(&taking->place);
}

/* For the socket or request of that address; false: there is no memory for it, and nothing is
 * taken. */
static __always_inline bool keep(__u64 key, struct taking *taking)
{
	if (!taking->place.nr || !bpf_map_update_elem(&places, &key, &taking->place, BPF_ANY))
		return true;
	give_all(&taking->place);
	taking->no_room = 1;
	return false;
}

#endif /* PLACE_BPF_H */
