// SPDX-License-Identifier: GPL-2.0-only
/* S: the file kernel/yama/ptrace_scope: what may be written to it, and by whom. */
#define _GNU_SOURCE
#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cases.h"

#define STRICT	 "/proc/sys/kernel/sysctl_writes_strict"
#define FOUR_MIB (4UL << 20)

static int open_scope(int flags)
{
	int fd = open(scope_file(), flags | O_CLOEXEC);

	if (fd < 0)
		fail("open %s: %s", scope_file(), strerror(errno));
	return fd;
}

static long write_scope(const void *data, size_t len)
{
	int fd = open_scope(O_WRONLY);
	long r = ret(write(fd, data, len));

	close(fd);
	return r;
}

/* The count that was written, or the letter of the error. */
static const char *count(long r)
{
	static char buf[24];

	if (r < 0)
		return letter(r);
	snprintf(buf, sizeof(buf), "%ld", r);
	return buf;
}

/* "name=COUNT:VALUE", and back to 0. */
static void tok_write(const char *name, long r)
{
	tok_fmt("%s=%s:%d", name, count(r), scope_read());
	if (scope_read() > 0 && scope_read() < 3)
		write_scope("0", 1);
}

/* --- S01: strings ------------------------------------------------------------------------ */

#define STRING(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	long written; /* from value 0, or -errno */
	int value;    /* the value after that; 3 is tried at 3 only */
} strings[] = {
	{ STRING(""), 0, 0 },
	{ STRING("0"), 1, 0 },
	{ STRING("1"), 1, 1 },
	{ STRING("2"), 1, 2 },
	{ STRING("3"), 1, 3 },
	{ STRING("3\n"), 2, 3 },
	{ STRING("0x3"), 3, 3 },
	{ STRING(" 03\n"), 4, 3 },
	{ STRING("1\n"), 2, 1 },
	{ STRING("1\n\n"), 3, 1 },
	{ STRING(" 1"), 2, 1 },
	{ STRING("\t\n 2 \n"), 6, 2 },
	{ STRING("\r1"), 2, 1 },
	{ STRING("\v\f1"), 3, 1 },
	{ STRING("\240"
		 "2"),
	  2, 2 },
	{ STRING("0x2"), 3, 2 },
	{ STRING("0X1"), 3, 1 },
	{ STRING("02"), 2, 2 },
	{ STRING("-0"), 2, 0 },
	{ STRING("00000000000000000001"), 20, 1 },
	{ STRING("1 2"), 2, 1 },
	{ STRING("1 2\n"), 2, 1 },
	{ STRING("1 x"), 2, 1 },
	{ STRING("1\r\n"), -EINVAL, 0 },
	{ STRING("1\0"), -EINVAL, 0 },
	{ STRING("\0"), -EINVAL, 0 },
	{ STRING("+1"), -EINVAL, 0 },
	{ STRING("-1"), -EINVAL, 0 },
	{ STRING("-"), -EINVAL, 0 },
	{ STRING("- 1"), -EINVAL, 0 },
	{ STRING("0x"), -EINVAL, 0 },
	{ STRING("08"), -EINVAL, 0 },
	{ STRING("010"), -EINVAL, 0 },
	{ STRING("0b1"), -EINVAL, 0 },
	{ STRING("4"), -EINVAL, 0 },
	{ STRING("1x"), -EINVAL, 0 },
	{ STRING("1;"), -EINVAL, 0 },
	{ STRING("2,1"), -EINVAL, 0 },
	{ STRING("1.0"), -EINVAL, 0 },
	{ STRING("true"), -EINVAL, 0 },
	{ STRING("000000000000000000001"), -EINVAL, 0 },
	{ STRING("2147483648"), -EINVAL, 0 },
	{ STRING("4294967297"), -EINVAL, 0 },
	{ STRING("18446744073709551617"), -EINVAL, 0 },
	{ STRING("\n"), -EINVAL, 0 },
	{ STRING("   "), -EINVAL, 0 },
};

/* A string as it stands in the line: no blank, no '=' and nothing unprintable. */
static const char *escaped(const char *s, size_t len)
{
	static char buf[128];
	size_t n = 0;

	for (size_t i = 0; i < len && n + 5 < sizeof(buf); i++) {
		unsigned char c = s[i];

		if (isgraph(c) && c < 0x7f && c != '\\' && c != '=')
			buf[n++] = c;
		else
			n += sprintf(buf + n, "\\x%02x", c);
	}
	buf[n] = '\0';
	return buf;
}

static void every_string(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		if (strings[i].value == 3 && run_scope != 3)
			continue;
		tok_write(escaped(strings[i].text, strings[i].len),
			  write_scope(strings[i].text, strings[i].len));
	}
}

/* At 3, what is well formed must also be 3. */
static void expect_strings(int scope, char *buf, size_t len)
{
	size_t n = 0;

	if (scope != 0 && scope != 3)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(strings) && n < len; i++) {
		long written = strings[i].written;

		if (strings[i].value == 3 && scope != 3)
			continue;
		if (scope == 3 && strings[i].value != 3 && strings[i].len)
			written = -EINVAL;
		n += snprintf(buf + n, len - n, "%s%s=%s:%d", n ? " " : "",
			      escaped(strings[i].text, strings[i].len), count(written),
			      scope == 3 ? 3 : strings[i].value);
	}
}

/* --- S02: credentials -------------------------------------------------------------------- */

static const struct {
	const char *name;
	uid_t uid;
	bool gid0;
	unsigned long permitted, effective;
	bool fd_of_root;    /* opened for writing by root with all capabilities, before */
	bool userns;	    /* in a user namespace of its own, as its uid 0 */
	const char *expect; /* open to write, write "", "zz" and the value; read */
} creds[] = {
	{ "root", 0, true, ALL_CAPS, ALL_CAPS, false, false, "OK/OK/V/OK/OK" },
	{ "root+ptrace", 0, true, PTRACE_CAP, PTRACE_CAP, false, false, "OK/OK/V/OK/OK" },
	{ "root-ptrace", 0, true, ~PTRACE_CAP, ~PTRACE_CAP, false, false, "OK/P/P/P/OK" },
	{ "root+permitted", 0, true, PTRACE_CAP, 0, false, false, "OK/P/P/P/OK" },
	{ "root-caps", 0, true, 0, 0, false, false, "OK/P/P/P/OK" },
	{ "user", 1000, false, 0, 0, false, false, "C/-/-/-/OK" },
	{ "user+ptrace", 1000, false, PTRACE_CAP, PTRACE_CAP, false, false, "C/-/-/-/OK" },
	{ "user+all", 1000, false, ALL_CAPS, ALL_CAPS, false, false, "C/-/-/-/OK" },
	{ "user+gid0", 1000, true, ALL_CAPS, ALL_CAPS, false, false, "C/-/-/-/OK" },
	{ "fd,user", 1000, false, 0, 0, true, false, "OK/P/P/P/OK" },
	{ "fd,user+ptrace", 1000, false, PTRACE_CAP, PTRACE_CAP, true, false, "OK/P/P/P/OK" },
	{ "fd,root-ptrace", 0, true, ~PTRACE_CAP, ~PTRACE_CAP, true, false, "OK/P/P/P/OK" },
	{ "userns.root", 0, true, ALL_CAPS, ALL_CAPS, false, true, "OK/P/P/P/OK" },
	{ "userns.user", 1000, false, 0, 0, false, true, "C/-/-/-/OK" },
};

static long op_open_scope(const struct call *c)
{
	return ret(open(scope_file(), c->a[0] | O_CLOEXEC));
}

/* At offset 0 each time: "" is 0, "zz" 1, the value in force 2. */
static long op_write_scope(const struct call *c)
{
	char value = '0' + run_scope;
	const void *data[] = { "", "zz", &value };
	const size_t len[] = { 0, 2, 1 };

	return ret(pwrite(c->a[0], data[c->a[1]], len[c->a[1]], 0));
}

static void every_credential(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(creds); i++) {
		int actor = child_of(ME);
		const char *w[3];
		long fd = -1, rd;

		if (creds[i].fd_of_root)
			fd = need(actor, op_open_scope, O_WRONLY);
		need(actor, op_become_caps, creds[i].uid, creds[i].permitted, creds[i].effective,
		     creds[i].gid0);
		if (creds[i].userns)
			need(actor, op_userns, 0, creds[i].uid);
		if (!creds[i].fd_of_root)
			fd = call(actor, op_open_scope, O_WRONLY);
		for (int k = 0; k < 3; k++)
			w[k] = fd < 0 ? "-" : letter(call(actor, op_write_scope, fd, k));
		rd = call(actor, op_open_scope, O_RDONLY);
		if (rd >= 0)
			rd = call(actor, op_fd_read, rd);
		tok_fmt("%s=%s/%s/%s/%s/%s", creds[i].name, letter(fd), w[0], w[1], w[2],
			letter(rd));
		end_process(actor, ME);
	}
}

static void expect_credentials(int scope, char *buf, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; scope < SCOPE_NONE && i < ARRAY_SIZE(creds) && n < len; i++)
		n += snprintf(buf + n, len - n, "%s%s=%s", n ? " " : "", creds[i].name,
			      creds[i].expect);
}

/* --- S03: locked ------------------------------------------------------------------------- */

static long write_at(const char *text, off_t offset)
{
	int fd = open_scope(O_WRONLY);
	long r = ret(pwrite(fd, text, strlen(text), offset));

	close(fd);
	return r;
}

static void locked(void)
{
	static const char *const texts[] = { "0", "1", "2", "4", "\n", "zz", "3", "" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		tok_write(escaped(texts[i], strlen(texts[i])), write_at(texts[i], 0));
	tok_write("0@3", write_at("0", 3));
}

/* --- S04: offsets, flags and sizes ------------------------------------------------------- */

static void write_twice(const char *name, int flags, bool rewind)
{
	int fd = open_scope(O_WRONLY | flags);
	long r = ret(write(fd, "1", 1));

	if (r == 1 && rewind)
		lseek(fd, 0, SEEK_SET);
	if (r == 1)
		r = ret(write(fd, "2", 1));
	close(fd);
	tok_write(name, r);
}

static void write_large(const char *name, size_t len)
{
	char *data = malloc(len);

	if (!data)
		fail("no memory");
	memset(data, ' ', len);
	data[0] = '1';
	tok_write(name, write_scope(data, len));
	free(data);
}

static void write_not_strict(const char *name, const char *mode)
{
	int fd = open(STRICT, O_WRONLY | O_CLOEXEC);
	long r;

	if (fd < 0 || write(fd, mode, strlen(mode)) < 0)
		fail("%s: %s", STRICT, strerror(errno));
	r = write_at("2", 5);
	if (pwrite(fd, "1", 1, 0) != 1)
		fail("%s cannot be restored", STRICT);
	close(fd);
	tok_write(name, r);
}

static void offsets(void)
{
	struct iovec iov[] = { { "1", 1 }, { "2", 1 } };
	int fd = open_scope(O_WRONLY);

	write_twice("twice", 0, false);
	write_twice("rewound", 0, true);
	write_twice("append", O_APPEND, false);
	write_twice("trunc", O_TRUNC, false);
	tok_write("9@5", write_at("9", 5));
	tok_write("writev", ret(writev(fd, iov, 2)));
	close(fd);
	tok_write("badptr", write_scope((void *)1, 1));
	write_large("4MiB-1", FOUR_MIB - 1);
	write_large("4MiB", FOUR_MIB);
	write_not_strict("strict0", "0");
	write_not_strict("strict-1", "-1");
}

/* --- S05: reading and attributes --------------------------------------------------------- */

static void attributes(void)
{
	char buf[16] = "";
	struct stat st;
	int fd = open_scope(O_RDONLY);
	long n = ret(read(fd, buf, sizeof(buf)));

	tok_fmt("read=%s:%s", count(n), escaped(buf, n > 0 ? n : 0));
	tok_fmt("again=%s", count(ret(read(fd, buf, sizeof(buf)))));
	tok_fmt("byte=%s", count(ret(pread(fd, buf, 1, 0))));
	tok_fmt("at1=%s", count(ret(pread(fd, buf, 1, 1))));
	if (fstat(fd, &st))
		fail("stat: %s", strerror(errno));
	close(fd);
	tok_fmt("mode=%o owner=%d:%d size=%ld", st.st_mode & 07777, st.st_uid, st.st_gid,
		(long)st.st_size);
	tok("truncate", ret(truncate(scope_file(), 0)));
	tok("chmod", ret(chmod(scope_file(), 0666)));
	tok("chown", ret(chown(scope_file(), UID_USER, UID_USER)));
	tok_fmt("value=%d", scope_read());
}

#define ATTRIBUTES(value)                                                                          \
	"read=2:" value "\\x0a again=0 byte=1 at1=0 mode=644 owner=0:0 size=0 truncate=OK "        \
	"chmod=P chown=P value=" value

static const struct yama_case sysctl_cases[] = {
	CASE("S01", "every string", every_string, { NULL }, .expect_fn = expect_strings,
	     .flags = CASE_FILE | CASE_ALONE),
	CASE("S02", "every set of credentials", every_credential, { NULL },
	     .expect_fn = expect_credentials, .flags = CASE_FILE | CASE_ALONE),
	CASE("S03", "at 3 it can only stay 3", locked,
	     { NULL, NULL, NULL, "0=V:3 1=V:3 2=V:3 4=V:3 \\x0a=V:3 zz=V:3 3=1:3 =0:3 0@3=1:3" },
	     .flags = CASE_FILE | CASE_ALONE),
	CASE("S04", "offsets, flags and sizes of writes", offsets,
	     { "twice=1:1 rewound=1:2 append=1:1 trunc=1:1 9@5=1:0 writev=V:0 badptr=EFAULT:0 "
	       "4MiB-1=4194303:1 4MiB=ENOMEM:0 strict0=1:2 strict-1=1:2" },
	     .flags = CASE_FILE | CASE_ALONE),
	CASE("S05", "reading it, and its attributes", attributes,
	     BY_SCOPE(ATTRIBUTES, "0", "1", "2", "3"), .flags = CASE_FILE | CASE_ALONE),
};
const struct area sysctl_area = { sysctl_cases, ARRAY_SIZE(sysctl_cases) };
