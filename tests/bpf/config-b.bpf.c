// SPDX-License-Identifier: GPL-2.0-only
/* For tests/config.bats: takes the place of config-a. */
#define REASON "level-b"
#include "config-a.bpf.c"
