// SPDX-License-Identifier: GPL-2.0-only
/* E52, E53: signals to tasks outside. */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "cases.h"

static int ready[2];

static void be_in_jail(void)
{
	count_urgent(&shared->urgent[1]);
	hand_over(ready[1]);
	for (;;)
		pause();
}

/* To everybody who may be reached: SIGURG, which others ignore. */
static void broadcast(void)
{
	unsigned int before[2] = { shared->urgent[0], shared->urgent[1] };

	if (!step("all", kill(-1, SIGURG)))
		return;
	if (!urgent_came(&shared->urgent[1], before[1]))
		claim_word("all", "none");
	else
		claim_word("all", urgent_came(&shared->urgent[0], before[0]) ? "ok" : "jail");
}

static void e52(void)
{
	pid_t pid = outsider(NULL), child;
	int pidfd;

	enter("jail");
	make_pair(ready);
	child = start(be_in_jail);
	wait_turn(ready[0]);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	must("pidfd_open", pidfd);
	claim("zero", kill(pid, 0));
	claim("kill", kill(pid, SIGURG));
	claim("pidfd", syscall(SYS_pidfd_send_signal, pidfd, SIGURG, NULL, 0));
	claim("tgkill", syscall(SYS_tgkill, pid, pid, SIGURG));
	broadcast();
	claim("child", kill(child, SIGTERM));
}

/* Data comes in at fd, whose owner was set before. */
static int arrives(int fd, int peer, const unsigned int *counter)
{
	unsigned int before = *counter;

	if (fcntl(fd, F_SETSIG, SIGURG) || fcntl(fd, F_SETFL, O_ASYNC) || write(peer, "", 1) != 1)
		return -1;
	errno = ETIMEDOUT;
	return urgent_came(counter, before) ? 0 : -1;
}

static void e53(void)
{
	pid_t pid = outsider(NULL);
	struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = pid };
	int fds[2], other[2];

	enter("jail");
	make_pair(fds);
	make_pair(other);
	if (step("setown", fcntl(fds[0], F_SETOWN, pid)))
		claim("signal", arrives(fds[0], fds[1], &shared->urgent[0]));
	claim("setown_ex", fcntl(other[0], F_SETOWN_EX, &owner));
	claim("fiosetown", ioctl(other[0], FIOSETOWN, &pid));
	count_urgent(&shared->urgent[1]);
	if (step("own", fcntl(other[0], F_SETOWN, getpid())))
		claim("own", arrives(other[0], other[1], &shared->urgent[1]));
}

const struct row signal_rows[] = {
	{ "E52", "signals to a task outside; kill(-1) reaches the jail, and a child is killed",
	  e52 },
	{ "E53", "a descriptor's signals to a task outside; to itself they are allowed", e53 },
	{ 0 },
};
