/* SPDX-License-Identifier: GPL-2.0-only */
/* What the counting programs share: the counter, and holding still what else could move a count. */
#ifndef COUNT_H
#define COUNT_H

#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <unistd.h>

#define WARM_UP 100

/* Above 4095, so that the tree of pids has three levels whatever ran before. */
#define FIRST_PID 8000

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "%s", path);
	close(fd);
}

/* Addresses are the same in every run, and the next pids. */
static inline void hold_still(char **argv)
{
	char text[16];

	if (!(personality(0xffffffff) & ADDR_NO_RANDOMIZE)) {
		personality(ADDR_NO_RANDOMIZE);
		execv("/proc/self/exe", argv);
		err(1, "/proc/self/exe");
	}
	snprintf(text, sizeof(text), "%d", FIRST_PID);
	write_file("/proc/sys/kernel/ns_last_pid", text);
}

/*
 * Where instructions are counted, this clock is the count. clock_gettime(2) is no match: its code
 * takes a few instructions more now and then, when the second changes.
 */
static inline uint64_t now(void)
{
	return __builtin_ia32_rdtsc();
}

#define NOPS  1000
#define TRIES 10

/* Refuses a machine where the counter is a clock. A timer may fire in one try, not in all. */
static inline void check_counter(void)
{
	uint64_t begin, with = 0, without = 0;
	int i;

	for (i = 0; i < TRIES && with - without != NOPS; i++) {
		begin = now();
		without = now() - begin;
		begin = now();
		__asm__ volatile(".rept %c0\n\tnop\n\t.endr" : : "i"(NOPS));
		with = now() - begin;
	}
	if (with - without != NOPS)
		errx(1, "%d instructions are counted as %lld: run this with tests/vm/run -i", NOPS,
		     (long long)(with - without));
}

static inline int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static inline uint64_t median(uint64_t *samples, int number)
{
	qsort(samples, number, sizeof(*samples), by_value);
	return samples[number / 2];
}

#endif /* COUNT_H */
