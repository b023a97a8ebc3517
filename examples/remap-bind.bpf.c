// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process of the cgroup that binds an IPv4 socket to port 6789 gets 12345, as a container's port
 * is mapped to one of the host, without address translation. The process is shown the port it
 * asked for, also on the connections it accepts.
 *
 *	bind4		the port is exchanged
 *	getsockname4	and exchanged back, unless show_real is 1
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

/* Port that a socket asked for, as the kernel keeps it; an accepted connection inherits it. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, __u32);
} asked SEC(".maps");

CM_SOCKADDR(bind4, address)
{
	__u32 port = address->user_port;

	if (!port || !cm_in_force() || port != bpf_htons(cm_knob(from)))
		return CM_ALLOW;
	if (!cm_enforced()) {
		cm_add(would_remap, 1);
		return CM_ALLOW;
	}
	/* Without memory for what it asked for, the socket does not get the wrong port. */
	if (!address->sk ||
	    !bpf_sk_storage_get(&asked, address->sk, &port, BPF_SK_STORAGE_GET_F_CREATE))
		return -ENOMEM;
	address->user_port = bpf_htons(cm_knob(to));
	cm_add(remapped, 1);
	return CM_ALLOW;
}

CM_SOCKADDR_SHOWN(getsockname4, address)
{
	__u32 *port = address->sk ? bpf_sk_storage_get(&asked, address->sk, NULL, 0) : NULL;

	if (port && !cm_knob(show_real))
		address->user_port = *port;
}
