// SPDX-License-Identifier: GPL-2.0-only
/*
 * One keeper per case: the director's parent and the subreaper of every actor. It ends the
 * case when it takes too long, and leaves nothing of it behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

#define WATCHDOG_S 30

static void director(const struct yama_case *c, int out, int ready, int go)
{
	size_t len;

	director_init(c->id, ready, go);
	c->run();
	len = strlen(tokens_get());
	if (write(out, tokens_get(), len) != (ssize_t)len)
		fail("write: %s", strerror(errno));
	exit(0);
}

/* Ends and reaps everything in the director's process group, until there is no child left. */
static void sweep(pid_t group, const sigset_t *sigs)
{
	struct timespec again = { .tv_nsec = 50 * 1000 * 1000 };

	for (;;) {
		pid_t pid;

		kill(-group, SIGKILL);
		do {
			pid = waitpid(-1, NULL, WNOHANG | __WALL);
		} while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return;
		sigtimedwait(sigs, NULL, &again);
	}
}

/* Returns whether the director finished well; reaps orphans meanwhile. */
static bool watch(pid_t dir, const char *id, const sigset_t *sigs)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += WATCHDOG_S;
	for (;;) {
		struct timespec left = { 0 };
		int status;
		pid_t pid;

		while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) {
			if (pid == dir)
				return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = end.tv_sec - now.tv_sec;
		if (left.tv_sec <= 0) {
			fprintf(stderr, "yama-cases: %s: still running after %d s\n", id,
				WATCHDOG_S);
			return false;
		}
		if (sigtimedwait(sigs, NULL, &left) == SIGTERM)
			return false;
	}
}

static void keeper(const struct yama_case *c, int out, int ready, int go)
{
	sigset_t sigs, old;
	pid_t dir;
	bool ok;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&sigs);
	sigaddset(&sigs, SIGCHLD);
	sigaddset(&sigs, SIGTERM);
	sigprocmask(SIG_BLOCK, &sigs, &old);
	dir = fork();
	if (dir < 0)
		_exit(1);
	if (!dir) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &old, NULL);
		director(c, out, ready, go);
	}
	setpgid(dir, dir);
	ok = watch(dir, c->id, &sigs);
	sweep(dir, &sigs);
	_exit(ok ? 0 : 1);
}

static void pipe_or_die(int p[2])
{
	if (pipe2(p, O_CLOEXEC)) {
		perror("yama-cases: pipe");
		exit(1);
	}
}

void job_start(struct job *j, bool latch)
{
	int out[2], ready[2] = { -1, -1 }, go[2] = { -1, -1 };

	pipe_or_die(out);
	if (latch) {
		pipe_or_die(ready);
		pipe_or_die(go);
	}
	fflush(NULL);
	j->keeper = fork();
	if (j->keeper < 0) {
		perror("yama-cases: fork");
		exit(1);
	}
	if (!j->keeper)
		keeper(j->c, out[1], ready[1], go[0]);
	close(out[1]);
	j->out = out[0];
	j->ready = ready[0];
	j->go = go[1];
	if (latch) {
		close(ready[1]);
		close(go[0]);
	}
}

/* The keeper is gone, and with it every other holder of the pipe: it can be read to its end. */
void job_finish(struct job *j, int status)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(j->out, j->tokens + len, sizeof(j->tokens) - 1 - len);
		if (n > 0)
			len += n;
	} while (n > 0);
	j->tokens[len] = '\0';
	close(j->out);
	j->failed = !WIFEXITED(status) || WEXITSTATUS(status) || !len;
	j->keeper = 0;
}
