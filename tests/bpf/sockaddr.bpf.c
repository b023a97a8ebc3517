// SPDX-License-Identifier: GPL-2.0-only
/* Which socket addresses does a process use? A rule at each place there is for them. */
#include "checmate.bpf.h"

CM_PACK("sockaddr", .question = "Which socket addresses does a process use?");

CM_KNOB(refused, "checmate/sockaddr/refused", .max = 65535, .cap = -1, .help = "port; 0: none");
CM_KNOB(instead, "checmate/sockaddr/instead", .max = 65535, .cap = -1,
	.help = "port that a connect to port 1 goes to");

#define REFUSE(PLACE)                                                                              \
	CM_SOCKADDR(PLACE, address)                                                                \
	{                                                                                          \
		if (!cm_in_force() || !address->user_port ||                                       \
		    address->user_port != bpf_htons(cm_knob(refused)))                             \
			return CM_ALLOW;                                                           \
		return cm_deny(EXFULL, "socket." #PLACE, "refused-port",                           \
			       cm_port("port", address->user_port));                               \
	}

REFUSE(bind4)
REFUSE(bind6)
REFUSE(connect6)
REFUSE(sendmsg4)
REFUSE(sendmsg6)

CM_SOCKADDR(connect4, address)
{
	if (address->user_port == bpf_htons(1) && cm_enforced() && cm_knob(instead))
		address->user_port = bpf_htons(cm_knob(instead));
	return CM_ALLOW;
}

#define SHOW(PLACE)                                                                                \
	CM_COUNTER(at_##PLACE);                                                                    \
	CM_SOCKADDR_SHOWN(PLACE, address)                                                          \
	{                                                                                          \
		if (cm_in_force())                                                                 \
			cm_add(at_##PLACE, 1);                                                     \
	}

SHOW(getsockname4)
SHOW(getsockname6)
SHOW(getpeername4)
SHOW(getpeername6)
SHOW(recvmsg4)
SHOW(recvmsg6)
