// SPDX-License-Identifier: GPL-2.0-only
/*
 * Audit events: events. A line has its fields first and the sentence, which holds what strangers
 * choose, last and bounded: no command line can push a pid out of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli.h"
#include "cmd_field.h"
#include "output.h"

/* Bytes of a command line that are shown, before escaping ... */
#define CMDLINE_MAX 256
/* ... and after it in the kernel log: two of them, the sentence and the tids stay below ... */
#define KMSG_CMDLINE_MAX 400
/* ... this; a longer record may be cut by the kernel or refused. */
#define KMSG_MAX 900

#define NSEC_PER_SEC 1000000000ull

struct reader {
	const struct cli *cli;
	struct cm *cm;
	int err; /* of an output, with its sentence on standard error already */
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static ssize_t read_at(int dir, const char *name, char *buf, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n, err;

	if (fd < 0)
		return -errno;
	do {
		n = read(fd, buf, size);
		err = n < 0 ? -errno : n;
	} while (err == -EINTR);
	close(fd);
	return err;
}

/* Did the task behind @dir, a directory of /proc, start when @party did? */
static bool is_party(int dir, const struct cm_party *party)
{
	unsigned long long ticks, hz = (unsigned long long)sysconf(_SC_CLK_TCK);
	char stat[1024], *at;
	ssize_t n;

	n = read_at(dir, "stat", stat, sizeof(stat) - 1);
	if (n <= 0 || !hz)
		return false;
	stat[n] = '\0';
	/* Field 2 is the task's to choose; none after it holds a parenthesis. */
	at = strrchr(stat, ')');
	for (int field = 3; at && field <= 22; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%llu", &ticks) != 1)
		return false;
	return ticks == party->start_ns / (NSEC_PER_SEC / hz);
}

/*
 * The command line of a task that may be gone, or whose pid may be another's by now. Returns the
 * length, 0 for kernel threads and zombies, which have none; -ESRCH when it is gone.
 */
static ssize_t command_line(const struct cm_party *party, char buf[CMDLINE_MAX])
{
	ssize_t n = -ESRCH;
	char path[64];
	int dir;

	snprintf(path, sizeof(path), "/proc/%d/task/%d", party->pid, party->tid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -ESRCH;
	/* The directory stays that of one task, so what follows is about the same one. */
	if (is_party(dir, party))
		n = read_at(dir, "cmdline", buf, CMDLINE_MAX);
	close(dir);
	while (n > 0 && !buf[n - 1])
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (!buf[i])
			buf[i] = ' ';
	return n;
}

static void print_party(FILE *f, const struct cm_party *party, size_t room)
{
	char buf[CMDLINE_MAX];
	ssize_t len = command_line(party, buf);

	fputc('"', f);
	if (len >= 0)
		output_escaped(f, buf, len, OUTPUT_QUOTED, room);
	else
		output_escaped(f, party->comm, sizeof(party->comm), OUTPUT_QUOTED, room);
	fprintf(f, "\"[%d]", party->tid);
}

/* event.message with both sides put in; @room: for each command line, after escaping */
static void print_sentence(FILE *f, const struct cm_event *event, size_t room)
{
	static const char subject[] = "{subject}", object[] = "{object}";
	const char *at = event->message;
	size_t left = strnlen(at, sizeof(event->message));

	while (left) {
		const char *brace = memchr(at, '{', left);
		size_t n = brace ? (size_t)(brace - at) : left;

		output_escaped(f, at, n, "", OUTPUT_UNLIMITED);
		at += n;
		left -= n;
		if (left >= sizeof(subject) - 1 && !memcmp(at, subject, sizeof(subject) - 1)) {
			print_party(f, &event->subject, room);
			n = sizeof(subject) - 1;
		} else if (left >= sizeof(object) - 1 && !memcmp(at, object, sizeof(object) - 1)) {
			print_party(f, &event->object, room);
			n = sizeof(object) - 1;
		} else {
			n = left ? 1 : 0;
			output_escaped(f, at, n, "", OUTPUT_UNLIMITED);
		}
		at += n;
		left -= n;
	}
}

static const char *verdict(const struct cm_event *event)
{
	if (event->mode == CM_NOTICE)
		return "notice";
	return event->mode == CM_PERMISSIVE ? "would-deny" : "deny";
}

static void error_name(const struct cm_event *event, char *buf, size_t size)
{
	const char *name = strerrorname_np(event->error);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "%d", event->error);
}

/* Wall clock (UTC) of an event, by the two clocks' distance now. */
static void event_time(const struct cm_event *event, char *buf, size_t size)
{
	struct timespec real, boot;
	struct tm tm = { 0 };
	int64_t ns;
	time_t t;
	size_t n;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &real);
	ns = ((int64_t)real.tv_sec - boot.tv_sec) * (int64_t)NSEC_PER_SEC + real.tv_nsec -
	     boot.tv_nsec + (int64_t)event->time_ns;
	t = (time_t)(ns / (int64_t)NSEC_PER_SEC);
	gmtime_r(&t, &tm);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%03dZ", (int)(ns % (int64_t)NSEC_PER_SEC / 1000000));
}

static void cgroup_name(struct cm *cm, const struct cm_party *party, char *buf, size_t size)
{
	if (cm_cgroup_path(cm, party->cgroup, buf, size))
		snprintf(buf, size, "(unknown)");
}

static void print_task(FILE *f, const struct cm_party *party, const char *prefix)
{
	fprintf(f, " %spid=%d %stid=%d %suid=%u %sgid=%u %scomm=\"", prefix, party->pid, prefix,
		party->tid, prefix, party->uid, prefix, party->gid, prefix);
	output_escaped(f, party->comm, sizeof(party->comm), OUTPUT_QUOTED, OUTPUT_UNLIMITED);
	fputc('"', f);
}

static void print_fields(FILE *f, struct cm *cm, const struct cm_party *party, const char *prefix)
{
	char cgroup[PATH_MAX];

	if (party->pid)
		print_task(f, party, prefix);
	if (!party->cgroup)
		return;
	fprintf(f, " %scgroup=", prefix);
	cgroup_name(cm, party, cgroup, sizeof(cgroup));
	output_escaped(f, cgroup, sizeof(cgroup), OUTPUT_TOKEN, OUTPUT_UNLIMITED);
}

static void print_text(FILE *f, struct cm *cm, const struct cm_event *event)
{
	char text[64];

	event_time(event, text, sizeof(text));
	fprintf(f, "%s %s ", text, verdict(event));
	output_escaped(f, event->pack, sizeof(event->pack), OUTPUT_TOKEN, OUTPUT_UNLIMITED);
	fputc(' ', f);
	output_escaped(f, event->action, sizeof(event->action), OUTPUT_TOKEN, OUTPUT_UNLIMITED);
	print_fields(f, cm, &event->subject, "");
	print_fields(f, cm, &event->object, "target_");
	field_print(f, event);
	error_name(event, text, sizeof(text));
	if (event->mode != CM_NOTICE)
		fprintf(f, " error=%s", text);
	if (event->suppressed)
		fprintf(f, " suppressed=%u", event->suppressed);
	fputs(" reason=", f);
	output_escaped(f, event->reason, sizeof(event->reason), OUTPUT_TOKEN, OUTPUT_UNLIMITED);
	fputs(": ", f);
	print_sentence(f, event, OUTPUT_UNLIMITED);
	fputc('\n', f);
}

static void json_number(struct json_object *json, const char *key, uint64_t value)
{
	json_object_object_add(json, key, output_need(json_object_new_uint64(value)));
}

static void json_text(struct json_object *json, const char *key, const char *s, size_t len)
{
	json_object_object_add(json, key, output_string(s, len));
}

static void json_task(struct json_object *json, const struct cm_party *party)
{
	char cmdline[CMDLINE_MAX];
	ssize_t len;

	json_number(json, "pid", (uint64_t)party->pid);
	json_number(json, "tid", (uint64_t)party->tid);
	json_number(json, "uid", party->uid);
	json_number(json, "gid", party->gid);
	json_text(json, "comm", party->comm, sizeof(party->comm));
	len = command_line(party, cmdline);
	if (len >= 0)
		json_text(json, "cmdline", cmdline, len);
	else
		json_object_object_add(json, "cmdline", NULL);
}

static void json_party(struct json_object *event, struct cm *cm, const char *key,
		       const struct cm_party *party)
{
	struct json_object *json;
	char cgroup[PATH_MAX];

	if (!party->pid && !party->cgroup) {
		json_object_object_add(event, key, NULL);
		return;
	}
	json = output_need(json_object_new_object());
	if (party->pid)
		json_task(json, party);
	cgroup_name(cm, party, cgroup, sizeof(cgroup));
	json_text(json, "cgroup", cgroup, sizeof(cgroup));
	json_number(json, "cgroup_id", party->cgroup);
	if (party->pid)
		json_number(json, "start_ns", party->start_ns);
	json_object_object_add(event, key, json);
}

static void print_json(FILE *f, struct cm *cm, const struct cm_event *event)
{
	struct json_object *json = output_need(json_object_new_object());
	char text[64], *sentence;
	size_t size;
	FILE *s;

	s = output_memory(&sentence, &size);
	print_sentence(s, event, OUTPUT_UNLIMITED);
	output_memory_end(s);
	event_time(event, text, sizeof(text));
	json_text(json, "time", text, sizeof(text));
	json_number(json, "time_ns", event->time_ns);
	json_text(json, "verdict", verdict(event), OUTPUT_UNLIMITED);
	json_text(json, "pack", event->pack, sizeof(event->pack));
	json_text(json, "action", event->action, sizeof(event->action));
	json_text(json, "reason", event->reason, sizeof(event->reason));
	error_name(event, text, sizeof(text));
	if (event->mode == CM_NOTICE)
		json_object_object_add(json, "error", NULL);
	else
		json_text(json, "error", text, sizeof(text));
	json_number(json, "suppressed", event->suppressed);
	json_party(json, cm, "subject", &event->subject);
	json_party(json, cm, "object", &event->object);
	json_object_object_add(json, "fields", field_json(event));
	json_text(json, "message", sentence, size);
	output_json_line(f, json);
	free(sentence);
}

/*
 * One record of the kernel log; @record has room for one byte more. Opened for each: the kernel
 * counts the records of one opening and drops what exceeds its rate, silently.
 */
static int kmsg(char *record, size_t len)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	int err = 0;

	if (fd < 0)
		return -errno;
	/* Without the end of line, readers do not see a record before the next one. */
	len = len < KMSG_MAX ? len : KMSG_MAX - 1;
	record[len++] = '\n';
	if (write(fd, record, len) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int kmsg_event(const struct cm_event *event, char *sentence, size_t len)
{
	char record[64];
	int err, n;

	if (event->suppressed) {
		n = snprintf(record, sizeof(record), "<4>checmate: %u events suppressed",
			     event->suppressed);
		err = kmsg(record, (size_t)n);
		if (err)
			return err;
	}
	return kmsg(sentence, len);
}

static int on_event(const struct cm_event *event, void *arg)
{
	struct reader *reader = arg;
	bool to_kmsg = cli_given(reader->cli, CLI_KMSG);
	char *line;
	size_t len;
	FILE *f;

	f = output_memory(&line, &len);
	if (to_kmsg) {
		fputs("<5>", f);
		print_sentence(f, event, KMSG_CMDLINE_MAX);
		/* Native has no permissive mode, hence no such line. */
		if (event->mode == CM_PERMISSIVE)
			fputs(" (would-deny)", f);
	} else if (cli_given(reader->cli, CLI_JSON)) {
		print_json(f, reader->cm, event);
	} else {
		print_text(f, reader->cm, event);
	}
	output_memory_end(f);
	if (to_kmsg) {
		reader->err = kmsg_event(event, line, len);
		if (reader->err)
			cli_error("cannot write an event to /dev/kmsg: %s", strerror(-reader->err));
	} else if (fwrite(line, 1, len, stdout) != len || fflush(stdout)) {
		reader->err = -errno;
		cli_error("cannot write an event to standard output: %s", strerror(errno));
		/* Said once: what is left in the buffer would fail again. */
		__fpurge(stdout);
		clearerr(stdout);
	}
	free(line);
	/* A flood must not hold up the end; this event is out. */
	return reader->err || !stop ? reader->err : -EINTR;
}

/* Until a signal comes or the last pack is disabled; the time-out covers a signal in between. */
static int follow(struct reader *reader)
{
	const struct timespec pause = { .tv_nsec = 100000000 };
	struct sigaction action = { .sa_handler = on_signal };
	bool any = false;
	int err;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!stop) {
		err = cm_events_read(reader->cm, 1000, on_event, reader);
		if (err == -EINTR)
			continue;
		/* Between two calls another reader may have had its turn. */
		if (any && !reader->err && err == -EBUSY) {
			nanosleep(&pause, NULL);
			continue;
		}
		if (any && !reader->err && (err == -ENOENT || err == -ENODEV)) {
			cli_note("the last pack was disabled, there are no more events");
			return 0;
		}
		if (err < 0)
			return err;
		any = true;
	}
	return 0;
}

enum cli_status cmd_events(const struct cli *cli)
{
	struct reader reader = { .cli = cli };
	CLI_SESSION cm = NULL;
	int err;

	if (cli_given(cli, CLI_KMSG) && cli_given(cli, CLI_JSON))
		return cli_misuse(cli, "events: --kmsg and -j exclude each other");
	err = cm_open(0, &cm);
	if (err)
		return cli_done(cm, err);
	reader.cm = cm;
	if (cli_given(cli, CLI_FOLLOW)) {
		err = follow(&reader);
	} else {
		err = cm_events_read(cm, 0, on_event, &reader);
		/* Nothing in force: nothing to show either. */
		if (err == -ENOENT)
			err = 0;
	}
	if (reader.err)
		return CLI_FAILED;
	return cli_done(cm, err);
}
