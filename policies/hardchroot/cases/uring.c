// SPDX-License-Identifier: GPL-2.0-only
/* E29, E30: io_uring, by its system calls. */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "cases.h"

#define ENTRIES	     4
#define POLL_IDLE_MS 200

static struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
} ring;

static char *map_ring(size_t size, off_t what)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, what);

	must("ring", p == MAP_FAILED ? -1 : 0);
	return p;
}

static void make_ring(unsigned int flags)
{
	struct io_uring_params *p = &ring.p;

	p->flags = flags;
	p->sq_thread_idle = POLL_IDLE_MS;
	ring.fd = syscall(SYS_io_uring_setup, ENTRIES, p);
	must("io_uring", ring.fd);
	ring.sq = map_ring(p->sq_off.array + p->sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	ring.cq = map_ring(p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			   IORING_OFF_CQ_RING);
	ring.sqes = (void *)map_ring(p->sq_entries * sizeof(*ring.sqes), IORING_OFF_SQES);
}

static uint32_t *word(char *of, uint32_t offset)
{
	return (uint32_t *)(of + offset);
}

/* With SQPOLL the kernel's thread takes the entry by itself, unless it sleeps. */
static void start_entry(void)
{
	bool polled = ring.p.flags & IORING_SETUP_SQPOLL;

	syscall(SYS_io_uring_enter, ring.fd, !polled, !polled,
		polled ? IORING_ENTER_SQ_WAKEUP : IORING_ENTER_GETEVENTS, NULL, 0);
}

/* One entry at a time: what the kernel answers, as a system call would. */
static int submit(const struct io_uring_sqe *sqe)
{
	const struct timespec tick = { .tv_nsec = 1000000 };
	uint32_t *tail = word(ring.sq, ring.p.sq_off.tail),
		 *head = word(ring.cq, ring.p.cq_off.head);
	uint32_t mask = ring.p.sq_entries - 1, slot = *tail & mask;
	struct io_uring_cqe *cqes = (void *)(ring.cq + ring.p.cq_off.cqes);
	int result;

	ring.sqes[slot] = *sqe;
	word(ring.sq, ring.p.sq_off.array)[slot] = slot;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_SEQ_CST);
	start_entry();
	while (__atomic_load_n(word(ring.cq, ring.p.cq_off.tail), __ATOMIC_SEQ_CST) == *head)
		nanosleep(&tick, NULL);
	result = cqes[*head & (ring.p.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_SEQ_CST);
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static void e29(void)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC };
	int fd;

	sqe.fd = open(".", O_RDONLY | O_DIRECTORY);
	must("open", sqe.fd);
	enter("jail");
	make_ring(0);
	sqe.addr = (uintptr_t) "secret";
	sqe.open_flags = O_RDONLY;
	fd = submit(&sqe);
	if (step("openat", fd))
		claim("secret", steal_fd(fd));
}

/* The kernel's thread has the root, the memory and the table of files of who made the ring. */
static void use_inherited_ring(void)
{
	struct io_uring_sqe open = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD };
	struct io_uring_sqe read = { .opcode = IORING_OP_READ, .flags = IOSQE_FIXED_FILE };
	int n, file = memfd_create("", 0);

	enter("jail");
	open.addr = (uintptr_t)shared->secret;
	open.open_flags = O_RDONLY;
	open.file_index = 1;
	read.addr = (uintptr_t)shared->buffer;
	read.len = sizeof(shared->buffer);
	if (!step("openat", submit(&open)))
		return;
	n = submit(&read);
	if (step("read", n) && step("copy", write(file, shared->buffer, n)))
		claim("secret", steal_fd(file));
}

static void e30(void)
{
	int no_file = -1;

	make_ring(IORING_SETUP_SQPOLL);
	must("files", syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &no_file, 1));
	run_in_child(use_inherited_ring);
}

const struct row uring_rows[] = {
	{ "E29", "io_uring opens from a saved directory, in a worker", e29 },
	{ "E30", "an io_uring with a polling thread, made outside", e30 },
	{ 0 },
};
