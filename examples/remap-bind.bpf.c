// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process of the cgroup that binds an IPv4 socket to port 6789 gets 12345, as a container's port
 * is mapped to one of the host, without address translation. The process is shown the port it
 * asked for, also on the connections it accepts.
 *
 *	bind4			the port is exchanged
 *	getsockname4		and exchanged back, unless show_real is 1
 *	sk_clone_security	an accepted connection is shown the same port
 *	sk_free_security,	what a socket asked for is forgotten with it
 *	sk_alloc_security
 *
 * In permissive mode nothing is exchanged, only counted.
 */
#include "checmate.bpf.h"

CM_PACK("remap_bind", .question = "Which port does a process get that binds to another?");

CM_KNOB(from, "checmate/remap_bind/from", .min = 0, .max = 65535, .init = 6789, .cap = -1,
	.help = "port that is asked for; 0: none");
CM_KNOB(to, "checmate/remap_bind/to", .min = 0, .max = 65535, .init = 12345, .cap = -1,
	.help = "port that is bound instead");
CM_KNOB(show_real, "checmate/remap_bind/show_real", .max = 1, .cap = -1,
	.help = "1: getsockname(2) tells the port that is really bound");

CM_COUNTER(remapped);
CM_COUNTER(would_remap);

/*
 * Port that a socket asked for, as the kernel keeps it, by the socket's address. Full: no further
 * socket is remapped, and its bind fails.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u32);
} asked SEC(".maps");

CM_SOCKADDR(bind4, address)
{
	__u64 sk = (__u64)address->sk;
	__u32 port = address->user_port;

	if (!port || !cm_in_force() || port != bpf_htons(cm_knob(from)))
		return CM_ALLOW;
	if (!cm_enforced()) {
		cm_add(would_remap, 1);
		return CM_ALLOW;
	}
	/* Rather no port than one that it would take for another. */
	if (bpf_map_update_elem(&asked, &sk, &port, BPF_ANY))
		return -ENOMEM;
	address->user_port = bpf_htons(cm_knob(to));
	cm_add(remapped, 1);
	return CM_ALLOW;
}

CM_SOCKADDR_SHOWN(getsockname4, address)
{
	__u64 sk = (__u64)address->sk;
	__u32 *port = bpf_map_lookup_elem(&asked, &sk);

	if (port && !cm_knob(show_real))
		address->user_port = *port;
}

/* A connection that the socket accepts has its port. */
CM_HOOK(sk_clone_security, struct sock *sk, struct sock *accepted)
{
	__u64 from_sk = (__u64)sk, to_sk = (__u64)accepted;
	__u32 *port = bpf_map_lookup_elem(&asked, &from_sk);

	if (port)
		bpf_map_update_elem(&asked, &to_sk, port, BPF_ANY);
	return CM_ALLOW;
}

CM_HOOK(sk_free_security, struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&asked, &key);
	return CM_ALLOW;
}

/* A delete that interrupts another one on the same CPU fails: then it is made up for here. */
CM_HOOK(sk_alloc_security, struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&asked, &key);
	return CM_ALLOW;
}
