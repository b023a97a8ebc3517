// SPDX-License-Identifier: GPL-2.0-only
/* E: access granted at scope 0 and what is left of it once the scope has been raised. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ptrace.h>

#include "cases.h"

/* Siblings with a second thread each; R also has a child. R has seized T. */
struct seized {
	int t, t_thread, r, r_thread, r_child;
};

static struct seized seize(void)
{
	struct seized s;

	s.t = user();
	s.t_thread = thread_of(s.t);
	s.r = user();
	s.r_thread = thread_of(s.r);
	s.r_child = child_of(s.r);
	scope_lower();
	need(s.r, op_seize, pid_of(s.t), 0);
	scope_raise();
	return s;
}

static void same_process(void)
{
	struct seized s = seize();

	tok("tracer", read_vm(s.r, s.t));
	tok("its.thread", read_vm(s.r_thread, s.t));
}

static void not_covered(void)
{
	struct seized s = seize();

	tok("other.tid", read_vm(s.r, s.t_thread));
	tok("its.child", read_vm(s.r_child, s.t));
}

static void proc_files(void)
{
	struct seized s = seize();

	tok("mem", call(s.r, op_proc_open, pid_of(s.t), F_MEM, O_RDONLY));
	tok("syscall", call(s.r, op_proc_read, pid_of(s.t), F_SYSCALL));
}

static void attached_child(void)
{
	int r = user(), t = child_of(r);

	scope_lower();
	need(r, op_attach_stay, pid_of(t));
	scope_raise();
	tok("peek", call(r, op_peek, pid_of(t)));
	tok("RV", read_vm(r, t));
}

static void open_files(void)
{
	int t = user(), r = user(), mem, sys;

	scope_lower();
	mem = need(r, op_proc_open, pid_of(t), F_MEM, O_RDONLY);
	sys = need(r, op_proc_open, pid_of(t), F_SYSCALL, O_RDONLY);
	need(r, op_fd_read, sys);
	scope_raise();
	tok("mem", call(r, op_fd_read_probe, mem));
	tok("syscall", call(r, op_fd_read, sys));
}

/* The tracee forks; its answer can only come once the tracer has let it go on. */
static int traced_fork(int tracer, int tracee, long *ret_event)
{
	int k = spawn_begin(tracee, SPAWN_FORK);

	*ret_event = call(tracer, op_fork_event, pid_of(tracee));
	if (await(tracee) < 0)
		fail("the tracee could not fork");
	spawn_end(k);
	return k;
}

static void auto_attach(void)
{
	int t = user(), r = user(), k;
	long event;

	scope_lower();
	need(r, op_seize, pid_of(t), PTRACE_O_TRACEFORK);
	scope_raise();
	k = traced_fork(r, t, &event);
	tok_fmt("attached=%s", event == pid_of(k) ? "yes" : letter(event));
}

static void auto_attached_orphan(void)
{
	int r = user(), t = child_of(r), k;
	long event;

	scope_lower();
	need(r, op_seize, pid_of(t), PTRACE_O_TRACEFORK);
	k = traced_fork(r, t, &event);
	if (event < 0)
		fail("not attached: %s", letter(event));
	end_process(t, r);
	scope_raise();
	tok("RV", read_vm(r, k));
}

#define SAME(r) "tracer=" r " its.thread=" r
#define NOT(r)	"other.tid=" r " its.child=" r

static const struct yama_case existing_cases[] = {
	CASE("E01", "the tracer and its other threads", same_process, OOPP(SAME),
	     .flags = CASE_LATCH),
	CASE("E02", "another thread of the target, a child of the tracer", not_covered, OPPP(NOT),
	     .flags = CASE_LATCH),
	CASE("E03", "new opens by the tracer", proc_files,
	     { "mem=OK syscall=OK", "mem=OK syscall=OK", "mem=C syscall=P", "mem=C syscall=P" },
	     .flags = CASE_LATCH),
	CASE("E04", "an attached child", attached_child,
	     { "peek=OK RV=OK", "peek=OK RV=OK", "peek=OK RV=P", "peek=OK RV=P" },
	     .flags = CASE_LATCH),
	CASE("E05", "files that are open", open_files,
	     { "mem=OK syscall=OK", "mem=OK syscall=P", "mem=OK syscall=P", "mem=OK syscall=P" },
	     .flags = CASE_LATCH),
	CASE("E06", "a traced fork", auto_attach, ALWAYS("attached=yes"), .flags = CASE_LATCH),
	CASE("E07", "the orphan of a traced fork", auto_attached_orphan,
	     { "RV=OK", "RV=OK", NULL, NULL }, .flags = CASE_LATCH),
};
const struct area existing_area = { existing_cases, ARRAY_SIZE(existing_cases) };
