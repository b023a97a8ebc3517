// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many instructions one process_vm_readv(2) of one byte takes, in a guest that counts them
 * (tests/vm/run -i):
 *
 *	bench-cost [-t child|grandchild|sibling] [-c CGROUP] [-C CGROUP] [-u UID] [-d]
 *	-t	what the target is to the caller (default child)
 *	-c, -C	cgroup directory of the caller, of the target (default: where this runs)
 *	-u	both have this uid and no capability (default 1000); 0: root with every capability
 *	-d	the call must be denied with EPERM (default: it must succeed)
 *
 * Prints the median of SAMPLES single calls less that of as many empty pairs of counter readings.
 * What else could move the count is the same in every run: addresses, numbers of digits of pids
 * (the depth of the kernel's tree of them), memory layout.
 */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "count.h"

#define SAMPLES 4001

enum relation {
	CHILD,
	GRANDCHILD,
	SIBLING
};

static const char *const relations[] = { "child", "grandchild", "sibling" };

struct options {
	enum relation target;
	const char *caller_cgroup;
	const char *target_cgroup;
	uid_t uid;
	bool denied;
};

static char byte = 1; /* what is read: in the same place in both, and touched in both */

static void join(const char *cgroup)
{
	char path[PATH_MAX];

	if (!cgroup)
		return;
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	write_file(path, "0");
}

/* The identity that both sides have; a change of it makes a process undumpable. */
static void become(uid_t uid)
{
	if (uid && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		err(1, "cannot become uid %u", uid);
	if (prctl(PR_SET_DUMPABLE, 1) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		err(1, "prctl");
}

static pid_t start(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	return pid;
}

static void be_target(const struct options *options, int ready)
{
	pid_t self = getpid();

	join(options->target_cgroup);
	become(options->uid);
	byte = 2;
	if (write(ready, &self, sizeof(self)) != sizeof(self))
		err(1, "target: pipe");
	for (;;)
		pause();
}

/* Starts the target below the calling process; returns its pid when it is ready. */
static pid_t start_target(const struct options *options)
{
	int ready[2];
	pid_t pid;

	if (pipe(ready))
		err(1, "pipe");
	if (!start()) {
		if (options->target == GRANDCHILD && start()) {
			become(options->uid);
			for (;;)
				pause();
		}
		be_target(options, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &pid, sizeof(pid)) != sizeof(pid))
		errx(1, "the target did not come up");
	close(ready[0]);
	return pid;
}

static uint64_t samples[SAMPLES];

static void measure(const struct options *options, pid_t target)
{
	struct iovec local = { &byte, 1 }, remote = { &byte, 1 };
	uint64_t begin, call, empty;
	bool denied;
	long ret;
	int i;

	memset(samples, 1, sizeof(samples)); /* no page faults later */
	check_counter();
	for (i = -WARM_UP; i < SAMPLES; i++) {
		begin = now();
		ret = process_vm_readv(target, &local, 1, &remote, 1, 0);
		samples[i < 0 ? 0 : i] = now() - begin;
		denied = ret < 0 && errno == EPERM;
		if (denied != options->denied || (!denied && ret != 1))
			errx(1, "process_vm_readv returned %ld (%s), not what was expected", ret,
			     ret < 0 ? strerror(errno) : "no error");
	}
	call = median(samples, SAMPLES);
	for (i = -WARM_UP; i < SAMPLES; i++) {
		begin = now();
		samples[i < 0 ? 0 : i] = now() - begin;
	}
	empty = median(samples, SAMPLES);
	printf("%llu\n", (unsigned long long)(call - empty));
}

static void be_caller(const struct options *options, pid_t target)
{
	if (options->target != SIBLING)
		target = start_target(options);
	join(options->caller_cgroup);
	become(options->uid);
	measure(options, target);
	exit(fflush(stdout) ? 1 : 0);
}

/* The target and what is between end when the caller has: they are waited for, too. */
static int wait_for(pid_t caller, pid_t sibling)
{
	int status = 1, ended;
	pid_t pid;

	while ((pid = wait(&ended)) > 0 || errno == EINTR) {
		if (pid != caller)
			continue;
		status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 1;
		if (sibling)
			kill(sibling, SIGKILL);
	}
	return status;
}

static void parse(int argc, char **argv, struct options *options)
{
	int option, i;

	while ((option = getopt(argc, argv, "t:c:C:u:d")) != -1) {
		switch (option) {
		case 't':
			for (i = CHILD; i <= SIBLING && strcmp(optarg, relations[i]); i++)
				;
			if (i > SIBLING)
				errx(2, "no such target: %s", optarg);
			options->target = i;
			break;
		case 'c':
			options->caller_cgroup = optarg;
			break;
		case 'C':
			options->target_cgroup = optarg;
			break;
		case 'u':
			options->uid = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			options->denied = true;
			break;
		default:
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "what is '%s'?", argv[optind]);
}

int main(int argc, char **argv)
{
	struct options options = { .uid = 1000 };
	pid_t caller, sibling = 0;

	parse(argc, argv, &options);
	hold_still(argv);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		err(1, "prctl");
	if (options.target == SIBLING)
		sibling = start_target(&options);
	caller = start();
	if (!caller)
		be_caller(&options, sibling);
	return wait_for(caller, sibling);
}
