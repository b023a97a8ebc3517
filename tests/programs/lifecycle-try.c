// SPDX-License-Identifier: GPL-2.0-only
/*
 * One attempt that Yama, or a policy of the tests, judges; prints OK or the errno's name. Exit
 * status 0 unless misused.
 *
 *	attach PID | seize PID | read PID | mem PID | syscall PID | getfd PID
 *	scheduler PID | session PID	of another task: what test policies judge
 *	child		attach to a child of one's own
 *	traceme		a child asks to be traced by us
 *	ptracer ARG	prctl(PR_SET_PTRACER, ARG); "any" is -1
 *	pause [ARG]	the same, if given; then wait to be killed
 *	pair		start a second thread, print its tid; both wait
 *	flood PID COUNT	"read", COUNT times; prints how many were refused
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char here[8];

static void say(int err)
{
	puts(err ? strerrorname_np(err) : "OK");
	fflush(stdout);
}

static int result(long value)
{
	return value < 0 ? errno : 0;
}

static int attach(pid_t pid, bool seize)
{
	int status;

	if (ptrace(seize ? PTRACE_SEIZE : PTRACE_ATTACH, pid, NULL, NULL))
		return errno;
	if (seize)
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
	if (waitpid(pid, &status, __WALL) != pid)
		return errno;
	return result(ptrace(PTRACE_DETACH, pid, NULL, NULL));
}

/* The address is of no account: what is not mapped there is EFAULT, after the check. */
static int read_memory(pid_t pid)
{
	struct iovec to = { here, sizeof(here) }, from = { here, sizeof(here) };
	int err = result(process_vm_readv(pid, &to, 1, &from, 1, 0));

	return err == EFAULT ? 0 : err;
}

static int open_memory(pid_t pid)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	err = result(fd);
	if (fd >= 0)
		close(fd);
	return err;
}

static int read_syscall(pid_t pid)
{
	char path[64], text[256];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	err = result(read(fd, text, sizeof(text)));
	close(fd);
	return err;
}

static int get_fd(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), fd, err;

	if (pidfd < 0)
		return errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, 0, 0);
	err = result(fd);
	close(pidfd);
	if (fd >= 0)
		close(fd);
	return err;
}

/* The child asks, this process is its parent. */
static int ask_parent(void)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		return errno;
	if (!child)
		_exit(result(ptrace(PTRACE_TRACEME, 0, NULL, NULL)));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return ECHILD;
	return WEXITSTATUS(status);
}

static int attach_child(void)
{
	pid_t child = fork();
	int err;

	if (child < 0)
		return errno;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	err = attach(child, false);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return err;
}

static int set_ptracer(const char *arg)
{
	unsigned long tracer = strcmp(arg, "any") ? strtoul(arg, NULL, 0) : -1ul;

	return result(prctl(PR_SET_PTRACER, tracer, 0, 0, 0));
}

static void *say_tid(void *arg)
{
	printf("%d\n", gettid());
	fflush(stdout);
	for (;;)
		pause();
	return arg;
}

static int pair(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, say_tid, NULL))
		return 1;
	for (;;)
		pause();
}

static int flood(pid_t pid, int count)
{
	int refused = 0;

	while (count-- > 0)
		refused += read_memory(pid) != 0;
	printf("%d\n", refused);
	return 0;
}

static int on_pid(const char *what, pid_t pid, const char *more)
{
	if (!strcmp(what, "attach") || !strcmp(what, "seize"))
		say(attach(pid, !strcmp(what, "seize")));
	else if (!strcmp(what, "read"))
		say(read_memory(pid));
	else if (!strcmp(what, "mem"))
		say(open_memory(pid));
	else if (!strcmp(what, "syscall"))
		say(read_syscall(pid));
	else if (!strcmp(what, "getfd"))
		say(get_fd(pid));
	else if (!strcmp(what, "scheduler"))
		say(result(sched_getscheduler(pid)));
	else if (!strcmp(what, "session"))
		say(result(getsid(pid)));
	else if (!strcmp(what, "flood") && more)
		return flood(pid, atoi(more));
	else
		return 2;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "child")) {
		say(attach_child());
	} else if (!strcmp(argv[1], "traceme")) {
		say(ask_parent());
	} else if (!strcmp(argv[1], "ptracer") && argc > 2) {
		say(set_ptracer(argv[2]));
	} else if (!strcmp(argv[1], "pair")) {
		return pair();
	} else if (!strcmp(argv[1], "pause")) {
		say(argc > 2 ? set_ptracer(argv[2]) : 0);
		for (;;)
			pause();
	} else {
		return argc > 2 ? on_pid(argv[1], atoi(argv[2]), argv[3]) : 2;
	}
	return 0;
}
