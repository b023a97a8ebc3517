// SPDX-License-Identifier: GPL-2.0-only
/* A BPF program, but no policy of ours. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("lsm/ptrace_access_check")
int plain(void *ctx)
{
	return 0;
}
