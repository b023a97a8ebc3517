// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many instructions a call takes that asks egress rules, in a guest that counts them
 * (tests/vm/run -i):
 *
 *	bench-net connect4|connect6|sendto4|sendto6|bulk4|bulk6
 *
 * connect: TCP, to a port on loopback that nobody listens at. sendto: 32 bytes by UDP to a socket
 * of the same process. bulk: 1 MiB by an established TCP connection of the process with itself, in
 * sends of 16 KiB, each of which is received. Prints the median of many less that of nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "count.h"

#define CLOSED_PORT 9
#define SAMPLES	    501
#define BYTES	    32
#define BULK	    (1 << 20)
#define BULK_ONCE   (16 << 10)
#define BULKS	    51

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static union address to;
static socklen_t to_len;
static int from_fd, to_fd = -1;

static void make_address(int is_ipv6)
{
	if (is_ipv6) {
		to.ipv6.sin6_family = AF_INET6;
		to.ipv6.sin6_port = htons(CLOSED_PORT);
		to.ipv6.sin6_addr = in6addr_loopback;
		to_len = sizeof(to.ipv6);
	} else {
		to.ipv4.sin_family = AF_INET;
		to.ipv4.sin_port = htons(CLOSED_PORT);
		to.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		to_len = sizeof(to.ipv4);
	}
}

/* Both ends of a connection, which is there before any of it is counted. */
static void make_connection(void)
{
	int one = 1, listener = socket(to.any.sa_family, SOCK_STREAM, 0);

	from_fd = socket(to.any.sa_family, SOCK_STREAM, 0);
	if (listener < 0 || from_fd < 0)
		err(1, "socket");
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, &to.any, to_len) || listen(listener, 1) ||
	    connect(from_fd, &to.any, to_len))
		err(1, "connect");
	to_fd = accept(listener, NULL, NULL);
	if (to_fd < 0)
		err(1, "accept");
	close(listener);
}

static void make_sockets(int is_udp)
{
	from_fd = socket(to.any.sa_family, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	if (from_fd < 0)
		err(1, "socket");
	if (!is_udp)
		return;
	to_fd = socket(to.any.sa_family, SOCK_DGRAM, 0);
	if (to_fd < 0 || bind(to_fd, &to.any, to_len))
		err(1, "bind");
}

static void connect_to_nobody(void)
{
	if (!connect(from_fd, &to.any, to_len) || errno != ECONNREFUSED)
		err(1, "connect");
}

static void send_bytes(void)
{
	static const char bytes[BYTES];

	if (sendto(from_fd, bytes, sizeof(bytes), 0, &to.any, to_len) != sizeof(bytes))
		err(1, "sendto");
}

static void send_bulk(void)
{
	static char bytes[BULK_ONCE];
	size_t sent;

	for (sent = 0; sent < BULK; sent += sizeof(bytes)) {
		if (send(from_fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
			err(1, "send");
		if (recv(to_fd, bytes, sizeof(bytes), MSG_WAITALL) != sizeof(bytes))
			err(1, "recv");
	}
}

static void do_nothing(void)
{
}

static uint64_t count(void (*run)(void), int number)
{
	static uint64_t samples[SAMPLES];
	char bytes[BYTES];
	uint64_t begin;
	int i;

	memset(samples, 1, sizeof(samples)); /* no page faults later */
	for (i = -WARM_UP; i < number; i++) {
		begin = now();
		run();
		samples[i < 0 ? 0 : i] = now() - begin;
		if (run == send_bytes && recv(to_fd, bytes, sizeof(bytes), 0) != sizeof(bytes))
			err(1, "recv");
	}
	return median(samples, number);
}

struct call {
	const char *name;
	void (*run)(void);
	int samples;
};

/* NULL: there is no such */
static const struct call *find_call(const char *name)
{
	static const struct call calls[] = { { "connect", connect_to_nobody, SAMPLES },
					     { "sendto", send_bytes, SAMPLES },
					     { "bulk", send_bulk, BULKS } };
	size_t i, len;

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		len = strlen(calls[i].name);
		if (!strncmp(name, calls[i].name, len) &&
		    (!strcmp(name + len, "4") || !strcmp(name + len, "6")))
			return &calls[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const struct call *call = argc == 2 ? find_call(argv[1]) : NULL;
	uint64_t cost, empty;

	if (!call)
		errx(2, "usage: bench-net connect4|connect6|sendto4|sendto6|bulk4|bulk6");
	hold_still(argv);
	make_address(argv[1][strlen(argv[1]) - 1] == '6');
	if (call->run == send_bulk)
		make_connection();
	else
		make_sockets(call->run == send_bytes);
	check_counter();
	cost = count(call->run, call->samples);
	empty = count(do_nothing, SAMPLES);
	printf("%llu\n", (unsigned long long)(cost - empty));
	return 0;
}
