// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress-chain LENGTH: a line of LENGTH processes of uid 1000, each the child of the one before,
 * and two strangers beside it. Prints who may trace whom, by process_vm_readv and by PTRACE_ATTACH:
 * "top bottom OK", one line for each pair.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

enum role {
	TOP,
	MIDDLE,
	BOTTOM,
	STRANGER,
	DECLARED, /* a stranger that declares the top its tracer */
	ROLES,
};

static const char *const roles[ROLES] = { "top", "middle", "bottom", "stranger", "declared" };

static struct shared {
	pid_t pids[ROLES];
	pid_t target;
	int results[2];
} * shared;

static int ask[ROLES][2], answer[ROLES][2];
static volatile unsigned long word = 0xc4a1;

#define STACK 32768

static char *stacks;
static int length;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int try_readv(pid_t pid)
{
	unsigned long copy = 0;
	struct iovec local = { &copy, sizeof(copy) };
	struct iovec remote = { (void *)&word, sizeof(word) };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(copy))
		return errno;
	return copy == word ? 0 : EBADMSG;
}

static int try_attach(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return errno;
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_DETACH, pid, 0, 0))
		return errno ? errno : EBADMSG;
	return 0;
}

static void serve(enum role role)
{
	char c;

	shared->pids[role] = getpid();
	if (write(answer[role][1], "", 1) != 1)
		die("stress-chain: write");
	while (read(ask[role][0], &c, 1) == 1) {
		if (c == 'd') {
			shared->results[0] =
				prctl(PR_SET_PTRACER, shared->target, 0, 0, 0) ? errno : 0;
		} else {
			shared->results[0] = try_readv(shared->target);
			shared->results[1] = try_attach(shared->target);
		}
		if (write(answer[role][1], "", 1) != 1)
			die("stress-chain: write");
	}
	_exit(0);
}

static void wait_for(enum role role)
{
	char c;

	if (read(answer[role][0], &c, 1) != 1)
		die("stress-chain: read");
}

static void request(enum role role, char what, enum role target)
{
	shared->target = shared->pids[target];
	if (write(ask[role][1], &what, 1) != 1)
		die("stress-chain: write");
	wait_for(role);
}

static void print_attempt(enum role tracer, enum role target)
{
	const int *results = shared->results;

	request(tracer, 't', target);
	printf("%s %s %s", roles[tracer], roles[target],
	       results[0] ? strerrorname_np(results[0]) : "OK");
	if (results[0] != results[1])
		printf(" and %s", results[1] ? strerrorname_np(results[1]) : "OK");
	putchar('\n');
}

static void become_user(rlim_t processes)
{
	struct rlimit limit = { processes, processes };

	if (setrlimit(RLIMIT_NPROC, &limit) || setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
	    setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1))
		die("stress-chain: cannot become uid 1000");
}

/*
 * Processes of the line share one memory: with a copy each, the kernel would link every copy to
 * those of all ancestors (anon_vma), and that alone would fill the guest. Each ends when the one
 * above it does, the first when this program does.
 */
static int descend(void *arg)
{
	int number = (long)arg;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("stress-chain: PR_SET_PDEATHSIG");
	if (number == length)
		serve(BOTTOM);
	/* Only the last has its own, for within one memory anyone may read it. */
	if (clone(descend, stacks + (number + 1) * STACK,
		  number + 1 == length ? SIGCHLD : CLONE_VM | SIGCHLD, (void *)(number + 1L)) < 0)
		die("stress-chain: clone");
	if (number == 1)
		serve(TOP);
	if (number == length / 2)
		serve(MIDDLE);
	while (pause() < 0)
		;
	return 0;
}

static void start_stranger(enum role role)
{
	pid_t pid = fork();

	if (pid < 0)
		die("stress-chain: fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(role);
	}
}

int main(int argc, char **argv)
{
	int i;
	pid_t top;

	length = argc == 2 ? atoi(argv[1]) : 0;
	if (length < 4) {
		fprintf(stderr, "usage: stress-chain LENGTH\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	stacks = mmap(NULL, (length + 1) * (size_t)STACK, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED || stacks == MAP_FAILED)
		die("stress-chain: mmap");
	for (i = 0; i < ROLES; i++)
		if (pipe2(ask[i], O_CLOEXEC) || pipe2(answer[i], O_CLOEXEC))
			die("stress-chain: pipe");
	become_user(length + 100);
	start_stranger(STRANGER);
	start_stranger(DECLARED);
	top = fork();
	if (!top)
		descend((void *)1L);
	for (i = 0; i < ROLES; i++)
		wait_for(i);
	print_attempt(TOP, BOTTOM);
	print_attempt(MIDDLE, BOTTOM);
	print_attempt(STRANGER, BOTTOM);
	print_attempt(BOTTOM, TOP);
	print_attempt(BOTTOM, DECLARED);
	request(DECLARED, 'd', TOP);
	print_attempt(BOTTOM, DECLARED);
	print_attempt(STRANGER, DECLARED);
	kill(top, SIGKILL);
	kill(shared->pids[STRANGER], SIGKILL);
	kill(shared->pids[DECLARED], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
