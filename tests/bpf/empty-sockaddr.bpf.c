// SPDX-License-Identifier: GPL-2.0-only
/* What programs on socket addresses cost that decide nothing: the floor of netfilter's. */
#include "checmate.bpf.h"

CM_PACK("empty_sockaddr", .question = "Nothing.");

CM_SOCKADDR(connect4, address)
{
	return CM_ALLOW;
}

CM_SOCKADDR(connect6, address)
{
	return CM_ALLOW;
}

CM_SOCKADDR(sendmsg4, address)
{
	return CM_ALLOW;
}

CM_SOCKADDR(sendmsg6, address)
{
	return CM_ALLOW;
}
