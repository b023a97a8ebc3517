// SPDX-License-Identifier: GPL-2.0-only
/* The director's side: spawns actors, has them carry out ops, collects the line's tokens. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

#define MAX_ACTORS 24
#define CASE_MS	   25000

enum reply_kind {
	REPLY_HELLO,
	REPLY_RESULT
};

struct reply {
	enum reply_kind kind;
	long value; /* HELLO: the tid in the initial pid namespace */
};

/* Ops travel as a distance, for an actor that was executed anew lies at another address. */
struct request {
	long op_distance;
	struct call c;
};

static struct {
	int mine, theirs; /* the two ends of its channel */
	pid_t tid;
} actors[MAX_ACTORS];
static int n_actors;
static const char *case_id;
static int ready_fd = -1, go_fd = -1;
static char tokens[sizeof(((struct job *)0)->tokens)];
static size_t tokens_len;
static int64_t deadline;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

void fail(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "yama-cases: %s: ", case_id);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

void director_init(const char *id, int ready, int go)
{
	case_id = id;
	ready_fd = ready;
	go_fd = go;
	deadline = now_ms() + CASE_MS;
	for (int i = 1; i < MAX_ACTORS; i++) {
		int sv[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv))
			fail("socketpair: %s", strerror(errno));
		actors[i].mine = sv[0];
		actors[i].theirs = sv[1];
	}
	actors[ME].tid = getpid();
	n_actors = 1;
}

/* --- the actor's side -------------------------------------------------------------------- */

/*
 * The tid as the initial pid namespace has it, wherever the caller lives: /proc is that of
 * the initial namespace.
 */
static pid_t outer_tid(void)
{
	char buf[64];
	ssize_t n = readlink("/proc/thread-self", buf, sizeof(buf) - 1);
	char *slash;

	if (n < 0)
		return -1;
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	return slash ? atoi(slash + 1) : -1;
}

static void reply(int fd, enum reply_kind kind, long value)
{
	struct reply r = { .kind = kind, .value = value };

	while (send(fd, &r, sizeof(r), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

void actor_main(int fd)
{
	reply(fd, REPLY_HELLO, outer_tid());
	for (;;) {
		struct request rq;
		ssize_t n = recv(fd, &rq, sizeof(rq), 0);
		op_fn op;

		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(rq))
			_exit(1);
		op = (op_fn)((long)actor_main + rq.op_distance);
		rq.c.fd = fd;
		reply(fd, REPLY_RESULT, op(&rq.c));
	}
}

/* --- the director's side ----------------------------------------------------------------- */

static struct reply receive(int actor, const char *what)
{
	struct pollfd p = { .fd = actors[actor].mine, .events = POLLIN };
	struct reply r;
	int64_t left;

	do {
		left = deadline - now_ms();
		if (left <= 0)
			fail("no answer from actor %d to %s", actor, what);
	} while (poll(&p, 1, left) <= 0);
	if (recv(p.fd, &r, sizeof(r), 0) != sizeof(r))
		fail("lost actor %d in %s", actor, what);
	return r;
}

static void await_hello(int actor)
{
	struct reply r = receive(actor, "spawn or exec");

	if (r.kind != REPLY_HELLO)
		fail("actor %d cannot spawn or exec: %s", actor, letter(r.value));
	if (r.value <= 0)
		fail("actor %d cannot read /proc/thread-self", actor);
	actors[actor].tid = r.value;
}

void post_op(int actor, op_fn op, struct call c)
{
	struct request rq = { .op_distance = (long)op - (long)actor_main, .c = c };

	if (send(actors[actor].mine, &rq, sizeof(rq), MSG_NOSIGNAL) != sizeof(rq))
		fail("send to actor %d: %s", actor, strerror(errno));
}

long await(int actor)
{
	return receive(actor, "a posted op").value;
}

long call_op(int actor, op_fn op, const char *name, bool insist, struct call c)
{
	long r;

	if (actor == ME) {
		r = op(&c);
	} else {
		post_op(actor, op, c);
		r = receive(actor, name).value;
	}
	if (insist && r < 0)
		fail("%s by actor %d: %s", name, actor, strerror(-r));
	return r;
}

static int new_actor(void)
{
	if (n_actors == MAX_ACTORS)
		fail("too many actors");
	return n_actors++;
}

int spawn_begin(int parent, enum spawn_how how)
{
	int actor = new_actor();

	post(parent, op_spawn, actors[actor].theirs, how);
	return actor;
}

void spawn_end(int actor)
{
	await_hello(actor);
}

int spawn(int parent, enum spawn_how how)
{
	int actor;

	if (parent == ME || how != SPAWN_VFORK) {
		actor = new_actor();
		need(parent, op_spawn, actors[actor].theirs, how);
	} else {
		actor = spawn_begin(parent, how);
	}
	spawn_end(actor);
	return actor;
}

int spawn_with_pid(int parent, pid_t pid)
{
	int actor = new_actor();

	need(parent, op_spawn_with_pid, actors[actor].theirs, pid);
	await_hello(actor);
	return actor;
}

pid_t pid_of(int actor)
{
	return actors[actor].tid;
}

int user(void)
{
	int actor = spawn(ME, SPAWN_FORK);

	need(actor, op_become, UID_USER);
	return actor;
}

int child_of(int parent)
{
	return spawn(parent, SPAWN_FORK);
}

int thread_of(int parent)
{
	return spawn(parent, SPAWN_THREAD);
}

void exec_as(int actor, int argv)
{
	post(actor, op_exec, exec_image(), argv);
	await_hello(actor);
}

/* The state letter of a task, 0 where there is none. */
static char task_state(pid_t tid)
{
	char path[64], buf[256], *paren;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	paren = strrchr(buf, ')');
	return paren && paren[1] ? paren[2] : 0;
}

/* No event tells that a single thread, or a leader before its threads, has gone: look again. */
static void await_state(pid_t tid, char state)
{
	while (task_state(tid) != state) {
		if (now_ms() > deadline)
			fail("task did not reach state '%c'", state ? state : '0');
		usleep(2000);
	}
}

void end_thread(int actor)
{
	post(actor, op_exit_thread);
	await_state(pid_of(actor), 0);
}

void end_leader(int actor)
{
	post(actor, op_exit_thread);
	await_state(pid_of(actor), 'Z');
}

void end_process(int actor, int parent)
{
	post(actor, op_exit);
	need(parent, op_reap, pid_of(actor));
}

void end_to_zombie(int actor, int parent)
{
	post(actor, op_exit);
	need(parent, op_await_zombie, pid_of(actor));
}

/* A task is freed some time after it was reaped, and nothing tells when. */
void rcu_wait(void)
{
	usleep(RCU_WAIT_MS * 1000);
}

void scope_lower(void)
{
	if (go_fd < 0 && run_scope && scope_set(0))
		fail("cannot set the scope to 0");
}

void scope_raise(void)
{
	char byte = 'r';

	if (go_fd < 0) {
		if (run_scope && scope_set(run_scope))
			fail("cannot set the scope to %d", run_scope);
		return;
	}
	if (write(ready_fd, &byte, 1) != 1 || read(go_fd, &byte, 1) != 1)
		fail("nobody said go");
}

/* --- the result line --------------------------------------------------------------------- */

const char *letter(long result)
{
	switch (result) {
	case 0 ... __LONG_MAX__:
		return "OK";
	case -EPERM:
		return "P";
	case -EACCES:
		return "C";
	case -ESRCH:
		return "S";
	case -EINVAL:
		return "V";
	default:
		return strerrorname_np(-result) ?: "?";
	}
}

void tok_fmt(const char *fmt, ...)
{
	size_t left = sizeof(tokens) - tokens_len;
	va_list ap;
	int n;

	if (tokens_len && left > 1) {
		tokens[tokens_len++] = ' ';
		left--;
	}
	va_start(ap, fmt);
	n = vsnprintf(tokens + tokens_len, left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= left)
		fail("result line too long");
	tokens_len += n;
}

void tok(const char *name, long result)
{
	tok_fmt("%s=%s", name, letter(result));
}

void tok_a_rv(int agent, int target)
{
	tok("A", attach(agent, target));
	tok("RV", read_vm(agent, target));
}

const char *tokens_get(void)
{
	return tokens;
}

long attach(int agent, int target)
{
	return call(agent, op_attach, pid_of(target));
}

long read_vm(int agent, int target)
{
	return call(agent, op_read_vm, pid_of(target));
}

long ptracer(int actor, long arg)
{
	return call(actor, op_ptracer, arg);
}
