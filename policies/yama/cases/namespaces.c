// SPDX-License-Identifier: GPL-2.0-only
/* N: pid namespaces. T is the target, R the one that attaches. */
#define _GNU_SOURCE
#include <sched.h>

#include "cases.h"

/* The first process of a new pid namespace: pid 1 there, and everything inside descends from it. */
static int new_pidns(void)
{
	int maker = child_of(ME);

	need(maker, op_unshare, CLONE_NEWPID);
	return child_of(maker);
}

static int user_in(int init)
{
	int actor = child_of(init);

	need(actor, op_become, UID_USER);
	return actor;
}

static void both_inside(void)
{
	int init = new_pidns(), t = user_in(init), r = user_in(init);

	need(t, op_ptracer, need(r, op_getpid));
	tok("A", call(r, op_attach, need(t, op_getpid)));
}

static void any_from_outside(void)
{
	int init = new_pidns(), t = user_in(init), r = user();

	need(t, op_ptracer, ANY);
	tok("A", attach(r, t));
}

static void outer_pid(void)
{
	int t = user_in(new_pidns());

	if (pid_of(ME) < 16)
		fail("the director's pid exists inside too");
	tok("prctl", ptracer(t, pid_of(ME)));
}

static void own_pid_after_unshare(void)
{
	int t = child_of(ME);

	need(t, op_unshare, CLONE_NEWPID);
	tok("prctl", ptracer(t, pid_of(t)));
}

static void init_of_namespace(void)
{
	int init = new_pidns(), t = user_in(init), in = user_in(init), out = user();

	need(t, op_ptracer, 1);
	tok("inside", call(in, op_attach, need(t, op_getpid)));
	tok("outside", attach(out, t));
}

static const struct yama_case ns_cases[] = {
	CASE("N01", "both in one child pid namespace, R by its pid there", both_inside,
	     OOPP(TOK_A)),
	CASE("N02", "ANY inside, R outside", any_from_outside, OOPP(TOK_A)),
	CASE("N03", "a pid that exists only outside", outer_pid, ALWAYS("prctl=V")),
	CASE("N04", "its own old pid after unshare(CLONE_NEWPID)", own_pid_after_unshare,
	     ALWAYS("prctl=OK")),
	CASE("N05", "pid 1 of a child pid namespace", init_of_namespace,
	     { "inside=OK outside=OK", "inside=OK outside=P", "inside=P outside=P",
	       "inside=P outside=P" }),
};
const struct area ns_area = { ns_cases, ARRAY_SIZE(ns_cases) };
