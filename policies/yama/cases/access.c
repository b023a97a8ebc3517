// SPDX-License-Identifier: GPL-2.0-only
/* X: everything but ptrace and process_vm_readv that Yama decides on, and what it leaves be. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>

#include "cases.h"

/* The four relations each interface is tried in. */
struct relation {
	const char *name;
	int t, r;
};

#define N_RELATIONS 4

static void relate(struct relation rel[static N_RELATIONS])
{
	rel[0] = (struct relation){ "sibling", user(), user() };
	rel[1] = (struct relation){ "any", user(), user() };
	rel[2] = (struct relation){ "parent", 0, user() };
	rel[2].t = child_of(rel[2].r);
	rel[3] = (struct relation){ "root", user(), child_of(ME) };
	need(rel[1].t, op_ptracer, ANY);
}

static void tok2(const char *a, const char *b, long result)
{
	tok_fmt("%s.%s=%s", a, b, letter(result));
}

static void open_mem(void)
{
	struct relation rel[N_RELATIONS];

	relate(rel);
	for (int i = 0; i < N_RELATIONS; i++) {
		const struct relation *x = &rel[i];

		tok2(x->name, "r", call(x->r, op_proc_open, pid_of(x->t), F_MEM, O_RDONLY));
		tok2(x->name, "rw", call(x->r, op_proc_open, pid_of(x->t), F_MEM, O_RDWR));
	}
}

static void read_syscall(void)
{
	struct relation rel[N_RELATIONS];

	relate(rel);
	for (int i = 0; i < N_RELATIONS; i++) {
		const struct relation *x = &rel[i];
		int fd = need(x->r, op_proc_open, pid_of(x->t), F_SYSCALL, O_RDONLY);

		tok2(x->name, "syscall", call(x->r, op_fd_read, fd));
		fd = need(x->r, op_proc_open, pid_of(x->t), F_PERSONALITY, O_RDONLY);
		tok2(x->name, "personality", call(x->r, op_fd_read, fd));
	}
}

static void read_stack(void)
{
	struct relation rel[N_RELATIONS];

	relate(rel);
	for (int i = 0; i < N_RELATIONS; i++) {
		const struct relation *x = &rel[i];

		tok(x->name, call(x->r, op_proc_read, pid_of(x->t), F_STACK));
	}
}

static void getfd(void)
{
	struct relation rel[N_RELATIONS];

	relate(rel);
	for (int i = 0; i < N_RELATIONS; i++)
		tok(rel[i].name, call(rel[i].r, op_getfd, pid_of(rel[i].t), 0));
}

static void perf_sigtrap(void)
{
	struct relation rel[N_RELATIONS];

	relate(rel);
	for (int i = 0; i < N_RELATIONS; i++)
		tok(rel[i].name, call(rel[i].r, op_perf, pid_of(rel[i].t), 1));
}

static void zero_lengths(void)
{
	int t = user(), r = user();

	tok_fmt("local=%ld", call(r, op_read_vm_len, pid_of(t), 0, 8));
	tok_fmt("remote=%ld", call(r, op_read_vm_len, pid_of(t), 8, 0));
	tok_fmt("both=%ld", call(r, op_read_vm_len, pid_of(t), 0, 0));
}

static void read_mode(void)
{
	int t = user(), r = user();
	pid_t pid = pid_of(t);

	tok("maps", call(r, op_proc_read, pid, F_MAPS));
	tok("environ", call(r, op_proc_read, pid, F_ENVIRON));
	tok("auxv", call(r, op_proc_read, pid, F_AUXV));
	tok("io", call(r, op_proc_read, pid, F_IO));
	tok("fd", call(r, op_list_fds, pid));
	tok("ns", call(r, op_link, pid, 1));
	tok("exe", call(r, op_link, pid, 0));
	tok("kcmp", call(r, op_kcmp, pid, pid_of(r)));
	tok("robust", call(r, op_robust_list, pid));
	tok("perf", call(r, op_perf, pid, 0));
	tok("move_pages", call(r, op_move_pages, pid));
}

static void kernel_thread(void)
{
	int r = child_of(ME);

	tok("syscall", call(r, op_proc_read, KTHREADD, F_SYSCALL));
	tok("personality", call(r, op_proc_read, KTHREADD, F_PERSONALITY));
	tok("stack", call(r, op_proc_read, KTHREADD, F_STACK));
}

#define MEM(s, a, p, r)                                                                            \
	"sibling.r=" s " sibling.rw=" s " any.r=" a " any.rw=" a " parent.r=" p " parent.rw=" p    \
	" root.r=" r " root.rw=" r
#define SYSCALL(s, a, p, r)                                                                        \
	"sibling.syscall=" s " sibling.personality=" s " any.syscall=" a " any.personality=" a     \
	" parent.syscall=" p " parent.personality=" p " root.syscall=" r " root.personality=" r
#define FOUR(s, a, p, r) "sibling=" s " any=" a " parent=" p " root=" r
#define STACK(r)	 FOUR("C", "C", "C", r)
#define KTHREAD(r)	 "syscall=" r " personality=" r " stack=" r

static const struct yama_case access_cases[] = {
	CASE("X01", "open /proc/PID/mem", open_mem,
	     { MEM("OK", "OK", "OK", "OK"), MEM("C", "OK", "OK", "OK"), MEM("C", "C", "C", "OK"),
	       MEM("C", "C", "C", "C") }),
	CASE("X02", "read /proc/PID/syscall and personality", read_syscall,
	     { SYSCALL("OK", "OK", "OK", "OK"), SYSCALL("P", "OK", "OK", "OK"),
	       SYSCALL("P", "P", "P", "OK"), SYSCALL("P", "P", "P", "P") }),
	CASE("X03", "read /proc/PID/stack", read_stack, BY_SCOPE(STACK, "OK", "OK", "OK", "P")),
	CASE("X04", "pidfd_getfd", getfd,
	     { FOUR("OK", "OK", "OK", "OK"), FOUR("P", "OK", "OK", "OK"), FOUR("P", "P", "P", "OK"),
	       FOUR("P", "P", "P", "P") }),
	CASE("X05", "perf_event_open with sigtrap", perf_sigtrap,
	     { FOUR("OK", "OK", "OK", "OK"), FOUR("C", "OK", "OK", "OK"), FOUR("C", "C", "C", "OK"),
	       FOUR("C", "C", "C", "OK") },
	     .flags = CASE_PERF),
	CASE("X06", "process_vm_readv of nothing", zero_lengths, ALWAYS("local=0 remote=0 both=0")),
	CASE("X07", "what only wants to read", read_mode,
	     ALWAYS("maps=OK environ=OK auxv=OK io=OK fd=OK ns=OK exe=OK kcmp=OK robust=OK "
		    "perf=OK move_pages=OK"),
	     .flags = CASE_PERF),
	CASE("X08", "root on the files of a kernel thread", kernel_thread,
	     BY_SCOPE(KTHREAD, "OK", "OK", "OK", "P")),
};
const struct area access_area = { access_cases, ARRAY_SIZE(access_cases) };
