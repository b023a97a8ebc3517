// SPDX-License-Identifier: GPL-2.0-only
/* For tests/profile.bats: knobs with a second name each. Attaching is refused where `one` says so.
 */
#include "checmate.bpf.h"

CM_PACK("facets", .question = "Is an attach refused?");
CM_KNOB(one, "kernel/facets/one", .alias = "kernel/olders/one", .max = 3, .init = 1, .cap = -1,
	.help = "1 and more: nobody attaches");
CM_KNOB(two, "kernel/facets/two", .alias = "kernel/olders/two_x", .max = 9, .cap = -1,
	.flags = CM_KNOB_LATCH, .latch = 9, .help = "9 lasts until reboot");

CM_PROFILE(quiet, "one=0 two=2", .help = "nobody is refused");
CM_PROFILE(full, "kernel.olders.two_x=3  one=2", .with = "yama", .help = "nobody attaches, twice");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	return cm_knob(one) && mode & 2 ? cm_deny(EPERM, "ptrace.attach", "facets") : CM_ALLOW;
}
