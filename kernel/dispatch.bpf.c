// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dispatcher: the one program of ours that is attached to an LSM hook. It runs the hook's chain
 * of policies, from slot 0; the first that denies ends the walk with its errno.
 *
 * A template: the loader sets the hook to attach to, once for each hook that a policy uses. The
 * kernel calls it only after the LSMs (and BPF programs) before it had no objection, so there is no
 * earlier verdict to honour. The slot number is a constant: the JIT makes the tail call one jump.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries,
	       CM_SLOTS + 1); /* the last stays empty: a chain ends by falling through */
	__type(key, __u32);
	__type(value, __u32);
} chain SEC(".maps");

const volatile __u32 slot;

SEC("lsm/ptrace_access_check")
int cm_dispatch(void *ctx)
{
	bpf_tail_call(ctx, &chain, 0);
	return 0;
}

/* Holds the place of a policy that left a slot below an occupied one. */
SEC("lsm/ptrace_access_check")
int cm_pass(void *ctx)
{
	bpf_tail_call(ctx, &chain, slot + 1);
	return 0;
}
