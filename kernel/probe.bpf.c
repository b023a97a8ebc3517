// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does this kernel run BPF LSM programs? Where `bpf` is not an active LSM they load and attach, and
 * are never called: so the loader attaches this one, makes the call, and looks whether it was seen.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 prober; /* thread group that makes the call */
volatile __u32 seen;

SEC("lsm/task_getpgid")
int cm_probe(void *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == prober)
		seen = 1;
	return 0;
}
