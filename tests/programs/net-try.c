// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process does with sockets, each outcome a line: OK, a number, or the errno's name.
 *
 *	net-try connect ADDRESS PORT [COUNT]	TCP, COUNT sockets in turn, all kept open
 *	net-try hold ADDRESS PORT COUNT		the same, and waits to be killed
 *	net-try again ADDRESS PORT ADDRESS PORT	one socket: connects twice
 *	net-try nonblocking ADDRESS PORT	the outcome when it is there
 *	net-try bind PORT			the port that getsockname(2) shows
 *	net-try serve PORT			the same, then accepts for ever: the port of each
 *	net-try receive PORT			UDP: "ready", then each datagram
 *	net-try every				a call to each hook there is for sockets
 *	net-try crowd PROCESSES COUNT PORT	all at once, kept open: how many OK, EUSERS, others
 *	net-try fill ADDRESS PORT MOST		TCP to so many addresses from there on, without
 *						waiting, until one is refused: the outcome
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"

static void say(int error)
{
	puts(error ? strerrorname_np(error) : "OK");
	fflush(stdout);
}

static int connect_to(int fd, const char *address, const char *port)
{
	union address to;
	socklen_t len = parse(address, port, &to);

	return connect(fd, &to.any, len) ? errno : 0;
}

static int tcp(const char *address)
{
	int fd = socket(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		exit(2);
	return fd;
}

static int own_port(int fd)
{
	union address own = {};
	socklen_t len = sizeof(own);

	if (getsockname(fd, &own.any, &len))
		exit(2);
	return ntohs(own.ipv4.sin_port);
}

static int bound(const char *port, int type)
{
	union address at;
	socklen_t len = parse("127.0.0.1", port, &at);
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd >= 0 && !bind(fd, &at.any, len))
		return fd;
	say(errno);
	exit(0);
}

static void show_port(int fd)
{
	printf("%d\n", own_port(fd));
	fflush(stdout);
}

static void serve(const char *port)
{
	int fd = bound(port, SOCK_STREAM), accepted;

	if (listen(fd, 4096))
		exit(2);
	show_port(fd);
	for (;;) {
		accepted = accept(fd, NULL, NULL);
		if (accepted < 0)
			continue;
		show_port(accepted);
		close(accepted);
	}
}

static void receive(const char *port)
{
	int fd = bound(port, SOCK_DGRAM);
	char buf[256];
	ssize_t n;

	puts("ready");
	for (;;) {
		fflush(stdout);
		n = recv(fd, buf, sizeof(buf), 0);
		if (n > 0)
			fwrite(buf, 1, n, stdout);
	}
}

static void nonblocking(const char *address, const char *port)
{
	int fd = tcp(address), error, result = 0;
	socklen_t len = sizeof(result);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	fcntl(fd, F_SETFL, O_NONBLOCK);
	error = connect_to(fd, address, port);
	if (error == EINPROGRESS) {
		poll(&poll_fd, 1, -1);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len);
		error = result;
	}
	say(error);
}

/* An end without lingering states: the socket is gone when close(2) returns. */
static void abort_connection(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* Both ends of a connection, in one process. */
static void talk(int domain, union address *address, socklen_t len)
{
	socklen_t room = sizeof(*address);
	int server = socket(domain, SOCK_STREAM, 0), client = socket(domain, SOCK_STREAM, 0), one;
	char byte = 0;

	if (bind(server, &address->any, len) || listen(server, 1) ||
	    getsockname(server, &address->any, &room) || connect(client, &address->any, room))
		exit(2);
	one = accept(server, NULL, NULL);
	if (one < 0 || send(client, &byte, 1, 0) != 1 || recv(one, &byte, 1, 0) != 1 ||
	    shutdown(client, SHUT_RDWR))
		exit(2);
	close(one);
	close(client);
	close(server);
}

static void every(void)
{
	union address address;
	int pair[2];
	char byte = 0;

	talk(AF_INET, &address, parse("127.0.0.1", "0", &address));
	address.local = (struct sockaddr_un){ .sun_family = AF_UNIX };
	talk(AF_UNIX, &address, sizeof(sa_family_t)); /* the kernel chooses a name */
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || send(pair[0], &byte, 1, 0) != 1)
		exit(2);
	say(0);
}

struct shared {
	int waiting, done;
	int ok, refused, other;
};

static void one_of_crowd(struct shared *shared, int processes, int count, const char *port)
{
	int *fds = calloc(count, sizeof(*fds)), i, error;

	__atomic_add_fetch(&shared->waiting, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->waiting, __ATOMIC_SEQ_CST) < processes)
		usleep(100);
	for (i = 0; i < count; i++) {
		fds[i] = tcp("127.0.0.1");
		error = connect_to(fds[i], "127.0.0.1", port);
		__atomic_add_fetch(error == 0	     ? &shared->ok
				   : error == EUSERS ? &shared->refused
						     : &shared->other,
				   1, __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&shared->done, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->done, __ATOMIC_SEQ_CST) < processes)
		usleep(100);
	for (i = 0; i < count; i++)
		abort_connection(fds[i]);
	exit(0);
}

static void crowd(int processes, int count, const char *port)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i;

	for (i = 0; i < processes; i++)
		if (!fork())
			one_of_crowd(shared, processes, count, port);
	while (wait(NULL) > 0)
		;
	printf("%d %d %d\n", shared->ok, shared->refused, shared->other);
}

static void fill(const char *address, const char *port, uint32_t most)
{
	struct rlimit files = { most + 16, most + 16 };
	union address to;
	socklen_t len = parse(address, port, &to);
	uint32_t first = ntohl(to.ipv4.sin_addr.s_addr), i;
	int fd, error = EINPROGRESS;

	if (setrlimit(RLIMIT_NOFILE, &files))
		exit(2);
	for (i = 0; i < most && error == EINPROGRESS; i++) {
		to.ipv4.sin_addr.s_addr = htonl(first + i);
		fd = tcp(address);
		fcntl(fd, F_SETFL, O_NONBLOCK);
		error = connect(fd, &to.any, len) ? errno : 0;
	}
	say(error);
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	int i, count = argc > 4 ? atoi(argv[4]) : 1, fd;

	if ((!strcmp(verb, "connect") || !strcmp(verb, "hold")) && argc >= 4) {
		for (i = 0; i < count; i++)
			say(connect_to(tcp(argv[2]), argv[2], argv[3]));
		if (!strcmp(verb, "hold"))
			pause();
	} else if (!strcmp(verb, "again") && argc == 6) {
		fd = tcp(argv[2]);
		say(connect_to(fd, argv[2], argv[3]));
		say(connect_to(fd, argv[4], argv[5]));
	} else if (!strcmp(verb, "nonblocking") && argc == 4) {
		nonblocking(argv[2], argv[3]);
	} else if (!strcmp(verb, "bind") && argc == 3) {
		show_port(bound(argv[2], SOCK_STREAM));
	} else if (!strcmp(verb, "serve") && argc == 3) {
		serve(argv[2]);
	} else if (!strcmp(verb, "every")) {
		every();
	} else if (!strcmp(verb, "receive") && argc == 3) {
		receive(argv[2]);
	} else if (!strcmp(verb, "crowd") && argc == 5) {
		crowd(atoi(argv[2]), atoi(argv[3]), argv[4]);
	} else if (!strcmp(verb, "fill") && argc == 5) {
		fill(argv[2], argv[3], atoi(argv[4]));
	} else {
		return 2;
	}
	return 0;
}
