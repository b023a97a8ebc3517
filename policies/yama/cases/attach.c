// SPDX-License-Identifier: GPL-2.0-only
/* A: who may attach to whom, by kinship alone. T is the target, R the one that attaches. */
#define _GNU_SOURCE
#include <fcntl.h>

#include "cases.h"

static void siblings(void)
{
	int t = user(), r = user();

	tok_a_rv(r, t);
}

static void parent(void)
{
	int r = user(), t = child_of(r);

	tok_a_rv(r, t);
}

static void grandparent(void)
{
	int r = user(), t = child_of(child_of(r));

	tok_a_rv(r, t);
}

static void child(void)
{
	int t = user(), r = child_of(t);

	tok_a_rv(r, t);
}

static void thread_of_parent(void)
{
	int p = user(), t = child_of(p), r = thread_of(p);

	tok_a_rv(r, t);
}

static void forked_by_thread(void)
{
	int r = user(), t = child_of(thread_of(r));

	tok_a_rv(r, t);
}

static void forked_by_dead_thread(void)
{
	int r = user(), thread = thread_of(r), t = child_of(thread);

	end_thread(thread);
	tok("A", attach(r, t));
}

/* The orphan falls to the case's keeper, which stands for init: no ancestor of it is R. */
static void orphan(void)
{
	int r = user(), middle = child_of(r), t = child_of(middle);

	end_process(middle, r);
	tok("A", attach(r, t));
}

static void orphan_of_subreaper(void)
{
	int r = user(), middle, t;

	need(r, op_subreaper);
	middle = child_of(r);
	t = child_of(middle);
	end_process(middle, r);
	if (call(t, op_getppid) != pid_of(r))
		fail("the orphan was not reparented to the subreaper");
	tok("A", attach(r, t));
}

static void clone_parent(void)
{
	int r = user(), t = spawn(r, SPAWN_SIBLING);

	tok("A", attach(r, t));
}

static void thread_of_sibling(void)
{
	int t = user(), thread = thread_of(t), r = user();

	tok_a_rv(r, thread);
}

static void thread_of_child(void)
{
	int r = user(), thread = thread_of(child_of(r));

	tok_a_rv(r, thread);
}

static void leader_gone(void)
{
	int p = user(), t = child_of(p), thread = thread_of(t), r = user();

	end_leader(t);
	tok("sibling", attach(r, thread));
	tok("parent", attach(p, thread));
}

static void self(void)
{
	int r = user(), thread = thread_of(r);

	tok_a_rv(r, r);
	tok("thread.A", attach(r, thread));
	tok("thread.RV", read_vm(r, thread));
}

static void shared_mm(void)
{
	int q = user(), t = spawn(q, SPAWN_VM), r = spawn(q, SPAWN_VM);

	tok("RV", read_vm(r, t));
	tok("mem", call(r, op_proc_open, pid_of(t), F_MEM, O_RDONLY));
}

static void shared_mm_otherwise(void)
{
	int q = user(), t = spawn(q, SPAWN_VM), r = spawn(q, SPAWN_VM);

	tok("A", attach(r, t));
	tok("getfd", call(r, op_getfd, pid_of(t), 0));
	tok("syscall", call(r, op_proc_read, pid_of(t), F_SYSCALL));
}

/* A parent in vfork cannot stop, so SEIZE, which does not wait for that. */
static void vfork_child(void)
{
	int t = user(), r = spawn(t, SPAWN_VFORK);

	tok("RV", read_vm(r, t));
	tok("A", call(r, op_seize, pid_of(t), 0));
	post(r, op_exit);
	await(t);
}

/* Opening its /proc/PID/mem is left out: it succeeds on 6.1 and not on later kernels. */
static void zombie(void)
{
	int p = user(), t = child_of(p), r = user();

	end_to_zombie(t, p);
	tok("sibling.A", attach(r, t));
	tok("sibling.RV", read_vm(r, t));
	tok("parent.A", attach(p, t));
	tok("parent.RV", read_vm(p, t));
}

static void no_such_pid(void)
{
	int r = user();

	tok("A", call(r, op_attach, NO_PID));
	tok("RV", call(r, op_read_vm, NO_PID));
}

static void kernel_thread(void)
{
	int r = child_of(ME);

	tok("A", call(r, op_attach, KTHREADD));
	tok("RV", call(r, op_read_vm, KTHREADD));
}

static void not_dumpable(void)
{
	int r = user(), t = child_of(r);

	need(t, op_dumpable, 0);
	tok_a_rv(r, t);
}

static void other_uid(void)
{
	int t = child_of(ME), r = user();

	need(t, op_become, UID_OTHER);
	need(t, op_ptracer, ANY);
	tok_a_rv(r, t);
}

static void traced_already(void)
{
	int t = user(), r = user(), x = child_of(ME);

	need(t, op_ptracer, ANY);
	call(x, op_seize, pid_of(t), 0); /* root: refused at scope 3 only */
	tok_a_rv(r, t);
}

#define LEADER_GONE(s, p) "sibling=" s " parent=" p
#define SHARED(r)	  "A=" r " getfd=" r " syscall=" r

static const struct yama_case attach_cases[] = {
	CASE("A01", "siblings", siblings, OPPP(TOK_A_RV)),
	CASE("A02", "a parent on its child", parent, OOPP(TOK_A_RV)),
	CASE("A03", "a grandparent on its grandchild", grandparent, OOPP(TOK_A_RV)),
	CASE("A04", "a child on its parent", child, OPPP(TOK_A_RV)),
	CASE("A05", "a non-leader thread of the parent", thread_of_parent, OOPP(TOK_A_RV)),
	CASE("A06", "the target was forked by another thread", forked_by_thread, OOPP(TOK_A_RV)),
	CASE("A07", "the target was forked by a thread now gone", forked_by_dead_thread,
	     OOPP(TOK_A)),
	CASE("A08", "the old grandparent of an orphan", orphan, OPPP(TOK_A)),
	CASE("A09", "the subreaper an orphan fell to", orphan_of_subreaper, OOPP(TOK_A)),
	CASE("A10", "the maker of a CLONE_PARENT child", clone_parent, OPPP(TOK_A)),
	CASE("A11", "a non-leader thread of a sibling", thread_of_sibling, OPPP(TOK_A_RV)),
	CASE("A12", "a non-leader thread of a child", thread_of_child, OOPP(TOK_A_RV)),
	CASE("A13", "a thread whose leader has exited", leader_gone,
	     { LEADER_GONE("OK", "OK"), LEADER_GONE("P", "OK"), LEADER_GONE("P", "P"),
	       LEADER_GONE("P", "P") }),
	CASE("A14", "itself and its own other thread", self,
	     ALWAYS("A=P RV=OK thread.A=P thread.RV=OK")),
	CASE("A15", "CLONE_VM siblings: memory", shared_mm, ALWAYS("RV=OK mem=OK")),
	CASE("A16", "CLONE_VM siblings: all but memory", shared_mm_otherwise, OPPP(SHARED)),
	CASE("A17", "a vfork child on its parent", vfork_child,
	     { "RV=OK A=OK", "RV=OK A=P", "RV=OK A=P", "RV=OK A=P" }),
	CASE("A18", "a zombie", zombie, ALWAYS("sibling.A=P sibling.RV=S parent.A=P parent.RV=S")),
	CASE("A19", "a pid that is not there", no_such_pid, ALWAYS(TOK_A_RV("S"))),
	CASE("A20", "root on a kernel thread", kernel_thread, ALWAYS("A=P RV=S")),
	CASE("A21", "a parent on a child that is not dumpable", not_dumpable,
	     ALWAYS(TOK_A_RV("P"))),
	CASE("A22", "a consenting target of another uid", other_uid, ALWAYS(TOK_A_RV("P"))),
	CASE("A23", "a consenting target that is traced already", traced_already,
	     { "A=P RV=OK", "A=P RV=OK", "A=P RV=P", "A=P RV=P" }),
};
const struct area attach_area = { attach_cases, ARRAY_SIZE(attach_cases) };
