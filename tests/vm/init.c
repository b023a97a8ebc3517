// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's process 1. It loads the modules the root file system needs, mounts the machine's own
 * root (9p, read-only) under a throw-away overlay, moves there as switch_root does, mounts the
 * rest, and runs one command as its child: its output goes to the host in frames, orphans are
 * reaped, and when it is over the exit status is the last frame. The host then ends the guest.
 *
 * What to run, and where, comes from the host over the same port: KEY=VALUE strings, see keys[].
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "guest.h"

#define DRAIN_MS 2000
/*
 * D, W, B, L: oops, warning, bad page, soft lockup. Modules and the like may taint as they please.
 */
#define TAINT_BAD (1 << 7 | 1 << 9 | 1 << 5 | 1 << 14)

static struct settings settings;

/* A key that comes once sets @one, one that may come often adds to @many. */
static const struct {
	const char *key;
	char **one;
	struct list *many;
} keys[] = {
	{ "arg", NULL, &settings.args },	{ "env", NULL, &settings.env },
	{ "cwd", &settings.cwd, NULL },		{ "keep", NULL, &settings.keeps },
	{ "open", NULL, &settings.opens },	{ "share", NULL, &settings.shares },
	{ "modules", &settings.modules, NULL }, { "release", &settings.release, NULL },
	{ "probe", &settings.probe, NULL },
};

static int port = -1;

static int write_all(int fd, const void *data, size_t length)
{
	const char *at = data;
	ssize_t n;

	while (length) {
		n = write(fd, at, length);
		if (n > 0) {
			at += n;
			length -= n;
		} else if (errno == EAGAIN) {
			struct pollfd wait = { .fd = fd, .events = POLLOUT };

			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static void send_frame(enum frame_type type, const void *payload, size_t length)
{
	static char frame[sizeof(struct frame_head) + FRAME_MAX];
	struct frame_head head = { .type = type, .length = length };

	memcpy(frame, &head, sizeof(head));
	memcpy(frame + sizeof(head), payload, length);
	write_all(port, frame, sizeof(head) + length);
}

/* The host ends the guest when it has the last frame; should it be gone, the guest ends itself. */
__attribute__((noreturn)) static void wait_for_end(void)
{
	sleep(20);
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void fail(const char *fmt, ...)
{
	char text[1024] = "";
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "<3>guest: %s\n", text);
	if (port >= 0)
		send_frame(FRAME_FAIL, text, strlen(text));
	else
		reboot(RB_POWER_OFF);
	wait_for_end();
}

static int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* /mods holds the modules under names that sort in load order. */
static void load_modules(void)
{
	struct dirent **names;
	int count = scandir("/mods", &names, NULL, alphasort), i, fd;
	char path[PATH_MAX];

	if (count < 0)
		fail("cannot read /mods: %s", strerror(errno));
	for (i = 0; i < count; i++) {
		if (names[i]->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/mods/%s", names[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
			fail("cannot load '%s': %s", path, strerror(errno));
		close(fd);
	}
}

static int find_port(char *path, size_t size)
{
	const char *dir = "/sys/class/virtio-ports";
	char file[PATH_MAX], name[64];
	struct dirent *entry;
	DIR *ports = opendir(dir);
	int found = 0;

	if (!ports)
		return 0;
	while (!found && (entry = readdir(ports))) {
		snprintf(file, sizeof(file), "%s/%s/name", dir, entry->d_name);
		if (read_file(file, name, sizeof(name)))
			continue;
		name[strcspn(name, "\n")] = '\0';
		if (!strcmp(name, FRAME_PORT)) {
			snprintf(path, size, "/dev/%s", entry->d_name);
			found = 1;
		}
	}
	closedir(ports);
	return found;
}

static void open_port(void)
{
	char path[PATH_MAX];
	int tries;

	/* The driver learns of its ports by messages, some time after it was loaded. */
	for (tries = 0; tries < 5000; tries++) {
		if (find_port(path, sizeof(path))) {
			port = open(path, O_RDWR | O_CLOEXEC);
			if (port >= 0)
				return;
		}
		usleep(2000);
	}
	fail("no way to reach the host: no port '%s'", FRAME_PORT);
}

static void read_exactly(void *to, size_t length)
{
	char *at = to;
	ssize_t n;

	while (length) {
		n = read(port, at, length);
		if (n <= 0 && errno != EINTR && errno != EAGAIN)
			fail("cannot read the configuration");
		if (n > 0) {
			at += n;
			length -= n;
		}
	}
}

static void take_setting(char *text)
{
	char *value = strchr(text, '=');
	size_t i;

	if (!value)
		fail("bad setting '%s'", text);
	*value++ = '\0';
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(text, keys[i].key))
			continue;
		if (keys[i].one)
			*keys[i].one = value;
		else if (keys[i].many->count < LIST_MAX)
			keys[i].many->item[keys[i].many->count++] = value;
		else
			fail("too many settings '%s'", text);
		return;
	}
	fail("unknown setting '%s'", text);
}

static void read_config(void)
{
	struct config_head head;
	char *data, *at;

	read_exactly(&head, sizeof(head));
	if (!head.length || head.length > CONFIG_MAX)
		fail("a configuration of %u bytes", head.length);
	data = malloc(head.length + 1);
	if (!data)
		fail("no memory for the configuration");
	read_exactly(data, head.length);
	data[head.length] = '\0';
	for (at = data; at < data + head.length;) {
		char *next = at + strlen(at) + 1;

		take_setting(at);
		at = next;
	}
}

__attribute__((noreturn)) static void run_command(const int *out, const int *err)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
		_exit(126);
	if (null > 2)
		close(null);
	environ = settings.env.item;
	if (chdir(settings.cwd)) {
		dprintf(2, "run: cannot enter '%s': %s\n", settings.cwd, strerror(errno));
		_exit(126);
	}
	execvp(settings.args.item[0], settings.args.item);
	dprintf(2, "run: cannot run '%s': %s\n", settings.args.item[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static pid_t start_command(int signals, int *out, int *err)
{
	int out_pipe[2], err_pipe[2];
	pid_t pid;

	if (pipe2(out_pipe, O_CLOEXEC) || pipe2(err_pipe, O_CLOEXEC))
		fail("cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		fail("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		close(signals);
		run_command(out_pipe, err_pipe);
	}
	close(out_pipe[1]);
	close(err_pipe[1]);
	*out = out_pipe[0];
	*err = err_pipe[0];
	return pid;
}

/* Passes on what is there. Closes @fd, and sets it to -1, at its end. */
static void relay(int *fd, enum frame_type type)
{
	static char data[FRAME_MAX];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n > 0) {
		send_frame(type, data, n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		close(*fd);
		*fd = -1;
	}
}

/* Everything that ended; the command's own status is noted in @ret_status. */
static bool reap(pid_t command, int *ret_status)
{
	bool seen = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != command)
			continue;
		*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		seen = true;
	}
	return seen;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int supervise(void)
{
	struct pollfd fds[3] = { { .events = POLLIN }, { .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	int64_t end = 0;
	int status = 0;
	pid_t command;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[2].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fds[2].fd < 0)
		fail("signalfd: %s", strerror(errno));
	command = start_command(fds[2].fd, &fds[0].fd, &fds[1].fd);

	while (fds[0].fd >= 0 || fds[1].fd >= 0 || !end) {
		if (end && now_ms() > end)
			break; /* someone who cannot be killed holds the pipe */
		if (poll(fds, 3, end ? 50 : -1) < 0)
			continue;
		if (fds[1].revents)
			relay(&fds[1].fd, FRAME_ERR);
		if (fds[0].revents)
			relay(&fds[0].fd, FRAME_OUT);
		if (!fds[2].revents)
			continue;
		while (read(fds[2].fd, &info, sizeof(info)) > 0)
			;
		if (reap(command, &status)) {
			/* It is over. What it left behind must not hold its pipes open. */
			kill(-1, SIGKILL);
			end = now_ms() + DRAIN_MS;
		}
	}
	return status;
}

static uint64_t read_taint(void)
{
	char text[32];

	read_file("/proc/sys/kernel/tainted", text, sizeof(text));
	return strtoull(text, NULL, 10) & TAINT_BAD;
}

/*
 * All that the kernel itself said, for the host's log. The console may have been silenced, and what
 * programs write to /dev/kmsg has another facility.
 */
static void send_kmsg(void)
{
	static char record[FRAME_MAX], line[FRAME_MAX];
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	unsigned long long usec;
	unsigned int prefix;
	char *text;
	ssize_t n;

	/* EPIPE: records were overwritten before they could be read; the next ones are there. */
	while (fd >= 0 && ((n = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE)) {
		if (n <= 0)
			continue;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text || sscanf(record, "%u,%*u,%llu", &prefix, &usec) != 2 || prefix >> 3)
			continue;
		text[strcspn(text, "\n")] = '\0';
		n = snprintf(line, sizeof(line), "[%5llu.%06llu] %s\n", usec / 1000000,
			     usec % 1000000, text + 1);
		send_frame(FRAME_KMSG, line, n < FRAME_MAX ? n : FRAME_MAX);
	}
}

int main(void)
{
	struct frame_exit end = {};
	uint64_t taint;

	if (getpid() != 1) {
		fprintf(stderr, "init: this is the guest's process 1, not a command\n");
		return 2;
	}
	umask(0);
	if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL) || mount("sysfs", "/sys", "sysfs", 0, NULL))
		fail("cannot mount /dev, /proc and /sys: %s", strerror(errno));
	load_modules();
	open_port();
	read_config();
	if (!settings.probe) {
		if (!settings.args.count)
			fail("no command");
		set_up_root(&settings);
		umask(022);
		taint = read_taint();
		end.status = supervise();
		leave_shares(&settings);
		end.taint = read_taint() & ~taint;
		send_kmsg();
	}
	send_frame(FRAME_EXIT, &end, sizeof(end));
	wait_for_end();
}
