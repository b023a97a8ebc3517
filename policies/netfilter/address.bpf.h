/* SPDX-License-Identifier: GPL-2.0-only */
/* From socket addresses to queries, and from a decision on one to the verdict. */
#ifndef ADDRESS_BPF_H
#define ADDRESS_BPF_H

#define IP_ICMP	   1
#define IP_DCCP	   33
#define IP_ICMPV6  58
#define IP_SCTP	   132
#define IP_UDPLITE 136
#define IP_MPTCP   262

static __always_inline __u32 protocol_of(__u32 protocol)
{
	/* First those that come most often. */
	if (protocol == IPPROTO_TCP)
		return NF_TCP;
	barrier_var(protocol); /* or the compiler asks in another order */
	if (protocol == IPPROTO_UDP)
		return NF_UDP;
	barrier_var(protocol);
	switch (protocol) {
	case IP_MPTCP:
		return NF_TCP;
	case IP_UDPLITE:
		return NF_UDPLITE;
	case IP_ICMP:
	case IP_ICMPV6:
		return NF_ICMP;
	case IP_SCTP:
		return NF_SCTP;
	case IP_DCCP:
		return NF_DCCP;
	default:
		return NF_OTHER;
	}
}

/* What 0 stands for. */
static __always_inline __u32 protocol_meant(__u32 family, __u32 type, __u32 protocol)
{
	if (protocol || (family != AF_INET && family != AF_INET6))
		return protocol;
	return type == SOCK_STREAM ? IPPROTO_TCP : type == SOCK_DGRAM ? IPPROTO_UDP : 0;
}

static __always_inline void set_ipv4(struct nf_query *query, __be32 address)
{
	query->address[0] = (__u64)bpf_ntohl(address) << 32;
}

/* Its halves, in the machine's order. */
static __always_inline void set_ipv6(struct nf_query *query, __u64 high, __u64 low)
{
	if (!high && low >> 32 == 0xffff) {
		query->address[0] = low << 32;
		return;
	}
	query->place |= 1;
	query->address[0] = high;
	query->address[1] = low;
}

static __always_inline __u64 word_of(__be32 high, __be32 low)
{
	return (__u64)bpf_ntohl(high) << 32 | bpf_ntohl(low);
}

static __always_inline void set_in6(struct nf_query *query, const struct in6_addr *address)
{
	const __be32 *words = address->in6_u.u6_addr32;

	set_ipv6(query, word_of(words[0], words[1]), word_of(words[2], words[3]));
}

/* The address as on the wire, for an event. */
struct wire {
	__be64 words[2];
};

static __always_inline struct wire wire_of(const struct nf_query *query)
{
	return (struct wire){ { bpf_cpu_to_be64(query->address[0]),
				bpf_cpu_to_be64(query->address[1]) } };
}

/* ask(), and what becomes of it, with the address and the port as fields of the event. */
#define ADDRESS_VERDICT(STEP, CTX, ACTION, DENY)                                                   \
	({                                                                                         \
		struct wire wire_;                                                                 \
		long address_verdict_;                                                             \
                                                                                                   \
		if (!ask(STEP)) {                                                                  \
			address_verdict_ = cm_allow();                                             \
		} else if ((STEP)->query.place & 1) {                                              \
			wire_ = wire_of(&(STEP)->query);                                           \
			address_verdict_ = VERDICT(STEP, CTX, ACTION, DENY,                        \
						   cm_ipv6("address", &wire_), PORT_FIELD(STEP));  \
		} else {                                                                           \
			address_verdict_ =                                                         \
				VERDICT(STEP, CTX, ACTION, DENY,                                   \
					cm_ipv4("address", IPV4_OF(STEP)), PORT_FIELD(STEP));      \
		}                                                                                  \
		address_verdict_;                                                                  \
	})
#define IPV4_OF(STEP)	 bpf_htonl((STEP)->query.address[0] >> 32)
#define PORT_FIELD(STEP) cm_port("port", bpf_htons((__u16)(STEP)->query.key))

/* --- a process names an address */

#define EGRESS_QUERY(ADDRESS)                                                                      \
	{                                                                                          \
		.place = NF_PLACE(NF_EGRESS),                                                      \
		.key = NF_KEY(protocol_of((ADDRESS)->protocol),                                    \
			      bpf_ntohs((__u16)(ADDRESS)->user_port)),                             \
	}
#define SET_IPV4(QUERY, ADDRESS) set_ipv4(QUERY, (ADDRESS)->user_ip4)
#define SET_IPV6(QUERY, ADDRESS)                                                                   \
	set_ipv6(QUERY, bpf_be64_to_cpu(*(__be64 *)&(ADDRESS)->user_ip6[0]),                       \
		 bpf_be64_to_cpu(*(__be64 *)&(ADDRESS)->user_ip6[2]))

#define QUICK_IPV4(QUERY, ADDRESS) (SET_IPV4(QUERY, ADDRESS), true)
#define QUICK_IPV6(QUERY, ADDRESS)                                                                 \
	set_not_mapped(QUERY, *(__be64 *)&(ADDRESS)->user_ip6[0], (ADDRESS)->user_ip6[2],          \
		       *(__be64 *)&(ADDRESS)->user_ip6[2])

/* False: it is IPv4 in IPv6's form. @third: of the four words, the first of @low */
static __always_inline bool set_not_mapped(struct nf_query *query, __be64 high, __be32 third,
					   __be64 low)
{
	if (!high && third == bpf_htonl(0xffff))
		return false;
	query->place |= 1;
	query->address[0] = bpf_be64_to_cpu(high);
	query->address[1] = bpf_be64_to_cpu(low);
	return true;
}

/*
 * One scope or the system, whose rule accepts and which exchanges no ports, is quick: decide() has
 * the rest. So has it IPv4 in IPv6's form.
 * @WORDS, @SET: 1, QUICK_IPV4 or 2, QUICK_IPV6
 */
#define EGRESS_QUICK(PLACE, ADDRESS, WORDS, SET)                                                   \
	CM_SOCKADDR_QUICK(PLACE, ADDRESS)                                                          \
	{                                                                                          \
		struct nf_query query;                                                             \
		__u32 row;                                                                         \
                                                                                                   \
		if (cm_own_is_outside(&row)) {                                                     \
			if (!cm_system_in_force())                                                 \
				return true;                                                       \
			row = 0;                                                                   \
		} else if (row == CM_ROW_UNKNOWN || cm_system_in_force()) {                        \
			return cm_ask_sockaddr(PLACE, ADDRESS, row);                               \
		}                                                                                  \
		query = (struct nf_query)EGRESS_QUERY(ADDRESS);                                    \
		/* Of its bits the verifier knows less than the compiler. */                       \
		barrier_var(query.key);                                                            \
		if ((nf_remaps.anywhere && may_exchange(row)) || !SET(&query, ADDRESS) ||          \
		    !is_accepted(row, &query, WORDS))                                              \
			return cm_ask_sockaddr(PLACE, ADDRESS, row);                               \
		(void)cm_allow();                                                                  \
		return true;                                                                       \
	}

/* @EXCHANGE: what may become of the port before it is asked about */
#define EGRESS_FULL(PLACE, ADDRESS, ACTION, SET, EXCHANGE)                                         \
	CM_SOCKADDR_FULL(PLACE, ADDRESS)                                                           \
	{                                                                                          \
		struct step step = { .query = EGRESS_QUERY(ADDRESS), .row = hint };                \
                                                                                                   \
		if (step.row == CM_ROW_UNKNOWN && !is_asked(&step.row))                            \
			return CM_ALLOW;                                                           \
		SET(&step.query, ADDRESS);                                                         \
		step.query.uid = cm_own_uid();                                                     \
		EXCHANGE(ADDRESS, &step);                                                          \
		return ADDRESS_VERDICT(&step, NULL, ACTION, cm_deny_for);                          \
	}

#define EGRESS_IPV4(PLACE, ADDRESS, ACTION, EXCHANGE)                                              \
	EGRESS_QUICK(PLACE, ADDRESS, 1, QUICK_IPV4)                                                \
	EGRESS_FULL(PLACE, ADDRESS, ACTION, SET_IPV4, EXCHANGE)
#define EGRESS_IPV6(PLACE, ADDRESS, ACTION, EXCHANGE)                                              \
	EGRESS_QUICK(PLACE, ADDRESS, 2, QUICK_IPV6)                                                \
	EGRESS_FULL(PLACE, ADDRESS, ACTION, SET_IPV6, EXCHANGE)

/* What bind(2) is told, copied from user space already; false: not an address of the Internet's. */
static __always_inline bool read_address(const struct sock *sk, const struct sockaddr *address,
					 int length, struct nf_query *query)
{
	struct {
		__u16 family;
		__be16 port;
		__be32 word, words[4]; /* AF_INET: address, unused; AF_INET6: flow, address */
	} any = {};

	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return false;
	/* The kernel refuses what is shorter. */
	if (length < CM_SOCKADDR_IN_LEN || bpf_probe_read_kernel(&any, CM_SOCKADDR_IN_LEN, address))
		return false;
	query->key = NF_KEY(protocol_of(sk->sk_protocol), bpf_ntohs(any.port));
	if (any.family == AF_INET || any.family == AF_UNSPEC) {
		set_ipv4(query, any.word);
		return true;
	}
	if (any.family != AF_INET6 || length < CM_SOCKADDR_IN6_LEN ||
	    bpf_probe_read_kernel(&any, CM_SOCKADDR_IN6_LEN, address))
		return false;
	set_ipv6(query, word_of(any.words[0], any.words[1]), word_of(any.words[2], any.words[3]));
	return true;
}

static __always_inline bool read_own_address(const struct sock *sk, struct nf_query *query)
{
	query->key = NF_KEY(protocol_of(sk->sk_protocol), sk->__sk_common.skc_num);
	if (sk->__sk_common.skc_family == AF_INET) {
		set_ipv4(query, sk->__sk_common.skc_rcv_saddr);
		return true;
	}
	if (sk->__sk_common.skc_family != AF_INET6)
		return false;
	set_in6(query, &sk->__sk_common.skc_v6_rcv_saddr);
	return true;
}

#endif /* ADDRESS_BPF_H */
