/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who made it: the root that the maker had of what has a name of its own, and so no place in the
 * file system: IPC objects, message queues, Unix sockets. Keyed by the object's address. Whatever
 * gets an address later has its maker written over it, so that an entry is never another one's.
 */
#ifndef MAKERS_BPF_H
#define MAKERS_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, struct cm_place);
} makers SEC(".maps");

CM_COUNTER(not_remembered); /* makers: there was no memory for them */

static __noinline int remember_maker(__u64 object)
{
	struct cm_place root = root_of(cm_current());

	if (bpf_map_update_elem(&makers, &object, &root, BPF_ANY)) {
		bpf_map_delete_elem(&makers, &object);
		cm_add(not_remembered, 1);
	}
	return 0;
}

/* Is it known to be made in the jail? What was made before the pack was loaded is not. */
static __noinline bool is_made_below(__u64 object, const struct cm_place *root)
{
	struct cm_place *maker = bpf_map_lookup_elem(&makers, &object), place;

	if (!maker || !root)
		return false;
	place = *maker;
	return cm_is_below(&place, root);
}

#endif /* MAKERS_BPF_H */
