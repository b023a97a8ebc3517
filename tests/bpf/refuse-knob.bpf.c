// SPDX-License-Identifier: GPL-2.0-only
/* Other bounds of the knob. */
#define REFUSE_MAX 2
#include "refuse.bpf.c"
