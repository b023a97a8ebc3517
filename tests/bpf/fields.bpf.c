// SPDX-License-Identifier: GPL-2.0-only
/* May this task change a priority? Without a knob; with an event field of each kind. */
#include "checmate.bpf.h"

CM_PACK("fields", .question = "May this task change a priority?");

CM_COUNTER(asked);
CM_COUNTER(lowered);

static const unsigned char loopback[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

CM_HOOK(task_setnice, struct task_struct *task, int nice)
{
	cm_add(asked, 1);
	if (!cm_in_force())
		return CM_ALLOW;
	if (nice < 0)
		return cm_deny(EPERM, "task.setnice", "negative");
	cm_add(lowered, nice);
	if (nice == 7)
		return cm_allow();
	return cm_deny(EACCES, "task.setnice", "no-priority", cm_s64("nice", -nice),
		       cm_hex("flags", 0xfeedf00dbeefull), cm_port("port", bpf_htons(443)),
		       cm_ipv4("address", bpf_htonl(0xc0000201)), cm_ipv6("gateway", loopback),
		       cm_text("task", task->comm));
}
