// SPDX-License-Identifier: GPL-2.0-only
/*
 * supervise: starts QEMU, gives the guest its configuration, passes the command's standard output
 * and error on, watches the clock, and sees to it that QEMU is gone when it ends.
 *
 *	supervise -t SECONDS -c CONFIG -r RESULT -k LOG -- QEMU ARG...
 *
 * QEMU finds its end of the socket as file descriptor 3. What became of the guest is written to the
 * file RESULT, one line, because no exit status could be told from the command's own:
 *
 *	exit STATUS TAINT | timeout | signal N | pipe | died TEXT | failed TEXT
 */
#define _GNU_SOURCE
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
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"

#define QEMU_FD 3

static struct {
	const char *config;
	const char *result;
	const char *log;
	int64_t deadline; /* CLOCK_MONOTONIC, milliseconds */
	pid_t qemu;
	int sock;
	int signals;
	int log_fd;
} vm = { .sock = -1, .signals = -1, .log_fd = -1 };

static void stop_qemu(void)
{
	if (vm.qemu <= 0)
		return;
	kill(vm.qemu, SIGKILL);
	while (waitpid(vm.qemu, NULL, 0) < 0 && errno == EINTR)
		;
	vm.qemu = 0;
}

__attribute__((format(printf, 1, 2), noreturn)) static void finish(const char *fmt, ...)
{
	va_list args;
	FILE *file;

	stop_qemu();
	file = fopen(vm.result, "we");
	if (!file) {
		fprintf(stderr, "supervise: cannot write '%s': %s\n", vm.result, strerror(errno));
		exit(1);
	}
	va_start(args, fmt);
	vfprintf(file, fmt, args);
	va_end(args);
	fputc('\n', file);
	if (fclose(file)) {
		fprintf(stderr, "supervise: cannot write '%s': %s\n", vm.result, strerror(errno));
		exit(1);
	}
	exit(0);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* A signal to us ends the guest. QEMU's own end is seen at the socket, after its last data. */
static void take_signal(void)
{
	struct signalfd_siginfo info;

	if (read(vm.signals, &info, sizeof(info)) == sizeof(info))
		finish("signal %u", info.ssi_signo);
}

/* Waits until @fd has one of @events. Time-out and signals do not return. */
static void wait_for(int fd, short events)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = events },
		{ .fd = vm.signals, .events = POLLIN },
	};
	int64_t left;
	int ready;

	do {
		left = vm.deadline - now_ms();
		if (left <= 0)
			finish("timeout");
		ready = poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left);
		if (ready < 0 && errno != EINTR)
			finish("failed poll: %s", strerror(errno));
		if (ready > 0 && fds[1].revents)
			take_signal();
	} while (ready <= 0 || !fds[0].revents);
}

/*
 * A slow reader holds the guest up; nothing is dropped. PIPE_BUF at a time never blocks past poll.
 */
static void write_all(int fd, const char *data, size_t length)
{
	ssize_t n;

	while (length) {
		wait_for(fd, POLLOUT);
		n = write(fd, data, length < PIPE_BUF ? length : PIPE_BUF);
		if (n >= 0) {
			data += n;
			length -= n;
		} else if (errno == EPIPE) {
			finish("pipe");
		} else if (errno != EINTR && errno != EAGAIN) {
			finish("failed cannot pass the guest's output on: %s", strerror(errno));
		}
	}
}

__attribute__((noreturn)) static void qemu_gone(void)
{
	int status;

	/* It closed its end, so it is going; the time limit holds here as well. */
	while (waitpid(vm.qemu, &status, WNOHANG) == 0) {
		if (now_ms() > vm.deadline)
			finish("timeout");
		poll(NULL, 0, 10);
	}
	vm.qemu = 0;
	if (WIFSIGNALED(status))
		finish("died QEMU was killed by signal %d", WTERMSIG(status));
	finish("died the guest ended before the command did (QEMU exit status %d)",
	       WEXITSTATUS(status));
}

static void read_all(void *to, size_t length)
{
	char *at = to;
	ssize_t n;

	while (length) {
		wait_for(vm.sock, POLLIN);
		n = read(vm.sock, at, length);
		if (n > 0) {
			at += n;
			length -= n;
		} else if (n == 0 || errno == ECONNRESET) {
			qemu_gone();
		} else if (errno != EINTR && errno != EAGAIN) {
			finish("failed cannot read from QEMU: %s", strerror(errno));
		}
	}
}

static void pump(void)
{
	static char payload[FRAME_MAX + 1];
	struct frame_head head;
	struct frame_exit end;

	for (;;) {
		read_all(&head, sizeof(head));
		if (head.length > FRAME_MAX)
			finish("failed the guest sent a frame of %u bytes", head.length);
		read_all(payload, head.length);
		payload[head.length] = '\0';
		switch (head.type) {
		case FRAME_OUT:
			write_all(STDOUT_FILENO, payload, head.length);
			break;
		case FRAME_ERR:
			write_all(STDERR_FILENO, payload, head.length);
			break;
		case FRAME_KMSG:
			write_all(vm.log_fd, payload, head.length);
			break;
		case FRAME_FAIL:
			finish("failed %s", payload);
		case FRAME_EXIT:
			if (head.length != sizeof(end))
				finish("failed the guest sent a bad last frame");
			memcpy(&end, payload, sizeof(end));
			finish("exit %u %llu", end.status, (unsigned long long)end.taint);
		default:
			finish("failed the guest sent a frame of unknown type %u", head.type);
		}
	}
}

static void send_config(void)
{
	struct config_head head;
	char *data = malloc(CONFIG_MAX);
	FILE *file = fopen(vm.config, "re");
	size_t length;

	if (!data || !file)
		finish("failed cannot read '%s': %s", vm.config, strerror(errno));
	length = fread(data, 1, CONFIG_MAX, file);
	if (ferror(file) || !feof(file))
		finish("failed command and environment are longer than %d bytes", CONFIG_MAX);
	fclose(file);
	head.length = length;
	write_all(vm.sock, (char *)&head, sizeof(head));
	write_all(vm.sock, data, length);
	free(data);
}

__attribute__((noreturn)) static void exec_qemu(char **argv, int sock, const sigset_t *mask)
{
	const int reset[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE };
	size_t i;

	/* Also when we are killed by a signal that cannot be caught. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* A shell's background job ignores the keyboard's signals; QEMU need not inherit that. */
	for (i = 0; i < sizeof(reset) / sizeof(*reset); i++)
		signal(reset[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	/* Not the terminal's foreground group: ours is the hand that stops it. */
	setpgid(0, 0);
	if (dup2(vm.log_fd, STDOUT_FILENO) < 0 || dup2(vm.log_fd, STDERR_FILENO) < 0)
		_exit(127);
	if (sock == QEMU_FD)
		fcntl(sock, F_SETFD, 0);
	else if (dup2(sock, QEMU_FD) < 0)
		_exit(127);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "cannot run '%s': %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start_qemu(char **argv)
{
	int pair[2], null;
	sigset_t set, old;

	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		finish("failed cannot open '/dev/null': %s", strerror(errno));
	vm.log_fd = open(vm.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (vm.log_fd < 0)
		finish("failed cannot write '%s': %s", vm.log, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		finish("failed socketpair: %s", strerror(errno));

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, &old);
	vm.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (vm.signals < 0)
		finish("failed signalfd: %s", strerror(errno));

	vm.qemu = fork();
	if (vm.qemu < 0)
		finish("failed cannot fork: %s", strerror(errno));
	if (vm.qemu == 0)
		exec_qemu(argv, pair[1], &old);
	close(pair[1]);
	vm.sock = pair[0];
	fcntl(vm.sock, F_SETFL, O_NONBLOCK);
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	long seconds = 0;
	int opt;

	while ((opt = getopt(argc, argv, "+t:c:r:k:")) != -1) {
		if (opt == 't')
			seconds = atol(optarg);
		else if (opt == 'c')
			vm.config = optarg;
		else if (opt == 'r')
			vm.result = optarg;
		else if (opt == 'k')
			vm.log = optarg;
		else
			return 2;
	}
	if (seconds <= 0 || !vm.config || !vm.result || !vm.log || optind == argc) {
		fprintf(stderr,
			"usage: supervise -t SECONDS -c CONFIG -r RESULT -k LOG -- QEMU ARG...\n");
		return 2;
	}
	/* If the script that started us is killed, the guest goes too. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		return 1;
	vm.deadline = now_ms() + seconds * 1000;
	start_qemu(argv + optind);
	send_config();
	pump();
	return 0;
}
