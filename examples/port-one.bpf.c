// SPDX-License-Identifier: GPL-2.0-only
/*
 * May this process connect to port 1 of an IPv4 address? No. seccomp cannot say that: the port is
 * behind a pointer, which it must not follow.
 *
 *	socket_connect	refused with EPERM where the port is the knob's
 */
#include "checmate.bpf.h"

CM_PACK("port_one", .question = "May this process connect to port 1?");

CM_KNOB(port, "checmate/port_one/port", .min = 0, .max = 65535, .init = 1, .cap = -1,
	.help = "TCP or UDP port that nobody connects to; 0: none");

CM_HOOK(socket_connect, struct socket *sock, struct sockaddr *address, int length)
{
	struct cm_ipv4_address to;

	if (!cm_sock_in_force(sock->sk))
		return CM_ALLOW;
	if (!cm_read_ipv4(address, length, &to))
		return cm_allow();
	if (!to.port || bpf_ntohs(to.port) != cm_sock_knob(sock->sk, port))
		return cm_allow();
	return cm_sock_deny(sock->sk, EPERM, "socket.connect", "forbidden-port",
			    cm_ipv4("address", to.address), cm_port("port", to.port));
}
