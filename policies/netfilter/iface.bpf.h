/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the interface decides by which a packet has come: its name, as it is at that moment in the
 * network namespace of the socket, is looked up in the rules. The scopes are asked without it first
 * and mostly need no more; the first whose rules depend on it is asked again, and those above it.
 */
#ifndef IFACE_BPF_H
#define IFACE_BPF_H

#include "decide.bpf.h"

/* Not static: see cm_forget(). */
__noinline int ask_by_iface(struct step *step, const struct nf_iface_name *iface)
{
	return step && iface ? ask_with(step, iface) : 1;
}

struct arrival {
	struct decision *decision;
	const struct nf_iface_name *iface;
};

static long ask_above_by_iface(__u64 i, struct arrival *arrival)
{
	struct decision *decision = arrival->decision;
	struct step *step = &decision->step;

	if (decision->denied.verdict || is_last(step))
		return 1;
	step->row = step->above;
	ask_by_iface(step, arrival->iface);
	note(decision);
	return 0;
}

/* decide() goes on where the interface was missing, if it was. */
__noinline int decide_by_iface(struct decision *decision, const struct nf_iface_name *iface)
{
	struct arrival arrival = { decision, iface };

	if (!decision || !iface || !(decision->denied.verdict & NF_BY_IFACE))
		return 0;
	decision->denied = (struct finding){};
	ask_by_iface(&decision->step, iface);
	note(decision);
	bpf_loop(LEVELS, ask_above_by_iface, &arrival, 0);
	if (!decision->denied.verdict && !is_last(&decision->step))
		decision->denied = (struct finding){ .verdict = EPERM | NF_BROKEN };
	return 0;
}

/* The highest bit of the first byte that is 0, and perhaps of some behind it. */
static __always_inline __u64 end_in(__u64 word)
{
	return (word - 0x0101010101010101) & ~word & 0x8080808080808080;
}

static __always_inline __u64 up_to(__u64 word, __u64 end)
{
	return word & (end ^ (end - 1));
}

#define LISTS	 256 /* of interfaces in a namespace */
#define LIST_MAX 64  /* interfaces in one of them; more are not found, and refuse */

/* TCP has taken the device out of the packet by then, and left its index. */
static __always_inline const struct net_device *find_device(const struct sock *sk, int index)
{
	const struct hlist_head *head = sk->__sk_common.skc_net.net->dev_index_head;
	const struct net_device *device;
	const struct hlist_node *node;
	int found = 0, i;

	head += index & (LISTS - 1);
	if (bpf_probe_read_kernel(&node, sizeof(node), head))
		return NULL;
	for (i = 0; i < LIST_MAX && node; i++) {
		device = (const void *)((const char *)node -
					bpf_core_field_offset(struct net_device, index_hlist));
		if (bpf_probe_read_kernel(&found, sizeof(found), &device->ifindex))
			return NULL;
		if (found == index)
			return device;
		if (bpf_probe_read_kernel(&node, sizeof(node), node))
			return NULL;
	}
	return NULL;
}

/* Behind its end the kernel has what is left of names that it had before. */
static __always_inline bool read_name(const struct net_device *device, struct nf_iface_name *ret)
{
	__u64 end;

	if (!device || bpf_probe_read_kernel(ret, sizeof(*ret), device->name))
		return false;
	end = end_in(ret->words[0]);
	ret->words[0] = up_to(ret->words[0], end);
	ret->words[1] = end ? 0 : up_to(ret->words[1], end_in(ret->words[1]));
	return ret->words[0];
}

/*
 * The same for a packet that a hook has led here by, whose arguments begin with the socket and it;
 * without a name to be read it stays refused. Apart, so that the hook keeps nothing at hand for it.
 */
static __noinline int decide_by_packet(struct decision *decision, unsigned long long *ctx)
{
	const struct sock *sk = (const void *)ctx[0];
	const struct sk_buff *skb = (const void *)ctx[1];
	struct nf_iface_name name;

	if (decision->denied.verdict & NF_BY_IFACE &&
	    read_name(find_device(sk, skb->skb_iif), &name))
		decide_by_iface(decision, &name);
	return 0;
}

#endif /* IFACE_BPF_H */
