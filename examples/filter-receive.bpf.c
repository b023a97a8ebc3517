// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which ports are closed to the sockets of a cgroup? An ingress filter for a container that needs
 * no address, network namespace or firewall rule of its own. By the cgroup of the socket.
 *
 *	socket_sock_rcv_skb	a packet for that port is dropped: its sender hears nothing
 *	socket_bind		a bind to that port is refused with EACCES
 */
#include "checmate.bpf.h"

CM_PACK("filter_receive", .question = "Which ports are closed to the sockets of a cgroup?");

CM_KNOB(receive_port, "checmate/filter_receive/receive_port", .min = 0, .max = 65535, .cap = -1,
	.help = "port at which packets are dropped; 0: none");
CM_KNOB(bind_port, "checmate/filter_receive/bind_port", .min = 0, .max = 65535, .cap = -1,
	.help = "port that cannot be bound; 0: none");

CM_HOOK(socket_sock_rcv_skb, struct sock *sk, struct sk_buff *skb)
{
	__u16 port = sk->__sk_common.skc_num;

	if (!port || !cm_packet_in_force(sk))
		return CM_ALLOW;
	if (port != cm_packet_knob(sk, receive_port))
		return cm_allow();
	return cm_packet_deny(sk, EPERM, "socket.receive", "closed-port", cm_u64("port", port),
			      cm_u64("bytes", skb->len));
}

CM_HOOK(socket_bind, struct socket *sock, struct sockaddr *address, int length)
{
	__u16 port;

	if (!cm_sock_in_force(sock->sk))
		return CM_ALLOW;
	if (!cm_read_port(address, length, &port) || !port)
		return cm_allow();
	if (bpf_ntohs(port) != cm_sock_knob(sock->sk, bind_port))
		return cm_allow();
	return cm_sock_deny(sock->sk, EACCES, "socket.bind", "closed-port", cm_port("port", port));
}
