// SPDX-License-Identifier: GPL-2.0-only
/* R01-R02: the same secret, while something changes under whoever looks for it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "cases.h"

static long deadline;

int race_seconds(void)
{
	const char *seconds = getenv("CHECMATE_RACE_SECONDS");

	return seconds ? atoi(seconds) : 20;
}

/* In milliseconds: a whole second may be over at once. */
static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void claim_number(const char *step, unsigned long number)
{
	char word[24];

	snprintf(word, sizeof(word), "%lu", number);
	claim_word(step, word);
}

static void swap_forever(void)
{
	enter("jail");
	for (;;)
		renameat2(AT_FDCWD, "inner/low", AT_FDCWD, "high", RENAME_EXCHANGE);
}

/* Jailed in jail/inner, in a directory that another jailed task moves up to where a secret is. */
static void r01(void)
{
	unsigned long tried = 0, escaped = 0;

	must("inner", mkdir("jail/inner", 0755));
	must("low", mkdir("jail/inner/low", 0755));
	must("high", mkdir("jail/high", 0755));
	create("jail/secret", NULL);
	start(swap_forever);
	must("chroot", chroot("jail/inner"));
	must("chdir", chdir("/low"));
	for (deadline = now() + race_seconds() * 1000L; now() < deadline; tried++) {
		int fd = open("../secret", O_RDONLY);

		if (fd >= 0 && !close(fd))
			escaped++;
	}
	claim_number("tried", tried);
	claim_number("escaped", escaped);
}

static atomic_bool is_locked_in;
static atomic_bool is_over;
static int outer;

static void *lock_in(void *unused)
{
	(void)unused;
	usleep(rand() % 3000);
	must("chroot", chroot("jail"));
	atomic_store(&is_locked_in, true);
	usleep(2000);
	atomic_store(&is_over, true);
	return NULL;
}

/* One thread opens what is outside by a saved descriptor, while another one locks them both in. */
static void open_while_locked_in(unsigned long counts[2])
{
	pthread_t thread;

	must("thread", -pthread_create(&thread, NULL, lock_in, NULL));
	while (!atomic_load(&is_over)) {
		bool before = atomic_load(&is_locked_in);
		int fd = openat(outer, "secret", O_RDONLY);

		counts[0] += before;
		if (fd >= 0 && !close(fd) && before)
			counts[1]++;
	}
	pthread_join(thread, NULL);
}

static void r02(void)
{
	unsigned long tried = 0, escaped = 0, counts[2];
	int report[2];

	outer = open(".", O_RDONLY | O_DIRECTORY);
	must("outer", outer);
	must("pipe", pipe(report));
	for (deadline = now() + race_seconds() * 1000L; now() < deadline;) {
		pid_t pid = fork();

		if (!pid) {
			counts[0] = counts[1] = 0;
			srand(getpid());
			open_while_locked_in(counts);
			must("report", write(report[1], counts, sizeof(counts)));
			_exit(0);
		}
		must("fork", pid);
		must("counts", read(report[0], counts, sizeof(counts)));
		waitpid(pid, NULL, 0);
		tried += counts[0];
		escaped += counts[1];
	}
	claim_number("tried", tried);
	claim_number("escaped", escaped);
}

const struct row race_rows[] = {
	{ "R01", "opens in a directory that another one moves out of the jail and back", r01 },
	{ "R02", "opens outside, in one thread, while another one locks both in", r02 },
	{ 0 },
};
