// SPDX-License-Identifier: GPL-2.0-only
/* Another errno. */
#define REFUSE_ERROR EBUSY
#include "refuse.bpf.c"
