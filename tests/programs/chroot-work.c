// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs rightly do in a chroot: chroot-work WORK ROOT. Each work starts outside, with
 * whatever working directory, enters ROOT and does it there; what goes wrong is named, with the
 * exit status 1.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __NR_fchroot
#define __NR_fchroot 472 /* Linux 7 */
#endif

#define ok(call)                                                                                   \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			err(1, "%s", #call);                                                       \
	} while (0)

static void enter(const char *root)
{
	ok(chroot(root));
	ok(chdir("/"));
}

static void write_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0)
		err(1, "cannot create '%s'", path);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err(1, "cannot write '%s'", path);
	close(fd);
}

static void expect_text(int fd, const char *text)
{
	char got[64] = "";

	if (fd < 0)
		err(1, "cannot open what has '%s'", text);
	if (read(fd, got, sizeof(got) - 1) < 0)
		err(1, "cannot read what has '%s'", text);
	if (strcmp(got, text))
		errx(1, "read '%s' instead of '%s'", got, text);
	close(fd);
}

static void expect_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_RDONLY);

	if (fd < 0)
		err(1, "cannot open '%s'", path);
	expect_text(fd, text);
}

/* Directories, relative to the working directory and to a file descriptor, down and up again. */
static void walk(const char *root)
{
	int top, deep;

	enter(root);
	ok(mkdir("w", 0755));
	ok(mkdir("w/x", 0755));
	write_file(AT_FDCWD, "w/above", "above");
	ok(top = open(".", O_RDONLY | O_DIRECTORY));
	ok(chdir("w/x"));
	expect_file(AT_FDCWD, "../above", "above");
	expect_file(AT_FDCWD, "../../../../w/above", "above");
	ok(deep = open(".", O_PATH | O_DIRECTORY));
	ok(chdir("../.."));
	expect_file(deep, "../above", "above");
	ok(fchdir(deep));
	ok(renameat(deep, "../above", top, "above"));
	ok(fchdir(top));
	expect_file(AT_FDCWD, "above", "above");
	ok(unlink("/above"));
	ok(unlinkat(top, "w/x", AT_REMOVEDIR));
	ok(rmdir("w"));
}

/* A file without a name, and a pipe, opened again through /proc. */
static void reopen(const char *root)
{
	char path[64];
	int fd, ends[2];

	enter(root);
	ok(fd = memfd_create("work", 0));
	if (write(fd, "memory", 6) != 6)
		err(1, "cannot write to a memfd");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	expect_file(AT_FDCWD, path, "memory");
	ok(pipe(ends));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
	write_file(AT_FDCWD, path, "pipe");
	expect_text(ends[0], "pipe");
}

static pthread_barrier_t before, after;

static void *in_thread(void *unused)
{
	pthread_barrier_wait(&before);
	pthread_barrier_wait(&after);
	expect_file(AT_FDCWD, "thread", "shared");
	expect_file(AT_FDCWD, "/thread", "shared");
	return unused;
}

/* One thread enters, and so do all. */
static void threads(const char *root)
{
	pthread_t thread[3];
	size_t i;

	pthread_barrier_init(&before, NULL, 4);
	pthread_barrier_init(&after, NULL, 4);
	for (i = 0; i < 3; i++)
		if (pthread_create(&thread[i], NULL, in_thread, NULL))
			errx(1, "cannot start a thread");
	pthread_barrier_wait(&before);
	enter(root);
	write_file(AT_FDCWD, "thread", "shared");
	pthread_barrier_wait(&after);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	ok(unlink("thread"));
}

/* A process and its child there: signals, groups, priorities. */
static void children(const char *root)
{
	int status;
	pid_t pid;

	enter(root);
	ok(pid = fork());
	if (!pid) {
		pause();
		_exit(0);
	}
	ok(setpgid(pid, pid));
	if (getpgid(pid) != pid)
		err(1, "cannot see the process group of a child");
	ok(getsid(pid));
	ok(setpriority(PRIO_PROCESS, pid, 5));
	ok(kill(pid, SIGSTOP));
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		err(1, "cannot stop a child");
	ok(kill(pid, SIGKILL));
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		err(1, "cannot end a child");
}

/* An abstract socket and a shared memory segment, both used from where they were made. */
static void ipc(const char *root)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0chroot-work" };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + sizeof("chroot-work");
	int listener, client, server, id;
	char *memory;

	enter(root);
	ok(listener = socket(AF_UNIX, SOCK_STREAM, 0));
	ok(bind(listener, (struct sockaddr *)&name, length));
	ok(listen(listener, 1));
	ok(client = socket(AF_UNIX, SOCK_STREAM, 0));
	ok(connect(client, (struct sockaddr *)&name, length));
	ok(server = accept(listener, NULL, NULL));
	if (write(client, "own", 3) != 3)
		err(1, "cannot write to a socket");
	expect_text(server, "own");
	ok(id = shmget(IPC_PRIVATE, 4096, 0600));
	memory = shmat(id, NULL, 0);
	ok(shmctl(id, IPC_RMID, NULL));
	if (memory == (void *)-1)
		err(1, "cannot attach a segment");
	memory[0] = 1;
}

static void send_fd(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
				  .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS } };
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	ok(sendmsg(socket, &message, 0));
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &vector,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fd;

	ok(recvmsg(socket, &message, 0));
	if (message.msg_controllen < CMSG_LEN(sizeof(int)))
		errx(1, "no file came with the message");
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

/* A helper outside opens files for the server inside. */
static void pass(const char *root)
{
	int ends[2], status;
	pid_t pid;

	ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	ok(pid = fork());
	if (!pid) {
		enter(root);
		expect_text(receive_fd(ends[1]), "outside");
		exit(0);
	}
	write_file(AT_FDCWD, "/tmp/passed", "outside");
	send_fd(ends[0], open("/tmp/passed", O_RDONLY));
	unlink("/tmp/passed");
	if (waitpid(pid, &status, 0) != pid || status)
		exit(1);
}

/* A chroot in the chroot, by path, and by file descriptor where the kernel can. */
static void nested(const char *root)
{
	int fd;

	enter(root);
	ok(mkdir("inner", 0755));
	ok(mkdir("inner/most", 0755));
	write_file(AT_FDCWD, "inner/most/file", "most");
	ok(fd = open("inner", O_RDONLY | O_DIRECTORY));
	if (syscall(__NR_fchroot, fd, 0) < 0) {
		if (errno != ENOSYS)
			err(1, "fchroot");
		ok(chroot("inner"));
	}
	close(fd);
	ok(chdir("/"));
	expect_file(AT_FDCWD, "/most/file", "most");
	enter("most");
	expect_file(AT_FDCWD, "../../file", "most");
}

static const struct {
	const char *name;
	void (*run)(const char *root);
} works[] = {
	{ "walk", walk }, { "reopen", reopen }, { "threads", threads }, { "children", children },
	{ "ipc", ipc },	  { "pass", pass },	{ "nested", nested },
};

int main(int argc, char **argv)
{
	size_t i;

	if (argc != 3)
		errx(2, "usage: chroot-work WORK ROOT");
	for (i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (!strcmp(argv[1], works[i].name)) {
			works[i].run(argv[2]);
			return 0;
		}
	}
	errx(2, "no such work: '%s'", argv[1]);
}
