// SPDX-License-Identifier: GPL-2.0-only
/* E17-E28: descriptors, where they come from and what they can be used for. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cases.h"

union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(sizeof(int))];
};

static int open_place(int flags)
{
	int fd = open(".", flags | O_DIRECTORY);

	must("open", fd);
	return fd;
}

static void send_fd(int socket, int fd)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	must("sendmsg", sendmsg(socket, &msg, 0));
}

/* A descriptor, or -1; *ret_flags are those of the message. */
static int receive_fd(int socket, int *ret_flags)
{
	union control control = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd = -1;

	must("recvmsg", recvmsg(socket, &msg, 0));
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	*ret_flags = msg.msg_flags;
	return fd;
}

static int pair[2];

static void send_both(void)
{
	int file = open("secret", O_RDONLY);

	must("secret", file);
	send_fd(pair[1], open_place(O_RDONLY));
	send_fd(pair[1], file);
}

static void e17(void)
{
	int fd, flags;

	make_pair(pair);
	start(send_both);
	enter("jail");
	fd = receive_fd(pair[0], &flags);
	if (fd < 0)
		claim_word("dir", flags & MSG_CTRUNC ? "MSG_CTRUNC" : "none");
	else
		claim("dir", steal(fd, "secret"));
	fd = receive_fd(pair[0], &flags);
	claim("file", fd < 0 ? fd : steal_fd(fd));
}

static void e18(void)
{
	int fd = open_place(O_RDONLY), pidfd, got;
	pid_t pid = outsider(NULL);

	close(fd);
	enter("jail");
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (!step("pidfd_open", pidfd))
		return;
	got = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (step("getfd", got))
		claim("secret", steal(got, "secret"));
}

/* getppid(2) is answered by who holds the descriptor that this returns. */
static int listen_for_getppid(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	must("no-new-privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
		       &program);
}

static void be_supervised(void)
{
	int listener = listen_for_getppid();

	must("seccomp", listener);
	send_fd(pair[1], listener);
	enter("jail");
	claim("secret", steal(syscall(SYS_getppid), "secret"));
}

static void e19(void)
{
	struct seccomp_notif request = { 0 };
	struct seccomp_notif_addfd add = { .flags = SECCOMP_ADDFD_FLAG_SEND };
	int listener, flags;
	pid_t pid;

	make_pair(pair);
	pid = start(be_supervised);
	listener = receive_fd(pair[0], &flags);
	must("listener", listener);
	must("receive", ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request));
	add.id = request.id;
	add.srcfd = open_place(O_RDONLY);
	if (step("addfd", ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add)))
		waitpid(pid, NULL, 0);
}

static void e20(void)
{
	char path[128];

	mount_proc();
	enter("jail");
	snprintf(path, sizeof(path), "/proc/1/root%s", shared->secret);
	claim("secret", steal(AT_FDCWD, path));
}

static void e21(void)
{
	int fd = open_place(O_RDONLY);
	pid_t pid = outsider(become_user);
	char path[64];

	close(fd);
	mount_proc();
	enter("jail");
	become_user();
	snprintf(path, sizeof(path), "/proc/%d/cwd/secret", pid);
	claim("cwd", steal(AT_FDCWD, path));
	snprintf(path, sizeof(path), "/proc/%d/fd/%d/secret", pid, fd);
	claim("fd", steal(AT_FDCWD, path));
}

/* The secret as an O_PATH descriptor, and its name below /proc. */
static int enter_with_secret(char link[32])
{
	int fd = open("secret", O_PATH);

	must("secret", fd);
	mount_proc();
	enter("jail");
	snprintf(link, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void e22(void)
{
	char link[32];

	enter_with_secret(link);
	claim("secret", steal(AT_FDCWD, link));
}

static void e23(void)
{
	char link[32];
	int fd = enter_with_secret(link);

	if (step("link", linkat(fd, "", AT_FDCWD, "/got", AT_EMPTY_PATH)))
		claim("secret", steal(AT_FDCWD, "/got"));
}

static void e24(void)
{
	char link[32];

	enter_with_secret(link);
	if (step("link", linkat(AT_FDCWD, link, AT_FDCWD, "/got", AT_SYMLINK_FOLLOW)))
		claim("secret", steal(AT_FDCWD, "/got"));
}

static int program;

/* This program's help is what shows that it ran. */
static void execute(void)
{
	char *argv[] = { "hardchroot-cases", "--help", NULL }, *envp[] = { NULL };

	dup2(open("null", O_WRONLY), STDOUT_FILENO);
	syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
	claim("exec", -1);
	_exit(1);
}

static void e25(void)
{
	int status;

	program = open("/proc/self/exe", O_PATH);
	must("exe", program);
	create("jail/null", "");
	enter("jail");
	waitpid(start(execute), &status, 0);
	if (!status)
		claim("exec", 0);
}

static int steal_resolved(int dirfd, unsigned int resolve)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = resolve };
	int fd = syscall(SYS_openat2, dirfd, "secret", &how, sizeof(how));

	return fd < 0 ? -1 : steal_fd(fd);
}

static void e26(void)
{
	int fd = open_place(O_RDONLY);

	enter("jail");
	claim("in_root", steal_resolved(fd, RESOLVE_IN_ROOT));
	claim("beneath", steal_resolved(fd, RESOLVE_BENEATH));
	claim("no_xdev", steal_resolved(fd, RESOLVE_NO_XDEV));
}

static void e27(void)
{
	int fd;

	create("side/a", "a");
	create("side/b", "b");
	must("mkdir", mkdir("side/dir", 0755));
	must("mkdir", mkdir("jail/dir", 0755));
	fd = open("side", O_PATH | O_DIRECTORY);
	must("side", fd);
	enter("jail");
	claim("rename", renameat(fd, "a", fd, "c"));
	claim("steal", renameat(fd, "b", AT_FDCWD, "/b"));
	claim("move-out", renameat(AT_FDCWD, "/dir", fd, "moved"));
	claim("mkdir", mkdirat(fd, "new", 0755));
	claim("rmdir", unlinkat(fd, "dir", AT_REMOVEDIR));
	claim("symlink", symlinkat("a", fd, "link"));
	claim("mknod", mknodat(fd, "node", S_IFREG | 0644, 0));
	claim("chmod", fchmodat(fd, OUT_OF_JAIL, 0600, 0));
	claim("chown", fchownat(fd, OUT_OF_JAIL, USER, USER, 0));
	claim("unlink", unlinkat(fd, OUT_OF_JAIL, 0));
}

static void e28(void)
{
	int fd = open_place(O_RDONLY);
	struct stat st;

	enter("jail");
	claim("fstatat", fstatat(fd, "secret", &st, 0));
	claim("fstat", fstat(fd, &st));
}

const struct row fd_rows[] = {
	{ "E17", "SCM_RIGHTS brings a directory; a file may pass", e17 },
	{ "E18", "pidfd_getfd from a process outside", e18 },
	{ "E19", "a seccomp supervisor outside puts a directory in", e19 },
	{ "E20", "/proc/1/root", e20 },
	{ "E21", "/proc/PID/cwd and fd/N of the user's own process outside", e21 },
	{ "E22", "an O_PATH file opened through /proc/self/fd/N", e22 },
	{ "E23", "linkat of a descriptor of a file outside", e23 },
	{ "E24", "linkat of /proc/self/fd/N of a file outside", e24 },
	{ "E25", "execveat of a program outside", e25 },
	{ "E26", "openat2 from a saved directory", e26 },
	{ "E27", "changes below a saved directory", e27 },
	{ "E28", "stat below a saved directory; of the descriptor itself it is allowed", e28 },
	{ 0 },
};
