// SPDX-License-Identifier: GPL-2.0-only
/*
 * What systemd's IPAddressAllow= has done for it, as far as it costs: each packet that leaves is
 * looked up by its address. Only the benchmark attaches it, to compare netfilter with.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct prefix {
	__u32 len;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__type(key, struct prefix);
	__type(value, __u64);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} allowed SEC(".maps");

SEC("cgroup_skb/egress") int skb_egress(struct __sk_buff *skb)
{
	struct prefix key = { .len = 32 };

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return 1;
	if (bpf_skb_load_bytes(skb, offsetof(struct iphdr, daddr), &key.address, 4))
		return 0;
	return !!bpf_map_lookup_elem(&allowed, &key);
}

char _license[] SEC("license") = "GPL";
