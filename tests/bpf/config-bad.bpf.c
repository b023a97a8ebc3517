// SPDX-License-Identifier: GPL-2.0-only
/* For tests/config.bats: no verifier takes it, for it reads what may be nothing. */
#include "checmate.bpf.h"

CM_PACK("config_bad", .question = "Is it loaded?");

CM_HOOK(ptrace_access_check, struct task_struct *child, unsigned int mode)
{
	__u32 key = mode;
	struct cm_row *row = bpf_map_lookup_elem(&cm_rows, &key);

	return row->values[0].enforced ? -EPERM : CM_ALLOW;
}
