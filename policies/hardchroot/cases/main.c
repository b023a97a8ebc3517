// SPDX-License-Identifier: GPL-2.0-only
/* Command line; a place, a process and a watchdog for each row. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cases.h"

#define ROW_SECONDS 20

static const struct row *const areas[] = {
	lookup_rows, fd_rows,  uring_rows, namespace_rows, mount_rows, file_rows, task_rows,
	signal_rows, ipc_rows, admin_rows, kernel_rows,	   undo_rows,  race_rows,
};
#define N_AREAS	 (sizeof(areas) / sizeof(areas[0]))
#define MAX_ROWS 100

/* Of all areas, in the order of their ids; the last is NULL. */
static const struct row *rows[MAX_ROWS + 1];

static char base[] = "/run/hardchroot.XXXXXX";

static int usage(FILE *to, int status)
{
	fputs("usage: hardchroot-cases list | run [ID...]\n"
	      "Without ID all but the races, R, which take CHECMATE_RACE_SECONDS (20) each.\n",
	      to);
	return status;
}

static int fail(const char *what)
{
	fprintf(stderr, "hardchroot-cases: %s: %s\n", what, strerror(errno));
	return 1;
}

static int by_id(const void *a, const void *b)
{
	return strcmp((*(const struct row *const *)a)->id, (*(const struct row *const *)b)->id);
}

static void collect_rows(void)
{
	const struct row *row;
	size_t i, n = 0;

	for (i = 0; i < N_AREAS; i++) {
		for (row = areas[i]; row->id && n < MAX_ROWS; row++)
			rows[n++] = row;
	}
	qsort(rows, n, sizeof(rows[0]), by_id);
}

static const struct row *find_row(const char *id)
{
	const struct row **row;

	for (row = rows; *row; row++) {
		if (!strcmp((*row)->id, id))
			return *row;
	}
	return NULL;
}

/* All that a row mounts goes with its namespace. Processes of the row are in its session. */
static void run_in_place(const struct row *row)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	umask(0);
	snprintf(shared->secret, sizeof(shared->secret), "%s/%s/secret", base, row->id);
	must("unshare", unshare(CLONE_NEWNS));
	must("private", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must("base", chdir(base));
	must("place", mkdir(row->id, 0755));
	must("place", chdir(row->id));
	must("jail", mkdir("jail", 0755));
	must("side", mkdir("side", 0755));
	create("secret", NULL);
	row->run();
}

/* 0 once it has ended by itself */
static int watch(pid_t pid)
{
	struct pollfd pfd = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int n = poll(&pfd, 1, (ROW_SECONDS + race_seconds()) * 1000);

	close(pfd.fd);
	return n == 1 ? 0 : -1;
}

static int run_row(const struct row *row)
{
	int status, ended;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	pid = fork();
	if (pid < 0)
		return fail("fork");
	if (!pid) {
		run_in_place(row);
		_exit(0);
	}
	ended = watch(pid);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (ended)
		claim_word("watchdog", "timeout");
	else if (WIFSIGNALED(status))
		claim_word("killed", sigabbrev_np(WTERMSIG(status)));
	printf("%s%s\n", row->id, shared->line);
	fflush(stdout);
	return 0;
}

static int run_all(void)
{
	const struct row **row;

	for (row = rows; *row; row++) {
		if ((*row)->id[0] != 'R' && run_row(*row))
			return 1;
	}
	return 0;
}

static int run_some(char **ids)
{
	for (; *ids; ids++) {
		if (run_row(find_row(*ids)))
			return 1;
	}
	return 0;
}

static int list(void)
{
	const struct row **row;

	for (row = rows; *row; row++)
		printf("%s %s\n", (*row)->id, (*row)->title);
	return 0;
}

static int run(char **ids)
{
	char **id;
	int r;

	for (id = ids; *id; id++) {
		if (!find_row(*id)) {
			fprintf(stderr, "hardchroot-cases: no row '%s'\n", *id);
			return 2;
		}
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return fail("mmap");
	if (!mkdtemp(base))
		return fail(base);
	if (mount("tmpfs", base, "tmpfs", 0, "mode=755,size=16m")) {
		rmdir(base);
		return fail(base);
	}
	r = *ids ? run_some(ids) : run_all();
	umount2(base, MNT_DETACH);
	rmdir(base);
	return r;
}

int main(int argc, char **argv)
{
	collect_rows();
	if (argc == 2 && !strcmp(argv[1], "--help"))
		return usage(stdout, 0);
	if (argc == 2 && !strcmp(argv[1], "list"))
		return list();
	if (argc >= 2 && !strcmp(argv[1], "run"))
		return run(argv + 2);
	return usage(stderr, 2);
}
