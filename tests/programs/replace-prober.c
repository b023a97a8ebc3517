// SPDX-License-Identifier: GPL-2.0-only
/*
 * replace-prober STOP [ERRNO...]: two threads, each on a CPU of its own, attempt without pause to
 * read the memory of a stranger, as uid 1000, until the file STOP is there. Each attempt must fail
 * with one of the errno values that are named; without one, each must succeed. Prints "ATTEMPTS
 * WRONG".
 */
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 2

static char **allowed;
static const char *stop;
static pid_t target;
static unsigned long attempts[THREADS], wrong[THREADS];

static int is_right(int error)
{
	char **name = allowed;

	if (!*name)
		return !error;
	for (; *name; name++)
		if (error && !strcmp(strerrorname_np(error), *name))
			return 1;
	return 0;
}

static void *probe(void *arg)
{
	long cpu = (long)arg;
	cpu_set_t cpus;
	int error;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	do {
		error = sched_getscheduler(target) < 0 ? errno : 0;
		attempts[cpu]++;
		if (!is_right(error) && !wrong[cpu]++)
			fprintf(stderr, "attempt %lu: %s\n", attempts[cpu],
				error ? strerrorname_np(error) : "OK");
	} while (attempts[cpu] % 64 || access(stop, F_OK));
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	unsigned long all = 0, bad = 0;
	long i;

	if (argc < 2)
		return 2;
	stop = argv[1];
	allowed = argv + 2;
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		return 1;
	target = fork();
	if (!target) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, probe, (void *)i))
			return 1;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all += attempts[i];
		bad += wrong[i];
	}
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	printf("%lu %lu\n", all, bad);
	return bad != 0;
}
