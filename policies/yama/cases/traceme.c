// SPDX-License-Identifier: GPL-2.0-only
/* T: PTRACE_TRACEME: what the parent must hold. */
#define _GNU_SOURCE

#include "cases.h"

static void unprivileged(void)
{
	int t = child_of(user());

	tok("traceme", call(t, op_traceme));
}

static void root_parent(void)
{
	int t = child_of(child_of(ME));

	need(t, op_become, UID_USER);
	tok("traceme", call(t, op_traceme));
}

static void root_parent_without_caps(void)
{
	int p = child_of(ME), t;

	need(p, op_caps, 0, 0);
	t = child_of(p);
	tok("traceme", call(t, op_traceme));
}

static void only_the_child_has_cap(void)
{
	int p = child_of(ME), t;

	need(p, op_caps, PTRACE_CAP, 0);
	t = child_of(p);
	need(t, op_caps, PTRACE_CAP, PTRACE_CAP);
	tok("traceme", call(t, op_traceme));
}

static void child_in_userns(void)
{
	int t = child_of(user());

	need(t, op_userns, UID_USER, UID_USER);
	tok("traceme", call(t, op_traceme));
}

static void twice(void)
{
	int t = child_of(child_of(ME));

	call(t, op_traceme); /* root: refused at scope 3 only */
	tok("second", call(t, op_traceme));
}

#define TRACEME(r) "traceme=" r

static const struct yama_case traceme_cases[] = {
	CASE("T01", "unprivileged parent and child", unprivileged, OOPP(TRACEME)),
	CASE("T02", "root parent, uid 1000 child", root_parent, OOOP(TRACEME)),
	CASE("T03", "root parent without capabilities", root_parent_without_caps, OOPP(TRACEME)),
	CASE("T04", "the child has the capability, its parent not effectively",
	     only_the_child_has_cap, OOPP(TRACEME)),
	CASE("T05", "the child is in a user namespace of its parent's uid", child_in_userns,
	     OOOP(TRACEME)),
	CASE("T06", "twice", twice, ALWAYS("second=P")),
};
const struct area traceme_area = { traceme_cases, ARRAY_SIZE(traceme_cases) };
