/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The procfs door's interface: ioctl(2) on /dev/checmate (mode 0600).
 *
 * A door makes /proc/sys/<path> out of one signed 32-bit integer inside element 0 of a BPF array
 * map. ADD and REMOVE need CAP_SYS_ADMIN in the initial user namespace, whoever opened the device.
 */
#ifndef CHECMATE_DOOR_H
#define CHECMATE_DOOR_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CM_DOOR_DEVICE	  "/dev/checmate"
#define CM_DOOR_ABI	  3    /* what CM_DOOR_VERSION reports */
#define CM_DOOR_PATH_MAX  128  /* with the terminating zero */
#define CM_DOOR_KNOBS_MAX 1024 /* files at a time; one more gets ENOSPC */

/* cm_door_knob.flags */
#define CM_DOOR_LATCH (1U << 0) /* .latch is valid */
/*
 * At most one of these: the direction in which a value becomes stricter. Once the map is frozen
 * that is the only one it may go, the rest gets EPERM; without one of these, all gets EPERM then.
 */
#define CM_DOOR_UP    (1U << 1) /* the larger value is stricter */
#define CM_DOOR_DOWN  (1U << 2) /* the smaller */
#define CM_DOOR_BITS  (1U << 3) /* the one with more bits, all of the old one's among them */
#define CM_DOOR_LIMIT (1U << 5) /* the smaller, except that 0 is the largest; .min is 0 */
/*
 * .seal_fd and what follows are valid: while the integer at .seal_offset of that map is
 * .seal_value, the value may only go in its direction, which there must be, and the rest gets
 * EACCES.
 */
#define CM_DOOR_SEALED (1U << 4)

/*
 * A latched knob accepts every value within its bounds until the stored value equals .latch; from
 * then on .latch is the only one it accepts, the rest gets EINVAL.
 */
struct cm_door_knob {
	__u32 size;   /* sizeof(struct cm_door_knob): how a longer one will be told from this one */
	__s32 map_fd; /* readable and writable */
	__u32 offset; /* of the integer, in bytes from the start of element 0; a multiple of 4 */
	__s32 min;
	__s32 max;
	__s32 latch;
	__u32 flags;
	__s32 cap; /* needed to write, in the initial user namespace; -1: file permissions only */
	char path[CM_DOOR_PATH_MAX]; /* below /proc/sys, as "kernel/yama/ptrace_scope" */
	__s32 seal_fd;		     /* as .map_fd; may be the same map */
	__u32 seal_offset;
	__s32 seal_value;
};

struct cm_door_path {
	char path[CM_DOOR_PATH_MAX];
};

#define CM_DOOR_KNOB_SIZE_1 160 /* size of the first published cm_door_knob, the least accepted */

#define CM_DOOR_KNOB_SIZE_2 172 /* from CM_DOOR_ABI 2: with the seal */

_Static_assert(sizeof(struct cm_door_knob) == CM_DOOR_KNOB_SIZE_2, "cm_door_knob has no holes");
_Static_assert(sizeof(struct cm_door_path) == CM_DOOR_PATH_MAX, "cm_door_path is its path");

#define CM_DOOR_IOC 0xCB

/* Returns CM_DOOR_ABI. */
#define CM_DOOR_VERSION _IOR(CM_DOOR_IOC, 0, __u32)
/*
 * Takes a struct cm_door_knob; no size in the number, the struct carries it. The file stays after
 * every descriptor is closed, until REMOVE or module unload.
 *
 *   E2BIG    a longer struct uses fields that this module does not know
 *   EINVAL   size, flags, cap, bounds, offset or path; or the map is no plain array
 *            (path: lower-case letters, digits and _ - . in at least two components, none of them
 *            empty or starting with a dot, no two dots in a row)
 *   EBADF    no such descriptor (EINVAL: it is not a map)
 *   EPERM    no CAP_SYS_ADMIN; or the descriptor is not writable; or the map is frozen
 *   EEXIST   the path exists, ours or not; only a file of ours whose policy is gone gives way
 *   ENOTDIR  a file stands where the path needs a directory
 *   ENOSPC   CM_DOOR_KNOBS_MAX files exist
 */
#define CM_DOOR_ADD _IO(CM_DOOR_IOC, 1)
/* Takes a struct cm_door_path; ENOENT when no ADD made it. The value stays as it is. */
#define CM_DOOR_REMOVE _IOW(CM_DOOR_IOC, 2, struct cm_door_path)

#endif /* CHECMATE_DOOR_H */
