// SPDX-License-Identifier: GPL-2.0-only
/* Another layout of the map. */
#define REFUSE_SEEN __u32
#include "refuse.bpf.c"
