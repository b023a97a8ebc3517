// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests/sdk.bats: each scope on the caller's path, and the system, lets so many changes of
 * priority happen as its own knob says. One that is refused counts nowhere.
 */
#define CM_LEVELS
#include "checmate.bpf.h"

CM_PACK("levels", .question = "How many changes of priority are there?");

CM_KNOB(limit, "kernel/levels/limit", .min = 0, .max = 1000, .init = 0, .cap = -1,
	.strictest = CM_STRICTEST_LIMIT, .help = "so many; 0: any number");

struct account {
	__u64 used;
};

CM_PER_SCOPE(struct account, accounts);

#define MAX_LEVELS 32

struct walk {
	__u32 row, add, refused, would_refuse, levels, refusing;
};

static long step(__u64 i, struct walk *walk)
{
	struct account *account = cm_per_scope(accounts, walk->row);
	struct cm_level level;
	__u64 limit;

	if (!account || !cm_read_level(walk->row, &level)) {
		walk->refused = 1;
		return 1;
	}
	limit = cm_own(&level, limit);
	walk->levels = i + 1;
	if (walk->add) {
		__sync_fetch_and_add(&account->used, 1);
	} else if (limit && account->used >= limit) {
		walk->refusing = i;
		if (level.mode == CM_ENFORCE)
			walk->refused = 1;
		else
			walk->would_refuse = 1;
	}
	walk->row = level.above;
	return walk->refused || level.is_system;
}

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	__u32 row = cm_scope_of(cm_current());
	struct walk walk = { .row = row };

	bpf_loop(MAX_LEVELS, step, &walk, 0);
	if (walk.refused || walk.would_refuse) {
		struct cm_value value = { walk.refused, 1 };
		long verdict =
			cm_deny_for(value, EAGAIN, "task.setnice", "limit",
				    cm_u64("level", walk.refusing), cm_u64("levels", walk.levels));

		if (verdict)
			return verdict;
	}
	walk = (struct walk){ .row = row, .add = 1 };
	bpf_loop(MAX_LEVELS, step, &walk, 0);
	return cm_allow();
}
