// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress-storm SECONDS: processes of uid 1000 that register with PR_SET_PTRACER and end at once, as
 * fast as they can be made: with ends of tracee, tracer and registering thread in every order, and
 * with exec by a thread that is not the leader, which gives one task the identity of another.
 * Exits 1 if a registration fails that must not; prints how many there were.
 *
 * stress-storm hold: a process that lives on, and its child, registered with it as the tracer.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

#define RUNNERS 8

/* Kinds of ends; the last of them need a fork of their own. */
#define ENDS	     16
#define FIRST_FORKED 14

static struct shared {
	unsigned long registrations, processes, execs;
	int error; /* of a registration that must succeed */
	pid_t last[RUNNERS];
} * shared;

static int image;
static char *environment[] = { NULL };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* @sure: the tracer is there for certain */
static void declare(long tracer, bool sure)
{
	add(&shared->registrations);
	if (prctl(PR_SET_PTRACER, tracer, 0, 0, 0) && (sure || errno != EINVAL))
		__atomic_store_n(&shared->error, errno, __ATOMIC_RELAXED);
}

static void *thread_main(void *arg)
{
	char *leaf[] = { "stress-storm", "leaf", NULL };

	declare(syscall(SYS_gettid), true);
	if (arg) {
		add(&shared->execs);
		fexecve(image, leaf, environment);
		shared->error = errno;
	}
	return NULL;
}

static void run_thread(bool exec)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, exec ? "" : NULL))
		return; /* no room for it just now */
	if (exec || getpid() % 2)
		pthread_join(thread, NULL);
}

/* Ends the process. After vfork() it may change nothing of the parent's but what is shared. */
static void child(unsigned int number)
{
	pid_t other = __atomic_load_n(&shared->last[number / ENDS % RUNNERS], __ATOMIC_RELAXED);

	add(&shared->processes);
	switch (number % ENDS) {
	case 0:
		declare(-1, true);
		break;
	case 1:
		declare(getppid(), true);
		break;
	case 2:
		declare(getpid(), true);
		declare(0, true);
		break;
	case 3:
		declare(getppid(), true);
		declare(-1, true);
		declare(getpid(), true);
		break;
	case FIRST_FORKED:
		run_thread(false);
		break;
	case FIRST_FORKED + 1:
		run_thread(true);
		break;
	case 4 ... 7: /* one that may be about to end, or gone */
		if (other > 0)
			declare(other, false);
		break;
	default:
		declare(-1, true);
	}
	_exit(0);
}

static void run(int number, time_t end)
{
	volatile unsigned int seed = number; /* a local of the vfork() below */
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (time(NULL) < end) {
		seed = seed * 1103515245 + 12345;
		/* Threads need a memory of their own; the others are made as fast as can be. */
		pid = (seed >> 16) % ENDS >= FIRST_FORKED ? fork() : vfork();
		if (!pid)
			child(seed >> 16);
		if (pid < 0)
			die("stress-storm: fork");
		__atomic_store_n(&shared->last[number], pid, __ATOMIC_RELAXED);
		/* Half of them are reaped later, in another order. */
		if (seed & 1 << 15)
			waitpid(pid, NULL, 0);
		else if (!(seed & 7 << 12))
			while (wait(NULL) > 0)
				;
	}
	while (wait(NULL) > 0)
		;
	_exit(0);
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		die("stress-storm: cannot become uid 1000");
}

static void hold(void)
{
	become_user();
	if (!fork()) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_PTRACER, getppid(), 0, 0, 0))
			die("stress-storm: PR_SET_PTRACER");
		puts("registered");
		fflush(stdout);
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int seconds = argc == 2 ? atoi(argv[1]) : 0, i;

	if (argc == 2 && !strcmp(argv[1], "leaf"))
		return prctl(PR_SET_PTRACER, -1, 0, 0, 0) ? 1 : 0;
	if (argc == 2 && !strcmp(argv[1], "hold"))
		hold();
	if (seconds <= 0) {
		fprintf(stderr, "usage: stress-storm SECONDS|hold\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	image = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (shared == MAP_FAILED || image < 0)
		die("stress-storm: cannot prepare");
	become_user();
	for (i = 0; i < RUNNERS; i++)
		if (!fork())
			run(i, time(NULL) + seconds);
	while (wait(NULL) > 0)
		;
	printf("%lu processes, %lu registrations, %lu execs\n", shared->processes,
	       shared->registrations, shared->execs);
	if (shared->error)
		fprintf(stderr, "stress-storm: a registration failed: %s\n",
			strerror(shared->error));
	return shared->error ? 1 : 0;
}
