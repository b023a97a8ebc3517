// SPDX-License-Identifier: GPL-2.0-only
/*
 * One act of I/O, its outcome in a line: OK or the errno's name.
 *
 *	io-try open PATH FLAG...	the flags are below
 *	io-try setfl PATH FLAG		fcntl(2) on a file open for reading and writing
 *	io-try CALL PATH AT LENGTH	try_write() has the calls; some read PATH.source
 *	io-try truncate PATH SIZE
 *	io-try ftruncate PATH SIZE
 *	io-try memory			a write on /proc/self/mem, at a high place
 *	io-try pipe LENGTH		a write on a pipe
 *	io-try pipe-after LENGTH	one by io_uring, at the end of a write of one byte
 *	io-try pipe-direct LENGTH	O_DIRECT by fcntl(2)
 *	io-try map STATE PATH		executable
 *	io-try mprotect STATE PATH	the same, mapped readable before
 *	io-try run STATE PATH		a copy of this program, which says OK then
 *
 * STATE of the file: clean, writing (there is another descriptor for that), gone (removed), memfd
 * (another one, of memory), anonymous (none); read: as writing, and mapped to be read alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define VECTORS 4
#define CHUNK	4096

static char data[4 << 20];

static void say(long result)
{
	puts(result < 0 ? strerrorname_np(errno) : "OK");
	exit(0);
}

/* What is not the act itself must not fail. */
static long must(const char *what, long result)
{
	if (result >= 0)
		return result;
	perror(what);
	exit(2);
}

static int flag(const char *name)
{
	static const struct {
		const char *name;
		int flag;
	} flags[] = { { "read", O_RDONLY },   { "write", O_WRONLY },  { "create", O_CREAT },
		      { "append", O_APPEND }, { "direct", O_DIRECT }, { "sync", O_SYNC },
		      { "dsync", O_DSYNC },   { "path", O_PATH },     { "nonblock", O_NONBLOCK } };
	size_t i;

	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (!strcmp(flags[i].name, name))
			return flags[i].flag;
	exit(2);
}

static int file(const char *path, int flags)
{
	return must(path, open(path, flags | O_CREAT, 0644));
}

/* --- writing */

static long written(long result, size_t length)
{
	if (result >= 0 && (size_t)result != length) {
		printf("%ld of %zu\n", result, length);
		exit(0);
	}
	return result;
}

static long by_vectors(int fd, off_t at, size_t length, int flags)
{
	struct iovec vectors[VECTORS];
	int i;

	for (i = 0; i < VECTORS; i++)
		vectors[i] = (struct iovec){ data, length / VECTORS };
	return written(pwritev2(fd, vectors, VECTORS, at, flags), length);
}

static long by_sendfile(const char *path, int fd, size_t length)
{
	char source[512];

	snprintf(source, sizeof(source), "%s.source", path);
	return written(sendfile(fd, must(source, open(source, O_RDONLY)), NULL, length), length);
}

static long by_copy(const char *path, int fd, off_t at, size_t length)
{
	char source[512];

	snprintf(source, sizeof(source), "%s.source", path);
	return written(copy_file_range(must(source, open(source, O_RDONLY)), NULL, fd, &at, length,
				       0),
		       length);
}

/* The pipe may hold less than is asked for. */
static long by_splice(int fd, off_t at, size_t length)
{
	int ends[2];
	size_t in;

	must("pipe", pipe(ends));
	for (in = 0; in < length && in < 16 * CHUNK; in += CHUNK)
		must("write", write(ends[1], data, CHUNK));
	return splice(ends[0], NULL, fd, &at, length, 0);
}

static long by_aio(int fd, off_t at, size_t length)
{
	struct iocb block = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd }, *list = &block;
	aio_context_t context = 0;
	struct io_event event;

	block.aio_buf = (uintptr_t)data;
	block.aio_nbytes = length;
	block.aio_offset = at;
	must("io_setup", syscall(SYS_io_setup, 1, &context));
	if (syscall(SYS_io_submit, context, 1, &list) < 0)
		return -1;
	must("io_getevents", syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	errno = -event.res;
	return event.res;
}

#define ENTRIES 2

static struct {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
} ring;

static void *map_ring(off_t what)
{
	void *at = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, what);

	must("ring", at == MAP_FAILED ? -1 : 0);
	return at;
}

static void make_ring(void)
{
	ring.fd = must("io_uring_setup", syscall(SYS_io_uring_setup, ENTRIES, &ring.p));
	ring.sq = map_ring(IORING_OFF_SQ_RING);
	ring.cq = map_ring(IORING_OFF_CQ_RING);
	ring.sqes = map_ring(IORING_OFF_SQES);
}

static void set_entry(int slot, const struct io_uring_sqe *entry)
{
	ring.sqes[slot] = *entry;
	((uint32_t *)(ring.sq + ring.p.sq_off.array))[slot] = slot;
	__atomic_store_n((uint32_t *)(ring.sq + ring.p.sq_off.tail), slot + 1, __ATOMIC_SEQ_CST);
}

static void enter_ring(int submit, int wait)
{
	must("io_uring_enter", syscall(SYS_io_uring_enter, ring.fd, submit, wait,
				       wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0));
}

static long outcome(int slot)
{
	int result = ((struct io_uring_cqe *)(ring.cq + ring.p.cq_off.cqes))[slot].res;

	errno = -result;
	return result;
}

static long by_uring(int fd, off_t at, size_t length, int flags)
{
	make_ring();
	set_entry(0, &(struct io_uring_sqe){ .opcode = IORING_OP_WRITE,
					     .flags = flags,
					     .fd = fd,
					     .addr = (uintptr_t)data,
					     .len = length,
					     .off = at });
	enter_ring(1, 1);
	return outcome(0);
}

/* The ring's write is done on the way back from a write(2), of one byte, that it waits for. */
static long by_uring_after(int fd, size_t length)
{
	int ends[2];

	must("pipe", pipe(ends));
	make_ring();
	set_entry(0, &(struct io_uring_sqe){ .opcode = IORING_OP_READ,
					     .flags = IOSQE_IO_LINK,
					     .fd = ends[0],
					     .addr = (uintptr_t)data,
					     .len = 1 });
	set_entry(1, &(struct io_uring_sqe){ .opcode = IORING_OP_WRITE,
					     .fd = fd,
					     .addr = (uintptr_t)data,
					     .len = length });
	enter_ring(2, 0);
	must("write", write(ends[1], data, 1));
	enter_ring(0, 2);
	must("read", outcome(0));
	return outcome(1);
}

/* The call of 32 bits; a static program's data is below 4 GiB. */
static long by_call_32(int fd, size_t length)
{
	long result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(4), "b"((long)fd), "c"((long)data), "d"(length)
		     : "memory");
	errno = -(int)result;
	return (int)result;
}

static void try_write(const char *call, const char *path, off_t at, size_t length)
{
	int fd = file(path, O_RDWR | (strcmp(call, "append") ? 0 : O_APPEND));

	must("lseek", lseek(fd, at, SEEK_SET));
	if (!strcmp(call, "write") || !strcmp(call, "append"))
		say(written(write(fd, data, length), length));
	if (!strcmp(call, "pwrite"))
		say(written(pwrite(fd, data, length, at), length));
	if (!strcmp(call, "writev"))
		say(by_vectors(fd, -1, length, 0));
	if (!strcmp(call, "pwritev") || !strcmp(call, "v2"))
		say(by_vectors(fd, at, length, 0));
	if (!strcmp(call, "v2-sync"))
		say(by_vectors(fd, at, length, RWF_SYNC));
	if (!strcmp(call, "v2-dsync"))
		say(by_vectors(fd, at, length, RWF_DSYNC));
	if (!strcmp(call, "v2-append"))
		say(by_vectors(fd, at, length, RWF_APPEND));
	if (!strcmp(call, "sendfile"))
		say(by_sendfile(path, fd, length));
	if (!strcmp(call, "copy"))
		say(by_copy(path, fd, at, length));
	if (!strcmp(call, "splice"))
		say(by_splice(fd, at, length));
	if (!strcmp(call, "fallocate"))
		say(fallocate(fd, 0, at, length));
	if (!strcmp(call, "punch"))
		say(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length));
	if (!strcmp(call, "insert"))
		say(fallocate(fd, FALLOC_FL_INSERT_RANGE, at, length));
	if (!strcmp(call, "aio"))
		say(by_aio(fd, at, length));
	if (!strcmp(call, "uring"))
		say(by_uring(fd, at, length, 0));
	if (!strcmp(call, "uring-worker"))
		say(by_uring(fd, at, length, IOSQE_ASYNC));
	if (!strcmp(call, "write32"))
		say(by_call_32(fd, length));
	exit(2);
}

static void try_pipe(const char *act, size_t length)
{
	int ends[2];

	must("pipe", pipe(ends));
	if (!strcmp(act, "pipe-direct"))
		say(fcntl(ends[1], F_SETFL, O_DIRECT));
	if (!strcmp(act, "pipe-after"))
		say(by_uring_after(ends[1], length));
	say(write(ends[1], data, length));
}

static void try_memory(void)
{
	int fd = must("mem", open("/proc/self/mem", O_RDWR)), place = 0;

	say(pwrite(fd, data, sizeof(place), (off_t)(uintptr_t)&place));
}

/* --- code */

static int memory(void)
{
	int from = must("self", open("/proc/self/exe", O_RDONLY)), fd;
	long length;

	fd = must("memfd_create", memfd_create("copy", 0));
	while ((length = must("read", read(from, data, CHUNK))))
		must("write", write(fd, data, length));
	return fd;
}

static int in_state(const char *state, const char *path)
{
	int fd;

	if (!strcmp(state, "memfd"))
		return memory();
	fd = must(path, open(path, O_RDONLY));
	if (!strcmp(state, "writing") || !strcmp(state, "read"))
		must(path, open(path, O_RDWR));
	if (!strcmp(state, "gone"))
		must(path, unlink(path));
	return fd;
}

static void try_map(const char *act, const char *state, const char *path)
{
	int prot = PROT_READ | (strcmp(state, "read") ? PROT_EXEC : 0);
	bool is_anonymous = !strcmp(state, "anonymous"), is_later = !strcmp(act, "mprotect");
	void *at = mmap(NULL, CHUNK, is_later ? PROT_READ : prot,
			MAP_PRIVATE | (is_anonymous ? MAP_ANONYMOUS : 0),
			is_anonymous ? -1 : in_state(state, path), 0);

	if (!is_later)
		say(at == MAP_FAILED ? -1 : 0);
	must("mmap", at == MAP_FAILED ? -1 : 0);
	say(mprotect(at, CHUNK, prot));
}

static void try_run(const char *state, const char *path)
{
	char *argv[] = { "io-try", NULL }, *envp[] = { NULL };

	say(fexecve(in_state(state, path), argv, envp));
}

int main(int argc, char **argv)
{
	const char *act = argv[argc > 1];
	int flags = 0, i;

	if (argc == 1)
		say(0);
	if (!strcmp(act, "memory"))
		try_memory();
	if (argc < 3)
		return 2;
	if (!strncmp(act, "pipe", 4))
		try_pipe(act, strtoul(argv[2], NULL, 0));
	for (i = 3; i < argc && (!strcmp(act, "open") || !strcmp(act, "setfl")); i++)
		flags |= flag(argv[i]);
	if (!strcmp(act, "open"))
		say(open(argv[2], flags, 0644));
	if (!strcmp(act, "setfl"))
		say(fcntl(must(argv[2], open(argv[2], O_RDWR)), F_SETFL, flags));
	if (!strcmp(act, "map") || !strcmp(act, "mprotect"))
		try_map(act, argv[2], argv[3]);
	if (!strcmp(act, "run"))
		try_run(argv[2], argv[3]);
	if (!strcmp(act, "truncate") && argc == 4)
		say(truncate(argv[2], strtol(argv[3], NULL, 0)));
	if (!strcmp(act, "ftruncate") && argc == 4)
		say(ftruncate(file(argv[2], O_RDWR), strtol(argv[3], NULL, 0)));
	if (argc == 5)
		try_write(act, argv[2], strtol(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
	return 2;
}
