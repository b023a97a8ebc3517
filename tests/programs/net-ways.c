// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways there are to reach an address, each outcome a line: OK or the errno's name.
 *
 *	net-ways WAY ADDRESS PORT [TIMES]	the outcomes, each once, in their order
 *		connect, fastopen, uring	TCP
 *		udp, sendto, sendmsg, sendmmsg, uring_sendmsg	UDP, "udp" by connect
 *		bind, listen			TCP, at that address
 *	net-ways from SOURCE ADDRESS PORT	TCP from there: OK, an errno, or "silence"
 *	net-ways serve PORT			TCP at all addresses; says when it is ready
 *	net-ways create FAMILY TYPE PROTOCOL	numbers
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "ring.h"

static char byte;

static const char *name_of(int error)
{
	return error ? strerrorname_np(error) : "OK";
}

static int send_messages(int fd, union address *to, socklen_t len, const char *way)
{
	struct iovec part = { &byte, 1 };
	struct mmsghdr messages[2] = {
		{ .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1 } },
	};
	struct io_uring_sqe request = { .opcode = IORING_OP_SENDMSG,
					.fd = fd,
					.addr = (uintptr_t)&messages[0].msg_hdr,
					.len = 1 };

	messages[0].msg_hdr.msg_name = to;
	messages[0].msg_hdr.msg_namelen = len;
	if (!strcmp(way, "uring_sendmsg"))
		return by_ring(&request);
	if (!strcmp(way, "sendmsg"))
		return sendmsg(fd, &messages[0].msg_hdr, 0) == 1 ? 0 : errno;
	messages[1] = messages[0];
	return sendmmsg(fd, messages, 2, 0) == 2 ? 0 : errno;
}

static int at_address(int fd, union address *at, socklen_t len, bool listens)
{
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &at->any, len))
		return errno;
	return listens && listen(fd, 1) ? errno : 0;
}

static int go(int fd, union address *to, socklen_t len, const char *way)
{
	struct io_uring_sqe request = {
		.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)to, .off = len
	};

	if (!strcmp(way, "connect") || !strcmp(way, "udp"))
		return connect(fd, &to->any, len) ? errno : 0;
	if (!strcmp(way, "fastopen"))
		return sendto(fd, &byte, 1, MSG_FASTOPEN, &to->any, len) == 1 ? 0 : errno;
	if (!strcmp(way, "uring"))
		return by_ring(&request);
	if (!strcmp(way, "sendto"))
		return sendto(fd, &byte, 1, 0, &to->any, len) == 1 ? 0 : errno;
	if (!strcmp(way, "bind") || !strcmp(way, "listen"))
		return at_address(fd, to, len, way[0] == 'l');
	return send_messages(fd, to, len, way);
}

static bool is_datagram(const char *way)
{
	return !strcmp(way, "udp") || strstr(way, "send");
}

static void by_way(const char *way, const char *address, const char *port, int times)
{
	bool seen[256] = {};
	union address to;
	socklen_t len = parse(address, port, &to);
	int fd, error;

	while (times--) {
		fd = socket(to.any.sa_family, is_datagram(way) ? SOCK_DGRAM : SOCK_STREAM, 0);
		error = fd < 0 ? errno : go(fd, &to, len, way);
		if (!seen[error & 255])
			puts(name_of(error));
		seen[error & 255] = true;
		fflush(stdout);
		close(fd);
	}
}

static void from(const char *source, const char *address, const char *port)
{
	union address own, to;
	socklen_t own_len = parse(source, "0", &own), len = parse(address, port, &to);
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	socklen_t error_len = sizeof(error);

	if (fd < 0 || bind(fd, &own.any, own_len))
		exit(2);
	if (connect(fd, &to.any, len) && errno != EINPROGRESS) {
		puts(name_of(errno));
		return;
	}
	if (!poll(&poll_fd, 1, 1000)) {
		puts("silence");
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	puts(name_of(error));
}

static void serve(const char *port)
{
	union address at;
	socklen_t len = parse("::", port, &at);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0 || at_address(fd, &at, len, true))
		exit(2);
	puts("ready");
	fflush(stdout);
	for (;;)
		close(accept(fd, NULL, NULL));
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "from"))
		from(argv[2], argv[3], argv[4]);
	else if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	else if (argc == 5 && !strcmp(argv[1], "create"))
		puts(name_of(socket(atoi(argv[2]), atoi(argv[3]), atoi(argv[4])) < 0 ? errno : 0));
	else if (argc == 4 || argc == 5)
		by_way(argv[1], argv[2], argv[3], argc == 5 ? atoi(argv[4]) : 1);
	else
		return 2;
	return 0;
}
