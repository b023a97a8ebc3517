// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP sockets that were connected under other rules. send(2) names no address and comes by no hook
 * then, so after new rules are in force each is asked about by its peer, as a task in the socket's
 * own cgroup would be, and those that are refused are ended: SOCK_DESTROY of sock_diag(7). Who
 * receives on one gets ECONNABORTED, who sends EDESTADDRREQ: it is not connected any more.
 *
 * That is asked of a network namespace by a netlink socket of it. Looked at are those that a
 * process is in.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "nf_kernel.h"

#define BUFFER_SIZE 32768
#define CONNECTED   1 /* TCP_ESTABLISHED, of UDP as well */
#define PASSES	    256

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

struct search {
	struct cm *cm;
	struct cm_pack *pack;
	ino_t *seen;		       /* network namespaces */
	struct inet_diag_msg *refused; /* of the dump that is read */
	size_t nr_seen, nr_refused, nr_ended;
	int error; /* the first that was in the way, negative */
};

static void note_error(struct search *search, int error)
{
	if (!search->error)
		search->error = error;
}

/* @array has room for a power of two; false: no memory. */
static bool grow(struct search *search, void *array, size_t nr, size_t size)
{
	void **at = array, *more;

	if (nr & (nr - 1))
		return true;
	more = realloc(*at, (nr ? nr * 2 : 1) * size);
	if (more)
		*at = more;
	else
		note_error(search, -ENOMEM);
	return more;
}

/* --- one socket */

static uint64_t cgroup_of(const struct nlmsghdr *message)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(message);
	const struct rtattr *attribute = (const struct rtattr *)(socket + 1);
	int len = message->nlmsg_len - NLMSG_LENGTH(sizeof(*socket));
	uint64_t id = 0;

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if (attribute->rta_type == INET_DIAG_CGROUP_ID &&
		    RTA_PAYLOAD(attribute) == sizeof(id))
			memcpy(&id, RTA_DATA(attribute), sizeof(id));
	return id;
}

static void query_of(const struct inet_diag_msg *socket, int protocol,
		     struct cm_netfilter_query *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->kind = NF_EGRESS;
	ret->protocol = protocol;
	ret->port = be16toh(socket->id.idiag_dport);
	ret->uid = socket->idiag_uid;
	if (socket->idiag_family == AF_INET6) {
		memcpy(ret->address, socket->id.idiag_dst, 16);
	} else {
		memset(ret->address + 10, 0xff, 2);
		memcpy(ret->address + 12, socket->id.idiag_dst, 4);
	}
}

static void look_at(struct search *search, const struct nlmsghdr *message, int protocol)
{
	const struct inet_diag_msg *socket = NLMSG_DATA(message);
	struct cm_netfilter_query query;
	struct nf_test test;
	char path[PATH_MAX];
	int err = cm_cgroup_path(search->cm, cgroup_of(message), path, sizeof(path));

	query_of(socket, protocol, &query);
	if (!err) /* of a removed cgroup it cannot be told: the system's rules alone */
		err = cm_nf_ask(search->cm, &query,
				path[0] == '/' ? cm_scope_row(search->cm, search->pack, path) : 0,
				&test);
	if (err)
		note_error(search, err);
	else if (test.is_denied &&
		 grow(search, &search->refused, search->nr_refused, sizeof(*search->refused)))
		search->refused[search->nr_refused++] = *socket;
}

/* --- the sockets of a namespace */

static int send_request(int fd, int type, int flags, const struct inet_diag_req_v2 *body)
{
	struct request request = { .header = { .nlmsg_len = sizeof(request),
					       .nlmsg_type = type,
					       .nlmsg_flags = NLM_F_REQUEST | flags },
				   .body = *body };

	return send(fd, &request, sizeof(request), 0) == sizeof(request) ? 0 : -errno;
}

/* What an answer ends with: 1 if it goes on. */
static int end_of(const struct nlmsghdr *message)
{
	if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
		return 1;
	return *(const int *)NLMSG_DATA(message); /* both begin with the error, negative or 0 */
}

/* Each of an answer's messages that is a socket is looked at. */
static int read_answer(struct search *search, int fd, int protocol)
{
	_cleanup_free_ char *buffer = malloc(BUFFER_SIZE);
	struct nlmsghdr *message;
	ssize_t len;
	int err = 1;

	if (!buffer)
		return -ENOMEM;
	while (err > 0) {
		len = recv(fd, buffer, BUFFER_SIZE, 0);
		if (len < 0)
			return -errno;
		for (message = (struct nlmsghdr *)buffer; err > 0 && NLMSG_OK(message, len);
		     message = NLMSG_NEXT(message, len)) {
			err = end_of(message);
			if (err > 0)
				look_at(search, message, protocol);
		}
	}
	return err;
}

static size_t end_sockets(struct search *search, int fd, int protocol)
{
	struct inet_diag_req_v2 body = { .sdiag_protocol = protocol, .idiag_states = -1 };
	size_t ended = 0, i;
	int err;

	for (i = 0; i < search->nr_refused; i++) {
		body.sdiag_family = search->refused[i].idiag_family;
		body.id = search->refused[i].id;
		err = send_request(fd, SOCK_DESTROY, NLM_F_ACK, &body);
		if (!err)
			err = read_answer(search, fd, protocol);
		ended += !err;
		if (err && err != -ENOENT) /* closed meanwhile, or behind another one */
			note_error(search, err);
	}
	search->nr_refused = 0;
	return ended;
}

/*
 * Of several with the same addresses the kernel finds one at a time: until there is no more, or
 * somebody in another scope, who may, connects a socket of this one again and again.
 */
static void search_for(struct search *search, int fd, int family, int protocol)
{
	const struct inet_diag_req_v2 body = { .sdiag_family = family,
					       .sdiag_protocol = protocol,
					       .idiag_states = 1 << CONNECTED };
	size_t ended = 1;
	int err = 0, pass;

	for (pass = 0; !err && ended; pass++) {
		err = pass == PASSES ? -EAGAIN
				     : send_request(fd, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &body);
		if (!err)
			err = read_answer(search, fd, protocol);
		ended = end_sockets(search, fd, protocol);
		search->nr_ended += ended;
	}
	/* Kernels from 7 on have no UDP-Lite. */
	if (err && !(err == -ENOENT && protocol == IPPROTO_UDPLITE))
		note_error(search, err);
}

/* --- the namespaces */

static int open_in(int namespace_fd)
{
	_cleanup_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (own < 0 || setns(namespace_fd, CLONE_NEWNET))
		return -errno;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		fd = -errno;
	if (setns(own, CLONE_NEWNET)) /* it was there before the call, and is held */
		abort();
	return fd;
}

static void search_namespace(struct search *search, int namespace_fd)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const int protocols[] = { IPPROTO_UDP, IPPROTO_UDPLITE };
	_cleanup_close_ int fd = open_in(namespace_fd);

	if (fd < 0) {
		note_error(search, fd);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		search_for(search, fd, families[i / 2], protocols[i % 2]);
}

static bool is_seen(struct search *search, ino_t inode)
{
	size_t i;

	for (i = 0; i < search->nr_seen; i++)
		if (search->seen[i] == inode)
			return true;
	if (grow(search, &search->seen, search->nr_seen, sizeof(inode)))
		search->seen[search->nr_seen++] = inode;
	return false;
}

/* A process may end at any time: then its namespace is another one's, or gone. */
static void search_process(struct search *search, int proc, const char *pid)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "%.32s/ns/net", pid);
	if (fstatat(proc, path, &st, 0) || is_seen(search, st.st_ino))
		return;
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		search_namespace(search, fd);
}

static void search_all(struct search *search)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc) {
		note_error(search, -errno);
		return;
	}
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9')
			search_process(search, dirfd(proc), entry->d_name);
	closedir(proc);
}

void cm_nf_end_refused(struct cm *cm, struct cm_pack *pack)
{
	struct search search = { .cm = cm, .pack = pack };

	search_all(&search);
	free(search.seen);
	free(search.refused);
	if (search.error == -EOPNOTSUPP)
		cm_note(cm, "UDP sockets that are connected go on sending: this kernel is built "
			    "without CONFIG_INET_DIAG_DESTROY, which ends them");
	else if (search.error)
		cm_note(cm,
			"UDP sockets that are connected may go on sending, end their programs: "
			"cannot look for all of them: %s",
			strerror(-search.error));
	else if (search.nr_ended)
		cm_note(cm, "%zu UDP socket%s that %s connected to what is refused now %s ended",
			search.nr_ended, search.nr_ended == 1 ? "" : "s",
			search.nr_ended == 1 ? "was" : "were", search.nr_ended == 1 ? "is" : "are");
}
