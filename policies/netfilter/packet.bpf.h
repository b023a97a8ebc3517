/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that arrive without a connection: UDP, UDP-Lite, ICMP for ping's sockets, and all that
 * raw sockets get. Each that a process waits for comes by here, and those of TCP, so the rule is
 * there on demand, and for TCP ends at once.
 */
#ifndef PACKET_BPF_H
#define PACKET_BPF_H

CM_ON_DEMAND(socket_sock_rcv_skb);

/* Others have connections or associations of their own (SCTP), or no addresses (unix, netlink). */
static __always_inline bool is_packet_socket(const struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family;

	return (family == AF_INET || family == AF_INET6) &&
	       (sk->sk_type == SOCK_RAW || 1u << protocol_of(sk->sk_protocol) & NF_DATAGRAMS);
}

/* Its source, as address and as on the wire; false: no header of IPv4 or IPv6. */
static __always_inline bool read_source(const struct sk_buff *skb, struct nf_query *query)
{
	const unsigned char *header = skb->head + skb->network_header;
	__be32 words[6] = {}; /* of IPv4 the source is the fourth, of IPv6 the third to sixth */

	if (bpf_probe_read_kernel(words, 20, header))
		return false;
	switch (*(const __u8 *)words >> 4) {
	case 4:
		set_ipv4(query, words[3]);
		return true;
	case 6:
		if (bpf_probe_read_kernel(words, sizeof(words), header))
			return false;
		set_ipv6(query, word_of(words[2], words[3]), word_of(words[4], words[5]));
		return true;
	default:
		return false;
	}
}

/* From the address and port that the socket is connected to: it has been asked for. */
static __always_inline bool is_answer(const struct sock *sk, const struct sk_buff *skb,
				      const struct nf_query *query)
{
	struct nf_query other = {};
	__be16 port = 0;

	if (sk->__sk_common.skc_state != TCP_ESTABLISHED)
		return false;
	if (query->place & 1)
		set_in6(&other, &sk->__sk_common.skc_v6_daddr);
	else
		set_ipv4(&other, sk->__sk_common.skc_daddr);
	if (other.address[0] != query->address[0] || other.address[1] != query->address[1])
		return false;
	if (sk->sk_type == SOCK_RAW || protocol_of(sk->sk_protocol) == NF_ICMP)
		return true;
	return !bpf_probe_read_kernel(&port, sizeof(port), skb->head + skb->transport_header) &&
	       port == sk->__sk_common.skc_dport;
}

CM_HOOK_QUICK(socket_sock_rcv_skb, struct sock *sk, struct sk_buff *skb)
{
	__u32 row;

	if (sk->sk_protocol == IPPROTO_TCP && sk->sk_type != SOCK_RAW)
		cm_done(socket_sock_rcv_skb);
	row = cm_scope_of_sock(sk);
	if ((!row && !cm_system_in_force()) || !is_packet_socket(sk))
		cm_done_apart(socket_sock_rcv_skb);
	return cm_ask(socket_sock_rcv_skb, row);
}

CM_HOOK_FULL(socket_sock_rcv_skb, struct sock *sk, struct sk_buff *skb)
{
	struct step step = { .query.place = NF_PLACE(NF_INGRESS), .row = hint };
	__u32 protocol = protocol_of(sk->sk_protocol);
	__u16 port = sk->__sk_common.skc_num;

	if (!read_source(skb, &step.query) || is_answer(sk, skb, &step.query))
		return CM_ALLOW;
	if (sk->sk_type == SOCK_RAW) {
		port = 0;		/* it has all, and the kernel its protocol in that place */
		if (protocol == NF_TCP) /* to the rules that is who asks to connect */
			protocol = NF_OTHER;
	}
	step.query.key = NF_KEY(protocol, port);
	step.query.uid = cm_sock_uid(sk);
#define DENY_PACKET(ARGS...) cm_packet_deny_for(sk, ##ARGS)
	return ADDRESS_VERDICT(&step, ctx, "socket.receive", DENY_PACKET);
}

#endif /* PACKET_BPF_H */
