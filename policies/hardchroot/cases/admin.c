// SPDX-License-Identifier: GPL-2.0-only
/* E61, E62, E66: what root may do to the whole system. Where it is allowed it must do no harm. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "cases.h"

#define CORE_PATTERN "/proc/sys/kernel/core_pattern"
#define MODPROBE     "/proc/sys/kernel/modprobe"
#define TOO_MANY     0x7fffffffUL

/* The value that is there is written back. */
static int write_same(int fd)
{
	char value[512];
	ssize_t n = pread(fd, value, sizeof(value), 0);

	return n < 0 || pwrite(fd, value, n, 0) < 0 ? -1 : 0;
}

static int open_and_write(const char *path)
{
	int fd = open(path, O_RDWR);

	return fd < 0 ? -1 : write_same(fd);
}

static int read_only(const char *path)
{
	char value[512];
	int fd = open(path, O_RDONLY);

	return fd < 0 ? -1 : read(fd, value, sizeof(value));
}

static void e61(void)
{
	int fd = open(CORE_PATTERN, O_RDWR);

	must("core_pattern", fd);
	mount_proc();
	enter("jail");
	claim("core_pattern", open_and_write(CORE_PATTERN));
	claim("modprobe", open_and_write(MODPROBE));
	claim("fd", write_same(fd));
	claim("read", read_only(CORE_PATTERN));
}

/* Each asks for the capability first, and then does not like what it gets. */
static void e62(void)
{
	struct timeval now;

	enter("jail");
	claim("init_module", syscall(SYS_init_module, "no module at all", 16UL, ""));
	claim("kexec_load", syscall(SYS_kexec_load, 0UL, TOO_MANY, NULL, 0UL));
	claim("iopl", iopl(3));
	claim("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
	must("time", gettimeofday(&now, NULL));
	claim("settimeofday", settimeofday(&now, NULL));
}

static void mount_in_jail(const char *type, const char *path, const char *options)
{
	must("mkdir", mkdir(path, 0755));
	must(type, mount(type, path, type, 0, options));
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	return fd < 0 ? -1 : write(fd, text, strlen(text));
}

static void e66(void)
{
	mount_in_jail("sysfs", "jail/sys", NULL);
	mount_in_jail("cgroup", "jail/cgroup", "none,name=hardchroot-cases");
	mount_in_jail("binfmt_misc", "jail/formats", NULL);
	enter("jail");
	claim("binfmt", write_text("/formats/register", "no format at all"));
	claim("release_agent", write_text("/cgroup/release_agent", "\n"));
	claim("uevent_helper", open_and_write("/sys/kernel/uevent_helper"));
}

const struct row admin_rows[] = {
	{ "E61", "sysctls are not written, also by a file opened before; they are read", e61 },
	{ "E62", "modules, kexec, ports, reboot, time", e62 },
	{ "E66", "the kernel's helpers: binfmt_misc, release_agent, uevent_helper", e66 },
	{ 0 },
};
