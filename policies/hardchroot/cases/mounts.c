// SPDX-License-Identifier: GPL-2.0-only
/* E38-E46: mounts, and handles of files. */
#include <errno.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cases.h"

/* <sys/mount.h> of this C library clashes with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *data);
int umount2(const char *target, int flags);

#define UMOUNT_DETACH 2

static void e38(void)
{
	int fs, mnt, fd;
	char got[6] = "";

	enter("jail");
	fs = syscall(NR_FSOPEN, "proc", 0);
	if (!step("fsopen", fs) ||
	    !step("fsconfig", syscall(NR_FSCONFIG, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0)))
		return;
	mnt = syscall(NR_FSMOUNT, fs, 0, 0);
	if (!step("fsmount", mnt))
		return;
	fd = openat(mnt, "1/status", O_RDONLY);
	if (step("openat", fd) && step("read", read(fd, got, sizeof(got) - 1)))
		claim_word("status", strcmp(got, "Name:") ? "wrong" : "ok");
}

static void e39(void)
{
	int tree = syscall(NR_OPEN_TREE, AT_FDCWD, ".", OPEN_TREE_CLONE);

	must("open_tree", tree);
	enter("jail");
	claim("secret", steal(tree, "secret"));
}

static void e40(void)
{
	must("mkdir", mkdir("jail/a", 0755));
	must("mkdir", mkdir("jail/b", 0755));
	must("mkdir", mkdir("jail/mnt", 0755));
	must("mount", mount("tmpfs", "jail/mnt", "tmpfs", 0, NULL));
	enter("jail");
	claim("tmpfs", mount("tmpfs", "/a", "tmpfs", 0, NULL));
	claim("bind", mount("/a", "/b", NULL, MS_BIND, NULL));
	claim("over", mount("/b", "/", NULL, MS_BIND, NULL));
	claim("remount", mount(NULL, "/mnt", NULL, MS_REMOUNT | MS_NOSUID, NULL));
	claim("umount", umount2("/mnt", UMOUNT_DETACH));
}

static void e41(void)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_RDONLY };

	must("mkdir", mkdir("jail/mnt", 0755));
	must("mount", mount("tmpfs", "jail/mnt", "tmpfs", 0, NULL));
	must("remount", mount(NULL, "jail/mnt", NULL,
			      MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | MS_RDONLY, NULL));
	enter("jail");
	if (step("mount_setattr",
		 syscall(SYS_mount_setattr, AT_FDCWD, "/mnt", 0, &attr, sizeof(attr))))
		claim("write", mknod("/mnt/file", S_IFREG | 0644, 0));
	claim("open_tree_attr",
	      syscall(NR_OPEN_TREE_ATTR, AT_FDCWD, "/mnt", OPEN_TREE_CLONE, &attr, sizeof(attr)));
}

/* The held directory is the jail's, below the mount that is the root: nothing stops "..". */
static int enter_mount(void)
{
	int fd = open("jail", O_RDONLY | O_DIRECTORY);

	must("jail", fd);
	must("bind", mount("jail", "jail", NULL, MS_BIND, NULL));
	return fd;
}

static void e42(void)
{
	int fd = enter_mount();

	must("mkdir", mkdir("jail/new", 0755));
	must("mount", mount("tmpfs", "jail/new", "tmpfs", 0, NULL));
	must("mkdir", mkdir("jail/new/old", 0755));
	enter("jail");
	claim("pivot", syscall(SYS_pivot_root, "/new", "/new/old"));
	claim("secret", steal(fd, OUT_OF_JAIL));
}

static void e43(void)
{
	int fd;

	enter_mount();
	enter("jail");
	fd = open("/", O_RDONLY | O_DIRECTORY);
	must("root", fd);
	if (step("umount", umount2("/", UMOUNT_DETACH)))
		claim("secret", steal(fd, OUT_OF_JAIL));
}

struct handle {
	struct file_handle head;
	char bytes[MAX_HANDLE_SZ];
};

static void handle_of(const char *path, struct handle *h)
{
	int mount_id;

	h->head.handle_bytes = MAX_HANDLE_SZ;
	must("handle", name_to_handle_at(AT_FDCWD, path, &h->head, &mount_id, 0));
}

/* A claim, called so unless the handle cannot even be opened. */
static void steal_by_handle(const char *name, struct handle *h, int flags)
{
	int root = open("/", O_RDONLY | O_DIRECTORY), fd;

	must("root", root);
	fd = open_by_handle_at(root, &h->head, flags);
	if (fd < 0)
		claim(name, fd);
	else
		claim(name, flags & O_DIRECTORY ? steal(fd, "secret") : steal_fd(fd));
}

static void e44(void)
{
	struct handle dir = { 0 }, file = { 0 };

	handle_of(".", &dir);
	handle_of("secret", &file);
	enter("jail");
	steal_by_handle("dir", &dir, O_RDONLY | O_DIRECTORY);
	steal_by_handle("path", &dir, O_PATH | O_DIRECTORY);
	steal_by_handle("file", &file, O_RDONLY);
}

static void e45(void)
{
	enter("jail");
	claim("userns", unshare(CLONE_NEWUSER));
}

static void e46(void)
{
	must("mkdir", mkdir("jail/mnt", 0755));
	must("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
	enter("jail");
	claim("mount", mount("tmpfs", "/mnt", "tmpfs", 0, NULL));
}

const struct row mount_rows[] = {
	{ "E38", "a proc of one's own, not even mounted", e38 },
	{ "E39", "a detached copy of the outside, made before", e39 },
	{ "E40", "mount, bind, over the root, remount, umount", e40 },
	{ "E41", "mount_setattr and open_tree_attr take restrictions from a mount", e41 },
	{ "E42", "pivot_root, and a held directory of the old root", e42 },
	{ "E43", "umount of the root itself", e43 },
	{ "E44", "open_by_handle_at of a directory, as a path too, and of a file", e44 },
	{ "E45", "unshare of the user namespace", e45 },
	{ "E46", "mount in a user namespace made before", e46 },
	{ 0 },
};
