// SPDX-License-Identifier: GPL-2.0-only
/*
 *	ratelimit-cases KIND TIMES DIR
 *	ratelimit-cases KIND THREADS RATE BURST SECONDS DIR [counted]
 *
 * The first attempts it that often and prints "OK 3 EAGAIN 2". The second has threads that attempt
 * it without pause, and prints "exact" if no more of it succeeded than RATE x time + BURST, and no
 * less than 0.99 x RATE x time but for one that was on its way; or else the figures. "counted": on
 * one CPU whose clock stands still while it does, and from a bucket of BURST that can hold more, no
 * less either than RATE x time + BURST but for two. KIND is one of those below, DIR an empty
 * directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
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

#define MAX_THREADS 64

static const char *dir;

struct attempt {
	char path[256];
	int thread;
	unsigned long number;
};

static int result(int ret)
{
	return ret < 0 ? errno : 0;
}

static int opened(int fd)
{
	int err = result(fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int try_create(struct attempt *attempt)
{
	return result(mknod(attempt->path, S_IFREG | 0600, 0));
}

static int try_tmpfile(struct attempt *attempt)
{
	(void)attempt;
	return opened(open(dir, O_TMPFILE | O_WRONLY, 0600));
}

static int try_symlink(struct attempt *attempt)
{
	return result(symlink("/", attempt->path));
}

static int try_link(struct attempt *attempt)
{
	char old[300];

	snprintf(old, sizeof(old), "%s/file", dir);
	return result(link(old, attempt->path));
}

static int try_mkdir(struct attempt *attempt)
{
	return result(mkdir(attempt->path, 0700));
}

/* There must be something that it could remove. */
static int try_unlink(struct attempt *attempt)
{
	mknod(attempt->path, S_IFREG | 0600, 0);
	return result(unlink(attempt->path));
}

static int try_rmdir(struct attempt *attempt)
{
	mkdir(attempt->path, 0700);
	return result(rmdir(attempt->path));
}

static int try_rename(struct attempt *attempt)
{
	char other[300];

	snprintf(other, sizeof(other), "%s-new", attempt->path);
	mknod(attempt->path, S_IFREG | 0600, 0);
	return result(rename(attempt->path, other));
}

static int try_open(struct attempt *attempt)
{
	(void)attempt;
	return opened(open("/dev/null", O_RDONLY));
}

static int try_exec(struct attempt *attempt)
{
	int status = 0;
	pid_t pid = vfork();

	(void)attempt;
	if (!pid) {
		execl("/bin/true", "true", NULL);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int try_fork(struct attempt *attempt)
{
	pid_t pid = fork();
	int err = result(pid);

	(void)attempt;
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return err;
}

static int on_socket(int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err;

	if (call == connect)
		address.sin_port = htons(9);
	err = result(call(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return err;
}

static int try_connect(struct attempt *attempt)
{
	(void)attempt;
	return on_socket(connect);
}

static int try_bind(struct attempt *attempt)
{
	(void)attempt;
	return on_socket(bind);
}

static int try_mount(struct attempt *attempt)
{
	int err;

	(void)attempt;
	err = result(mount("none", dir, "tmpfs", 0, NULL));
	if (!err)
		umount2(dir, MNT_DETACH);
	return err;
}

static pid_t other(void)
{
	pid_t self = getpid();
	static pid_t pid;

	if (pid)
		return pid;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(STDOUT_FILENO);
		while (getppid() == self)
			pause();
		_exit(0);
	}
	return pid;
}

static int try_signal(struct attempt *attempt)
{
	(void)attempt;
	return result(kill(other(), SIGCONT));
}

static int try_signal0(struct attempt *attempt)
{
	(void)attempt;
	return result(kill(other(), 0));
}

static int try_write(struct attempt *attempt)
{
	static int fd = -1;

	(void)attempt;
	if (fd < 0)
		fd = open("/dev/null", O_WRONLY);
	return result(write(fd, "", 1));
}

static const struct kind {
	const char *name;
	int (*attempt)(struct attempt *attempt);
} kinds[] = {
	{ "create", try_create },   { "tmpfile", try_tmpfile }, { "symlink", try_symlink },
	{ "link", try_link },	    { "mkdir", try_mkdir },	{ "unlink", try_unlink },
	{ "rmdir", try_rmdir },	    { "rename", try_rename },	{ "open", try_open },
	{ "exec", try_exec },	    { "fork", try_fork },	{ "connect", try_connect },
	{ "bind", try_bind },	    { "mount", try_mount },	{ "signal", try_signal },
	{ "signal0", try_signal0 }, { "write", try_write },
};

static const struct kind *kind;
static volatile int stop;
static pthread_barrier_t begin;

/* What a thread did; the clock before its first attempt and behind it, and behind its last. */
static struct work {
	unsigned long done;
	double first[2], last;
} works[MAX_THREADS];

static int attempt_next(struct attempt *attempt)
{
	snprintf(attempt->path, sizeof(attempt->path), "%s/%d-%lu", dir, attempt->thread,
		 attempt->number++);
	return kind->attempt(attempt);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void *without_pause(void *arg)
{
	struct attempt attempt = { .thread = (long)arg };
	struct work *work = &works[attempt.thread];

	pthread_barrier_wait(&begin);
	work->first[0] = now();
	work->done = !attempt_next(&attempt);
	work->first[1] = now();
	while (!stop)
		work->done += !attempt_next(&attempt);
	work->last = now();
	return NULL;
}

/*
 * How long were they at it? From the first attempt of all to the last, and no longer; without a
 * pause to the moment @stopped: threads that end do nothing else meanwhile.
 */
static void span(int nr, double stopped, double *ret_longest, double *ret_shortest)
{
	double begun[2] = { works[0].first[0], works[0].first[1] }, end = works[0].last;
	int i;

	for (i = 1; i < nr; i++) {
		if (works[i].first[0] < begun[0])
			begun[0] = works[i].first[0];
		if (works[i].first[1] < begun[1])
			begun[1] = works[i].first[1];
		if (works[i].last > end)
			end = works[i].last;
	}
	*ret_longest = end - begun[0];
	*ret_shortest = stopped - begun[1];
}

/* By a call that may be what is limited. */
static void say(const char *text)
{
	while (write(STDOUT_FILENO, text, strlen(text)) < 0 && errno == EAGAIN)
		usleep(10000);
}

static int measure(int nr, double rate, double burst, double seconds, bool counted)
{
	double stopped, longest, shortest, least;
	char text[64] = "exact\n";
	pthread_t threads[MAX_THREADS];
	unsigned long all = 0;
	long i;

	if (kind->attempt == try_signal)
		other(); /* one, and before the clock runs */
	pthread_barrier_init(&begin, NULL, nr);
	for (i = 0; i < nr; i++)
		if (pthread_create(&threads[i], NULL, without_pause, (void *)i))
			return 1;
	usleep(seconds * 1e6);
	stopped = now();
	stop = 1;
	for (i = 0; i < nr; i++) {
		pthread_join(threads[i], NULL);
		all += works[i].done;
	}
	span(nr, stopped, &longest, &shortest);
	least = counted ? rate * shortest + burst - 2 : 0.99 * rate * shortest - 1;
	if (all > rate * longest + burst || all < least)
		snprintf(text, sizeof(text), "%lu in %.6f to %.6f s\n", all, shortest, longest);
	say(text);
	return 0;
}

static int attempt_times(unsigned long times)
{
	struct attempt attempt = {};
	unsigned long right = 0, wrong = 0;
	char text[64];
	int err, last = 0, len;

	while (times--) {
		err = attempt_next(&attempt);
		right += !err;
		wrong += !!err;
		last = err ? err : last;
	}
	len = snprintf(text, sizeof(text), "OK %lu", right);
	if (wrong)
		snprintf(text + len, sizeof(text) - len, " %s %lu", strerrorname_np(last), wrong);
	say(text);
	return 0;
}

int main(int argc, char **argv)
{
	bool counted = argc == 8 && !strcmp(argv[7], "counted");
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, argv[1]))
			kind = &kinds[i];
	dir = argv[argc - 1 - counted];
	if (kind && argc == 4)
		return attempt_times(strtoul(argv[2], NULL, 10));
	if (kind && argc == 7 + counted && atoi(argv[2]) <= MAX_THREADS)
		return measure(atoi(argv[2]), atof(argv[3]), atof(argv[4]), atof(argv[5]), counted);
	fputs("usage: see the head of policies/ratelimit/cases/main.c\n", stderr);
	return 2;
}
