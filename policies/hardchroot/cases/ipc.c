// SPDX-License-Identifier: GPL-2.0-only
/* E58-E60: objects that others outside have made. */
#include <errno.h>
#include <mqueue.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "cases.h"

#define QUEUE	  "/outside"
#define OWN_QUEUE "/inside"

static const char text[] = "words";

/* An abstract name that is the row's own; where "in" or "out". */
static socklen_t address(struct sockaddr_un *addr, const char *where, int type)
{
	int n;

	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	n = snprintf(addr->sun_path + 1, sizeof(addr->sun_path) - 1, "%s-%s-%d", shared->secret,
		     where, type);
	return offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

static int offer(const char *where, int type)
{
	struct sockaddr_un addr;
	socklen_t len = address(&addr, where, type);
	int fd = socket(AF_UNIX, type, 0);

	must("bind", bind(fd, (struct sockaddr *)&addr, len));
	if (type != SOCK_DGRAM)
		must("listen", listen(fd, 1));
	return fd;
}

static int reach(const char *where, int type)
{
	struct sockaddr_un addr;
	socklen_t len = address(&addr, where, type);
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	if (type == SOCK_DGRAM)
		return sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&addr, len);
	return connect(fd, (struct sockaddr *)&addr, len);
}

static void offer_outside(void)
{
	offer("out", SOCK_STREAM);
	offer("out", SOCK_SEQPACKET);
	offer("out", SOCK_DGRAM);
}

static void e58(void)
{
	outsider(offer_outside);
	enter("jail");
	offer("in", SOCK_STREAM);
	offer("in", SOCK_DGRAM);
	claim("stream", reach("out", SOCK_STREAM));
	claim("seqpacket", reach("out", SOCK_SEQPACKET));
	claim("dgram", reach("out", SOCK_DGRAM));
	claim("own-stream", reach("in", SOCK_STREAM));
	claim("own-dgram", reach("in", SOCK_DGRAM));
}

static int make_segment(void)
{
	int id = shmget(IPC_PRIVATE, sizeof(text), IPC_CREAT | 0666);
	char *p = shmat(id, NULL, 0);

	must("shmat", p == (void *)-1 ? -1 : 0);
	strcpy(p, text);
	shmdt(p);
	return id;
}

static int read_segment(int id)
{
	const char *p = shmat(id, NULL, 0);

	if (p == (void *)-1)
		return -1;
	errno = EBADMSG;
	return strcmp(p, text) ? -1 : 0;
}

static void make_outside_segment(void)
{
	shared->ids[0] = make_segment();
}

static void e59(void)
{
	must("ipcns", unshare(CLONE_NEWIPC));
	outsider(make_outside_segment);
	enter("jail");
	claim("shmat", read_segment(shared->ids[0]));
	claim("own", read_segment(make_segment()));
}

struct message {
	long type;
	char body[sizeof(text)];
};

static int make_messages(void)
{
	struct message m = { .type = 1 };
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0666);

	strcpy(m.body, text);
	must("msgsnd", msgsnd(id, &m, sizeof(m.body), 0));
	return id;
}

static int make_semaphore(void)
{
	int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0666);

	must("semget", id);
	return id;
}

static int read_message(int id)
{
	struct message m = { 0 };

	if (msgrcv(id, &m, sizeof(m.body), 0, IPC_NOWAIT) < 0)
		return -1;
	errno = EBADMSG;
	return strcmp(m.body, text) ? -1 : 0;
}

static int raise_semaphore(int id)
{
	struct sembuf up = { .sem_op = 1 };

	return semop(id, &up, 1);
}

static void make_queue(const char *name)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = sizeof(text) };
	mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0666, &attr);

	must("mq_open", q);
	must("mq_send", mq_send(q, text, sizeof(text), 0));
}

static int read_queue(const char *name)
{
	char got[sizeof(text)] = "";
	mqd_t q = mq_open(name, O_RDONLY | O_NONBLOCK);

	if (q < 0 || mq_receive(q, got, sizeof(got), NULL) < 0)
		return -1;
	errno = EBADMSG;
	return strcmp(got, text) ? -1 : 0;
}

static void make_outside_objects(void)
{
	shared->ids[0] = make_messages();
	shared->ids[1] = make_semaphore();
	make_queue(QUEUE);
}

static void e60(void)
{
	must("ipcns", unshare(CLONE_NEWIPC));
	outsider(make_outside_objects);
	enter("jail");
	make_queue(OWN_QUEUE);
	claim("msgrcv", read_message(shared->ids[0]));
	claim("semop", raise_semaphore(shared->ids[1]));
	claim("mq", read_queue(QUEUE));
	claim("own-msgrcv", read_message(make_messages()));
	claim("own-semop", raise_semaphore(make_semaphore()));
	claim("own-mq", read_queue(OWN_QUEUE));
}

const struct row ipc_rows[] = {
	{ "E58", "abstract sockets of others outside; its own are reached", e58 },
	{ "E59", "a shared memory segment of others outside; its own is attached", e59 },
	{ "E60", "queues and semaphores of others outside; its own are used", e60 },
	{ 0 },
};
