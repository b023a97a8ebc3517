// SPDX-License-Identifier: GPL-2.0-only
/* What actors can do: processes, credentials, namespaces, prctl. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define STACK_SIZE  (256 * 1024)
#define CHANNEL_ENV "YAMA_CASES_CHANNEL"

static const char *const argvs[][5] = {
	[ARGV_ACTOR] = { "actor" },
	[ARGV_TARGET] = { "target" },
	[ARGV_AGENT] = { "agent" },
	[ARGV_QUOTES] = { "say", "\"a\"", "b\\c" },
	[ARGV_BLANKS] = { "blanks", "a\tb\nc\rd\fe\vf", " g " },
	[ARGV_BYTES] = { "bytes", "\001\033\a\177", "\303\251" },
	[ARGV_EMPTY_ARGS] = { "empty", "", "x", "" },
	[ARGV_EMPTY_ARGV0] = { "" },
	[ARGV_LONG] = { NULL }, /* filled in op_exec */
};

/* A word at the same address in every actor, also after an exec. */
void map_probe(void)
{
	unsigned long *word = mmap((void *)PROBE_ADDRESS, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (word != (void *)PROBE_ADDRESS) {
		perror("yama-cases: mmap");
		exit(1);
	}
	*word = PROBE_WORD;
}

/* The program may lie where uid 1000 cannot get at it; a copy in memory can be executed. */
int exec_image(void)
{
	static int image = -1;
	char buf[65536];
	ssize_t n;
	int self;

	if (image >= 0)
		return image;
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	image = memfd_create("yama-cases", 0);
	if (self < 0 || image < 0) {
		perror("yama-cases: cannot copy itself");
		exit(1);
	}
	while ((n = read(self, buf, sizeof(buf))) > 0) {
		if (write(image, buf, n) != n) {
			perror("yama-cases: cannot copy itself");
			exit(1);
		}
	}
	close(self);
	return image;
}

/* --- processes --------------------------------------------------------------------------- */

long op_getpid(const struct call *c)
{
	(void)c;
	return getpid();
}

long op_getppid(const struct call *c)
{
	(void)c;
	return getppid();
}

static int clone_main(void *arg)
{
	actor_main((int)(long)arg);
}

static void *thread_main(void *arg)
{
	actor_main((int)(long)arg);
}

static long spawn_vm(int fd, int flags)
{
	char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return -errno;
	return ret(clone(clone_main, stack + STACK_SIZE, flags | SIGCHLD, (void *)(long)fd));
}

static long spawn_thread(int fd)
{
	pthread_t t;
	int err = pthread_create(&t, NULL, thread_main, (void *)(long)fd);

	if (!err)
		pthread_detach(t);
	return -err;
}

long op_spawn(const struct call *c)
{
	int fd = c->a[0];
	long pid;

	switch ((enum spawn_how)c->a[1]) {
	case SPAWN_FORK:
		pid = fork();
		break;
	case SPAWN_SIBLING:
		pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
		break;
	case SPAWN_VM:
		return spawn_vm(fd, CLONE_VM);
	case SPAWN_VFORK:
		return spawn_vm(fd, CLONE_VM | CLONE_VFORK);
	case SPAWN_THREAD:
		return spawn_thread(fd);
	default:
		return -ENOSYS;
	}
	if (!pid)
		actor_main(fd);
	return ret(pid);
}

long op_spawn_with_pid(const struct call *c)
{
	pid_t want = c->a[1];
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&want,
		.set_tid_size = 1,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		actor_main(c->a[0]);
	return ret(pid);
}

long op_exec(const struct call *c)
{
	static char filler[1101];
	const char *const long_argv[] = { filler, NULL };
	const char *const *argv = c->a[1] == ARGV_LONG ? long_argv : argvs[c->a[1]];
	char channel[64];
	char *const env[] = { channel, NULL };

	memset(filler, 'x', sizeof(filler) - 1);
	snprintf(channel, sizeof(channel), CHANNEL_ENV "=%d", c->fd);
	return ret(syscall(SYS_execveat, (int)c->a[0], "", argv, env, AT_EMPTY_PATH));
}

/* The rest of op_exec, in the new program: does not return where this is an actor. */
__attribute__((constructor)) static void exec_arrive(void)
{
	const char *channel = getenv(CHANNEL_ENV);

	if (!channel)
		return;
	map_probe();
	actor_main(atoi(channel));
}

long op_exit(const struct call *c)
{
	(void)c;
	_exit(0);
}

long op_exit_thread(const struct call *c)
{
	(void)c;
	return syscall(SYS_exit, 0);
}

static long wait_pid(pid_t pid, int flags)
{
	siginfo_t si;
	int r;

	do {
		r = waitid(P_PID, pid, &si, WEXITED | flags);
	} while (r && errno == EINTR);
	return ret(r);
}

long op_reap(const struct call *c)
{
	return wait_pid(c->a[0], 0);
}

long op_await_zombie(const struct call *c)
{
	return wait_pid(c->a[0], WNOWAIT);
}

long op_subreaper(const struct call *c)
{
	(void)c;
	return ret(prctl(PR_SET_CHILD_SUBREAPER, 1));
}

/* --- credentials ------------------------------------------------------------------------- */

static long set_caps(unsigned long permitted, unsigned long effective)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -errno;
	for (int i = 0; i < 2; i++) {
		d[i].permitted &= permitted >> (32 * i);
		d[i].effective = d[i].permitted & (effective >> (32 * i));
		d[i].inheritable = 0;
	}
	return ret(syscall(SYS_capset, &h, d));
}

/* Whoever changes ids is no longer dumpable, and every access would be refused for that. */
static long set_ids(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) && errno != EPERM)
		return -errno;
	if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return ret(prctl(PR_SET_DUMPABLE, 1));
}

long op_become(const struct call *c)
{
	return set_ids(c->a[0], c->a[0]) ?: set_caps(0, 0);
}

long op_become_caps(const struct call *c)
{
	if (prctl(PR_SET_KEEPCAPS, 1))
		return -errno;
	return set_ids(c->a[0], c->a[3] ? 0 : c->a[0]) ?: set_caps(c->a[1], c->a[2]);
}

long op_caps(const struct call *c)
{
	return set_caps(c->a[0], c->a[1]);
}

long op_dumpable(const struct call *c)
{
	return ret(prctl(PR_SET_DUMPABLE, c->a[0]));
}

/* --- namespaces -------------------------------------------------------------------------- */

static long write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long r;

	if (fd < 0)
		return -errno;
	r = ret(write(fd, text, strlen(text)));
	close(fd);
	return r < 0 ? r : 0;
}

long op_userns(const struct call *c)
{
	char map[64];
	long r;

	if (unshare(CLONE_NEWUSER))
		return -errno;
	/* the new capabilities cost dumpability, and with it the ownership of /proc/self */
	if (prctl(PR_SET_DUMPABLE, 1))
		return -errno;
	snprintf(map, sizeof(map), "%ld %ld 1", c->a[0], c->a[1]);
	r = write_file("/proc/self/setgroups", "deny");
	r = r ?: write_file("/proc/self/uid_map", map);
	return r ?: write_file("/proc/self/gid_map", map);
}

long op_unshare(const struct call *c)
{
	return ret(unshare(c->a[0]));
}

/* --- prctl ------------------------------------------------------------------------------- */

long op_ptracer(const struct call *c)
{
	return ret(syscall(SYS_prctl, PR_SET_PTRACER, c->a[0], 0, 0, 0));
}

long op_prctl_raw(const struct call *c)
{
	return ret(syscall(SYS_prctl, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4]));
}

/* A 32-bit prctl from a 64-bit program; ends in SIGSEGV where there is no such entry. */
long op_prctl_int80(const struct call *c)
{
	long r = 172; /* prctl in the i386 table */

	__asm__ volatile("int $0x80"
			 : "+a"(r)
			 : "b"((long)PR_SET_PTRACER), "c"(c->a[0]), "d"(0L), "S"(0L), "D"(0L)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)r;
}
