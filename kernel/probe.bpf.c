// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does this kernel run BPF LSM programs? Where `bpf` is not an active LSM they load and attach, and
 * are never called: so the loader attaches this one, makes the call, and looks whether it was seen.
 * It reads kernel memory as every policy does, which kernel lockdown may forbid.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 prober; /* thread group that makes the call */
volatile __u32 seen;

SEC("lsm/task_getpgid")
int cm_probe(unsigned long long *ctx)
{
	unsigned long first;

	if (bpf_get_current_pid_tgid() >> 32 == prober &&
	    !bpf_probe_read_kernel(&first, sizeof(first), (const void *)ctx[0]))
		seen = 1;
	return 0;
}
