// SPDX-License-Identifier: GPL-2.0-only
/* Another hook, and not the one before. */
#define REFUSE_LESS
#define REFUSE_MORE
#include "refuse.bpf.c"
