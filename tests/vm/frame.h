/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What init.c in the guest and supervise.c on the host say to each other over one virtio-serial
 * port. Host to guest: one configuration. Guest to host: frames, in the order things happened, so
 * that a frame which arrived proves that all before it did.
 */
#ifndef CHECMATE_VM_FRAME_H
#define CHECMATE_VM_FRAME_H

#include <stdint.h>

#define FRAME_PORT "checmate" /* the port's name */
#define FRAME_MAX  16384      /* longest payload: well below the 32 KiB the port takes at once */
#define CONFIG_MAX (1 << 20)

enum frame_type {
	FRAME_OUT = 'O',  /* standard output */
	FRAME_ERR = 'E',  /* standard error */
	FRAME_KMSG = 'K', /* a line of the kernel's log */
	FRAME_FAIL = 'F', /* text: the guest could not be set up */
	FRAME_EXIT = 'X', /* struct frame_exit; the last frame */
};

struct frame_head {
	uint32_t type;
	uint32_t length; /* of the payload that follows */
};

struct frame_exit {
	uint32_t status; /* as a shell counts: 128 + signal where one killed the command */
	uint32_t pad;
	uint64_t taint; /* bits of /proc/sys/kernel/tainted that the command added */
};

/*
 * Followed by LENGTH bytes of NUL-terminated KEY=VALUE strings; supervise.c does not look inside.
 */
struct config_head {
	uint32_t length;
};

_Static_assert(sizeof(struct frame_head) == 8, "frame_head has no holes");
_Static_assert(sizeof(struct frame_exit) == 16, "frame_exit has no holes");

#endif
