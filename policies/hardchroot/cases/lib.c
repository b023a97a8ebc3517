// SPDX-License-Identifier: GPL-2.0-only
/* What rows are written with. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>
#include "cases.h"

#define SECRET "what only the outside may read\n"

struct shared *shared;

void claim_word(const char *step, const char *word)
{
	size_t used = strlen(shared->line);

	snprintf(shared->line + used, sizeof(shared->line) - used, " %s=%s", step, word);
}

void claim(const char *step, long r)
{
	claim_word(step, r < 0 ? strerrorname_np(errno) : "ok");
}

bool step(const char *name, long r)
{
	if (r < 0)
		claim(name, r);
	return r >= 0;
}

void must(const char *what, long r)
{
	char name[64];

	if (r >= 0)
		return;
	snprintf(name, sizeof(name), "setup-%s", what);
	claim(name, r);
	_exit(1);
}

int steal_fd(int fd)
{
	char got[sizeof(SECRET)] = "";
	ssize_t n = pread(fd, got, sizeof(got) - 1, 0);

	if (n < 0)
		return -1;
	errno = EBADMSG;
	return strcmp(got, SECRET) ? -1 : 0;
}

int steal(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC), r, saved;

	if (fd < 0)
		return -1;
	r = steal_fd(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* NULL: the secret */
void create(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	must(path, fd);
	if (!content)
		content = SECRET;
	must(path, write(fd, content, strlen(content)));
	close(fd);
}

void enter(const char *jail)
{
	must("chroot", chroot(jail));
	must("chdir", chdir("/"));
}

void mount_proc(void)
{
	must("mkdir", mkdir("jail/proc", 0755));
	must("proc", mount("proc", "jail/proc", "proc", 0, NULL));
}

pid_t start(void (*fn)(void))
{
	pid_t pid = fork();

	must("fork", pid);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fn();
	_exit(0);
}

void run_in_child(void (*fn)(void))
{
	waitpid(start(fn), NULL, 0);
}

static void (*outsider_prepare)(void);
static int outsider_ready[2];

static void be_outsider(void)
{
	count_urgent(&shared->urgent[0]);
	if (outsider_prepare)
		outsider_prepare();
	hand_over(outsider_ready[1]);
	for (;;)
		pause();
}

pid_t outsider(void (*prepare)(void))
{
	pid_t pid;

	outsider_prepare = prepare;
	make_pair(outsider_ready);
	pid = start(be_outsider);
	close(outsider_ready[1]);
	wait_turn(outsider_ready[0]);
	close(outsider_ready[0]);
	return pid;
}

/* Such a process is not dumpable by default, so its own kind could not look at it. */
void become_user(void)
{
	must("setgroups", setgroups(0, NULL));
	must("setgid", setresgid(USER, USER, USER));
	must("setuid", setresuid(USER, USER, USER));
	prctl(PR_SET_DUMPABLE, 1);
}

static unsigned int *urgent_counter;

static void on_urgent(int sig)
{
	(void)sig;
	__atomic_add_fetch(urgent_counter, 1, __ATOMIC_SEQ_CST);
}

/* SIGURG, as who does not ask for it does not notice. */
void count_urgent(unsigned int *counter)
{
	urgent_counter = counter;
	signal(SIGURG, on_urgent);
}

/* Long enough for a busy emulated machine; where it does come, it comes sooner. */
bool urgent_came(const unsigned int *counter, unsigned int before)
{
	const struct timespec tick = { .tv_nsec = 10000000 };
	int i;

	for (i = 0; i < 30; i++) {
		if (__atomic_load_n(counter, __ATOMIC_SEQ_CST) != before)
			return true;
		nanosleep(&tick, NULL);
	}
	return false;
}

void make_pair(int pair[2])
{
	must("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

void hand_over(int fd)
{
	must("hand-over", write(fd, "", 1));
}

/* The other one is gone when there is nothing to read: then this one is, too. */
void wait_turn(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(1);
}
