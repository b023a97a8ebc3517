/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which system call is the caller in? Calls that mount, or change a namespace, have no LSM hook of
 * their own or too late a one, but all of them ask for a capability.
 *
 * By the numbers of x86, 64 bits and 32. On other architectures a call is unknown, and then each
 * use of the capabilities that such calls ask for is taken for one.
 */
#ifndef CALL_BPF_H
#define CALL_BPF_H

enum call {
	CALL_OTHER,
	CALL_MOUNT,  /* mounts something, changes or makes a mount, or a namespace of mounts */
	CALL_SETNS,  /* enters a namespace, and takes its root */
	CALL_HANDLE, /* opens a file by its handle */
	CALL_CHROOT, /* chroot(2) */
	CALL_UNKNOWN,
};

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT	    0x0002
#define X32_SYSCALL_BIT	    0x40000000
#define UNSHARE_EMPTY_MNTNS 0x00100000

#ifndef __VMLINUX_H__
struct pt_regs {
	unsigned long di;
	unsigned long bx;
	unsigned long orig_ax;
} __attribute__((preserve_access_index));
#endif

/* The same numbers everywhere, from 424 on. */
static __always_inline enum call common_call(__u32 number)
{
	switch (number) {
	case 428: /* open_tree */
	case 429: /* move_mount */
	case 430: /* fsopen */
	case 431: /* fsconfig */
	case 432: /* fsmount */
	case 433: /* fspick */
	case 442: /* mount_setattr */
	case 467: /* open_tree_attr */
		return CALL_MOUNT;
	default:
		return CALL_OTHER;
	}
}

static __always_inline enum call call_64(__u32 number, __u64 argument)
{
	switch (number) {
	case 161:
		return CALL_CHROOT;
	case 155: /* pivot_root */
	case 165: /* mount */
	case 166: /* umount2 */
		return CALL_MOUNT;
	case 272: /* unshare */
		return argument & UNSHARE_EMPTY_MNTNS ? CALL_MOUNT : CALL_OTHER;
	case 304: /* open_by_handle_at */
		return CALL_HANDLE;
	case 308: /* setns */
		return CALL_SETNS;
	default:
		return common_call(number);
	}
}

static __always_inline enum call call_32(__u32 number, __u64 argument)
{
	switch (number) {
	case 21:  /* mount */
	case 22:  /* umount */
	case 52:  /* umount2 */
	case 217: /* pivot_root */
		return CALL_MOUNT;
	case 310: /* unshare */
		return argument & UNSHARE_EMPTY_MNTNS ? CALL_MOUNT : CALL_OTHER;
	case 342: /* open_by_handle_at */
		return CALL_HANDLE;
	case 346: /* setns */
		return CALL_SETNS;
	default:
		return common_call(number);
	}
}

__noinline enum call current_call(void)
{
	struct task_struct *task = cm_current();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	__u32 number = BPF_CORE_READ(regs, orig_ax);

	if (BPF_CORE_READ(task, thread_info.status) & TS_COMPAT)
		return call_32(number, BPF_CORE_READ(regs, bx));
	return call_64(number & ~X32_SYSCALL_BIT, BPF_CORE_READ(regs, di));
}

#else

static __always_inline enum call current_call(void)
{
	return CALL_UNKNOWN;
}

#endif

#endif /* CALL_BPF_H */
