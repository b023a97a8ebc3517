// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many connections may there be at once? What `limit connections` in the rules of netfilter
 * says. A pack of its own, which `checmate netfilter load` enables where rules have a limit:
 * sockets are accounted for nowhere else.
 *
 *	connect4, connect6		a TCP socket takes its places before it connects
 *	inet_conn_request		a request for a connection takes them
 *	inet_csk_clone			the socket that it becomes gets them
 *
 * They are given back once, by whichever comes first:
 *
 *	__inet_stream_connect (exit)	the connection failed at once, or another program refused it
 *	inet_sock_set_state		it failed later, or has ended
 *	sk_free_security		the socket is freed
 *	inet_conn_request		the requests that have become nothing, in their turn
 *
 * The kernel skips a tracing program (the exit and the tracepoint) that would interrupt itself:
 * then a later one of the list gives back. Never is more let in.
 */
#define CM_LEVELS
#include "checmate.bpf.h"

/* Behind those that refuse for other reasons: a request that they refuse takes no place. */
CM_PACK("netfilter_limit", .question = "How many connections may there be at once?",
	.priority = 1000);

#define LIMIT(NAME, WHAT)                                                                          \
	CM_KNOB(NAME, "kernel/checmate/netfilter/" #NAME, .max = 1000000, .cap = -1,               \
		.strictest = CM_STRICTEST_LIMIT, .help = WHAT "; 0: any number")

LIMIT(limit_per_destination, "connections at once to one address and TCP port");
LIMIT(limit_per_scope, "connections at once that go out");
LIMIT(limit_per_source, "connections at once from one address");

CM_COUNTER(no_room); /* refused for want of memory, not by a limit */

#include "place.bpf.h"

#define IP_MPTCP 262

/* No longer than this a request holds a place: the kernel tries for 63 s if it is not told
 * otherwise.
 */
#define REQUEST_NS (64 * 1000000000ull)

static __always_inline bool is_asked(__u32 row)
{
	return row || cm_system_in_force();
}

#define IS_IPV4(ADDRESS) (!(ADDRESS)[0] && !(ADDRESS)[1] && (ADDRESS)[2] == bpf_htonl(0xffff))

/* What becomes of it, where that is to be told. @DENY: cm_deny_for, or another word of that form */
#define VERDICT(TAKING, ACTION, DENY)                                                              \
	({                                                                                         \
		struct cm_value value_ = { (TAKING)->denied, (TAKING)->would_deny };               \
		const char *reason_ = (TAKING)->broken	  ? "broken"                               \
				      : (TAKING)->no_room ? "no-room"                              \
							  : "limit";                               \
		long verdict_;                                                                     \
                                                                                                   \
		value_.shadow |= value_.enforced;                                                  \
		if ((TAKING)->broken)                                                              \
			cm_count_in(cm_here, CM_COUNT_ERROR);                                      \
		if ((TAKING)->no_room)                                                             \
			cm_add(no_room, 1);                                                        \
		if (IS_IPV4((TAKING)->address))                                                    \
			verdict_ = DENY(value_, EUSERS, ACTION, reason_,                           \
					cm_ipv4("address", (TAKING)->address[3]), FIELDS(TAKING)); \
		else                                                                               \
			verdict_ = DENY(value_, EUSERS, ACTION, reason_,                           \
					cm_ipv6("address", (TAKING)->address), FIELDS(TAKING));    \
		verdict_;                                                                          \
	})
#define FIELDS(TAKING)                                                                             \
	cm_port("port", bpf_htons((TAKING)->port)), cm_u64("limit", (TAKING)->limit),              \
		cm_text("per", per_names[(TAKING)->per % NF_LIMITS])

/* --- out */

/* By either name the machine itself is meant. */
static __always_inline void name_loopback(__be32 *address)
{
	if (address[0] || address[1] || address[3])
		return;
	if (address[2] == bpf_htonl(0xffff))
		address[3] = bpf_htonl(0x7f000001);
	else if (!address[2])
		address[3] = bpf_htonl(1);
}

/*
 * The socket is locked, and in the state CLOSE: what it has held until now it holds only because no
 * program was run when that ended.
 */
static __always_inline long connect(volatile cm_counter_line *cm_here, struct bpf_sock_addr *ctx,
				    struct taking *taking)
{
	struct bpf_sock *sk = ctx->sk;
	__u64 key;

	/* A program in front of this one has refused already. */
	if (!sk || (int)bpf_get_retval() < 0)
		return CM_ALLOW;
	key = (__u64)bpf_skc_to_tcp_sock(sk);
	if (!key)
		return CM_ALLOW;
	taking->port = bpf_ntohs((__u16)ctx->user_port);
	name_loopback(taking->address);
	give_back(key);
	take(taking);
	if (!taking->denied && !keep(key, taking))
		taking->denied = 1;
	return taking->would_deny || taking->denied ? VERDICT(taking, "socket.connect", cm_deny_for)
						    : cm_allow();
}

CM_SOCKADDR(connect4, address)
{
	struct taking taking = { .from = cm_own_scope(),
				 .address[2] = bpf_htonl(0xffff),
				 .address[3] = address->user_ip4 };

	return is_asked(taking.from) ? connect(cm_here, address, &taking) : CM_ALLOW;
}

CM_SOCKADDR(connect6, address)
{
	struct taking taking = { .from = cm_own_scope(),
				 .address[0] = address->user_ip6[0],
				 .address[1] = address->user_ip6[1],
				 .address[2] = address->user_ip6[2],
				 .address[3] = address->user_ip6[3] };

	return is_asked(taking.from) ? connect(cm_here, address, &taking) : CM_ALLOW;
}

/* MPTCP connects a TCP socket of its own. */
CM_RETURN(__inet_stream_connect, struct socket *sock, struct sockaddr *address, int length,
	  int flags, int is_sendmsg, int error)
{
	struct sock *sk = sock->sk;

	if (!error || !sk)
		return;
	if (sk->sk_protocol == IP_MPTCP && bpf_core_field_exists(struct mptcp_sock, first))
		sk = BPF_CORE_READ((struct mptcp_sock *)sk, first);
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_CLOSE)
		give_back((__u64)sk);
}

/* --- in */

/* In the order they came. Those that have ended leave it as soon as they are the oldest. */
struct request {
	__u64 key, until_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1 << 18);
	__type(value, struct request);
} requests SEC(".maps");

/* At each new request, so that they get fewer. */
#define ENDED_AT_ONCE 64

static long end_request(__u64 i, __u64 *now)
{
	struct request request;
	struct place *place;
	bool is_open;

	if (bpf_map_peek_elem(&requests, &request))
		return 1;
	place = bpf_map_lookup_elem(&places, &request.key);
	is_open = place && place->until_ns == request.until_ns;
	if ((is_open && request.until_ns > *now) || bpf_map_pop_elem(&requests, &request))
		return 1;
	/* What is popped is another one where another CPU has taken that. */
	place = bpf_map_lookup_elem(&places, &request.key);
	if (!place || place->until_ns != request.until_ns)
		return 0;
	if (request.until_ns <= *now)
		give_back(request.key);
	else
		bpf_map_push_elem(&requests, &request, BPF_EXIST);
	return 0;
}

static __always_inline void from_request(struct taking *taking, const struct request_sock *req)
{
	const struct in6_addr *from = &req->__req_common.skc_v6_daddr;

	taking->is_incoming = 1;
	taking->address[0] = from->in6_u.u6_addr32[0];
	taking->address[1] = from->in6_u.u6_addr32[1];
	taking->address[2] = from->in6_u.u6_addr32[2];
	taking->address[3] = from->in6_u.u6_addr32[3];
	taking->port = req->__req_common.skc_num;
	taking->place.ports = (__u32)bpf_ntohs(req->__req_common.skc_dport) << 16 | taking->port;
}

/* A SYN that is answered by a cookie: the kernel keeps nothing of it, and asks again at the answer.
 */
static __always_inline bool is_forgotten(struct sk_buff *skb, const struct request_sock *req)
{
	__u8 flags = 0;

	if (req->__req_common.skc_listener)
		return false;
	bpf_probe_read_kernel(&flags, sizeof(flags), skb->head + skb->transport_header + 13);
	return flags & 2;
}

CM_HOOK(inet_conn_request, const struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	struct taking taking = { .from = cm_scope_of_sock(sk) };
	struct request request = { .key = (__u64)req };
	__u64 now;

	if (!is_asked(taking.from))
		return CM_ALLOW;
	now = bpf_ktime_get_ns();
	bpf_loop(ENDED_AT_ONCE, end_request, &now, 0);
	give_back(request.key);
	from_request(&taking, req);
	taking.place.until_ns = request.until_ns = now + REQUEST_NS;
	take(&taking);
	if (taking.place.nr && !taking.denied) {
		if (is_forgotten(skb, req))
			give_all(&taking.place);
		else if (!keep(request.key, &taking))
			taking.denied = 1;
		else if (bpf_map_push_elem(&requests, &request, 0)) {
			give_back(request.key);
			taking.denied = taking.no_room = 1;
		}
	}
	if (!taking.would_deny && !taking.denied)
		return cm_allow();
#define DENY(ARGS...) cm_packet_deny_for(sk, ##ARGS)
	return VERDICT(&taking, "socket.accept", DENY);
}

/* It cannot be refused here. What has lost its place by now counts all the same. */
CM_HOOK(inet_csk_clone, struct sock *newsk, const struct request_sock *req)
{
	struct taking taking = { .is_there = 1, .from = cm_scope_of_sock(newsk) };
	__u64 key = (__u64)req, socket = (__u64)newsk;
	struct place *place;
	__u32 ports;

	if (!is_asked(taking.from))
		return CM_ALLOW;
	give_back(socket);
	from_request(&taking, req);
	ports = taking.place.ports;
	place = bpf_map_lookup_elem(&places, &key);
	if (place) {
		taking.place = *place;
		if (bpf_map_delete_elem(&places, &key)) {
			taking.place.nr = 0;
		} else if (taking.place.ports != ports) { /* of one before it at that address */
			give_all(&taking.place);
			taking.place.nr = 0;
		}
	}
	if (!taking.place.nr)
		take(&taking);
	taking.place.until_ns = 0;
	if (!keep(socket, &taking))
		cm_add(no_room, 1);
	return CM_ALLOW;
}

/* --- over */

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ended, struct sock *sk, int old_state, int new_state)
{
	if (new_state == TCP_CLOSE)
		give_back((__u64)sk);
	return 0;
}

CM_HOOK(sk_free_security, struct sock *sk)
{
	give_back((__u64)sk);
	return CM_ALLOW;
}
