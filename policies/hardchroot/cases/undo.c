// SPDX-License-Identifier: GPL-2.0-only
/* U01-U02: the way back out that package managers take. */
#include <string.h>
#include <unistd.h>
#include "cases.h"

static char jail[128];

static void lock_in(void)
{
	must("getcwd", getcwd(jail, sizeof(jail) - sizeof("/jail")) ? 0 : -1);
	must("chdir", chdir("/"));
	/* secret is beside the jail */
	must("chroot", chroot(strcat(jail, "/jail")));
}

static void leave(void)
{
	if (step("chroot", chroot(".")))
		claim("secret", steal(AT_FDCWD, shared->secret));
}

static void u01(void)
{
	lock_in();
	leave();
}

static void u02(void)
{
	lock_in();
	run_in_child(leave);
}

const struct row undo_rows[] = {
	{ "U01", "chroot(\".\") at the root from before, by whoever locked itself in", u01 },
	{ "U02", "the same by its child", u02 },
	{ 0 },
};
