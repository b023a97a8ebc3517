// SPDX-License-Identifier: GPL-2.0-only
/* A shared map of the same name that is another one. */
#include "checmate.bpf.h"

#define OFFENCE_VALUE __u32
#include "offence.h"

CM_PACK("offence_other", .question = "Nothing is asked.");

CM_HOOK(socket_create, int family, int type, int protocol, int kern)
{
	return bpf_map_lookup_elem(&offenders, &(__u64){ 1 }) ? -EPERM : CM_ALLOW;
}
