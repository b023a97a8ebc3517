// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kills a command after one of its steps: lifecycle-kill KIND COUNT COMMAND [ARG...]
 *
 * A step is a system call that changes what others see: all that make and remove names, and those
 * commands of bpf(2) that create, attach, pin or write; and the exit. Steps count from 1; the
 * command gets SIGKILL when the COUNTth of that KIND has been done and it enters the next step.
 * Prints that step's kind; "end", if the command came to its end first. KIND "list" lists them all.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	unsigned int number;
	const char *name;
} calls[] = {
	{ SYS_mkdir, "mkdir" },	      { SYS_mkdirat, "mkdir" },	    { SYS_rename, "rename" },
	{ SYS_renameat, "rename" },   { SYS_renameat2, "rename" },  { SYS_unlink, "unlink" },
	{ SYS_unlinkat, "unlink" },   { SYS_rmdir, "rmdir" },	    { SYS_flock, "flock" },
	{ SYS_ioctl, "ioctl" },	      { SYS_write, "write" },	    { SYS_init_module, "module" },
	{ SYS_finit_module, "module" }, { SYS_exit_group, "exit" },
}, commands[] = {
	{ BPF_MAP_CREATE, "bpf-map-create" },
	{ BPF_MAP_UPDATE_ELEM, "bpf-map-update" },
	{ BPF_MAP_DELETE_ELEM, "bpf-map-delete" },
	{ BPF_PROG_LOAD, "bpf-prog-load" },
	{ BPF_OBJ_PIN, "bpf-pin" },
	{ BPF_OBJ_GET, "bpf-pin-get" },
	{ BPF_RAW_TRACEPOINT_OPEN, "bpf-attach" },
	{ BPF_LINK_CREATE, "bpf-attach" },
	{ BPF_MAP_UPDATE_BATCH, "bpf-map-update" },
	{ BPF_MAP_DELETE_BATCH, "bpf-map-delete" },
	{ BPF_MAP_FREEZE, "bpf-map-freeze" },
};

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static const char *name_of(const struct user_regs_struct *regs)
{
	size_t i;

	if (regs->orig_rax == SYS_bpf) {
		for (i = 0; i < ARRAY_SIZE(commands); i++)
			if (commands[i].number == regs->rdi)
				return commands[i].name;
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].number == regs->orig_rax)
			return calls[i].name;
	return "?";
}

static size_t jump(struct sock_filter *at, unsigned int number)
{
	at[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
	at[1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	return 2;
}

/* Stop at steps only: anything else runs at full speed. */
static void install_filter(void)
{
	struct sock_filter code[2 * (ARRAY_SIZE(calls) + ARRAY_SIZE(commands)) + 8];
	struct sock_fprog program = { .filter = code };
	size_t n = 0, i;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		n += jump(code + n, calls[i].number);
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 1, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args[0]));
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		n += jump(code + n, commands[i].number);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		die("seccomp");
}

static pid_t start(char **command)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork");
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			die("PTRACE_TRACEME");
		raise(SIGSTOP);
		install_filter();
		execvp(command[0], command);
		die(command[0]);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		die("waitpid");
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL))
		die("PTRACE_SETOPTIONS");
	return child;
}

/* The kind of the step that the command is about to take; NULL when it has ended. */
static const char *next_step(pid_t child, int *ret_status)
{
	struct user_regs_struct regs;
	int signal = 0, status;

	for (;;) {
		if (ptrace(PTRACE_CONT, child, NULL, (void *)(long)signal))
			die("PTRACE_CONT");
		if (waitpid(child, &status, 0) != child)
			die("waitpid");
		*ret_status = status;
		if (!WIFSTOPPED(status))
			return NULL;
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			break;
		signal = WSTOPSIG(status);
		if (signal == SIGTRAP) /* of the exec */
			signal = 0;
	}
	if (ptrace(PTRACE_GETREGS, child, NULL, &regs))
		die("PTRACE_GETREGS");
	return name_of(&regs);
}

int main(int argc, char **argv)
{
	bool list, due = false;
	const char *step;
	long count;
	pid_t child;
	int status;

	if (argc < 4)
		return 2;
	list = !strcmp(argv[1], "list");
	count = strtol(argv[2], NULL, 10);
	child = start(argv + 3);
	while ((step = next_step(child, &status))) {
		if (list)
			printf("%s\n", step);
		if (due) {
			kill(child, SIGKILL);
			while (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
				;
			printf("%s\n", step);
			return 0;
		}
		due = !list && !strcmp(step, argv[1]) && --count == 0;
	}
	printf("end\n");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
}
