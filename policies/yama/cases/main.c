// SPDX-License-Identifier: GPL-2.0-only
/* The command line, and which case runs when. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

#define MAX_CASES     128
#define PARANOID      "/proc/sys/kernel/perf_event_paranoid"
#define LOG_WINDOW_US 5300000 /* the kernel lets 10 records through in 5 s */
#define LOG_BURST     10

int run_scope = -1;

static struct job jobs[MAX_CASES]; /* those asked for, in the order of the table */
static size_t n_jobs;
static int paranoid_before = -1;
static volatile sig_atomic_t interrupted;

static const struct area *const areas[] = {
	&attach_area,  &cred_area,   &relation_area, &ns_area,	   &prctl_area,
	&traceme_area, &access_area, &existing_area, &sysctl_area, &log_area,
};

/* --- small files ------------------------------------------------------------------------- */

static int read_int(const char *path)
{
	FILE *f = fopen(path, "re");
	int v = -EINVAL;

	if (!f)
		return -errno;
	if (fscanf(f, "%d", &v) != 1)
		v = -EINVAL;
	fclose(f);
	return v;
}

static int write_int(const char *path, int v)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (dprintf(fd, "%d\n", v) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* --- the scope in force ------------------------------------------------------------------ */

const char *scope_file(void)
{
	return getenv("YAMA_FILE") ?: "/proc/sys/kernel/yama/ptrace_scope";
}

bool scope_file_exists(void)
{
	return access(scope_file(), F_OK) == 0;
}

int scope_read(void)
{
	return read_int(scope_file());
}

int scope_set(int scope)
{
	const char *set = getenv("YAMA_SET");
	char *command;
	int status;

	if (!set || !*set)
		return write_int(scope_file(), scope);
	if (asprintf(&command, "%s %d >/dev/null", set, scope) < 0)
		return -ENOMEM;
	status = system(command);
	free(command);
	return status ? -EIO : 0;
}

/* --- which cases ------------------------------------------------------------------------- */

/* "A01", or all that begin so: "A"; or "all". */
static bool matches(const char *id, const char *arg)
{
	return !strcmp(arg, "all") || !strncmp(id, arg, strlen(arg));
}

static void add_jobs(char **args, int n, const char *without)
{
	bool used[MAX_CASES] = { false };

	for (size_t a = 0; a < ARRAY_SIZE(areas); a++) {
		for (size_t i = 0; i < areas[a]->n; i++) {
			const struct yama_case *c = &areas[a]->cases[i];
			bool wanted = false;

			for (int k = 0; k < n; k++) {
				if (matches(c->id, args[k]))
					wanted = used[k] = true;
			}
			if (without && matches(c->id, without))
				continue;
			if (wanted && n_jobs < MAX_CASES)
				jobs[n_jobs++].c = c;
		}
	}
	for (int k = 0; k < n; k++) {
		if (!used[k]) {
			fprintf(stderr, "yama-cases: no case '%s'\n", args[k]);
			exit(2);
		}
	}
}

/* What the contract expects, false where it has no value for that scope. */
static bool expected(const struct yama_case *c, int scope, char *buf, size_t len)
{
	buf[0] = '\0';
	if (c->expect_fn)
		c->expect_fn(scope, buf, len);
	else if (c->expect[scope])
		snprintf(buf, len, "%s", c->expect[scope]);
	return buf[0];
}

static bool has_value(const struct job *j)
{
	char buf[sizeof(j->tokens)];

	return expected(j->c, run_scope, buf, sizeof(buf));
}

static bool is_runnable(const struct job *j)
{
	return has_value(j) && !((j->c->flags & CASE_FILE) && !scope_file_exists());
}

/* --- running ----------------------------------------------------------------------------- */

static void on_signal(int sig)
{
	interrupted = sig;
}

static size_t running(void)
{
	size_t n = 0;

	for (size_t i = 0; i < n_jobs; i++)
		n += jobs[i].keeper > 0;
	return n;
}

static void stop_all(void)
{
	for (size_t i = 0; i < n_jobs; i++) {
		if (jobs[i].keeper > 0)
			kill(jobs[i].keeper, SIGTERM);
	}
}

/* Waits until at most that many cases run. */
static void drain(size_t most)
{
	while (running() > most) {
		int status;
		pid_t pid = wait(&status);

		if (interrupted)
			stop_all();
		for (size_t i = 0; i < n_jobs && pid > 0; i++) {
			if (jobs[i].keeper == pid)
				job_finish(&jobs[i], status);
		}
	}
}

static void perf_allow(void)
{
	for (size_t i = 0; i < n_jobs; i++) {
		if (!(jobs[i].c->flags & CASE_PERF) || paranoid_before >= 0)
			continue;
		paranoid_before = read_int(PARANOID);
		/* -1 is a value too, but then there is nothing to do */
		if (paranoid_before > 1)
			write_int(PARANOID, 1);
	}
}

static void perf_restore(void)
{
	if (paranoid_before > 1)
		write_int(PARANOID, paranoid_before);
}

static void run_concurrent(size_t width)
{
	for (size_t i = 0; i < n_jobs && !interrupted; i++) {
		if ((jobs[i].c->flags & (CASE_ALONE | CASE_LATCH | CASE_LOG)) ||
		    !is_runnable(&jobs[i]))
			continue;
		drain(width - 1);
		job_start(&jobs[i], false);
	}
	drain(0);
}

static void run_alone(void)
{
	for (size_t i = 0; i < n_jobs && !interrupted; i++) {
		if (!(jobs[i].c->flags & (CASE_ALONE | CASE_LATCH)) || !is_runnable(&jobs[i]))
			continue;
		job_start(&jobs[i], false);
		drain(0);
		/* a case that broke off may have left another scope behind */
		if (jobs[i].failed && run_scope < 3)
			scope_set(run_scope);
	}
}

/* Log cases count records, so each needs room in the kernel's budget of them. */
static void run_log(void)
{
	unsigned int room = 0;

	for (size_t i = 0; i < n_jobs && !interrupted; i++) {
		if (!(jobs[i].c->flags & CASE_LOG) || !is_runnable(&jobs[i]))
			continue;
		if (run_scope > 0 && room < jobs[i].c->log_lines) {
			usleep(LOG_WINDOW_US);
			room = LOG_BURST;
		}
		job_start(&jobs[i], false);
		drain(0);
		room -= jobs[i].c->log_lines < room ? jobs[i].c->log_lines : room;
	}
}

static int print_results(void)
{
	int err = 0;

	for (size_t i = 0; i < n_jobs; i++) {
		const struct job *j = &jobs[i];

		if (!has_value(j)) {
			printf("%s -\n", j->c->id);
		} else if (!is_runnable(j)) {
			printf("%s skip=no-file\n", j->c->id);
		} else if (j->failed || !j->tokens[0]) {
			printf("%s error\n", j->c->id);
			err = 1;
		} else {
			printf("%s %s\n", j->c->id, j->tokens);
		}
	}
	return err;
}

static int cmd_run(size_t width)
{
	if (run_scope < SCOPE_NONE && scope_file_exists() && scope_read() != run_scope) {
		fprintf(stderr, "yama-cases: the scope is %d, -s says %d\n", scope_read(),
			run_scope);
		return 1;
	}
	for (size_t i = 0; i < n_jobs; i++) {
		if (run_scope == 3 && (jobs[i].c->flags & CASE_LATCH) && has_value(&jobs[i])) {
			fprintf(stderr, "yama-cases: %s at scope 3: only by run-latch\n",
				jobs[i].c->id);
			return 1;
		}
	}
	exec_image();
	perf_allow();
	run_concurrent(width);
	run_alone();
	run_log();
	perf_restore();
	return interrupted ? 1 : print_results();
}

/* All are prepared at 0, then the scope goes to 3 for good, then they act one by one. */
static int cmd_run_latch(void)
{
	char byte;
	int err = 0;

	run_scope = 3;
	if (scope_file_exists() && scope_read() != 0) {
		fprintf(stderr, "yama-cases: run-latch wants scope 0, not %d\n", scope_read());
		return 1;
	}
	exec_image();
	for (size_t i = 0; i < n_jobs; i++) {
		if ((jobs[i].c->flags & CASE_LATCH) && is_runnable(&jobs[i]))
			job_start(&jobs[i], true);
	}
	for (size_t i = 0; i < n_jobs; i++) {
		if (jobs[i].keeper > 0 && read(jobs[i].ready, &byte, 1) != 1)
			err = 1;
	}
	if (err)
		fprintf(stderr, "yama-cases: run-latch: not all cases are prepared\n");
	else if (scope_set(3))
		err = fprintf(stderr, "yama-cases: run-latch: cannot set the scope to 3\n");
	if (err)
		stop_all();
	for (size_t i = 0; i < n_jobs && !err; i++) {
		if (jobs[i].keeper > 0 && write(jobs[i].go, &byte, 1) != 1)
			err = 1;
	}
	drain(0);
	return print_results() || err;
}

static int cmd_list(void)
{
	for (size_t i = 0; i < n_jobs; i++)
		printf("%s %s\n", jobs[i].c->id, jobs[i].c->title);
	return 0;
}

static int cmd_expect(void)
{
	for (size_t i = 0; i < n_jobs; i++) {
		char buf[sizeof(jobs[i].tokens)];
		bool has = expected(jobs[i].c, run_scope, buf, sizeof(buf));

		printf("%s %s\n", jobs[i].c->id, has ? buf : "-");
	}
	return 0;
}

/* --- command line ------------------------------------------------------------------------ */

static int usage(FILE *to)
{
	fprintf(to,
		"usage: yama-cases list [ID...]\n"
		"       yama-cases run -s SCOPE [-j N] [-x ID] ID...\n"
		"       yama-cases run-latch ID...\n"
		"       yama-cases expect -s SCOPE ID...\n"
		"ID: a case, the beginning of some, or 'all'. SCOPE: 0..3, the value in force,\n"
		"or 'none' without any Yama. -j: how many at once (4). -x: all but these.\n"
		"run-latch starts at scope 0 and ends at 3.\n"
		"Environment: YAMA_SET: command that sets the scope to its last argument\n"
		"(default: writes YAMA_FILE). YAMA_FILE: the sysctl file.\n"
		"YAMA_LOG: 'kmsg' or 'cmd:COMMAND' that prints one line an event.\n");
	return to == stdout ? 0 : 2;
}

static int parse_scope(const char *s)
{
	if (!strcmp(s, "none"))
		return SCOPE_NONE;
	return s[0] >= '0' && s[0] <= '3' && !s[1] ? s[0] - '0' : -1;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	const char *cmd = argc > 1 ? argv[1] : "";
	bool needs_scope = !strcmp(cmd, "run") || !strcmp(cmd, "expect");
	const char *without = NULL;
	long width = 4;
	int opt;

	if (!strcmp(cmd, "--help") || !strcmp(cmd, "-h"))
		return usage(stdout);
	argc -= argc > 1;
	argv += argc > 0 && *cmd;
	while ((opt = getopt(argc, argv, "s:j:x:")) != -1) {
		if (opt == 's')
			run_scope = parse_scope(optarg);
		else if (opt == 'j')
			width = strtol(optarg, NULL, 10);
		else if (opt == 'x')
			without = optarg;
		else
			return usage(stderr);
	}
	if (width < 1 || (needs_scope && run_scope < 0) || (strcmp(cmd, "list") && optind == argc))
		return usage(stderr);
	if (optind < argc)
		add_jobs(argv + optind, argc - optind, without);
	else
		add_jobs((char *[]){ "all" }, 1, without);
	if (!strcmp(cmd, "list"))
		return cmd_list();
	if (!strcmp(cmd, "expect"))
		return cmd_expect();

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	map_probe();
	if (!strcmp(cmd, "run"))
		return cmd_run(width);
	if (!strcmp(cmd, "run-latch"))
		return cmd_run_latch();
	return usage(stderr);
}
