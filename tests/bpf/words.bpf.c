// SPDX-License-Identifier: GPL-2.0-only
/* For tests/words.bats: knobs whose values have names, and a rate. A change of priority is refused.
 */
#include "checmate.bpf.h"

CM_PACK("words", .question = "May a task change its priority?");
CM_KNOB(deny, "checmate/words/deny", .max = 7, .strictest = CM_STRICTEST_OR, .cap = -1,
	.words = "low high 9p", .help = "what is refused");
CM_KNOB(error, "checmate/words/error", .min = 1, .max = 3, .init = 1, .cap = -1,
	.words = "off EPERM EACCES", .help = "how");
CM_KNOB(named, "checmate/words/named", .max = 3, .strictest = CM_STRICTEST_OR, .cap = -1,
	.words = "other none", .help = "a word that is called none");
CM_KNOB(plain, "checmate/words/plain", .max = 3, .strictest = CM_STRICTEST_OR, .cap = -1,
	.help = "no words");
/* The larger the stricter, so that the tests have both orders in which three values are written. */
CM_RATE(rate, "checmate/words/rate", .strictest = CM_STRICTEST_MAX, .help = "so many changes");
CM_RATE(rare, "checmate/words/rare", .alias = "checmate/words/seldom", .max = 9,
	.strictest = CM_STRICTEST_MAX, .help = "another");
CM_TIMES(times, "checmate/words/times", .help = "too many");

CM_PROFILE(some, "deny=low,9p error=EACCES rate=30/m:5", .help = "by words");

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	__s32 error = cm_knob(error);

	return error == 1 ? CM_ALLOW
			  : cm_deny(error == 2 ? EPERM : EACCES, "task.setnice", "words");
}
