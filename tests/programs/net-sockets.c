// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one process does with sockets, step by step, each outcome a line: OK or the errno's name.
 * Each argument is a step; S is a letter, the name of a socket:
 *
 *	connect S ADDRESS PORT	TCP; it is made if there is none of that name
 *	mptcp S ADDRESS PORT	the same by MPTCP
 *	fastopen S ADDRESS PORT	by sendto(2)
 *	start S ADDRESS PORT	without waiting; "outcome S" waits
 *	from S ADDRESS PORT SOURCE	waits for a second at most: "silence"
 *	syn S ADDRESS PORT SOURCE	a request by hand, of IPv4; nobody goes on with it
 *	listen S ADDRESS PORT	and nobody accepts
 *	serve S ADDRESS PORT	a child accepts, and closes
 *	end S			by AF_UNSPEC
 *	reset S			and closed
 *	close S
 *	copy S			another descriptor, also in a child, which ends
 *	give S			to a child, which ends with its parent; closed here
 *	wait			"ready", then for ever
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

struct step {
	char verb[16], name, address[64], source[64];
	int port;
};

static int sockets[128];

static socklen_t parse(const char *address, int port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, address, &ret->ipv6.sin6_addr) == 1) {
		ret->ipv6.sin6_family = AF_INET6;
		ret->ipv6.sin6_port = htons(port);
		return sizeof(ret->ipv6);
	}
	ret->ipv4.sin_family = AF_INET;
	ret->ipv4.sin_port = htons(port);
	if (inet_pton(AF_INET, address, &ret->ipv4.sin_addr) != 1)
		exit(2);
	return sizeof(ret->ipv4);
}

static int outcome(int fd, int milliseconds)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (!poll(&poll_fd, 1, milliseconds))
		return -1;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error;
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		exit(2);
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static int serve(int fd)
{
	if (!child())
		for (;;)
			close(accept(fd, NULL, NULL));
	return 0;
}

/* Of 16-bit words, as the checksums of IP and TCP are. */
static uint16_t sum_of(const char *bytes, size_t size)
{
	uint32_t sum = 0;
	uint16_t word;
	size_t i;

	for (i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static int send_syn(const struct step *step)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP } };
	struct {
		in_addr_t from, to;
		uint16_t protocol, size;
		struct tcphdr tcp;
	} summed;
	union address to, from;
	socklen_t len = parse(step->address, step->port, &to);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), error;

	parse(step->source, 0, &from);
	if (fd < 0)
		exit(2);
	packet.ip.saddr = from.ipv4.sin_addr.s_addr;
	packet.ip.daddr = to.ipv4.sin_addr.s_addr;
	packet.tcp.source = htons(1024 + getpid() % 60000);
	packet.tcp.dest = to.ipv4.sin_port;
	packet.tcp.doff = sizeof(packet.tcp) / 4;
	packet.tcp.syn = 1;
	packet.tcp.window = htons(1024);
	summed.from = packet.ip.saddr;
	summed.to = packet.ip.daddr;
	summed.protocol = htons(IPPROTO_TCP);
	summed.size = htons(sizeof(packet.tcp));
	summed.tcp = packet.tcp;
	packet.tcp.check = sum_of((const char *)&summed, sizeof(summed));
	to.ipv4.sin_port = 0;
	error = sendto(fd, &packet, sizeof(packet), 0, &to.any, len) < 0 ? errno : 0;
	close(fd);
	return error;
}

static int reach(const struct step *step)
{
	int *fd = &sockets[step->name & 127], flags;
	union address to, from;
	socklen_t len = parse(step->address, step->port, &to);
	int error, one = 1;

	if (!*fd)
		*fd = socket(to.any.sa_family, SOCK_STREAM,
			     strcmp(step->verb, "mptcp") ? IPPROTO_TCP : IPPROTO_MPTCP);
	if (*fd < 0)
		exit(2);
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!strcmp(step->verb, "listen") || !strcmp(step->verb, "serve"))
		return bind(*fd, &to.any, len) || listen(*fd, 64) ? errno
		       : step->verb[0] == 's'			  ? serve(*fd)
								  : 0;
	if (!strcmp(step->verb, "fastopen"))
		return sendto(*fd, "", 1, MSG_FASTOPEN, &to.any, len) == 1 ? 0 : errno;
	if (!strcmp(step->verb, "from") && bind(*fd, &from.any, parse(step->source, 0, &from)))
		return errno;
	flags = fcntl(*fd, F_GETFL);
	if (strcmp(step->verb, "connect") && strcmp(step->verb, "mptcp"))
		fcntl(*fd, F_SETFL, flags | O_NONBLOCK);
	error = connect(*fd, &to.any, len) ? errno : 0;
	fcntl(*fd, F_SETFL, flags);
	return strcmp(step->verb, "from") || error != EINPROGRESS ? error : outcome(*fd, 1000);
}

static int end(int fd)
{
	struct sockaddr nothing = { .sa_family = AF_UNSPEC };

	return connect(fd, &nothing, sizeof(nothing)) ? errno : 0;
}

static int reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return close(fd) ? errno : 0;
}

static int copy(int fd)
{
	pid_t pid;

	if (dup(fd) < 0)
		return errno;
	pid = child();
	if (!pid)
		_exit(0);
	return waitpid(pid, NULL, 0) == pid ? 0 : errno;
}

static int give(int fd)
{
	if (!child())
		for (;;)
			pause();
	return close(fd) ? errno : 0;
}

static int run(const struct step *step)
{
	int *fd = &sockets[step->name & 127], error;

	if (!strcmp(step->verb, "syn"))
		return send_syn(step);
	if (step->port)
		return reach(step);
	if (!strcmp(step->verb, "wait")) {
		puts("ready");
		for (;;)
			pause();
	}
	if (!*fd)
		exit(2);
	if (!strcmp(step->verb, "outcome"))
		return outcome(*fd, -1);
	if (!strcmp(step->verb, "end"))
		return end(*fd);
	if (!strcmp(step->verb, "copy"))
		return copy(*fd);
	error = !strcmp(step->verb, "give")    ? give(*fd)
		: !strcmp(step->verb, "reset") ? reset(*fd)
		: close(*fd)		       ? errno
					       : 0;
	*fd = 0;
	return error;
}

int main(int argc, char **argv)
{
	int i, error;

	setlinebuf(stdout);
	for (i = 1; i < argc; i++) {
		struct step step = {};

		if (sscanf(argv[i], "%15s %c %63s %d %63s", step.verb, &step.name, step.address,
			   &step.port, step.source) < 1)
			return 2;
		error = run(&step);
		puts(error < 0 ? "silence" : error ? strerrorname_np(error) : "OK");
	}
	return argc < 2 ? 2 : 0;
}
