// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls themselves, and what they get: a task in the inner of two cgroups, each with a ruleset
 * at random, reaches out in each way there is, and is reached. Two network namespaces are hosts
 * that have all the addresses which rules name, and nobody listens there: what is accepted gets
 * ECONNREFUSED or nothing. This process is in no scope, and the hosts' hand.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../../tests/programs/ring.h"
#include "cases.h"
#include "checmate.h"

#define CALLS_PER_SET 150
#define MARK_PORT     1

enum way {
	WAY_CONNECT,
	WAY_FASTOPEN,
	WAY_URING_CONNECT,
	WAY_UDP_CONNECT,
	WAY_SENDTO,
	WAY_SENDMSG,
	WAY_SENDMMSG,
	WAY_URING_SENDMSG,
	WAY_FROM_TCP,
	WAY_FROM_UDP,
	WAYS,
};

static const char *const names[] = { "connect",	 "fastopen", "uring-connect", "udp-connect",
				     "sendto",	 "sendmsg",  "sendmmsg",      "uring-sendmsg",
				     "from-tcp", "from-udp" };

struct call {
	struct question question;
	enum way way;
	bool mapped; /* IPv4 by a socket of IPv6 */
};

/* What the task in the scope is told to do with it; it answers with an errno. */
enum order {
	ORDER_GO,    /* out */
	ORDER_OPEN,  /* wait for who comes in */
	ORDER_HEARD, /* has a datagram come in? EAGAIN: no */
	ORDER_CLOSE,
};

struct message {
	enum order order;
	struct call call;
};

union name {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

/* Of each of the two hosts: its namespace, our addresses on the way there, and two ends of a mark.
 */
struct host {
	int namespace_fd;
	const char *ipv4, *ipv6;
	int here, there;
};

static char byte;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static int check(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static socklen_t address_of(const struct call *call, union name *ret)
{
	const struct address *address = &call->question.address;

	memset(ret, 0, sizeof(*ret));
	if (!address->ipv6 && !call->mapped) {
		ret->ipv4.sin_family = AF_INET;
		ret->ipv4.sin_port = htons(call->question.port);
		memcpy(&ret->ipv4.sin_addr, address->bytes, 4);
		return sizeof(ret->ipv4);
	}
	ret->ipv6.sin6_family = AF_INET6;
	ret->ipv6.sin6_port = htons(call->question.port);
	if (address->ipv6) {
		memcpy(&ret->ipv6.sin6_addr, address->bytes, 16);
	} else {
		memset(ret->ipv6.sin6_addr.s6_addr + 10, 0xff, 2);
		memcpy(ret->ipv6.sin6_addr.s6_addr + 12, address->bytes, 4);
	}
	return sizeof(ret->ipv6);
}

static int make(int family, enum way way)
{
	bool is_tcp = way <= WAY_URING_CONNECT || way == WAY_FROM_TCP;

	return check(socket(family, is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0), "socket");
}

/* --- the task in the scope */

static int send_by(int fd, union name *to, socklen_t len, enum way way)
{
	struct iovec part = { &byte, 1 };
	struct mmsghdr message = {
		.msg_hdr = { .msg_name = to, .msg_namelen = len, .msg_iov = &part, .msg_iovlen = 1 }
	};
	struct io_uring_sqe request = {
		.opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)&message.msg_hdr, .len = 1
	};

	if (way == WAY_URING_SENDMSG)
		return by_ring(&request);
	if (way == WAY_SENDMSG)
		return sendmsg(fd, &message.msg_hdr, 0) == 1 ? 0 : errno;
	return sendmmsg(fd, &message, 1, 0) == 1 ? 0 : errno;
}

static int go(const struct call *call)
{
	union name to;
	socklen_t len = address_of(call, &to);
	int fd = make(to.any.sa_family, call->way), result;
	struct io_uring_sqe request = {
		.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)&to, .off = len
	};

	switch (call->way) {
	case WAY_CONNECT:
	case WAY_UDP_CONNECT:
		result = connect(fd, &to.any, len) ? errno : 0;
		break;
	case WAY_FASTOPEN:
		result = sendto(fd, &byte, 1, MSG_FASTOPEN, &to.any, len) == 1 ? 0 : errno;
		break;
	case WAY_URING_CONNECT:
		result = by_ring(&request);
		break;
	case WAY_SENDTO:
		result = sendto(fd, &byte, 1, 0, &to.any, len) == 1 ? 0 : errno;
		break;
	default:
		result = send_by(fd, &to, len, call->way);
	}
	close(fd);
	return result;
}

/* By IPv6 for both, or by the family alone. */
static int wait_for(const struct call *call)
{
	bool is_ipv6 = call->question.address.ipv6 || call->mapped;
	union name own = { .ipv6 = { .sin6_family = is_ipv6 ? AF_INET6 : AF_INET,
				     .sin6_port = htons(call->question.port) } };
	int fd = make(own.any.sa_family, call->way), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	check(bind(fd, &own.any, is_ipv6 ? sizeof(own.ipv6) : sizeof(own.ipv4)), "bind");
	if (call->way == WAY_FROM_TCP)
		check(listen(fd, 8), "listen");
	return fd;
}

static __attribute__((noreturn)) void serve(const char *cgroup, int orders)
{
	struct message message;
	char path[4096];
	int fd = -1, answer;
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%d\n", getpid()) < 0 || fclose(f))
		die(path);
	while (recv(orders, &message, sizeof(message), 0) == sizeof(message)) {
		answer = 0;
		switch (message.order) {
		case ORDER_GO:
			answer = go(&message.call);
			break;
		case ORDER_OPEN:
			fd = wait_for(&message.call);
			break;
		case ORDER_HEARD:
			answer = recv(fd, &byte, 1, MSG_DONTWAIT) == 1 ? 0 : errno;
			break;
		case ORDER_CLOSE:
			close(fd);
			break;
		}
		check(send(orders, &answer, sizeof(answer), 0), "send");
	}
	_exit(0); /* what this process was about to say is the other one's to say */
}

static int start(const char *cgroup)
{
	int pair[2];

	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
	if (!check(fork(), "fork")) {
		close(pair[0]);
		serve(cgroup, pair[1]);
	}
	close(pair[1]);
	return pair[0];
}

static int tell(int orders, enum order order, const struct call *call)
{
	struct message message = { order, *call };
	int answer;

	check(send(orders, &message, sizeof(message), 0), "send");
	if (recv(orders, &answer, sizeof(answer), 0) != sizeof(answer))
		die("the task in the scope");
	return answer;
}

/* --- the hosts */

static int socket_in(const struct host *host, int family, enum way way)
{
	int own = check(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "own namespace"), fd;

	check(setns(host->namespace_fd, CLONE_NEWNET), "setns");
	fd = make(family, way);
	check(setns(own, CLONE_NEWNET), "setns");
	close(own);
	return fd;
}

static void open_host(struct host *host, const char *name)
{
	union name at = { .ipv4 = { .sin_family = AF_INET, .sin_port = htons(MARK_PORT) } };
	char path[256];

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	host->namespace_fd = check(open(path, O_RDONLY | O_CLOEXEC), path);
	host->here = make(AF_INET, WAY_SENDTO);
	inet_pton(AF_INET, host->ipv4, &at.ipv4.sin_addr);
	check(bind(host->here, &at.any, sizeof(at.ipv4)), "bind");
	host->there = socket_in(host, AF_INET, WAY_SENDTO);
	check(connect(host->there, &at.any, sizeof(at.ipv4)), "connect");
}

/* To here and back: what was sent from there before has arrived, and what it led to has gone back.
 */
static void pass_mark(const struct host *host)
{
	union name from;
	socklen_t len = sizeof(from);

	check(send(host->there, &byte, 1, 0), "send");
	check(recvfrom(host->here, &byte, 1, 0, &from.any, &len), "recvfrom");
	check(sendto(host->here, &byte, 1, 0, &from.any, len), "sendto");
	check(recv(host->there, &byte, 1, 0), "recv");
}

/* A socket there, bound to the address that the rules are asked about. */
static int source_at(const struct host *host, const struct call *call, union name *ret_to,
		     socklen_t *ret_len)
{
	struct call from = *call;
	union name address;
	int fd, one = 1;

	from.mapped = false;
	from.question.port = 0;
	*ret_len = address_of(&from, &address);
	fd = socket_in(host, address.any.sa_family, call->way);
	if (address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	check(bind(fd, &address.any, *ret_len), "bind to a source");
	*ret_to = address;
	if (address.any.sa_family == AF_INET) {
		inet_pton(AF_INET, host->ipv4, &ret_to->ipv4.sin_addr);
		ret_to->ipv4.sin_port = htons(call->question.port);
	} else {
		inet_pton(AF_INET6, host->ipv6, &ret_to->ipv6.sin6_addr);
		ret_to->ipv6.sin6_port = htons(call->question.port);
	}
	return fd;
}

/* Does the connection come about? A reset in the end, so that nothing of it stays. */
static bool is_let_in(int fd, const union name *to, socklen_t len, const struct host *host)
{
	struct linger reset = { .l_onoff = 1 };
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, &to->any, len) && errno != EINPROGRESS)
		die("connect from a host");
	pass_mark(host);
	return poll(&writable, 1, 0) == 1 && writable.revents == POLLOUT;
}

/* Which host has the address: 0 or 1. */
static int host_of(const struct address *address)
{
	return address->ipv6 ? address->bytes[1] != 0xfd : address->bytes[0] != 10;
}

/* 0 or EPERM: who is dropped is told no errno. */
static int come_in(int orders, const struct call *call, const struct host *hosts)
{
	const struct host *host = &hosts[host_of(&call->question.address)];
	bool let_in;
	union name to;
	socklen_t len;
	int fd;

	tell(orders, ORDER_OPEN, call);
	fd = source_at(host, call, &to, &len);
	if (call->way == WAY_FROM_TCP) {
		let_in = is_let_in(fd, &to, len, host);
	} else {
		check(sendto(fd, &byte, 1, 0, &to.any, len), "sendto from a host");
		pass_mark(host);
		let_in = !tell(orders, ORDER_HEARD, call);
	}
	close(fd);
	tell(orders, ORDER_CLOSE, call);
	return let_in ? 0 : EPERM;
}

/* --- both, and the model */

static void choose(const struct model *model, uint64_t *seed, struct call *ret)
{
	model_ask(model, seed, &ret->question);
	if (ret->question.port <= MARK_PORT)
		ret->question.port = MARK_PORT + 1;
	ret->mapped = !ret->question.address.ipv6 && random_below(seed, 2);
	if (ret->question.kind == INGRESS)
		ret->question.iface = host_of(&ret->question.address) ? "to-second" : "to-first";
	if (ret->question.kind == INGRESS)
		ret->way = ret->question.protocol == 6 ? WAY_FROM_TCP : WAY_FROM_UDP;
	else if (ret->question.protocol == 6)
		ret->way = WAY_CONNECT + random_below(seed, 3);
	else
		ret->way = WAY_UDP_CONNECT + random_below(seed, 5);
}

/* The nearest that refuses decides. */
static int expected(const struct model *models, const struct call *call)
{
	int error = model_answer(&models[1], &call->question).error;

	if (!error)
		error = model_answer(&models[0], &call->question).error;
	return error && call->question.kind == INGRESS ? EPERM : error;
}

static void compare(const struct model *models, const struct call *call, int error, int got)
{
	if (got == error || (!error && got == ECONNREFUSED))
		return;
	printf("model: errno %d, the call: errno %d, of %s%s: ", error, got, names[call->way],
	       call->mapped ? ", mapped" : "");
	question_print(&call->question, stdout);
	puts("\nin");
	model_print(&models[1], stdout);
	puts("below");
	model_print(&models[0], stdout);
	exit(1);
}

static void print_counts(int (*counts)[2])
{
	int i, all = 0;

	for (i = 0; i < WAYS; i++) {
		printf("%s: %d accepted, %d refused\n", names[i], counts[i][0], counts[i][1]);
		all += counts[i][0] + counts[i][1];
	}
	printf("%d decisions as the model has them\n", all);
}

void call_random(uint64_t seed, int sets, const char *const *cgroups, const char *const *host_names)
{
	struct host hosts[2] = { { .ipv4 = "192.0.2.1", .ipv6 = "2001:db8:1::1" },
				 { .ipv4 = "198.51.100.1", .ipv6 = "2001:db8:2::1" } };
	struct model models[2] = { { .is_real = true }, { .is_real = true } };
	int orders = start(cgroups[1]), counts[WAYS][2] = {}, set, i, error;
	struct cm *cm = NULL;
	struct call call;

	for (i = 0; i < 2; i++)
		open_host(&hosts[i], host_names[i]);
	must(cm, cm_open(CM_OPEN_WRITE, &cm));
	for (set = 0; set < sets; set++) {
		for (i = set % 4 ? 1 : 0; i < 2; i++) { /* the outer one not so often */
			free(models[i].rules);
			model_make(&models[i], &seed, 1 + random_below(&seed, i ? 30 : 6));
			load(cm, cgroups[i], &models[i]);
		}
		for (i = 0; i < CALLS_PER_SET; i++) {
			choose(&models[i % 8 != 0], &seed, &call);
			error = expected(models, &call);
			compare(models, &call, error,
				call.question.kind == INGRESS ? come_in(orders, &call, hosts)
							      : tell(orders, ORDER_GO, &call));
			counts[call.way][error != 0]++;
		}
	}
	cm_close(cm);
	print_counts(counts);
}
