// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may trace whom, asked again and again of the same processes:
 *
 *	scope-matrix TRACER_CGROUP TARGET_CGROUP
 *
 * tracer and root are put in the first cgroup, their targets in the second. The first line printed
 * names their pids, so that they can be moved. Then each line on standard input is answered:
 *
 *	try		each relation once, by process_vm_readv and by PTRACE_ATTACH
 *	watch SECONDS	process_vm_readv all the time
 *
 * with "unrelated=EPERM child=OK ...": what came of it, both joined by "+" where outcomes differ.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

enum role {
	TRACER,	 /* uid 1000 */
	CHILD,	 /* the tracer's */
	SIBLING, /* of the tracer */
	ANY,	 /* a sibling that lets anyone trace it */
	ROOT,	 /* with all capabilities */
	ROLES,
};

static const char *const roles[ROLES] = { "tracer", "child", "sibling", "any", "root" };

enum relation {
	UNRELATED, /* tracer and sibling */
	DIRECT,	   /* tracer and its child */
	DECLARED,  /* tracer and any */
	CAPABLE,   /* root and sibling */
	TRACEME,   /* the tracer's child asks for it */
	RELATIONS,
};

static const char *const relations[RELATIONS] = { "unrelated", "child", "any", "root", "traceme" };

/* Seen outcomes of a relation. */
#define SEEN_OK	   1u
#define SEEN_EPERM 2u
#define SEEN_OTHER 4u

static struct shared {
	pid_t pids[ROLES];
	unsigned int seen[RELATIONS];
	int other[RELATIONS]; /* the errno */
	unsigned long attempts[RELATIONS];
	int traceme;
	int watch; /* seconds; 0: try */
} * shared;

struct channel {
	int ask[2], answer[2];
};

static struct channel channels[ROLES];
static volatile unsigned long word = 0x5c09e;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void record(enum relation relation, int error)
{
	shared->attempts[relation]++;
	if (!error) {
		shared->seen[relation] |= SEEN_OK;
	} else if (error == EPERM) {
		shared->seen[relation] |= SEEN_EPERM;
	} else {
		shared->seen[relation] |= SEEN_OTHER;
		shared->other[relation] = error;
	}
}

static int try_readv(pid_t pid)
{
	unsigned long copy = 0;
	struct iovec local = { &copy, sizeof(copy) };
	struct iovec remote = { (void *)&word, sizeof(word) };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(copy))
		return errno;
	return copy == word ? 0 : EBADMSG;
}

static int try_attach(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return errno;
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_DETACH, pid, 0, 0))
		return errno ? errno : EBADMSG;
	return 0;
}

/* The child asks, then stops, traced or not; either way it goes on afterwards. */
static int try_traceme(void)
{
	pid_t child = shared->pids[CHILD];
	int status, error;

	shared->traceme = -1;
	if (write(channels[CHILD].ask[1], "", 1) != 1 ||
	    waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
		die("scope-matrix: the child does not stop");
	error = shared->traceme;
	if (error ? kill(child, SIGCONT) : ptrace(PTRACE_DETACH, child, 0, 0))
		die("scope-matrix: the child does not go on");
	return error;
}

static void try_one(enum relation relation, pid_t pid)
{
	record(relation, try_readv(pid));
	record(relation, try_attach(pid));
}

static void ask_tracer(void)
{
	static const enum role targets[] = {
		[UNRELATED] = SIBLING, [DIRECT] = CHILD, [DECLARED] = ANY
	};
	time_t end = time(NULL) + shared->watch;
	int i;

	do {
		for (i = UNRELATED; i <= DECLARED; i++) {
			if (shared->watch)
				record(i, try_readv(shared->pids[targets[i]]));
			else
				try_one(i, shared->pids[targets[i]]);
		}
	} while (time(NULL) < end);
	if (!shared->watch)
		record(TRACEME, try_traceme());
}

static void ask_root(void)
{
	time_t end = time(NULL) + shared->watch;

	do {
		if (shared->watch)
			record(CAPABLE, try_readv(shared->pids[SIBLING]));
		else
			try_one(CAPABLE, shared->pids[SIBLING]);
	} while (time(NULL) < end);
}

static void answer_child(void)
{
	shared->traceme = ptrace(PTRACE_TRACEME, 0, 0, 0) ? errno : 0;
	raise(SIGSTOP);
}

static void answer_none(void)
{
}

static void serve(enum role role, void (*answer)(void))
{
	char c;

	/* Not before now: a change of user clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("scope-matrix: PR_SET_PDEATHSIG");
	if (write(channels[role].answer[1], "", 1) != 1)
		die("scope-matrix: write");
	while (read(channels[role].ask[0], &c, 1) == 1) {
		answer();
		if (role != CHILD && write(channels[role].answer[1], "", 1) != 1)
			die("scope-matrix: write");
	}
	_exit(0);
}

static void wait_for(enum role role)
{
	char c;

	if (read(channels[role].answer[0], &c, 1) != 1)
		die("scope-matrix: a process is gone");
}

static void become_user(void)
{
	/* The change of user made it undumpable, which the kernel would take for a privilege. */
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000) ||
	    prctl(PR_SET_DUMPABLE, 1))
		die("scope-matrix: cannot become uid 1000");
}

static pid_t start(enum role role)
{
	pid_t pid = fork();

	if (pid < 0)
		die("scope-matrix: fork");
	if (pid) {
		shared->pids[role] = pid;
		wait_for(role);
		return pid;
	}
	if (role != ROOT && role != CHILD)
		become_user();
	switch (role) {
	case TRACER:
		start(CHILD);
		serve(role, ask_tracer);
		break;
	case ROOT:
		serve(role, ask_root);
		break;
	case CHILD:
		serve(role, answer_child);
		break;
	case ANY:
		if (prctl(PR_SET_PTRACER, -1, 0, 0, 0))
			die("scope-matrix: PR_SET_PTRACER");
		serve(role, answer_none);
		break;
	default:
		serve(role, answer_none);
	}
	_exit(0);
}

static void move(enum role role, const char *cgroup)
{
	char path[4096], text[16];
	int fd, len = snprintf(text, sizeof(text), "%d", shared->pids[role]);

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, len) != len)
		die(path);
	close(fd);
}

static void print_answers(void)
{
	int i;

	for (i = 0; i < RELATIONS; i++) {
		unsigned int seen = shared->seen[i];

		if (!seen)
			continue;
		printf("%s%s=%s", i ? " " : "", relations[i],
		       seen & SEEN_OK	   ? seen & SEEN_EPERM ? "OK+EPERM" : "OK"
		       : seen & SEEN_EPERM ? "EPERM"
					   : "");
		if (seen & SEEN_OTHER)
			printf("+%s", strerrorname_np(shared->other[i]));
		if (shared->watch)
			printf(":%lu", shared->attempts[i]);
	}
	putchar('\n');
	fflush(stdout);
}

static void answer_line(const char *line)
{
	static const enum role actors[] = { TRACER, ROOT };
	size_t i;

	shared->watch = 0;
	if (strcmp(line, "try\n") && sscanf(line, "watch %d", &shared->watch) != 1) {
		fprintf(stderr, "scope-matrix: what is %s", line);
		exit(2);
	}
	memset(shared->seen, 0, sizeof(shared->seen));
	memset(shared->attempts, 0, sizeof(shared->attempts));
	for (i = 0; i < 2; i++) {
		if (write(channels[actors[i]].ask[1], "", 1) != 1)
			die("scope-matrix: write");
		/* One at a time: a target has one tracer. */
		if (!shared->watch)
			wait_for(actors[i]);
	}
	for (i = 0; i < 2 && shared->watch; i++)
		wait_for(actors[i]);
	print_answers();
}

int main(int argc, char **argv)
{
	static const enum role mine[] = { SIBLING, ANY, TRACER, ROOT };
	char line[256];
	size_t i;

	if (argc != 3) {
		fprintf(stderr, "usage: scope-matrix TRACER_CGROUP TARGET_CGROUP\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("scope-matrix: mmap");
	for (i = 0; i < ROLES; i++)
		if (pipe2(channels[i].ask, O_CLOEXEC) || pipe2(channels[i].answer, O_CLOEXEC))
			die("scope-matrix: pipe");
	for (i = 0; i < sizeof(mine) / sizeof(*mine); i++)
		start(mine[i]);
	for (i = 0; i < ROLES; i++)
		move(i, i == TRACER || i == ROOT ? argv[1] : argv[2]);
	printf("pids");
	for (i = 0; i < ROLES; i++)
		printf(" %s=%d", roles[i], shared->pids[i]);
	putchar('\n');
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		answer_line(line);
	for (i = 0; i < ROLES; i++)
		kill(shared->pids[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
