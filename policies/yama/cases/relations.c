// SPDX-License-Identifier: GPL-2.0-only
/*
 * R: PR_SET_PTRACER: whom it lets in, and how long a relation lives.
 * T is the target, R the one that attaches; siblings unless said otherwise.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>

#include "cases.h"

static void any(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, ANY);
	tok_a_rv(r, t);
}

static void any_withdrawn(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, ANY);
	need(t, op_ptracer, 0);
	tok("A", attach(r, t));
}

static void named(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, pid_of(r));
	tok_a_rv(r, t);
}

static void ancestor_named(void)
{
	int q = user(), t = child_of(q), r = child_of(q);

	need(t, op_ptracer, pid_of(q));
	tok("A", attach(r, t));
}

static void own_pid(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, pid_of(t));
	tok("A", attach(r, t));
}

static void own_pid_child(void)
{
	int q = user(), r = child_of(q);

	need(q, op_ptracer, pid_of(q));
	tok("A", attach(r, q));
}

static void replaced(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, pid_of(r));
	need(t, op_ptracer, pid_of(t));
	tok("A", attach(r, t));
}

static void kept_on_failure(void)
{
	int t = user(), u = user(), r = user();

	need(t, op_ptracer, pid_of(r));
	need(u, op_ptracer, ANY);
	if (ptracer(t, NO_PID) != -EINVAL || ptracer(u, -2) != -EINVAL)
		fail("a bad pid was accepted");
	tok("pid", attach(r, t));
	tok("any", attach(r, u));
}

static void init_named(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, 1);
	tok("A", attach(r, t));
}

static void not_inherited(void)
{
	int t = user(), k, r = user();

	need(t, op_ptracer, ANY);
	k = child_of(t);
	tok("A", attach(r, k));
}

static void by_thread_gone(void)
{
	int t = user(), other = thread_of(t), caller = thread_of(t), r = user();

	need(caller, op_ptracer, ANY);
	end_thread(caller);
	rcu_wait();
	tok("leader", attach(r, t));
	tok("thread", attach(r, other));
}

static void thread_named(void)
{
	int t = user(), r = user(), thread = thread_of(r);

	need(t, op_ptracer, pid_of(thread));
	tok("A", attach(r, t));
}

static void thread_named_gone(void)
{
	int t = user(), r = user(), thread = thread_of(r);

	need(t, op_ptracer, pid_of(thread));
	end_thread(thread);
	rcu_wait();
	tok("A", attach(r, t));
}

static void thread_named_execs(void)
{
	int t = user(), r = user(), thread = thread_of(r);

	need(t, op_ptracer, pid_of(thread));
	exec_as(thread, ARGV_ACTOR);
	rcu_wait();
	tok("A", attach(thread, t));
}

static void child_of_named(void)
{
	int t = user(), r = user(), k = child_of(r);

	need(t, op_ptracer, pid_of(r));
	tok("A", attach(k, t));
}

static void orphan_of_named(void)
{
	int t = user(), r = user(), middle = child_of(r), k = child_of(middle);

	need(t, op_ptracer, pid_of(r));
	end_process(middle, r);
	tok("A", attach(k, t));
}

static void named_gone(void)
{
	int t = user(), r = user(), k = child_of(r);

	need(t, op_ptracer, pid_of(r));
	end_process(r, ME);
	rcu_wait();
	tok("A", attach(k, t));
}

static void pid_reused(void)
{
	int t = user(), r = user(), heir;
	pid_t pid = pid_of(r);

	need(t, op_ptracer, pid);
	end_process(r, ME);
	rcu_wait();
	heir = spawn_with_pid(ME, pid);
	need(heir, op_become, UID_USER);
	tok("A", attach(heir, t));
}

static void target_execs(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, ANY);
	exec_as(t, ARGV_ACTOR);
	rcu_wait();
	tok("A", attach(r, t));
}

static void target_thread_execs(void)
{
	int t = user(), thread = thread_of(t), r = user();

	need(t, op_ptracer, ANY);
	exec_as(thread, ARGV_ACTOR);
	tok("A", attach(r, thread));
}

static void named_execs(void)
{
	int t = user(), u = user(), r = user(), p = user(), thread = thread_of(p);

	need(t, op_ptracer, pid_of(r));
	need(u, op_ptracer, pid_of(p));
	exec_as(r, ARGV_ACTOR);
	exec_as(thread, ARGV_ACTOR);
	rcu_wait();
	tok("leader", attach(r, t));
	tok("thread", attach(thread, u));
}

static void target_leader_gone(void)
{
	int t = user(), thread = thread_of(t), r = user();

	need(t, op_ptracer, ANY);
	end_leader(t);
	tok("A", attach(r, thread));
}

static void withdrawn_while_traced(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, ANY);
	tok("seize", call(r, op_seize, pid_of(t), 0));
	need(t, op_ptracer, 0);
	tok("mem", call(r, op_proc_open, pid_of(t), F_MEM, O_RDONLY));
	tok("RV", read_vm(r, t));
}

static void stored_before(void)
{
	int t = user(), r = user();

	scope_lower();
	need(t, op_ptracer, ANY);
	scope_raise();
	tok("A", attach(r, t));
}

#define PID_ANY(r)	 "pid=" r " any=" r
#define LEADER_THREAD(r) "leader=" r " thread=" r

static const struct yama_case relation_cases[] = {
	CASE("R01", "ANY", any, OOPP(TOK_A_RV)),
	CASE("R02", "ANY, then 0", any_withdrawn, OPPP(TOK_A)),
	CASE("R03", "the pid of R", named, OOPP(TOK_A_RV)),
	CASE("R04", "the pid of an ancestor of R", ancestor_named, OOPP(TOK_A)),
	CASE("R05", "its own pid, R is a sibling", own_pid, OPPP(TOK_A)),
	CASE("R06", "its own pid, R is its child", own_pid_child, OOPP(TOK_A)),
	CASE("R07", "the pid of R, then its own", replaced, OPPP(TOK_A)),
	CASE("R08", "a failing call leaves the relation", kept_on_failure, OOPP(PID_ANY)),
	CASE("R09", "pid 1", init_named, OOPP(TOK_A)),
	CASE("R10", "ANY is not inherited by fork", not_inherited, OPPP(TOK_A)),
	CASE("R11", "ANY called by a thread now gone", by_thread_gone, OOPP(LEADER_THREAD)),
	CASE("R12", "the tid of a thread of R", thread_named, OOPP(TOK_A)),
	CASE("R13", "the tid of a thread of R now gone", thread_named_gone, OPPP(TOK_A)),
	CASE("R14", "the tid of a thread of R that executes", thread_named_execs, OOPP(TOK_A)),
	CASE("R15", "a child of the one named", child_of_named, OOPP(TOK_A)),
	CASE("R16", "an orphaned grandchild of the one named", orphan_of_named, OPPP(TOK_A)),
	CASE("R17", "an orphan of the one named, now gone", named_gone, OPPP(TOK_A)),
	CASE("R18", "another process with the pid that was named", pid_reused, OPPP(TOK_A)),
	CASE("R19", "ANY, the target's leader executes", target_execs, OOPP(TOK_A)),
	CASE("R20", "ANY, another thread of the target executes", target_thread_execs, OPPP(TOK_A)),
	CASE("R21", "the one named executes, by leader or by thread", named_execs,
	     { "leader=OK thread=OK", "leader=OK thread=P", "leader=P thread=P",
	       "leader=P thread=P" }),
	CASE("R22", "ANY, the leader has exited", target_leader_gone, OOPP(TOK_A)),
	CASE("R23", "withdrawn while traced", withdrawn_while_traced,
	     { "seize=OK mem=OK RV=OK", "seize=OK mem=OK RV=OK", "seize=P mem=C RV=P",
	       "seize=P mem=C RV=P" }),
	CASE("R24", "stored at scope 0, in force at 1", stored_before, { NULL, TOK_A("OK") },
	     .flags = CASE_ALONE),
};
const struct area relation_area = { relation_cases, ARRAY_SIZE(relation_cases) };
