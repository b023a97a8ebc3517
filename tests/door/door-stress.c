// SPDX-License-Identifier: GPL-2.0-only
/* The commands of door-driver that need many files or many threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "door-driver.h"

int cmd_fill(const char *prefix)
{
	int map = create_map("array", 4, 1, 0), n, err = 0;
	char path[CM_DOOR_PATH_MAX];

	for (n = 0; !err; n++) {
		snprintf(path, sizeof(path), "%s%d", prefix, n);
		err = add_simple(map, path, 0);
	}
	printf("%d then %s\n", n - 1, strerrorname_np(err));
	while (n-- > 1) {
		snprintf(path, sizeof(path), "%s%d", prefix, n - 1);
		if (door_remove(path))
			return 1;
	}
	return 0;
}

/* latch-race: two writers, the latch and 1; whatever the order, the latch has to be there after. */
struct writer {
	const char *file;
	char digit;
	int rounds;
	pthread_barrier_t *barrier;
};

static void *write_rounds(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < w->rounds; i++) {
		int fd = open(w->file, O_WRONLY);

		if (fd < 0)
			die("%s", w->file);
		pthread_barrier_wait(w->barrier);
		/* The other one may be refused; the latch itself never is. */
		if (write(fd, &w->digit, 1) != 1 && w->digit != '1')
			die("writing %c", w->digit);
		close(fd);
		pthread_barrier_wait(w->barrier);
		pthread_barrier_wait(w->barrier);
	}
	return NULL;
}

int cmd_latch_race(const char *pin, const char *file, int latch, int rounds)
{
	struct writer writers[2] = { { .digit = '0' + latch }, { .digit = '1' } };
	pthread_barrier_t barrier;
	pthread_t threads[2];
	int map = open_pin(pin, 0), zero = 0, lost = 0;

	pthread_barrier_init(&barrier, NULL, 3);
	for (int i = 0; i < 2; i++) {
		writers[i].file = file;
		writers[i].rounds = rounds;
		writers[i].barrier = &barrier;
		pthread_create(&threads[i], NULL, write_rounds, &writers[i]);
	}
	for (int i = 0; i < rounds; i++) {
		map_int(map, 0, &zero);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		lost += map_int(map, 0, NULL) != latch;
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("lowered %d times\n", lost);
	return lost != 0;
}

/* churn: every call may fail in the ways a vanishing file allows, and in no other. */
static atomic_bool churn_over;
static atomic_ulong churn_done[4], churn_wrong;
static const char *churn_prefix;

static void churn_check(const char *what, int err, const int *allowed)
{
	for (; err && *allowed; allowed++)
		if (err == *allowed)
			err = 0;
	if (!err)
		return;
	atomic_fetch_add(&churn_wrong, 1);
	fprintf(stderr, "%s: %s\n", what, strerrorname_np(err));
}

static void *churn_adder(void *arg)
{
	static const int allowed[] = { EEXIST, ENOENT, 0 };
	char path[CM_DOOR_PATH_MAX];

	for (unsigned int i = (long)arg; !churn_over; i++) {
		int map = create_map("array", 4, 1, 0);

		snprintf(path, sizeof(path), "%s%u/knob", churn_prefix, i % 2);
		if (map < 0)
			die("creating a map");
		churn_check("add", add_simple(map, path, 0), allowed);
		/* Sometimes the policy goes first, and the next ADD replaces the dead file. */
		if (i % 3)
			churn_check("remove", door_remove(path), allowed);
		close(map);
		atomic_fetch_add(&churn_done[(long)arg & 1], 1);
	}
	return NULL;
}

static void *churn_user(void *arg)
{
	static const int allowed[] = { ENOENT, ENODEV, EINVAL, 0 };
	const bool writes = (long)arg & 1;
	char path[CM_DOOR_PATH_MAX + 16], byte = '2';

	for (unsigned int i = 0; !churn_over; i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/sys/%s%u/knob", churn_prefix, i % 2);
		fd = open(path, writes ? O_WRONLY : O_RDONLY);
		churn_check("open", fd < 0 ? errno : 0, allowed);
		if (fd < 0)
			continue;
		for (int j = 0; j < 20; j++) {
			ssize_t n = writes ? pwrite(fd, &byte, 1, 0) : pread(fd, &byte, 1, 0);

			churn_check(writes ? "write" : "read", n < 0 ? errno : 0, allowed);
		}
		close(fd);
		atomic_fetch_add(&churn_done[2 + writes], 1);
	}
	return NULL;
}

int cmd_churn(int seconds, const char *prefix)
{
	pthread_t threads[6];
	char path[CM_DOOR_PATH_MAX];

	churn_prefix = prefix;
	door();
	for (long i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, i < 2 ? churn_adder : churn_user, (void *)i);
	sleep(seconds);
	churn_over = true;
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%d/knob", prefix, i);
		door_remove(path);
	}
	printf("adds %lu reads %lu writes %lu wrong %lu\n", churn_done[0] + churn_done[1],
	       churn_done[2], churn_done[3], churn_wrong);
	return churn_wrong || !churn_done[0] || !churn_done[2] || !churn_done[3];
}
