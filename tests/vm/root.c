// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's file systems: the machine's own root (9p, read-only) under a throw-away overlay,
 * moved to as switch_root does, with the kernel's own file systems and the caller's directories on
 * it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static int keep_fds[LIST_MAX];

static void make_dirs(const char *path)
{
	char copy[PATH_MAX], *slash;

	snprintf(copy, sizeof(copy), "%s", path);
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

static void mount_at(const char *source, const char *path, const char *type, unsigned long flags,
		     const char *options)
{
	if (mount(source, path, type, flags, options))
		fail("cannot mount %s on '%s': %s", type ?: source, path, strerror(errno));
}

#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000"

static void mount_root(void)
{
	mount_at("root", "/lower", "9p", MS_RDONLY, P9_OPTIONS ",cache=loose");
	mount_at("upper", "/upper", "tmpfs", 0, "mode=755,size=75%");
	mkdir("/upper/data", 0755);
	mkdir("/upper/work", 0755);
	mount_at("overlay", "/new", "overlay", 0,
		 "lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work");
}

/* Directories that the mounts to come would hide are held open now and bound back by show_keeps. */
static void hold_keeps(const struct settings *settings)
{
	char path[PATH_MAX];
	int i;

	for (i = 0; i < settings->keeps.count; i++) {
		snprintf(path, sizeof(path), "/new%s", settings->keeps.item[i]);
		keep_fds[i] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (keep_fds[i] < 0)
			fail("cannot open '%s' in the guest: %s", settings->keeps.item[i],
			     strerror(errno));
	}
}

static void show_keeps(const struct settings *settings)
{
	struct stat there, held;
	char path[64];
	int i;

	for (i = 0; i < settings->keeps.count; i++) {
		if (!fstat(keep_fds[i], &held) && !stat(settings->keeps.item[i], &there) &&
		    held.st_dev == there.st_dev && held.st_ino == there.st_ino) {
			close(keep_fds[i]);
			continue;
		}
		make_dirs(settings->keeps.item[i]);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", keep_fds[i]);
		mount_at(path, settings->keeps.item[i], NULL, MS_BIND, NULL);
		close(keep_fds[i]);
	}
}

/* What switch_root does: the new root becomes the root of the mount tree, no chroot remains. */
static void switch_root(void)
{
	mount_at("/proc", "/new/proc", NULL, MS_MOVE, NULL);
	mount_at("/sys", "/new/sys", NULL, MS_MOVE, NULL);
	mount_at("/dev", "/new/dev", NULL, MS_MOVE, NULL);
	/* Not nosuid: tests put setuid programs there. */
	mount_at("tmpfs", "/new/tmp", "tmpfs", 0, "mode=1777");
	mount_at("tmpfs", "/new/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail("cannot switch to the new root: %s", strerror(errno));
}

static void mount_rest(void)
{
	static const struct {
		const char *type, *path, *options;
		bool optional;
	} mounts[] = {
		{ "devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666", false },
		{ "tmpfs", "/dev/shm", "mode=1777", false },
		{ "mqueue", "/dev/mqueue", NULL, true },
		{ "securityfs", "/sys/kernel/security", NULL, false },
		{ "cgroup2", "/sys/fs/cgroup", NULL, false },
		{ "bpf", "/sys/fs/bpf", "mode=700", false },
		{ "debugfs", "/sys/kernel/debug", NULL, true },
		{ "tracefs", "/sys/kernel/tracing", NULL, true },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },
		{ "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" },
		{ "/proc/self/fd/2", "/dev/stderr" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(mounts); i++) {
		mkdir(mounts[i].path, 0755);
		if (mount(mounts[i].type, mounts[i].path, mounts[i].type, 0, mounts[i].options) &&
		    !mounts[i].optional)
			fail("cannot mount '%s': %s", mounts[i].path, strerror(errno));
	}
	for (i = 0; i < ARRAY_SIZE(links); i++)
		if (symlink(links[i][0], links[i][1]) && errno != EEXIST)
			fail("cannot make '%s': %s", links[i][1], strerror(errno));
	mkdir("/run/lock", 0755);
	chmod("/run/lock", 01777);
	/* Other users' programs need them; udev, which would see to it, does not run here. */
	chmod("/dev/fuse", 0666);
	chmod("/dev/net/tun", 0666);
}

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req))
		fail("cannot set the loopback interface up: %s", strerror(errno));
	close(fd);
}

/* Lets every user pass: /root, say, is 0700. Only in the throw-away layer. */
static void open_path(const char *path)
{
	char copy[PATH_MAX], *slash;
	struct stat st;

	snprintf(copy, sizeof(copy), "%s/", path);
	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!stat(copy, &st) && (st.st_mode & 0011) != 0011)
			chmod(copy, (st.st_mode & 07777) | 0011);
		*slash = '/';
	}
}

static void show_modules(const struct settings *settings)
{
	char path[PATH_MAX];

	if (!settings->modules || !settings->release)
		return;
	snprintf(path, sizeof(path), "/lib/modules/%s", settings->release);
	make_dirs("/lib/modules");
	make_dirs(path);
	mount_at(settings->modules, path, NULL, MS_BIND, NULL);
}

static const char *share_path(char *share)
{
	return strchr(share, ':') + 1;
}

static void mount_shares(const struct settings *settings)
{
	char tag[16];
	int i;

	for (i = 0; i < settings->shares.count; i++) {
		const char *path = share_path(settings->shares.item[i]);

		snprintf(tag, sizeof(tag), "%.*s", (int)(path - 1 - settings->shares.item[i]),
			 settings->shares.item[i]);
		/* Before it is mounted: the host's own directory keeps its mode. */
		make_dirs(path);
		open_path(path);
		mount_at(tag, path, "9p", 0, P9_OPTIONS ",cache=mmap");
	}
}

void set_up_root(const struct settings *settings)
{
	struct rlimit files = { .rlim_cur = 1024, .rlim_max = 1048576 };
	int i;

	mount_root();
	hold_keeps(settings);
	switch_root();
	mount_rest();
	show_keeps(settings);
	show_modules(settings);
	for (i = 0; i < settings->opens.count; i++)
		open_path(settings->opens.item[i]);
	mount_shares(settings);
	loopback_up();
	if (sethostname("checmate", 8))
		fail("cannot set the host name: %s", strerror(errno));
	setrlimit(RLIMIT_NOFILE, &files); /* what a Debian service gets */
}

void leave_shares(const struct settings *settings)
{
	int i;

	for (i = settings->shares.count - 1; i >= 0; i--)
		if (umount2(share_path(settings->shares.item[i]), 0)) {
			sync();
			umount2(share_path(settings->shares.item[i]), MNT_DETACH);
		}
}
