// SPDX-License-Identifier: GPL-2.0-only
/* A hook that no kernel has. */
#include "checmate.bpf.h"

CM_PACK("nohook", .question = "Is it there?");

CM_HOOK(no_such_hook, int argument)
{
	return CM_ALLOW;
}
