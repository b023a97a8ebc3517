// SPDX-License-Identifier: GPL-2.0-only
/* E50, E51, E54-E57: what can be asked of and done to tasks outside. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cases.h"

#define IOPRIO_PROCESS	1
#define IOPRIO_BEST_LOW (2 << 13 | 7)
#define A_LITTLE_NICER	5
#define A_LITTLE_GREEDY -5

/* Stands at the same place in every process of a row. */
static const char memory[] = "the memory of a process";

static void wait_forever(void)
{
	for (;;)
		pause();
}

static void e50(void)
{
	pid_t pid = outsider(NULL), child;

	enter("jail");
	child = start(wait_forever);
	claim("seize", ptrace(PTRACE_SEIZE, pid, 0, 0));
	claim("child", ptrace(PTRACE_SEIZE, child, 0, 0));
}

static int is_memory(const char *got, ssize_t n)
{
	if (n < 0)
		return -1;
	errno = EBADMSG;
	return strcmp(got, memory) ? -1 : 0;
}

static int read_vm(pid_t pid)
{
	char got[sizeof(memory)] = "";
	struct iovec here = { got, sizeof(got) }, there = { (void *)memory, sizeof(memory) };

	return is_memory(got, process_vm_readv(pid, &here, 1, &there, 1, 0));
}

static int read_mem(pid_t pid)
{
	char got[sizeof(memory)] = "", path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY);
	return fd < 0 ? -1 : is_memory(got, pread(fd, got, sizeof(got), (uintptr_t)memory));
}

static int watch_events(pid_t pid)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(attr),
					.config = PERF_COUNT_SW_PAGE_FAULTS,
					.disabled = 1 };

	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, 0);
}

static void e51(void)
{
	pid_t pid = outsider(NULL), child;

	mount_proc();
	enter("jail");
	child = start(wait_forever);
	claim("vm", read_vm(pid));
	claim("mem", read_mem(pid));
	claim("kcmp", syscall(SYS_kcmp, pid, getpid(), KCMP_VM, 0, 0));
	claim("perf", watch_events(pid));
	claim("child-vm", read_vm(child));
	claim("child-mem", read_mem(child));
}

static int get_caps(pid_t pid)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3,
						 .pid = pid };
	struct __user_cap_data_struct data[2];

	return syscall(SYS_capget, &head, data);
}

static void e54(void)
{
	pid_t pid = outsider(NULL);

	enter("jail");
	claim("getsid", getsid(pid));
	claim("getpgid", getpgid(pid));
	claim("capget", get_caps(pid));
	claim("self", get_caps(getpid()));
}

static void e55(void)
{
	pid_t pid = outsider(NULL);

	enter("jail");
	claim("outside", setpriority(PRIO_PROCESS, pid, A_LITTLE_NICER));
	claim("greedy", setpriority(PRIO_PROCESS, 0, A_LITTLE_GREEDY));
	claim("nicer", setpriority(PRIO_PROCESS, 0, A_LITTLE_NICER));
}

static void e56(void)
{
	struct sched_param param = { 0 };
	pid_t pid = outsider(NULL);

	enter("jail");
	claim("scheduler", sched_setscheduler(pid, SCHED_BATCH, &param));
	claim("ioprio", syscall(SYS_ioprio_set, IOPRIO_PROCESS, pid, IOPRIO_BEST_LOW));
	claim("self", sched_setscheduler(0, SCHED_BATCH, &param));
}

static void e57(void)
{
	struct rlimit limit;
	pid_t pid = outsider(NULL);

	must("getrlimit", getrlimit(RLIMIT_CORE, &limit));
	enter("jail");
	claim("set", prlimit(pid, RLIMIT_CORE, &limit, NULL));
	claim("read", prlimit(pid, RLIMIT_CORE, NULL, &limit));
	claim("self", prlimit(0, RLIMIT_CORE, &limit, NULL));
}

const struct row task_rows[] = {
	{ "E50", "ptrace of a task outside; of a child it is allowed", e50 },
	{ "E51", "the memory and events of a task outside; a child's memory may be read", e51 },
	{ "E54", "session, group and capabilities of a task outside", e54 },
	{ "E55", "the priority of a task outside, and one's own raised; lowered it may be", e55 },
	{ "E56", "the scheduler of a task outside; one's own may be changed", e56 },
	{ "E57", "limits of a task outside are not set; read they can be", e57 },
	{ 0 },
};
