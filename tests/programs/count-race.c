// SPDX-License-Identifier: GPL-2.0-only
/*
 *	count-race THREADS TIMES LIMIT
 *
 * The counts of policies/netfilter, by threads of this program: each counts one of a few keys of
 * one bucket up and down again, so often. Prints "exact" if no key ever had more than LIMIT,
 * whoever was refused was so because of that many, and none is left in the end; or else what was
 * wrong.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* What the kernel has for its programs, as far as they need it. */
#define __noinline __attribute__((noinline))
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define SEC(NAME)
#define __uint(NAME, VALUE)		int(*NAME)[VALUE]
#define __type(NAME, TYPE)		TYPE *NAME
#define bpf_map_lookup_elem(MAP, INDEX) look_up(*(INDEX))
#define bpf_loop(TIMES, STEP, ARGUMENT, FLAGS)                                                     \
	for (__u64 i_ = 0; i_ < (TIMES) && !STEP(i_, ARGUMENT); i_++)
#define bpf_get_prandom_u32() 1u

static struct bucket *look_up(__u32 index);

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter" /* as programs for the kernel are built */
#include "../../policies/netfilter/count.bpf.h"
#pragma GCC diagnostic pop

static struct bucket buckets[BUCKETS];

static struct bucket *look_up(__u32 index)
{
	return &buckets[index];
}

#define KEYS 3

static unsigned int times, limit;
static atomic_uint now[KEYS];
static atomic_bool is_wrong;

static void tell(const char *what, unsigned int key, unsigned int number)
{
	if (!atomic_exchange(&is_wrong, true))
		printf("key %u: %s, %u\n", key, what, number);
}

static void *run(void *arg)
{
	unsigned int random = (unsigned long)arg, i, key, there;
	struct counting counting;

	for (i = 0; i < times; i++) {
		key = rand_r(&random) % KEYS;
		counting = (struct counting){ .key = (__u64)(key + 1) << 30, .limit = limit };
		count_up(&counting);
		if (!counting.at) {
			if (counting.had < limit)
				tell("refused at", key, counting.had);
			continue;
		}
		there = atomic_fetch_add(&now[key], 1) + 1;
		if (there > limit)
			tell("so many at once", key, there);
		if (random & 64)
			sched_yield();
		atomic_fetch_sub(&now[key], 1);
		count_down(counting.at);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[64];
	unsigned int nr, i;

	if (argc != 4 || atoi(argv[1]) > 64)
		return 2;
	nr = atoi(argv[1]);
	times = atoi(argv[2]);
	limit = atoi(argv[3]);
	for (i = 0; i < nr; i++)
		if (pthread_create(&threads[i], NULL, run, (void *)(i + 1ul)))
			return 2;
	for (i = 0; i < nr; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < SLOTS; i++)
		if (buckets[0].slots[i] & COUNT)
			tell("left in the end", i, buckets[0].slots[i] & COUNT);
	if (!is_wrong)
		puts("exact");
	return 0;
}
