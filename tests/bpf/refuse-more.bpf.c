// SPDX-License-Identifier: GPL-2.0-only
/* Another errno, and one more hook. */
#define REFUSE_ERROR EBUSY
#define REFUSE_MORE
#include "refuse.bpf.c"
