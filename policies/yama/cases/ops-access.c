// SPDX-License-Identifier: GPL-2.0-only
/* What actors can do: the accesses Yama is asked about, and those it is not. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

static const char *const proc_files[] = {
	[F_MEM] = "mem",     [F_SYSCALL] = "syscall", [F_PERSONALITY] = "personality",
	[F_STACK] = "stack", [F_MAPS] = "maps",	      [F_ENVIRON] = "environ",
	[F_AUXV] = "auxv",   [F_IO] = "io",
};

/* --- ptrace ------------------------------------------------------------------------------ */

static long wait_stop(pid_t pid, int *status)
{
	while (waitpid(pid, status, __WALL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFSTOPPED(*status) ? 0 : -ECHILD;
}

long op_attach_stay(const struct call *c)
{
	int status;

	if (ptrace(PTRACE_ATTACH, c->a[0], 0, 0))
		return -errno;
	return wait_stop(c->a[0], &status);
}

long op_attach(const struct call *c)
{
	long r = op_attach_stay(c);

	if (r)
		return r;
	return ret(ptrace(PTRACE_DETACH, c->a[0], 0, 0));
}

long op_seize(const struct call *c)
{
	return ret(ptrace(PTRACE_SEIZE, c->a[0], 0, c->a[1]));
}

long op_peek(const struct call *c)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, c->a[0], PROBE_ADDRESS, 0);
	if (errno)
		return -errno;
	return word == (long)PROBE_WORD ? 0 : -EIO;
}

/* The target forks: takes the event, lets both go on. A child that is not attached is ECHILD. */
long op_fork_event(const struct call *c)
{
	pid_t pid = c->a[0];
	unsigned long child;
	int status;
	long r;

	r = wait_stop(pid, &status);
	if (r)
		return r;
	if (status >> 8 != (SIGTRAP | (PTRACE_EVENT_FORK << 8)))
		return -EPROTO;
	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) || ptrace(PTRACE_CONT, pid, 0, 0))
		return -errno;
	r = wait_stop(child, &status);
	if (r)
		return r;
	return ptrace(PTRACE_CONT, child, 0, 0) ? -errno : (long)child;
}

long op_traceme(const struct call *c)
{
	(void)c;
	return ret(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

/* --- memory ------------------------------------------------------------------------------ */

long op_read_vm(const struct call *c)
{
	unsigned long word = 0;
	struct iovec here = { &word, sizeof(word) };
	struct iovec there = { (void *)PROBE_ADDRESS, sizeof(word) };
	ssize_t n = process_vm_readv(c->a[0], &here, 1, &there, 1, 0);

	if (n < 0)
		return -errno;
	return n == sizeof(word) && word == PROBE_WORD ? 0 : -EIO;
}

long op_read_vm_len(const struct call *c)
{
	unsigned long word;
	struct iovec here = { &word, c->a[1] };
	struct iovec there = { (void *)PROBE_ADDRESS, c->a[2] };

	return ret(process_vm_readv(c->a[0], &here, 1, &there, 1, 0));
}

/* --- /proc/PID --------------------------------------------------------------------------- */

long op_proc_open(const struct call *c)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", c->a[0], proc_files[c->a[1]]);
	return ret(open(path, c->a[2] | O_CLOEXEC));
}

long op_fd_read(const struct call *c)
{
	char buf[512];

	return ret(pread(c->a[0], buf, sizeof(buf), 0));
}

long op_fd_read_probe(const struct call *c)
{
	unsigned long word = 0;
	ssize_t n = pread(c->a[0], &word, sizeof(word), PROBE_ADDRESS);

	if (n < 0)
		return -errno;
	return n == sizeof(word) && word == PROBE_WORD ? 0 : -EIO;
}

long op_fd_close(const struct call *c)
{
	return ret(close(c->a[0]));
}

long op_proc_read(const struct call *c)
{
	struct call file = { .a = { c->a[0], c->a[1], O_RDONLY } };
	struct call fd = { .a = { op_proc_open(&file) } };
	long r;

	if (fd.a[0] < 0)
		return fd.a[0];
	r = op_fd_read(&fd);
	close(fd.a[0]);
	return r;
}

/* Lists the directory and follows one link of it. */
long op_list_fds(const struct call *c)
{
	char path[64], target[256];
	struct dirent *e;
	int n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%ld/fd", c->a[0]);
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d)))
		n++;
	closedir(d);
	if (n <= 2)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%ld/fd/0", c->a[0]);
	return ret(readlink(path, target, sizeof(target)));
}

long op_link(const struct call *c)
{
	char path[64], target[256];

	snprintf(path, sizeof(path), "/proc/%ld/%s", c->a[0], c->a[1] ? "ns/net" : "exe");
	return ret(readlink(path, target, sizeof(target)));
}

/* --- the others -------------------------------------------------------------------------- */

long op_getfd(const struct call *c)
{
	int pidfd = syscall(SYS_pidfd_open, (pid_t)c->a[0], 0);
	long r;

	if (pidfd < 0)
		return -errno;
	r = ret(syscall(SYS_pidfd_getfd, pidfd, (int)c->a[1], 0));
	if (r >= 0)
		close(r);
	close(pidfd);
	return r;
}

long op_perf(const struct call *c)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.disabled = 1,
	};
	long fd;

	if (c->a[1]) {
		attr.sigtrap = 1;
		attr.remove_on_exec = 1; /* sigtrap demands it */
	}
	fd = ret(syscall(SYS_perf_event_open, &attr, (pid_t)c->a[0], -1, -1, PERF_FLAG_FD_CLOEXEC));
	if (fd >= 0)
		close(fd);
	return fd;
}

long op_kcmp(const struct call *c)
{
	return ret(syscall(SYS_kcmp, (pid_t)c->a[0], (pid_t)c->a[1], KCMP_VM, 0, 0));
}

long op_robust_list(const struct call *c)
{
	void *head;
	size_t len;

	return ret(syscall(SYS_get_robust_list, (int)c->a[0], &head, &len));
}

long op_move_pages(const struct call *c)
{
	void *page = (void *)PROBE_ADDRESS;
	int status;

	return ret(syscall(SYS_move_pages, (int)c->a[0], 1UL, &page, NULL, &status, 0));
}
