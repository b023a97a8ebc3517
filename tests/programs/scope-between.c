// SPDX-License-Identifier: GPL-2.0-only
/*
 * scope-between COUNT ACTION COMMAND [ARG...]: runs COMMAND, and the shell command ACTION when it
 * is about to make its COUNTth access to a BPF map with bpf(2), or to exit. Prints the status of
 * COMMAND, or "end" if it exited before that.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static bool is_step(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		die("scope-between: PTRACE_GET_SYSCALL_INFO");
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	if (info.entry.nr == SYS_exit_group)
		return true;
	if (info.entry.nr != SYS_bpf)
		return false;
	switch (info.entry.args[0]) {
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? atoi(argv[1]) : 0, status;
	pid_t pid;

	if (count <= 0) {
		fprintf(stderr, "usage: scope-between COUNT ACTION COMMAND [ARG...]\n");
		return 2;
	}
	pid = fork();
	if (pid < 0)
		die("scope-between: fork");
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execvp(argv[3], argv + 3);
		die(argv[3]);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		die("scope-between: cannot trace");
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0) || waitpid(pid, &status, 0) != pid)
			die("scope-between: cannot go on");
		if (!WIFSTOPPED(status))
			break;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && count && is_step(pid) && !--count &&
		    system(argv[2]))
			die(argv[2]);
	}
	if (count)
		puts("end");
	else
		printf("%d\n", WEXITSTATUS(status));
	return 0;
}
