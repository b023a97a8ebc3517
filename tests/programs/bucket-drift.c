// SPDX-License-Identifier: GPL-2.0-only
/*
 *	bucket-drift EVENTS RATE PER BURST
 *
 * The bucket of policies/ratelimit under a clock of this program's own, which runs as fast as it
 * can: it is asked for half as many tokens again as the rate gives, until it has given EVENTS.
 * Prints "exact" if at each moment it had given a full bucket and what the rate brought meanwhile,
 * not one more or less, if it was asked that often; or else the first moment at which it had not.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../policies/ratelimit/bucket.bpf.h"

/* A machine that has been up for a month. */
#define BEGIN_NS (30ull * 86400 * NS_PER_S)

int main(int argc, char **argv)
{
	__s32 knobs[4] = {};
	struct bucket bucket = {};
	struct limit limit;
	unsigned __int128 due;
	__u64 events, asked = 0, given = 0, now, step;
	int i;

	if (argc != 5) {
		fprintf(stderr, "usage: bucket-drift EVENTS RATE PER BURST\n");
		return 2;
	}
	events = strtoull(argv[1], NULL, 10);
	for (i = 0; i < 3; i++)
		knobs[i] = atoi(argv[2 + i]);
	limit = limit_of(knobs);
	step = limit.cost / limit.rate * 2 / 3;
	for (now = BEGIN_NS; given < events; now += step) {
		freshen(&bucket, &limit, now);
		given += take_token(&bucket, &limit, now);
		/* A billionth of a token may be lost once, when a bucket begins. */
		due = (unsigned __int128)(now - BEGIN_NS) * limit.rate;
		due = (due ? due - 1 : 0) / limit.cost + knobs[2];
		if (due > ++asked)
			due = asked;
		if (given != due) {
			printf("%llu tokens after %llu ns, not %llu\n", given, now - BEGIN_NS,
			       (__u64)due);
			return 1;
		}
	}
	puts("exact");
	return 0;
}
