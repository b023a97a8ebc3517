/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts by key, in memory of a fixed size, exact while several CPUs count up and down.
 *
 * A key is a hash of 56 bits, its bucket by 13 of them, a slot there by the other 43; should two
 * keys ever be the same, a limit is reached too early, never too late. The tag and the count are
 * one word, so a slot is free as soon as its count is 0, without a step in between: whoever counts
 * down does no more than that, and whoever counts up finds the key at its place or none.
 *
 * A key may be in one slot only. Who puts it in one first claims the slot, by a word that nobody
 * else writes, and then looks for the key anew: of two at once, one sees the other's claim. A claim
 * that is found is taken away, lest anybody has to wait for one that was interrupted.
 */
#ifndef COUNT_BPF_H
#define COUNT_BPF_H

#define COUNT	  0xfffffull /* of a claim its number, not 0 */
#define COUNT_MAX 0xffff0u
#define CLAIM	  (1ull << 20)
#define TAG	  (~(CLAIM | COUNT))

#define BUCKETS 8192
#define SLOTS	16

struct bucket {
	__u64 slots[SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BUCKETS);
	__type(key, __u32);
	__type(value, struct bucket);
} counts SEC(".maps");

static volatile __u64 hash_seed, claims;

/* One count is asked for. */
struct counting {
	__u64 key; /* of hash() */
	__u32 limit;
	__u32 had; /* before; what follows is the answer as well */
	__u32 at;  /* where it is now counted, for count_down(); 0: nowhere */
	__u32 is_full;
};

static __always_inline __u64 hash_step(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	hash = (hash ^ hash >> 32) * 0xbf58476d1ce4e5b9ull;
	return hash ^ hash >> 29;
}

/* Where to begin: nobody can tell which keys are the same. */
static __always_inline __u64 hash_start(void)
{
	__u64 random;

	if (!hash_seed) {
		random = (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32() | 1;
		__sync_val_compare_and_swap(&hash_seed, 0, random);
	}
	return hash_seed;
}

static __always_inline bool exchange(__u64 *slot, __u64 from, __u64 to)
{
	return __sync_val_compare_and_swap(slot, from, to) == from;
}

#define READ(PLACE) (*(volatile __u64 *)(PLACE))

/*
 * The slot that has the key, SLOTS if none has; in the next byte one that is free, or SLOTS. Not
 * static: see cm_forget().
 */
__noinline int find_slot(__u32 index, __u64 tag, __u32 but)
{
	struct bucket *bucket = bpf_map_lookup_elem(&counts, &index);
	__u32 i, room = SLOTS;
	__u64 word;

	for (i = 0; bucket && i < SLOTS; i++) {
		word = READ(&bucket->slots[i]);
		if (!(word & COUNT))
			room = i;
		else if ((word & TAG) == tag && i != but)
			return i;
	}
	return SLOTS | room << 8;
}

/* Nobody has the key: claim a free slot, and see that it is still so. */
static __always_inline bool claim_slot(struct counting *counting, __u64 *slot, __u32 index,
				       __u32 room)
{
	__u64 tag = counting->key & TAG, word = READ(slot), claim;

	claim = tag | CLAIM | ((__sync_fetch_and_add(&claims, 1) << 1 | 1) & COUNT);
	if (word & COUNT || !exchange(slot, word, claim))
		return false;
	if ((find_slot(index, tag, room) & 0xff) < SLOTS) {
		exchange(slot, claim, 0);
		return false;
	}
	return exchange(slot, claim, tag | 1);
}

/* 0: another try is needed, somebody else has changed what this one had seen. */
__noinline int try_count(struct counting *counting)
{
	struct bucket *bucket;
	__u64 word, *slot;
	__u32 index, found;

	if (!counting)
		return 1;
	index = counting->key % BUCKETS;
	bucket = bpf_map_lookup_elem(&counts, &index);
	found = find_slot(index, counting->key & TAG, SLOTS);
	counting->had = 0;
	counting->is_full = found == (SLOTS | SLOTS << 8);
	if (!bucket || counting->is_full)
		return 1;
	if ((found & 0xff) >= SLOTS) {
		found = found >> 8 & (SLOTS - 1);
		slot = &bucket->slots[found];
		if (!claim_slot(counting, slot, index, found))
			return 0;
	} else {
		found &= SLOTS - 1;
		slot = &bucket->slots[found];
		word = READ(slot);
		if (word & CLAIM)
			exchange(slot, word, 0);
		if ((word ^ counting->key) & TAG || word & CLAIM || !(word & COUNT))
			return 0;
		counting->had = word & COUNT;
		if (counting->had >= counting->limit)
			return 1;
		if (!exchange(slot, word, word + 1))
			return 0;
	}
	counting->at = index * SLOTS + found + 1;
	return 1;
}

static long count_again(__u64 i, struct counting *counting)
{
	return try_count(counting) != 0;
}

/* A try fails only because another CPU has got on; so many at once nobody has. */
#define TRIES 4096

/* Count up, if it has not reached the limit. Not static: see cm_forget(). */
__noinline int count_up(struct counting *counting)
{
	struct counting here = {};

	if (!counting)
		return 0;
	here.key = counting->key;
	here.limit = counting->limit;
	bpf_loop(TRIES, count_again, &here, 0);
	*counting = here;
	return 0;
}

/* @at: as count_up() said; once for each time */
static __always_inline void count_down(__u32 at)
{
	__u32 index = (at - 1) / SLOTS;
	struct bucket *bucket = bpf_map_lookup_elem(&counts, &index);

	if (bucket)
		__sync_fetch_and_add(&bucket->slots[(at - 1) % SLOTS], -1);
}

#endif /* COUNT_BPF_H */
