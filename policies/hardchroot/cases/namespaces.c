// SPDX-License-Identifier: GPL-2.0-only
/* E31-E37: mount namespaces, joined and made. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cases.h"

/* From 7.0 on */
#define NSFS_ROOT	    -10003
#define UNSHARE_EMPTY	    0x00100000
#define CLONE_EMPTY	    (1ULL << 37)
#define OPEN_TREE_NAMESPACE 2
#define FSMOUNT_NAMESPACE   2

#define FSCONFIG_CREATE 6
#define HANDLE_NSFS	0xf1
#define HANDLE_BYTES	16

static void e31(void)
{
	int pidfd;

	enter("jail");
	pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	if (step("pidfd_open", pidfd) && step("setns", setns(pidfd, CLONE_NEWNS)))
		claim("secret", steal(AT_FDCWD, shared->secret));
}

static void e32(void)
{
	int fd;

	mount_proc();
	enter("jail");
	fd = open("/proc/self/ns/mnt", O_RDONLY);
	if (step("open", fd) && step("setns", setns(fd, CLONE_NEWNS)))
		claim("secret", steal(AT_FDCWD, shared->secret));
}

/* The handle is a number that anyone may know: 7.x tells it here, others have none. */
static void e33(void)
{
	struct {
		struct file_handle head;
		char bytes[HANDLE_BYTES];
	} handle = { .head = { .handle_bytes = HANDLE_BYTES, .handle_type = HANDLE_NSFS } };
	int fd, mount_id, ns = open("/proc/self/ns/mnt", O_RDONLY);

	must("ns", ns);
	name_to_handle_at(ns, "", &handle.head, &mount_id, AT_EMPTY_PATH);
	close(ns);
	enter("jail");
	fd = open_by_handle_at(NSFS_ROOT, &handle.head, O_RDONLY);
	if (step("open", fd) && step("setns", setns(fd, CLONE_NEWNS)))
		claim("secret", steal(AT_FDCWD, shared->secret));
}

static int root_fd;

static void enter_and_hold_root(void)
{
	enter("jail");
	root_fd = open("/", O_RDONLY | O_DIRECTORY);
	must("root", root_fd);
}

static void e34(void)
{
	enter_and_hold_root();
	if (step("unshare", syscall(SYS_unshare, CLONE_NEWNS | UNSHARE_EMPTY)))
		claim("secret", steal(root_fd, OUT_OF_JAIL));
}

static void e35(void)
{
	struct clone_args args = { .flags = CLONE_EMPTY, .exit_signal = SIGCHLD };
	pid_t pid;

	enter_and_hold_root();
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (!pid) {
		claim("secret", steal(root_fd, OUT_OF_JAIL));
		_exit(0);
	}
	if (step("clone3", pid))
		waitpid(pid, NULL, 0);
}

/*
 * In a namespace whose root the jail is, the kernel itself does not count the task as chrooted any
 * more: it may make user namespaces.
 */
static void join_and_be_free(int ns)
{
	if (step("setns", setns(ns, CLONE_NEWNS)))
		claim("free", unshare(CLONE_NEWUSER));
}

static void e36(void)
{
	int ns;

	enter("jail");
	ns = syscall(NR_OPEN_TREE, AT_FDCWD, "/", OPEN_TREE_NAMESPACE);
	if (step("open_tree", ns))
		join_and_be_free(ns);
}

static void e37(void)
{
	int fs, ns;

	enter("jail");
	fs = syscall(NR_FSOPEN, "tmpfs", 0);
	if (!step("fsopen", fs) ||
	    !step("fsconfig", syscall(NR_FSCONFIG, fs, FSCONFIG_CREATE, NULL, NULL, 0)))
		return;
	ns = syscall(NR_FSMOUNT, fs, FSMOUNT_NAMESPACE, 0);
	if (step("fsmount", ns))
		join_and_be_free(ns);
}

const struct row namespace_rows[] = {
	{ "E31", "setns to its own mount namespace by pidfd", e31 },
	{ "E32", "setns to its own mount namespace by /proc/self/ns/mnt", e32 },
	{ "E33", "setns to its own mount namespace by a handle of nsfs", e33 },
	{ "E34", "unshare into an empty mount namespace", e34 },
	{ "E35", "clone3 into an empty mount namespace", e35 },
	{ "E36", "open_tree makes the jail a mount namespace", e36 },
	{ "E37", "fsmount makes a file system a mount namespace", e37 },
	{ 0 },
};
