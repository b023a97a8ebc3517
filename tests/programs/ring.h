/* SPDX-License-Identifier: GPL-2.0-only */
/* io_uring without a library, for programs that try what calls it can make. */
#ifndef RING_H
#define RING_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One request of a ring, and what it says; a ring for each is slow and simple. */
static int by_ring(struct io_uring_sqe *request)
{
	struct io_uring_params params = {};
	int ring = syscall(SYS_io_uring_setup, 1, &params), result;
	struct io_uring_sqe *requests;
	char *submitted, *completed;
	unsigned int *array, *tail;

	if (ring < 0)
		return errno;
	submitted = mmap(NULL, params.sq_off.array + sizeof(unsigned int), PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring, IORING_OFF_SQ_RING);
	completed = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe),
			 PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	requests = mmap(NULL, sizeof(*requests), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
			IORING_OFF_SQES);
	if (submitted == MAP_FAILED || completed == MAP_FAILED || requests == MAP_FAILED)
		exit(2);
	*requests = *request;
	array = (unsigned int *)(submitted + params.sq_off.array);
	tail = (unsigned int *)(submitted + params.sq_off.tail);
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		exit(2);
	result = ((struct io_uring_cqe *)(completed + params.cq_off.cqes))->res;
	close(ring);
	return result < 0 ? -result : 0;
}

#endif /* RING_H */
