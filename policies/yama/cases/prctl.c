// SPDX-License-Identifier: GPL-2.0-only
/* P: the arguments of prctl(PR_SET_PTRACER). */
#define _GNU_SOURCE
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static void accepted(void)
{
	int t = user(), other = user(), zombie = user();
	pid_t pid = pid_of(other);

	end_to_zombie(zombie, ME);
	tok("0", ptracer(t, 0));
	tok("-1", ptracer(t, -1));
	tok("0xffffffff", ptracer(t, 0xffffffff));
	tok("0x1ffffffff", ptracer(t, 0x1ffffffff));
	tok("2^63-1", ptracer(t, LONG_MAX));
	tok("own", ptracer(t, pid_of(t)));
	tok("other", ptracer(t, pid));
	tok("2^32+other", ptracer(t, (1L << 32) | pid));
	tok("1", ptracer(t, 1));
	tok("kthread", ptracer(t, KTHREADD));
	tok("zombie", ptracer(t, pid_of(zombie)));
}

static void refused(void)
{
	int t = user();

	tok("-2", ptracer(t, -2));
	tok("2^32", ptracer(t, 1L << 32));
	tok("INT_MIN", ptracer(t, INT_MIN));
	tok("-own", ptracer(t, -pid_of(t)));
	tok("INT_MAX", ptracer(t, INT_MAX));
	tok("4194303", ptracer(t, 4194303));
	tok("4194305", ptracer(t, 4194305));
}

/* Without 32-bit entries the instruction is a fault: a child finds out. */
static bool has_int80(void)
{
	struct call any = { .a = { ANY } };
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		op_prctl_int80(&any);
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

static void by_int80(void)
{
	int t = user();

	if (!has_int80()) {
		tok_fmt("skip=no-ia32");
		return;
	}
	tok("-1", call(t, op_prctl_int80, -1));
	tok("4194305", call(t, op_prctl_int80, 4194305));
}

static void unused_bits(void)
{
	int t = user();

	tok("option", call(t, op_prctl_raw, (7L << 32) | PR_SET_PTRACER, ANY, 0, 0, 0));
	tok("args", call(t, op_prctl_raw, PR_SET_PTRACER, ANY, 1, -1, LONG_MAX));
}

static void without_yama(void)
{
	int t = user();

	tok("0", ptracer(t, 0));
	tok("ANY", ptracer(t, ANY));
	tok("4194305", ptracer(t, 4194305));
}

static const struct yama_case prctl_cases[] = {
	CASE("P01", "arguments that are accepted", accepted,
	     ALWAYS("0=OK -1=OK 0xffffffff=OK 0x1ffffffff=OK 2^63-1=OK own=OK other=OK "
		    "2^32+other=OK 1=OK kthread=OK zombie=OK")),
	CASE("P02", "arguments that are refused", refused,
	     ALWAYS("-2=V 2^32=V INT_MIN=V -own=V INT_MAX=V 4194303=V 4194305=V")),
	CASE("P03", "32-bit prctl", by_int80, ALWAYS("-1=OK 4194305=V")),
	CASE("P04", "high bits of the option and unused arguments", unused_bits,
	     ALWAYS("option=OK args=OK")),
	CASE("P05", "no Yama at all", without_yama, { [SCOPE_NONE] = "0=V ANY=V 4194305=V" }),
};
const struct area prctl_area = { prctl_cases, ARRAY_SIZE(prctl_cases) };
