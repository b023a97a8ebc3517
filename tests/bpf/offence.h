/* SPDX-License-Identifier: GPL-2.0-only */
/* What offence-note and offence-deny share: cgroups whose tasks were seen to change a priority. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, OFFENCE_VALUE);
} offenders SEC(".maps");
CM_SHARED(offenders);
