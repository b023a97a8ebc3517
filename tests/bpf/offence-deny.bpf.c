// SPDX-License-Identifier: GPL-2.0-only
/* May a cgroup that was noted to misbehave open sockets? */
#include "checmate.bpf.h"

#define OFFENCE_VALUE __u64
#include "offence.h"

CM_PACK("offence_deny", .question = "May a cgroup that misbehaved open sockets?");

CM_HOOK(socket_create, int family, int type, int protocol, int kern)
{
	__u64 cgroup = bpf_get_current_cgroup_id();

	if (!bpf_map_lookup_elem(&offenders, &cgroup))
		return CM_ALLOW;
	return cm_deny(EACCES, "socket.create", "offender", cm_u64("family", family));
}
