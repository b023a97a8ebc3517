// SPDX-License-Identifier: GPL-2.0-only
/* E01-E16: ways along directories. */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cases.h"

#define FAILFS_ROOT    -10004
#define RENAME_SWAP    2 /* RENAME_EXCHANGE */
#define MORE_THAN_DEEP 64

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	must(path, fd);
	return fd;
}

static int climb(void)
{
	int i;

	for (i = 0; i < MORE_THAN_DEEP; i++) {
		if (chdir(".."))
			return -1;
	}
	return 0;
}

static void e01(void)
{
	enter("jail");
	must("mkdir", mkdir("x", 0755));
	if (step("chroot", chroot("x")) && step("chdir", climb()) && step("rechroot", chroot(".")))
		claim("secret", steal(AT_FDCWD, shared->secret));
}

static void e02(void)
{
	enter("jail");
	must("mkdir", mkdir("x", 0755));
	if (step("chroot", chroot("x")))
		claim("secret", steal(AT_FDCWD, OUT_OF_JAIL));
}

static void e03(void)
{
	int fd = open_dir(".");

	enter("jail");
	if (step("fchdir", fchdir(fd)))
		claim("secret", steal(AT_FDCWD, "secret"));
}

static void e04(void)
{
	int fd = open_dir(".");

	enter("jail");
	claim("secret", steal(fd, "secret"));
}

static void e05(void)
{
	int fd = open_dir("side");

	enter("jail");
	claim("secret", steal(fd, OUT_OF_JAIL));
}

static void e06(void)
{
	int fd = open("side", O_PATH | O_DIRECTORY);

	must("side", fd);
	enter("jail");
	claim("secret", steal(fd, OUT_OF_JAIL));
}

static void stay_outside(void)
{
	must("chdir", chdir("side"));
	must("chroot", chroot("../jail"));
}

static void e07(void)
{
	stay_outside();
	claim("secret", steal(AT_FDCWD, OUT_OF_JAIL));
}

static void e08(void)
{
	stay_outside();
	if (step("chdir", chdir("..")))
		claim("secret", steal(AT_FDCWD, "secret"));
}

/* "/proc/self/fd/N" of the place, as seen in the jail */
static const char *enter_with_link(void)
{
	static char link[32];
	int fd = open_dir(".");

	mount_proc();
	enter("jail");
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return link;
}

static void e09(void)
{
	if (step("chdir", chdir(enter_with_link())))
		claim("secret", steal(AT_FDCWD, "secret"));
}

static void e10(void)
{
	if (step("chroot", chroot(enter_with_link())))
		claim("secret", steal(AT_FDCWD, "/secret"));
}

static void e11(void)
{
	int fd = open_dir(".");

	enter("jail");
	if (step("fchroot", syscall(NR_FCHROOT, fd, 0)))
		claim("secret", steal(AT_FDCWD, "/secret"));
}

static void e12(void)
{
	enter("jail");
	if (step("fchroot", syscall(NR_FCHROOT, FAILFS_ROOT, 0)))
		claim("secret", steal(AT_FDCWD, OUT_OF_JAIL));
}

/* The jail by its other name. */
static int enter_twin(void)
{
	int fd = open_dir("jail");

	must("mkdir", mkdir("twin", 0755));
	must("bind", mount("jail", "twin", NULL, MS_BIND, NULL));
	enter("twin");
	return fd;
}

static void e13(void)
{
	claim("secret", steal(enter_twin(), OUT_OF_JAIL));
}

static void e14(void)
{
	if (step("fchdir", fchdir(enter_twin())))
		claim("secret", steal(AT_FDCWD, OUT_OF_JAIL));
}

static int turns[2];

static void move_out(void)
{
	wait_turn(turns[1]);
	must("rename", rename("jail/in", "out"));
	hand_over(turns[1]);
}

static void e15(void)
{
	make_pair(turns);
	start(move_out);
	enter("jail");
	must("mkdir", mkdir("in", 0755));
	must("chdir", chdir("in"));
	hand_over(turns[0]);
	wait_turn(turns[0]);
	claim("secret", steal(AT_FDCWD, OUT_OF_JAIL));
}

static void swap_up(void)
{
	enter("jail");
	wait_turn(turns[1]);
	if (step("rename",
		 syscall(SYS_renameat2, AT_FDCWD, "/inner/in", AT_FDCWD, "/other", RENAME_SWAP)))
		hand_over(turns[1]);
}

/* Two jails, one in the other. Who is in the outer one moves the other's directory up to itself. */
static void e16(void)
{
	must("mkdir", mkdir("jail/inner", 0755));
	must("mkdir", mkdir("jail/inner/in", 0755));
	must("mkdir", mkdir("jail/other", 0755));
	make_pair(turns);
	start(swap_up);
	close(turns[1]);
	enter("jail/inner");
	must("chdir", chdir("in"));
	hand_over(turns[0]);
	wait_turn(turns[0]);
	claim("secret", steal(AT_FDCWD, "../../secret"));
}

const struct row lookup_rows[] = {
	{ "E01", "a second chroot and ..", e01 },
	{ "E02", "a second chroot, the working directory left behind", e02 },
	{ "E03", "fchdir to a saved directory", e03 },
	{ "E04", "openat from a saved directory", e04 },
	{ "E05", "openat from a saved directory beside the jail, upwards", e05 },
	{ "E06", "the same with O_PATH", e06 },
	{ "E07", "the working directory left outside, open upwards", e07 },
	{ "E08", "the working directory left outside, chdir upwards", e08 },
	{ "E09", "chdir to /proc/self/fd/N of a saved directory", e09 },
	{ "E10", "chroot to /proc/self/fd/N of a saved directory", e10 },
	{ "E11", "fchroot to a saved directory", e11 },
	{ "E12", "fchroot to the failing root, then upwards", e12 },
	{ "E13", "openat from the jail's other name, upwards", e13 },
	{ "E14", "fchdir to the jail's other name, then upwards", e14 },
	{ "E15", "the working directory moved out by an accomplice outside", e15 },
	{ "E16", "the working directory moved up by an accomplice in an outer jail", e16 },
	{ 0 },
};
