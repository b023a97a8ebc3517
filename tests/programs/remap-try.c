// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports as a program sees them: what it asks for, what it is shown, whom it reaches.
 *
 *	bind TYPE ADDRESS PORT			the port that getsockname(2) shows
 *	bind TYPE ADDRESS PORT ADDRESS PORT	one socket, to both in turn; then what it is shown
 *	serve TYPE ADDRESS PORT TEXT		as bind, then answers TEXT for ever; of each TCP
 *						connection the port that getsockname(2) shows
 *	reach TYPE ADDRESS PORT			TEXT and the port that getpeername(2) shows
 *	sendto ADDRESS PORT			TEXT and the port that recvfrom(2) shows
 *	again ADDRESS PORT PORT			UDP: connects to each, the ports that are shown
 *
 * TYPE is tcp, mptcp or udp, TEXT a word. What fails is an errno's name.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6; /* its port is where that of IPv4 is */
};

static socklen_t parse(const char *address, const char *port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->ipv4.sin_port = htons(atoi(port));
	if (inet_pton(AF_INET6, address, &ret->ipv6.sin6_addr) == 1) {
		ret->any.sa_family = AF_INET6;
		return sizeof(ret->ipv6);
	}
	ret->any.sa_family = AF_INET;
	if (inet_pton(AF_INET, address, &ret->ipv4.sin_addr) != 1)
		exit(2);
	return sizeof(ret->ipv4);
}

static void say_errno(void)
{
	puts(strerrorname_np(errno));
	fflush(stdout);
}

static int protocol; /* where it is not the type's usual one */

static int type_of(const char *type)
{
	if (!strcmp(type, "mptcp"))
		protocol = IPPROTO_MPTCP;
	return !strcmp(type, "udp") ? SOCK_DGRAM : SOCK_STREAM;
}

static int open_for(int type, const char *address)
{
	int fd = socket(strchr(address, ':') ? AF_INET6 : AF_INET, type, protocol), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		exit(2);
	return fd;
}

static int own_port(int fd)
{
	union address own;
	socklen_t len = sizeof(own);

	return getsockname(fd, &own.any, &len) ? -1 : ntohs(own.ipv4.sin_port);
}

static int peer_port(int fd)
{
	union address peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, &peer.any, &len) ? -1 : ntohs(peer.ipv4.sin_port);
}

static void show_own(int fd)
{
	printf("%d\n", own_port(fd));
	fflush(stdout);
}

static int bind_to(int fd, const char *address, const char *port)
{
	union address at;
	socklen_t len = parse(address, port, &at);
	int err = bind(fd, &at.any, len);

	if (err)
		say_errno();
	return err;
}

static void answer(int fd, const char *text)
{
	union address from;
	socklen_t len = sizeof(from);
	char byte;

	if (recvfrom(fd, &byte, 1, 0, &from.any, &len) >= 0)
		sendto(fd, text, strlen(text), 0, &from.any, len);
}

static void serve(int type, const char *address, const char *port, const char *text)
{
	int fd = open_for(type, address), accepted;

	if (bind_to(fd, address, port))
		return;
	if (type == SOCK_STREAM && listen(fd, 16))
		exit(2);
	show_own(fd); /* from now on it can be reached */
	while (type == SOCK_DGRAM)
		answer(fd, text);
	for (;;) {
		accepted = accept(fd, NULL, NULL);
		show_own(accepted);
		send(accepted, text, strlen(text), MSG_NOSIGNAL);
		close(accepted);
	}
}

static void say_text(int fd, int port, union address *from)
{
	socklen_t len = sizeof(*from);
	char text[64] = "";

	if (recvfrom(fd, text, sizeof(text) - 1, 0, from ? &from->any : NULL, from ? &len : NULL) <
	    0)
		say_errno();
	else
		printf("%s %d\n", text, from ? ntohs(from->ipv4.sin_port) : port);
}

static void reach(int type, const char *address, const char *port)
{
	union address to;
	socklen_t len = parse(address, port, &to);
	int fd = open_for(type, address);

	if (connect(fd, &to.any, len) || (type == SOCK_DGRAM && send(fd, "", 1, 0) < 0))
		say_errno();
	else
		say_text(fd, peer_port(fd), NULL);
}

static void send_to(const char *address, const char *port)
{
	struct timeval patience = { .tv_sec = 20 };
	union address to;
	socklen_t len = parse(address, port, &to);
	int fd = open_for(SOCK_DGRAM, address);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (sendto(fd, "", 1, 0, &to.any, len) < 0)
		say_errno();
	else
		say_text(fd, 0, &to);
}

static void again(const char *address, char *const *ports)
{
	int fd = open_for(SOCK_DGRAM, address);
	union address to;
	socklen_t len;

	for (; *ports; ports++) {
		len = parse(address, *ports, &to);
		if (connect(fd, &to.any, len))
			say_errno();
		else
			printf("%d\n", peer_port(fd));
	}
}

static void try_bind(int fd, char *const *places)
{
	if (!bind_to(fd, places[0], places[1]))
		show_own(fd);
	if (places[2]) {
		if (!bind_to(fd, places[2], places[3]))
			show_own(fd);
		show_own(fd);
	}
}

int main(int argc, char **argv)
{
	if ((argc == 5 || argc == 7) && !strcmp(argv[1], "bind"))
		try_bind(open_for(type_of(argv[2]), argv[3]), argv + 3);
	else if (argc == 6 && !strcmp(argv[1], "serve"))
		serve(type_of(argv[2]), argv[3], argv[4], argv[5]);
	else if (argc == 5 && !strcmp(argv[1], "reach"))
		reach(type_of(argv[2]), argv[3], argv[4]);
	else if (argc == 4 && !strcmp(argv[1], "sendto"))
		send_to(argv[2], argv[3]);
	else if (argc == 5 && !strcmp(argv[1], "again"))
		again(argv[2], argv + 3);
	else
		return 2;
	return 0;
}
