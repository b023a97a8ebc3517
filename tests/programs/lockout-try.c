// SPDX-License-Identifier: GPL-2.0-only
/*
 *	lockout-try CGROUP DIR ACT...
 *
 * Joins that cgroup (by itself: a shell would fork there), does one after the other and says after
 * each "OK" or the errno's name, a line each: what a process sees whose cgroup locks itself out
 * while it runs. ACT is one of those below, with a colon and an argument where it takes one, and a
 * number and "x" before it for how often: of those the last one's result is said. "exec" goes on
 * with the rest in a new program. DIR holds a file.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *cgroup, *dir;
static char **rest; /* acts that are still to be done */
static int log_fd;

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

static const char *in_dir(const char *name)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int do_fork(const char *arg)
{
	pid_t pid = fork();

	(void)arg;
	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return result(pid);
}

static int do_exec(const char *arg)
{
	char **argv, said[32];
	size_t nr = 0;

	(void)arg;
	while (rest[nr])
		nr++;
	argv = calloc(nr + 5, sizeof(*argv));
	if (!argv)
		return ENOMEM;
	snprintf(said, sizeof(said), "say:OK");
	argv[0] = "lockout-try";
	argv[1] = (char *)cgroup;
	argv[2] = (char *)dir;
	argv[3] = said;
	memcpy(argv + 4, rest, nr * sizeof(*argv));
	execve("/proc/self/exe", argv, environ);
	return errno;
}

static int do_badexec(const char *arg)
{
	char *argv[] = { (char *)arg, NULL };

	execve(arg ? arg : in_dir("file"), argv, environ);
	return errno;
}

static int do_socket(const char *arg)
{
	(void)arg;
	return opened(socket(AF_INET, SOCK_STREAM, 0));
}

static int do_write(const char *arg)
{
	(void)arg;
	return opened(open(in_dir("file"), O_WRONLY | O_APPEND));
}

static int do_read(const char *arg)
{
	(void)arg;
	return opened(open(in_dir("file"), O_RDONLY));
}

/* On what was open before. */
static int do_work(const char *arg)
{
	char byte;

	(void)arg;
	return result(pwrite(log_fd, "x", 1, 0)) ? errno : result(pread(log_fd, &byte, 1, 0));
}

static int do_connect(const char *arg)
{
	static int udp = -1;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(atoi(arg)),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (udp < 0)
		udp = socket(AF_INET, SOCK_DGRAM, 0);
	return result(connect(udp, (struct sockaddr *)&address, sizeof(address)));
}

/* The first of so many ports. */
static int do_ports(const char *arg)
{
	char port[16];
	int first = atoi(arg), nr = atoi(strchr(arg, '+') + 1), i, err = 0;

	for (i = 0; i < nr; i++) {
		snprintf(port, sizeof(port), "%d", first + i);
		err = do_connect(port);
	}
	return err;
}

static int do_mkdir(const char *arg)
{
	return result(mkdir(in_dir(arg), 0700));
}

static int do_sleep(const char *arg)
{
	return result(usleep(atoi(arg) * 1000));
}

static int do_say(const char *arg)
{
	(void)arg;
	return 0;
}

static const struct {
	const char *name;
	int (*act)(const char *arg);
} acts[] = {
	{ "fork", do_fork },	 { "exec", do_exec },	    { "badexec", do_badexec },
	{ "socket", do_socket }, { "write", do_write },	    { "read", do_read },
	{ "work", do_work },	 { "connect", do_connect }, { "ports", do_ports },
	{ "mkdir", do_mkdir },	 { "sleep", do_sleep },	    { "say", do_say },
};

static int attempt(char *text)
{
	char *x = strchr(text, 'x'), *name = text, *arg;
	int times = 1, err = 0;
	size_t i;

	if (*text >= '0' && *text <= '9' && x) {
		times = atoi(text);
		name = x + 1;
	}
	arg = strchr(name, ':');
	if (arg)
		*arg++ = 0;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (!strcmp(acts[i].name, name))
			break;
	if (i == sizeof(acts) / sizeof(acts[0])) {
		fprintf(stderr, "lockout-try: no act \"%s\"\n", name);
		exit(2);
	}
	while (times--)
		err = acts[i].act(arg);
	return err;
}

int main(int argc, char **argv)
{
	char path[4096];
	int err, procs;

	if (argc < 4) {
		fprintf(stderr, "usage: lockout-try CGROUP DIR ACT...\n");
		return 2;
	}
	cgroup = argv[1];
	dir = argv[2];
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	procs = open(path, O_WRONLY);
	log_fd = open(in_dir("log"), O_RDWR | O_CREAT, 0600);
	if (procs < 0 || log_fd < 0 || write(procs, "0", 1) != 1) {
		perror("lockout-try");
		return 1;
	}
	close(procs);
	for (rest = argv + 3; *rest;) {
		err = attempt(*rest++);
		puts(err ? strerrorname_np(err) : "OK");
		fflush(stdout);
	}
	return 0;
}
