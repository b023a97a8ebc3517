// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many TCP sockets may be connected to one IPv4 address and port at once? As many as the knob
 * says, those of all processes in force taken together; one more fails with EUSERS. By the cgroup
 * of the socket.
 *
 * A socket takes its place before it connects and gives it back once, by whichever of these comes
 * first; so the number is exact, also when many connect at once.
 *
 *	socket_connect			takes a place or refuses
 *	security_socket_connect (exit)	gives it back if another policy has refused,
 *	inet_stream_connect (exit)	if the connection failed at once,
 *	inet_sock_set_state		if it failed later or has ended,
 *	sk_free_security		and when the socket is freed;
 *	sk_alloc_security		makes sure of that before the address is another socket's
 *
 * The kernel skips a tracing program (the two exits and the tracepoint) that would interrupt
 * itself: then a later one of the list gives the place back. Never is more let in.
 *
 * It does not see connections from before it was enabled, nor TCP Fast Open, which connects in
 * sendto(2) and asks no hook.
 */
#include "checmate.bpf.h"

CM_PACK("limit_connections", .question = "How many may be connected to one address and port?");

CM_KNOB(limit, "checmate/limit_connections/limit", .min = 0, .max = 65536, .init = 10, .cap = -1,
	.strictest = CM_STRICTEST_MIN, .help = "sockets connected to one IPv4 address and port");

CM_COUNTER(no_room); /* refused because `connected` is full */

/*
 * Connected sockets per destination. An entry stays: were it removed at 0, another CPU might be
 * about to count in it. So many different destinations, then all new ones are refused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct cm_ipv4_address);
	__type(value, __u32);
} connected SEC(".maps");

struct place {
	struct cm_ipv4_address to;
	__u64 taker; /* the thread whose connect(2) this is */
};

/* Sockets that hold a place, by their address, which is theirs until sk_free_security. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 20);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct place);
} places SEC(".maps");

/* Each try fails only because another CPU has counted meanwhile. */
#define TRIES 128

static __always_inline bool count_up(struct cm_ipv4_address *to, __u32 limit)
{
	__u32 *count, zero = 0, now;
	int i;

	bpf_map_update_elem(&connected, to, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&connected, to);
	if (!count)
		cm_add(no_room, 1);
	for (i = 0; count && i < TRIES; i++) {
		now = *(volatile __u32 *)count;
		if (now >= limit)
			return false;
		if (__sync_val_compare_and_swap(count, now, now + 1) == now)
			return true;
	}
	return false;
}

static __always_inline void count_down(struct cm_ipv4_address *to)
{
	__u32 *count = bpf_map_lookup_elem(&connected, to);

	if (count)
		__sync_fetch_and_add(count, -1);
}

/* @taker: only if that thread has taken it; 0: whoever has */
static __always_inline void give_back(__u64 sk, __u64 taker)
{
	struct place *place = bpf_map_lookup_elem(&places, &sk);
	struct cm_ipv4_address to;

	if (!place || (taker && place->taker != taker))
		return;
	to = place->to;
	/* Only one caller can delete it. */
	if (!bpf_map_delete_elem(&places, &sk))
		count_down(&to);
}

CM_HOOK(socket_connect, struct socket *sock, struct sockaddr *address, int length)
{
	struct place place = { .taker = bpf_get_current_pid_tgid() };
	struct sock *sk = sock->sk;
	__u64 key = (__u64)sk;

	/* Not TCP, or connected already: the kernel will say so. */
	if (!sk || sk->sk_type != SOCK_STREAM || sk->sk_protocol != IPPROTO_TCP ||
	    sk->__sk_common.skc_state != TCP_CLOSE || !cm_sock_in_force(sk))
		return CM_ALLOW;
	if (!cm_read_ipv4(address, length, &place.to))
		return CM_ALLOW;
	give_back(key, place.taker); /* left by an attempt of its own that no exit was seen of */
	if (!count_up(&place.to, cm_sock_knob(sk, limit)))
		return cm_sock_deny(sk, EUSERS, "socket.connect", "too-many",
				    cm_ipv4("address", place.to.address),
				    cm_port("port", place.to.port),
				    cm_u64("limit", cm_sock_knob(sk, limit)));
	if (bpf_map_update_elem(&places, &key, &place, BPF_NOEXIST)) {
		count_down(&place.to);
		return -EALREADY; /* another thread is connecting the same socket */
	}
	return cm_allow();
}

SEC("fexit/security_socket_connect")
int BPF_PROG(refused, struct socket *sock, struct sockaddr *address, int length, int error)
{
	if (error)
		give_back((__u64)sock->sk, bpf_get_current_pid_tgid());
	return 0;
}

SEC("fexit/inet_stream_connect")
int BPF_PROG(failed, struct socket *sock, struct sockaddr *address, int length, int flags,
	     int error)
{
	struct sock *sk = sock->sk;

	if (error && sk && sk->__sk_common.skc_state == TCP_CLOSE)
		give_back((__u64)sk, bpf_get_current_pid_tgid());
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ended, struct sock *sk, int old_state, int new_state)
{
	if (new_state == TCP_CLOSE)
		give_back((__u64)sk, 0);
	return 0;
}

CM_HOOK(sk_free_security, struct sock *sk)
{
	give_back((__u64)sk, 0);
	return CM_ALLOW;
}

CM_HOOK(sk_alloc_security, struct sock *sk)
{
	give_back((__u64)sk, 0);
	return CM_ALLOW;
}
