/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much does the caller write, and where? The hook is told the file alone: the rest is in the
 * registers that the system call was made with.
 *
 * By the numbers of x86 with 64 bits. What else writes is unknown: calls of 32 bits, io_uring, aio,
 * an ioctl that clones, and everything on other architectures.
 */
#ifndef CALL_BPF_H
#define CALL_BPF_H

enum call_kind {
	CALL_UNKNOWN,
	CALL_WRITE,
	CALL_MOVE, /* from another file, and no more than there is to be had */
	CALL_ROOM, /* no data: room for some */
};

#define RWF_DSYNC    0x02
#define RWF_SYNC     0x04
#define RWF_APPEND   0x10
#define RWF_NOAPPEND 0x20

/* Places that are no number: where the file stands, and behind all that it has. */
#define AT_POSITION -1ull
#define AT_END	    -2ull

struct call {
	__u64 at;
	__u64 length;
	__u32 kind;
	__u32 flags; /* RWF_ */
};

/* The kernel writes no more at once: MAX_RW_COUNT. */
#define MAX_LENGTH  0x7ffff000ull
#define MAX_OFFSET  0x7fffffffffffffffull
#define MAX_VECTORS 1024

#if defined(__TARGET_ARCH_x86)

#ifndef __VMLINUX_H__
struct pt_regs {
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long ax;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
} __attribute__((preserve_access_index));
#endif

#define TS_COMPAT    0x0002
#define PF_IO_WORKER 0x00000010

#define FALLOC_FL_PUNCH_HOLE	 0x02
#define FALLOC_FL_COLLAPSE_RANGE 0x08
#define FALLOC_FL_INSERT_RANGE	 0x20

struct vector {
	__u64 base;
	__u64 length;
};

struct vectors {
	__u64 from;
	__u64 length;
	__u64 unread;
};

/* One element of a writev's list; nonzero: no more. Not static: see cm_forget(). */
__noinline int add_vector(__u64 i, struct vectors *vectors)
{
	struct vector vector = {};

	if (!vectors)
		return 1;
	vectors->unread = 1;
	if (bpf_probe_read_user(&vector, sizeof(vector),
				(const void *)(vectors->from + i * sizeof(vector))))
		return 1;
	vectors->unread = 0;
	vectors->length += vector.length < MAX_LENGTH ? vector.length : MAX_LENGTH;
	return vectors->length >= MAX_LENGTH;
}

static long add_one(__u64 i, struct vectors *vectors)
{
	return add_vector(i, vectors) != 0;
}

static __always_inline void set_call(struct call *call, enum call_kind kind, __u64 at, __u64 length)
{
	__u64 most = kind == CALL_WRITE ? MAX_LENGTH : MAX_OFFSET;

	call->kind = kind;
	call->at = at;
	call->length = length < most ? length : most;
}

static __always_inline void set_vectors(struct call *call, __u64 at, __u64 from, __u32 count)
{
	struct vectors vectors = { .from = from };

	bpf_loop(count < MAX_VECTORS ? count : MAX_VECTORS, add_one, &vectors, 0);
	if (!vectors.unread)
		set_call(call, CALL_WRITE, at, vectors.length);
}

/* @from: where the caller keeps the place, or NULL. */
static __always_inline void set_moved(struct call *call, __u64 from, __u64 length)
{
	__u64 at = AT_POSITION;

	if (!from || !bpf_probe_read_user(&at, sizeof(at), (const void *)from))
		set_call(call, CALL_MOVE, at, length);
}

static __always_inline void set_room(struct call *call, __u32 mode, __u64 at, __u64 length)
{
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE))
		length = 0;
	set_call(call, CALL_ROOM, mode & FALLOC_FL_INSERT_RANGE ? AT_END : at, length);
}

/*
 * Is the task in a call of 64 bits? Its registers stay what they were when it is over, or in a
 * worker of io_uring, which begins with a copy; what io_uring does on the way back is of neither.
 * The register of the result has this value from a call's beginning to its end.
 */
static __always_inline bool is_in_call(const struct task_struct *task, const struct pt_regs *regs)
{
	return (long)regs->ax == -ENOSYS && !(task->flags & PF_IO_WORKER) &&
	       !(task->thread_info.status & TS_COMPAT);
}

/* Not static: see cm_forget(). */
__noinline int read_call(struct call *call)
{
	struct task_struct *task = cm_current();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (!call)
		return 0;
	call->kind = CALL_UNKNOWN;
	call->flags = 0;
	if (!is_in_call(task, regs))
		return 0;
	switch (regs->orig_ax) {
	case 1: /* write */
		set_call(call, CALL_WRITE, AT_POSITION, regs->dx);
		break;
	case 18: /* pwrite64 */
		set_call(call, CALL_WRITE, regs->r10, regs->dx);
		break;
	case 20: /* writev */
		set_vectors(call, AT_POSITION, regs->si, regs->dx);
		break;
	case 328: /* pwritev2; -1 is the file's position for it, too */
		call->flags = regs->r9;
	case 296: /* pwritev */
		set_vectors(call, regs->r10, regs->si, regs->dx);
		break;
	case 28: /* madvise: cuts a hole */
		set_call(call, CALL_ROOM, 0, 0);
		break;
	case 40: /* sendfile */
		set_moved(call, 0, regs->r10);
		break;
	case 275: /* splice */
	case 326: /* copy_file_range */
		set_moved(call, regs->r10, regs->r8);
		break;
	case 285: /* fallocate */
		set_room(call, regs->si, regs->dx, regs->r10);
		break;
	}
	return 0;
}

#else

static __always_inline int read_call(struct call *call)
{
	*call = (struct call){ .kind = CALL_UNKNOWN };
	return 0;
}

#endif

#endif /* CALL_BPF_H */
