/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guard of `checmate lock`: what its programs (guard.bpf.c) and the loader (lock.c) share. It
 * knows no policy: the loader tells it what is ours by number.
 */
#ifndef CM_GUARD_H
#define CM_GUARD_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum cm_guard_stage {
	CM_GUARD_IDLE = 0,
	CM_GUARD_WARY = 1,   /* no new program that could undo ours; what is there may be undone */
	CM_GUARD_LOCKED = 2, /* until reboot */
};

enum cm_guard_kind {
	CM_GUARD_MAP = 1,     /* id of a map of ours */
	CM_GUARD_PROGRAM = 2, /* id of a program of ours */
	CM_GUARD_HOOK = 3,    /* type id of an LSM hook that we are on */
	CM_GUARD_ATTACH = 4,  /* attach type of a program of ours on cgroups */
	CM_GUARD_TYPE = 5,    /* type of a program of ours */
};

/* Keys of the map "cm_ours"; being there is what counts. */
struct cm_guard_key {
	__u32 kind; /* enum cm_guard_kind */
	__u32 id;
};

/* Keys of the map "cm_shapes": of our maps, as a map of maps knows its inner ones. */
struct cm_guard_shape {
	__u32 type;
	__u32 key_size;
	__u32 value_size;
};

/* Addresses: they are compared, and stay valid while what is named cannot go. */
struct cm_guard_state {
	__u32 stage;
	__u32 reserved;
	__u64 mount;	 /* struct mount that carries the pins */
	__u64 directory; /* struct dentry of the directory with all pins */
	/* Who writes a task's number into a cgroup.procs now, and that task: under cgroup_mutex. */
	__u64 mover;
	__u64 moved;
};

/* What cm_guard_place, run by test_run, is told. */
struct cm_guard_place {
	__s32 directory_fd; /* of the calling process, its only thread */
};

#endif /* CM_GUARD_H */
