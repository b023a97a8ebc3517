// SPDX-License-Identifier: GPL-2.0-only
/*
 * For the tests of checmate lock: knobs of all rules of strictness, a hook, and a program on socket
 * addresses. A socket may be bound to ports above `low` and below `high` that have none of the bits
 * of `bits`, up to `most` of the caller's own scope; at IPv6 it may not be bound at all.
 */
#define CM_LEVELS
#include "checmate.bpf.h"

CM_PACK("lock_test", .question = "To which ports may a socket be bound?");

CM_KNOB(low, "checmate/lock_test/low", .max = 65535, .cap = -1, .help = "the least, less one");
CM_KNOB(high, "checmate/lock_test/high", .max = 65535, .init = 65535, .cap = -1,
	.strictest = CM_STRICTEST_MIN, .help = "the greatest, plus one");
CM_KNOB(bits, "checmate/lock_test/bits", .max = 65535, .cap = -1, .strictest = CM_STRICTEST_OR,
	.help = "bits that a port must not have");
CM_KNOB(most, "checmate/lock_test/most", .max = 65535, .cap = -1, .strictest = CM_STRICTEST_LIMIT,
	.help = "the greatest, in this very scope; 0: none");

CM_SOCKADDR(bind4, address)
{
	__s32 port = bpf_ntohs(address->user_port), most;
	struct cm_level level;

	if (!cm_read_level(cm_scope_of(cm_current()), &level))
		return cm_deny(EACCES, "socket.bind", "level");
	most = cm_own(&level, most);
	if (most && port > most)
		return cm_deny(EACCES, "socket.bind", "most");
	if (port > cm_knob(low) && port < cm_knob(high) && !(port & cm_knob(bits)))
		return CM_ALLOW;
	return cm_deny(EACCES, "socket.bind", "port");
}

CM_HOOK(socket_bind, struct socket *sock, struct sockaddr *address, int length)
{
	struct sock *sk = sock->sk;

	if (!sk || sk->__sk_common.skc_family != AF_INET6)
		return CM_ALLOW;
	return cm_deny(EAFNOSUPPORT, "socket.bind", "family");
}
