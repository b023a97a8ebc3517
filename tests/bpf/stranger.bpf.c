// SPDX-License-Identifier: GPL-2.0-only
/* Someone else's program, by no word of ours: nobody binds port 4998. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

SEC("cgroup/bind4")
int stranger(struct bpf_sock_addr *address)
{
	return address->user_port != bpf_htons(4998);
}
