// SPDX-License-Identifier: GPL-2.0-only
/* For tests/seal.bats: a pack that its knob `lock` seals. */
#include "checmate.bpf.h"

#ifndef SEAL_FLAGS
#define SEAL_FLAGS CM_KNOB_LATCH | CM_KNOB_SEAL
#endif

CM_PACK("seal", .question = "Is an attach refused?");
CM_KNOB(lock, "kernel/seal/lock", .max = 1, .cap = -1, .flags = SEAL_FLAGS, .latch = 1,
	.help = "1: until reboot nothing becomes looser");
CM_KNOB(level, "kernel/seal/level", .alias = "kernel/oldseal/level", .max = 3, .init = 1, .cap = -1,
	.help = "1 and more: nobody attaches");
CM_KNOB(most, "kernel/seal/most", .max = 9, .init = 9, .cap = -1, .strictest = CM_STRICTEST_MIN,
	.help = "so many");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	return cm_knob(level) && mode & 2 ? cm_deny(EPERM, "ptrace.attach", "seal") : CM_ALLOW;
}
