// SPDX-License-Identifier: GPL-2.0-only
/*
 * What arrives without a connection.
 *
 *	net-packets udp|udplite|both ADDRESS PORT SOURCE...
 *						datagrams from each SOURCE in turn to a socket at
 *						ADDRESS, "both": one of IPv6 that hears IPv4; the
 *						sources it hears, in their order
 *	net-packets ping|raw SOURCE...		the same of answers to echo requests
 *	net-packets pinged SOURCE...		as ping, by a socket that is connected to the last
 *	net-packets hear ADDRESS PORT LAST	says when it is ready, then the sources it hears, of
 *						others' datagrams, LAST the last one
 *	net-packets ask ADDRESS PORT		an unconnected and then a connected socket ask who
 *						answers there: OK or silence, of each
 *	net-packets hold FILE [NUMBER] ADDRESS PORT
 *						so many UDP sockets (1), bound to one port and
 *						connected there: says so, waits for FILE to be
 *						there, and what recv and send on each say then
 *	net-packets answer ADDRESS PORT		answers whoever asks; says so when it is ready
 *
 * What comes from the last SOURCE must arrive: until then it waits, and knows that no other does.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static socklen_t parse(const char *text, int port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, text, &ret->ipv6.sin6_addr) == 1) {
		ret->ipv6.sin6_family = AF_INET6;
		ret->ipv6.sin6_port = htons(port);
		return sizeof(ret->ipv6);
	}
	ret->ipv4.sin_family = AF_INET;
	ret->ipv4.sin_port = htons(port);
	if (inet_pton(AF_INET, text, &ret->ipv4.sin_addr) != 1)
		errx(2, "%s is no address", text);
	return sizeof(ret->ipv4);
}

/* As the arguments have it: of a v4-mapped address the IPv4 one. */
static const char *name_of(const union address *address)
{
	static char text[INET6_ADDRSTRLEN];

	if (address->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &address->ipv4.sin_addr, text, sizeof(text));
	else
		inet_ntop(AF_INET6, &address->ipv6.sin6_addr, text, sizeof(text));
	return strncmp(text, "::ffff:", 7) ? text : text + 7;
}

static int make(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	if (fd < 0)
		err(2, "socket");
	return fd;
}

static int at(const char *text, int port, int protocol)
{
	union address address;
	socklen_t len = parse(text, port, &address);
	int fd = make(address.any.sa_family, SOCK_DGRAM, protocol);

	if (bind(fd, &address.any, len))
		err(2, "bind");
	return fd;
}

static void send_to(int fd, const union address *to, socklen_t len, const void *bytes, size_t size)
{
	if (sendto(fd, bytes, size, 0, &to->any, len) != (ssize_t)size)
		err(2, "sendto %s", name_of(to));
}

/* Says which of the sources are heard; @echo: only what has this type, behind @header bytes; or -1.
 */
static void hear(int fd, const char *last, int echo, int header)
{
	unsigned char bytes[256];
	union address from;
	socklen_t len;
	bool is_first = true;

	for (;;) {
		len = sizeof(from);
		if (recvfrom(fd, bytes, sizeof(bytes), 0, &from.any, &len) < 0)
			err(2, "recvfrom");
		if (echo >= 0 && bytes[header] != echo)
			continue;
		printf("%s%s", is_first ? "" : " ", name_of(&from));
		if (!strcmp(name_of(&from), last))
			break;
		is_first = false;
	}
	putchar('\n');
}

static void datagrams(const char *kind, const char *address, int port, char **sources)
{
	int protocol = !strcmp(kind, "udplite") ? IPPROTO_UDPLITE : IPPROTO_UDP;
	int receiver = at(!strcmp(kind, "both") ? "::" : address, port, protocol);
	union address to;

	for (; *sources; sources++) {
		const char *there = strcmp(kind, "both")    ? address
				    : strchr(*sources, ':') ? "::1"
							    : "127.0.0.1";
		socklen_t len = parse(there, port, &to);
		int sender = at(*sources, 0, protocol);

		send_to(sender, &to, len, "x", 1);
		close(sender);
	}
	hear(receiver, sources[-1], -1, 0);
}

static void echoes(const char *kind, char **sources, int nr)
{
	bool is_ipv6 = strchr(sources[0], ':'), is_raw = !strcmp(kind, "raw");
	struct icmphdr request = { .type = is_ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO };
	int fd = make(is_ipv6 ? AF_INET6 : AF_INET, is_raw ? SOCK_RAW : SOCK_DGRAM,
		      is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	union address to;
	socklen_t len;

	if (is_raw && !is_ipv6) /* the kernel sums up the others */
		request.checksum = htons(0xffff - (ICMP_ECHO << 8));
	if (!strcmp(kind, "pinged")) {
		len = parse(sources[nr - 1], 0, &to);
		if (connect(fd, &to.any, len))
			err(2, "connect");
	}
	for (; *sources; sources++) {
		len = parse(*sources, 0, &to);
		send_to(fd, &to, len, &request, sizeof(request));
	}
	hear(fd, sources[-1], is_ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY,
	     is_raw && !is_ipv6 ? sizeof(struct iphdr) : 0);
}

static void ask(const char *address, int port)
{
	union address to;
	socklen_t len = parse(address, port, &to);
	int alone = make(to.any.sa_family, SOCK_DGRAM, 0);
	int connected = make(to.any.sa_family, SOCK_DGRAM, 0);
	char byte;

	send_to(alone, &to, len, "x", 1);
	if (connect(connected, &to.any, len) || send(connected, "x", 1, 0) != 1)
		err(2, "connect or send");
	if (recv(connected, &byte, 1, 0) != 1)
		err(2, "recv");
	printf("unconnected %s, connected OK\n",
	       recv(alone, &byte, 1, MSG_DONTWAIT) == 1 ? "OK" : "silence");
}

static void hold(const char *file, int number, const char *address, int port)
{
	union address to, own;
	socklen_t len = parse(address, port, &to), own_len = sizeof(own);
	int fds[16], i, one = 1, result;
	char byte;

	memset(&own, 0, sizeof(own));
	own.any.sa_family = to.any.sa_family;
	for (i = 0; i < number; i++) {
		fds[i] = make(to.any.sa_family, SOCK_DGRAM, 0);
		if (setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) ||
		    bind(fds[i], &own.any, len) || getsockname(fds[i], &own.any, &own_len) ||
		    connect(fds[i], &to.any, len))
			err(2, "bind or connect");
	}
	puts("ready");
	fflush(stdout);
	while (access(file, F_OK))
		usleep(10000);
	for (i = 0; i < number; i++) {
		result = recv(fds[i], &byte, 1, MSG_DONTWAIT) == 1 ? 0 : errno;
		printf("recv %s, ", strerrorname_np(result));
		result = send(fds[i], "x", 1, 0) == 1 ? 0 : errno;
		printf("send %s\n", result ? strerrorname_np(result) : "OK");
	}
}

static void hear_others(const char *address, int port, const char *last)
{
	int fd = at(address, port, 0);

	puts("ready");
	fflush(stdout);
	hear(fd, last, -1, 0);
}

static void answer(const char *address, int port)
{
	int fd = at(address, port, 0);
	union address from;
	socklen_t len;
	char byte;

	puts("ready");
	fflush(stdout);
	for (;;) {
		len = sizeof(from);
		if (recvfrom(fd, &byte, 1, 0, &from.any, &len) == 1)
			send_to(fd, &from, len, &byte, 1);
	}
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";

	if (argc == 4 && !strcmp(way, "answer"))
		answer(argv[2], atoi(argv[3]));
	alarm(60);
	if (argc == 4 && !strcmp(way, "ask"))
		ask(argv[2], atoi(argv[3]));
	else if (argc == 5 && !strcmp(way, "hold"))
		hold(argv[2], 1, argv[3], atoi(argv[4]));
	else if (argc == 6 && !strcmp(way, "hold") && atoi(argv[3]) <= 16)
		hold(argv[2], atoi(argv[3]), argv[4], atoi(argv[5]));
	else if (argc == 5 && !strcmp(way, "hear"))
		hear_others(argv[2], atoi(argv[3]), argv[4]);
	else if (argc > 2 &&
		 (!strcmp(way, "ping") || !strcmp(way, "pinged") || !strcmp(way, "raw")))
		echoes(way, argv + 2, argc - 2);
	else if (argc > 4 &&
		 (!strcmp(way, "udp") || !strcmp(way, "udplite") || !strcmp(way, "both")))
		datagrams(way, argv[2], atoi(argv[3]), argv + 4);
	else
		return 2;
	return 0;
}
