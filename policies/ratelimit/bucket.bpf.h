/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bucket of tokens, by the generic cell rate algorithm: instead of tokens it keeps the moment at
 * which all that was taken is paid for. One word, so that several CPUs take at once and none is
 * lost: who loses the exchange tries again.
 *
 * That moment counts in nanoseconds times rate: then one token costs a whole number of units, the
 * period, at every rate, and nothing is ever rounded. The clock is multiplied and overflows; only
 * differences count. Of a bucket at rest for so long that a difference could be mistaken, it is
 * known by `used_ns` that it is full.
 */
#ifndef BUCKET_BPF_H
#define BUCKET_BPF_H

struct bucket {
	__u64 paid_at;	  /* 0: full */
	__u64 shape;	  /* of the limit that this was last taken at; 0: never */
	__u64 used_ns;	  /* when, about */
	__u64 refused_ns; /* the last refusal of those that go on; 0: none do */
	__u64 refused;	  /* how many they are */
};

/* What a bucket is to hold now. */
struct limit {
	__u64 rate;
	__u64 cost; /* of one token: nanoseconds of the period */
	__u64 full; /* cost of all it holds */
	__u64 shape;
};

#define NS_PER_S 1000000000ull

/* At the greatest rate, 2^20, differences are safe for 2^63 / 2^20 ns. */
#define REST_NS (1ull << 42)

/* A rate has 20 bits, as a burst has; the period of one hour 12. */
#define RATE_MASK 0xfffff

/* @knobs: rate, per and burst; the first two are read at once. */
static __always_inline struct limit limit_of(const volatile __s32 *knobs)
{
	__u64 rate_and_per = *(const volatile __u64 *)knobs;
	__u64 burst = (__u32)knobs[2];
	__u64 cost = (rate_and_per >> 32) * NS_PER_S;

	return (struct limit){ .rate = rate_and_per & RATE_MASK,
			       .cost = cost,
			       .full = burst * cost,
			       .shape = rate_and_per | burst << 44 };
}

/*
 * Another limit than last time, or a long rest. A bucket begins full; where the limit was changed
 * it begins empty, lest the change be worth a burst.
 */
static __always_inline void freshen(struct bucket *bucket, const struct limit *limit, __u64 now)
{
	__u64 shape = *(volatile __u64 *)&bucket->shape, used, paid_at;

	if (shape != limit->shape) {
		if (__sync_val_compare_and_swap(&bucket->shape, shape, limit->shape) == shape &&
		    shape)
			__sync_lock_test_and_set(&bucket->paid_at, now * limit->rate + limit->full);
		*(volatile __u64 *)&bucket->used_ns = now;
		return;
	}
	paid_at = *(volatile __u64 *)&bucket->paid_at;
	used = *(volatile __u64 *)&bucket->used_ns;
	/* The clock was read before: another CPU's use may be the later one. */
	if ((__s64)(now - used) > (__s64)REST_NS && now - used > limit->full / limit->rate &&
	    __sync_val_compare_and_swap(&bucket->used_ns, used, now) == used)
		__sync_val_compare_and_swap(&bucket->paid_at, paid_at, 0);
}

/* The bucket with one token less; 0: there is none in it. */
static __always_inline __u64 less_one(__u64 paid_at, const struct limit *limit, __u64 now)
{
	__u64 units = now * limit->rate;
	__s64 ahead = paid_at - units;

	if (ahead < 0)
		ahead = 0;
	ahead += limit->cost;
	/* Never 0, which is a full one; the unit is nothing, a token costs a thousand million. */
	return ahead > (__s64)limit->full ? 0 : (units + ahead) | 1;
}

static __always_inline __u64 less_one_of_any(__u64 paid_at, const struct limit *limit, __u64 now)
{
	return less_one(paid_at ? paid_at : now * limit->rate, limit, now);
}

static __always_inline bool has_token(const struct bucket *bucket, const struct limit *limit,
				      __u64 now)
{
	return less_one_of_any(*(volatile __u64 *)&bucket->paid_at, limit, now);
}

/* More often than others can come between. */
#define TAKE_TRIES 32

static __always_inline bool take_token(struct bucket *bucket, const struct limit *limit, __u64 now)
{
	__u64 paid_at, next;
	int i;

	for (i = 0; i < TAKE_TRIES; i++) {
		paid_at = *(volatile __u64 *)&bucket->paid_at;
		next = less_one_of_any(paid_at, limit, now);
		if (!next)
			return false;
		if (__sync_val_compare_and_swap(&bucket->paid_at, paid_at, next) == paid_at) {
			*(volatile __u64 *)&bucket->used_ns = now;
			return true;
		}
	}
	return false;
}

static __always_inline void give_back(struct bucket *bucket, const struct limit *limit)
{
	__sync_fetch_and_add(&bucket->paid_at, -limit->cost);
}

/* What is to be exchanged for what. */
struct taking {
	__u64 paid_at;
	__u64 next;
};

/*
 * The same in the common case, freshen() and note_calm() with it: the bucket is in use and refuses
 * nobody. False: that is not so. A full one's 0 is taken for a moment like any other: that may look
 * like less than full, never like more.
 */
static __always_inline bool begin_taking(struct taking *taking, const struct bucket *bucket,
					 const struct limit *limit, __u64 now)
{
	taking->paid_at = *(volatile __u64 *)&bucket->paid_at;
	if (*(volatile __u64 *)&bucket->shape != limit->shape ||
	    *(volatile __u64 *)&bucket->refused_ns ||
	    (__s64)(now - *(volatile __u64 *)&bucket->used_ns) > (__s64)REST_NS)
		return false;
	taking->next = less_one(taking->paid_at, limit, now);
	return taking->next;
}

/* False: another CPU has come between, and nothing is taken. */
static __always_inline bool end_taking(const struct taking *taking, struct bucket *bucket,
				       __u64 now)
{
	__u64 found;

	found = __sync_val_compare_and_swap(&bucket->paid_at, taking->paid_at, taking->next);
	asm volatile("" : "+r"(found)); /* or the comparison becomes a number first */
	if (found != taking->paid_at)
		return false;
	*(volatile __u64 *)&bucket->used_ns = now;
	return true;
}

static __always_inline bool take_at_once(struct bucket *bucket, const struct limit *limit,
					 __u64 now)
{
	struct taking taking;

	return begin_taking(&taking, bucket, limit, now) && end_taking(&taking, bucket, now);
}

#endif /* BUCKET_BPF_H */
