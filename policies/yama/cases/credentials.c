// SPDX-License-Identifier: GPL-2.0-only
/* C: what capabilities and user namespaces change. T is the target, R the one that attaches. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

static void root(void)
{
	int t = user(), r = child_of(ME);

	tok_a_rv(r, t);
}

static void root_without_caps(void)
{
	int t = child_of(ME), r = child_of(ME);

	need(t, op_caps, 0, 0);
	need(r, op_caps, 0, 0);
	tok_a_rv(r, t);
}

static void user_with_cap(void)
{
	int t = user(), r = child_of(ME);

	need(r, op_become_caps, UID_USER, PTRACE_CAP, PTRACE_CAP);
	tok_a_rv(r, t);
}

static void permitted_only(void)
{
	int t = user(), r = child_of(ME);

	need(r, op_become_caps, UID_USER, PTRACE_CAP, 0);
	tok_a_rv(r, t);
}

static void cap_per_thread(void)
{
	int t = user(), r = child_of(ME), thread;

	need(r, op_become_caps, UID_USER, PTRACE_CAP, PTRACE_CAP);
	thread = thread_of(r);
	need(thread, op_caps, PTRACE_CAP, 0);
	tok("thread", attach(thread, t));
	tok("leader", attach(r, t));
}

static void owner_of_userns(void)
{
	int t = user(), r = user();

	need(t, op_userns, UID_USER, UID_USER);
	tok_a_rv(r, t);
}

static void owner_of_outer_userns(void)
{
	int t = user(), r = user();

	need(t, op_userns, UID_USER, UID_USER);
	need(t, op_userns, UID_USER, UID_USER);
	tok("A", attach(r, t));
}

/* Two processes of uid 1000 in a user namespace that uid 1000 made. */
static void in_userns(bool caps)
{
	int q = user(), t, r;

	need(q, op_userns, UID_USER, UID_USER);
	if (!caps)
		need(q, op_caps, 0, 0);
	t = child_of(q);
	r = child_of(q);
	tok_a_rv(r, t);
}

static void in_userns_with_caps(void)
{
	in_userns(true);
}

static void in_userns_without_caps(void)
{
	in_userns(false);
}

static void out_of_userns(void)
{
	int t = user(), r = user();

	need(t, op_ptracer, ANY);
	need(r, op_userns, UID_USER, UID_USER);
	tok("A", attach(r, t));
}

/* Only one with CAP_SETUID outside may map more than its own uid: the director does it. */
static void map_all(int actor, const char *file)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid_of(actor), file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 0 65536", 9) != 9)
		fail("%s: %s", path, strerror(errno));
	close(fd);
}

static void userns_of_root(void)
{
	int t = child_of(ME), r = user();

	need(t, op_unshare, CLONE_NEWUSER);
	map_all(t, "uid_map");
	map_all(t, "gid_map");
	need(t, op_become, UID_USER);
	tok("A", attach(r, t));
	need(t, op_ptracer, ANY);
	tok("any", attach(r, t));
}

static void userns_of_other_uid(void)
{
	int t = child_of(ME), r = user();

	need(t, op_become, UID_OTHER);
	need(t, op_userns, UID_OTHER, UID_OTHER);
	tok("A", attach(r, t));
}

static const struct yama_case cred_cases[] = {
	CASE("C01", "root with all capabilities", root, OOOP(TOK_A_RV)),
	CASE("C02", "uid 0 without capabilities", root_without_caps, OPPP(TOK_A_RV)),
	CASE("C03", "a user with CAP_SYS_PTRACE effective", user_with_cap, OOOP(TOK_A_RV)),
	CASE("C04", "a user with CAP_SYS_PTRACE permitted only", permitted_only, OPPP(TOK_A_RV)),
	CASE("C05", "a thread that dropped what its leader has", cap_per_thread,
	     { "thread=OK leader=OK", "thread=P leader=OK", "thread=P leader=OK",
	       "thread=P leader=P" }),
	CASE("C06", "the owner of the target's user namespace", owner_of_userns, OOOP(TOK_A_RV)),
	CASE("C07", "the owner of two nested user namespaces", owner_of_outer_userns, OOOP(TOK_A)),
	CASE("C08", "siblings in a user namespace, with capabilities", in_userns_with_caps,
	     OOOP(TOK_A_RV)),
	CASE("C09", "siblings in a user namespace, without", in_userns_without_caps,
	     OPPP(TOK_A_RV)),
	CASE("C10", "out of a user namespace on a consenting target", out_of_userns,
	     ALWAYS(TOK_A("P"))),
	CASE("C11", "into a user namespace of root", userns_of_root, ALWAYS("A=P any=P")),
	CASE("C12", "into a user namespace of another uid", userns_of_other_uid,
	     ALWAYS(TOK_A("P"))),
};
const struct area cred_area = { cred_cases, ARRAY_SIZE(cred_cases) };
