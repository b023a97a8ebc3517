// SPDX-License-Identifier: GPL-2.0-only
/* L: what is logged of a denial. T is the target, R the one that attaches. */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

#define RECORD_MAX	9000
#define ATTACH		"ptrace attach of "
#define TRACEME		"ptrace traceme of "
#define BURST		25
#define WINDOW_US	5300000
#define STREAM_QUIET_MS 700  /* a stream that says nothing for so long has said all */
#define STREAM_START_MS 3000 /* ... and listens, unless it said something before */

/* --- the log, from the kernel's ring or from a command ----------------------------------- */

static int log_fd = -1;
static int quiet_ms; /* 0: the ring, where a record is before the denied call returns */

static bool log_read(char *line);

static void stream_open(const char *command)
{
	static char line[RECORD_MAX];
	FILE *f = popen(command, "re");

	if (!f)
		fail("cannot run '%s'", command);
	log_fd = fileno(f);
	quiet_ms = STREAM_START_MS;
	while (log_read(line))
		quiet_ms = STREAM_QUIET_MS;
	quiet_ms = STREAM_QUIET_MS;
}

static void log_open(void)
{
	const char *how = getenv("YAMA_LOG") ?: "kmsg";

	if (!strncmp(how, "cmd:", 4)) {
		stream_open(how + 4);
		return;
	}
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd < 0 || lseek(log_fd, 0, SEEK_END) < 0)
		fail("/dev/kmsg: %s", strerror(errno));
}

/* /dev/kmsg writes what is not printable as \xNN. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		unsigned int c;

		if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &c) == 1) {
			*to++ = c;
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

static bool read_kmsg(char *line)
{
	for (;;) {
		ssize_t n = read(log_fd, line, RECORD_MAX - 1);
		char *text, *end;

		if (n < 0 && errno == EPIPE)
			fail("the kernel log ran over");
		if (n < 0)
			return false;
		line[n] = '\0';
		text = strchr(line, ';');
		end = strchr(line, '\n');
		/* notice, or warning for what was suppressed; both of facility kern */
		if (!text || !end || (strncmp(line, "5,", 2) && strncmp(line, "4,", 2)))
			continue;
		*end = '\0';
		memmove(line, text + 1, end - text);
		unescape(line);
		return true;
	}
}

static bool read_stream(char *line)
{
	struct pollfd p = { .fd = log_fd, .events = POLLIN };
	size_t n = 0;

	while (n < RECORD_MAX - 1 && poll(&p, 1, quiet_ms) > 0) {
		if (read(log_fd, line + n, 1) != 1)
			fail("the event stream ended");
		if (line[n] == '\n') {
			line[n] = '\0';
			return true;
		}
		n++;
	}
	return false;
}

static bool log_read(char *line)
{
	return quiet_ms ? read_stream(line) : read_kmsg(line);
}

/* --- records ----------------------------------------------------------------------------- */

struct record {
	char target[RECORD_MAX / 2], agent[RECORD_MAX / 2]; /* as quoted in the text */
};

static bool copy_between(char *to, size_t len, const char *start, const char *end)
{
	if (!end || (size_t)(end - start) >= len)
		return false;
	memcpy(to, start, end - start);
	to[end - start] = '\0';
	return true;
}

/* Is this the text of that denial? "ptrace attach of "T"[1] was attempted by "A"[2]" */
static bool is_record(const char *line, const char *what, pid_t t, pid_t a, struct record *ret_r)
{
	char mid[64], end[32];
	const char *target = strstr(line, what), *agent;

	if (!target)
		return false;
	target += strlen(what);
	snprintf(mid, sizeof(mid), "[%d] was attempted by ", t);
	snprintf(end, sizeof(end), "[%d]", a);
	agent = strstr(target, mid);
	if (!copy_between(ret_r->target, sizeof(ret_r->target), target, agent))
		return false;
	agent += strlen(mid);
	return copy_between(ret_r->agent, sizeof(ret_r->agent), agent, strstr(agent, end));
}

static struct record last_record;

/* Reads on to the end; counts the records of that denial. */
static int count_records(const char *what, pid_t t, pid_t a)
{
	static char line[RECORD_MAX];
	int n = 0;

	while (log_read(line))
		n += is_record(line, what, t, a, &last_record);
	return n;
}

static int attach_records(int t, int a)
{
	return count_records(ATTACH, pid_of(t), pid_of(a));
}

/* As one token: no blanks, and what is not printable ASCII as <NN>. */
static void tok_text(const char *name, const char *text)
{
	char buf[RECORD_MAX];
	size_t n = 0;

	for (; *text && n + 5 < sizeof(buf); text++) {
		unsigned char c = *text;

		if (c == ' ')
			buf[n++] = '_';
		else if (isgraph(c) && c < 0x7f)
			buf[n++] = c;
		else
			n += sprintf(buf + n, "<%02x>", c);
	}
	buf[n] = '\0';
	tok_fmt("%s=%s", name, n ? buf : "-");
}

static int named_user(int argv)
{
	int actor = user();

	exec_as(actor, argv);
	return actor;
}

static void tok_record(void)
{
	tok_text("target", last_record.target);
	tok_text("agent", last_record.agent);
}

/* --- the cases --------------------------------------------------------------------------- */

static void each_interface(void)
{
	int t = named_user(ARGV_TARGET), r = named_user(ARGV_AGENT);
	pid_t pid = pid_of(t);

	log_open();
	call(r, op_proc_open, pid, F_MEM, O_RDONLY);
	tok_fmt("mem=%d", attach_records(t, r));
	call(r, op_proc_read, pid, F_SYSCALL);
	tok_fmt("syscall=%d", attach_records(t, r));
	call(r, op_getfd, pid, 0);
	tok_fmt("getfd=%d", attach_records(t, r));
	call(r, op_perf, pid, 1);
	tok_fmt("perf=%d", attach_records(t, r));
	call(r, op_read_vm, pid);
	tok_fmt("RV=%d", attach_records(t, r));
	call(r, op_attach, pid);
	tok_fmt("A=%d", attach_records(t, r));
	call(r, op_seize, pid, 0);
	tok_fmt("seize=%d", attach_records(t, r));
	tok_record();
}

static void traceme(void)
{
	int a = named_user(ARGV_AGENT), t = child_of(a);

	exec_as(t, ARGV_TARGET);
	log_open();
	call(t, op_traceme);
	tok_fmt("traceme=%d", count_records(TRACEME, pid_of(t), pid_of(a)));
	tok_record();
}

/* What others refuse before Yama is asked, and what Yama does not refuse. */
static void not_logged(void)
{
	int r = user(), rigid = child_of(r), other = child_of(ME), traced = user();
	int root = child_of(ME);
	pid_t pid = pid_of(traced);

	need(rigid, op_dumpable, 0);
	need(other, op_become, UID_OTHER);
	need(other, op_ptracer, ANY);
	need(traced, op_ptracer, ANY);
	call(root, op_seize, pid, 0); /* refused at scope 3 only */
	log_open();
	attach(r, rigid);
	read_vm(r, rigid);
	tok_fmt("dumpable=%d", attach_records(rigid, r));
	attach(r, other);
	read_vm(r, other);
	tok_fmt("uid=%d", attach_records(other, r));
	call(root, op_attach, KTHREADD);
	tok_fmt("kthread=%d", count_records(ATTACH, KTHREADD, pid_of(root)));
	attach(r, traced);
	tok_fmt("traced=%d", attach_records(traced, r));
	call(r, op_proc_read, pid, F_MAPS);
	call(r, op_proc_read, pid, F_ENVIRON);
	call(r, op_list_fds, pid);
	call(r, op_link, pid, 0);
	call(r, op_kcmp, pid, pid_of(r));
	call(r, op_perf, pid, 0);
	tok_fmt("read=%d", attach_records(traced, r));
}

static void rate_limit(void)
{
	int t = named_user(ARGV_TARGET), r = named_user(ARGV_AGENT);
	int records = 0, suppressed = 0;
	static char line[RECORD_MAX];
	char *note;

	log_open();
	for (int i = 0; i < BURST; i++)
		call(r, op_read_vm, pid_of(t));
	tok_fmt("burst=%d", attach_records(t, r));
	if (run_scope)
		usleep(WINDOW_US);
	call(r, op_read_vm, pid_of(t));
	while (log_read(line)) {
		records += is_record(line, ATTACH, pid_of(t), pid_of(r), &last_record);
		/* Linux says it in a line of its own, ours in a field of the next event. */
		note = strstr(line, " suppressed=");
		if (note)
			suppressed = atoi(note + strlen(" suppressed="));
		note = strstr(line, " callbacks suppressed");
		while (note && note > line && isdigit(note[-1]))
			note--;
		if (note)
			suppressed = atoi(note);
	}
	tok_fmt("later=%d suppressed=%d", records, suppressed);
}

static void tok_target(const char *name, int r, int t)
{
	last_record.target[0] = '\0';
	attach(r, t);
	attach_records(t, r);
	tok_text(name, last_record.target);
}

static void command_lines(void)
{
	int r = named_user(ARGV_AGENT), zombie = named_user(ARGV_TARGET);

	end_to_zombie(zombie, ME);
	log_open();
	tok_target("quotes", r, named_user(ARGV_QUOTES));
	tok_target("blanks", r, named_user(ARGV_BLANKS));
	tok_target("bytes", r, named_user(ARGV_BYTES));
	tok_target("args", r, named_user(ARGV_EMPTY_ARGS));
	tok_target("argv0", r, named_user(ARGV_EMPTY_ARGV0));
	tok_target("zombie", r, zombie);
}

/* A record that is cut short loses its newline, and so is not seen before the next printk. */
static void long_command_line(void)
{
	int t = named_user(ARGV_LONG), r = named_user(ARGV_AGENT);
	int now = 0, later = 0, whole = 0;
	static char line[RECORD_MAX];
	FILE *kmsg;

	log_open();
	attach(r, t);
	while (log_read(line)) {
		now += !!strstr(line, ATTACH "\"xxxxxxxx");
		whole += is_record(line, ATTACH, pid_of(t), pid_of(r), &last_record);
	}
	kmsg = fopen("/dev/kmsg", "we");
	if (!kmsg || fputs("yama-cases: another record\n", kmsg) < 0 || fclose(kmsg))
		fail("/dev/kmsg: %s", strerror(errno));
	while (log_read(line)) {
		later += !!strstr(line, ATTACH "\"xxxxxxxx");
		whole += is_record(line, ATTACH, pid_of(t), pid_of(r), &last_record);
	}
	tok_fmt("now=%d later=%d whole=%d", now, later, whole);
}

#define EACH(n)	     "mem=" n " syscall=" n " getfd=" n " perf=" n " RV=" n " A=" n " seize=" n
#define NOBODY	     " target=- agent=-"
#define NAMES	     " target=\"target\" agent=\"agent\""
#define NOT(traced)  "dumpable=0 uid=0 kthread=0 traced=" traced " read=0"
#define BURST_OF_TEN "burst=10 later=1 suppressed=15"
#define LINES                                                                                      \
	"quotes=\"say_\\x22a\\x22_b\\x5cc\" "                                                      \
	"blanks=\"blanks_a\\x09b\\x0ac\\x0dd\\x0ce\\x0bf__g_\" "                                   \
	"bytes=\"bytes_<01>\\x1b\\x07<7f>_<c3><a9>\" args=\"empty__x\" argv0=\"\" zombie=\"\""
#define CUT_SHORT "now=0 later=1 whole=0"

static const struct yama_case log_cases[] = {
	CASE("L01", "one record for each denial", each_interface,
	     { EACH("0") NOBODY, EACH("1") NAMES, EACH("1") NAMES, EACH("1") NAMES },
	     .flags = CASE_LOG | CASE_PERF, .log_lines = 7),
	CASE("L02", "one record for a denied TRACEME", traceme,
	     { "traceme=0" NOBODY, "traceme=0" NOBODY, "traceme=1" NAMES, "traceme=1" NAMES },
	     .flags = CASE_LOG, .log_lines = 1),
	CASE("L03", "no record of what others refuse", not_logged,
	     { NOT("0"), NOT("0"), NOT("1"), NOT("1") }, .flags = CASE_LOG | CASE_PERF,
	     .log_lines = 2),
	CASE("L04", "ten records in five seconds", rate_limit,
	     { "burst=0 later=0 suppressed=0", BURST_OF_TEN, BURST_OF_TEN, BURST_OF_TEN },
	     .flags = CASE_LOG, .log_lines = 10),
	CASE("L05", "the text of unusual command lines", command_lines,
	     { NULL, LINES, LINES, LINES }, .flags = CASE_LOG, .log_lines = 6),
	CASE("L06", "a command line too long for a record", long_command_line,
	     { NULL, CUT_SHORT, CUT_SHORT, CUT_SHORT }, .flags = CASE_LOG, .log_lines = 1),
};
const struct area log_area = { log_cases, ARRAY_SIZE(log_cases) };
