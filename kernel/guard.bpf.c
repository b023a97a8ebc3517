// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard: what keeps a locked system locked, against root. Loaded and attached by `checmate
 * lock` alone, so it costs nothing before. Frozen maps are the kernel's own work; here is refused
 *
 *	bpf_prog		a new program that could undo ours, see undoes()
 *	bpf			on cgroups, where we are: to attach, and to change or end a link
 *	inode_*			a change of names where the pins are
 *	sb_umount		the mount that carries the pins, or one above it
 *	sb_mount, move_mount	something over the pins, or their mount to another place
 *	inode_permission	a task leaving its scope, see guard_leave.bpf.h
 *	cgroup/sysctl		to switch off ftrace, by which BPF programs are attached
 *
 * and `checmate lock` runs iter/bpf_prog first, which names the programs that were there already
 * and would be refused now. Each answer is by what the kernel uses itself, not by a descriptor that
 * another thread could exchange; where only a descriptor is known, a shared table is refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <asm-generic/errno.h>

#include "guard.h"
#include "guard_types.bpf.h"

char LICENSE[] SEC("license") = "GPL";

volatile struct cm_guard_state cm_guard SEC(".data.cm_guard");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cm_guard_key);
	__type(value, __u8);
} cm_ours SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct cm_guard_shape);
	__type(value, __u8);
} cm_shapes SEC(".maps");

/* Ids of the cgroups that are scopes. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, __u8);
} cm_fences SEC(".maps");

/* By a branch: the verifier of 6.12+ wants to see that it is 0 or an errno, which -is does not
 * show. */
static __always_inline long refuse_if(__u32 is)
{
	asm volatile("" : "+r"(is));
	if (is)
		return -EPERM;
	return 0;
}

static __always_inline bool is_ours(__u32 kind, __u32 id)
{
	struct cm_guard_key key = { kind, id };

	return bpf_map_lookup_elem(&cm_ours, &key);
}

/* --- programs */

/* The kernel's own limit for the maps of a program is 64. */
#define MAX_MAPS 64

struct use {
	__u64 maps; /* struct bpf_map ** */
	__u32 nr;
	__u32 found;
};

static long check_map(__u64 i, struct use *use)
{
	struct cm_guard_shape shape = {};
	struct bpf_map *map, *inner;

	if (i >= use->nr)
		return 1;
	bpf_probe_read_kernel(&map, sizeof(map), (struct bpf_map **)use->maps + i);
	inner = BPF_CORE_READ(map, inner_map_meta);
	if (is_ours(CM_GUARD_MAP, BPF_CORE_READ(map, id))) {
		use->found = 1;
	} else if (inner) { /* a map of maps: could one of ours be put in? */
		shape.type = BPF_CORE_READ(inner, map_type);
		shape.key_size = BPF_CORE_READ(inner, key_size);
		shape.value_size = BPF_CORE_READ(inner, value_size);
		use->found = bpf_map_lookup_elem(&cm_shapes, &shape) != NULL;
	}
	return use->found != 0;
}

/*
 * Could this program undo what ours do?
 *
 * It has a map of ours: frozen or not, programs write. It is on a hook of ours: a new one is asked
 * before those that are there, and its 1 << 32 is a verdict to the trampoline and "no objection" to
 * the caller. It changes what a security_ function returns. It may replace a function in a program
 * of a type that ours have. It iterates over a map's elements, which it may write.
 */
static __always_inline bool undoes(struct bpf_prog *program)
{
	__u32 type = BPF_CORE_READ(program, type), attach;
	struct bpf_prog_aux *aux = BPF_CORE_READ(program, aux);
	struct use use = {};
	char name[32] = {};

	if (is_ours(CM_GUARD_PROGRAM, BPF_CORE_READ(aux, id)))
		return false;
	attach = BPF_CORE_READ(program, expected_attach_type);
	if (type == BPF_PROG_TYPE_LSM && is_ours(CM_GUARD_HOOK, BPF_CORE_READ(aux, attach_btf_id)))
		return true;
	if (type == BPF_PROG_TYPE_EXT &&
	    is_ours(CM_GUARD_TYPE, BPF_CORE_READ(aux, saved_dst_prog_type)))
		return true;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(aux, attach_func_name));
	if (type == BPF_PROG_TYPE_TRACING && attach == BPF_MODIFY_RETURN &&
	    !bpf_strncmp(name, 9, "security_"))
		return true;
	if (type == BPF_PROG_TYPE_TRACING && attach == BPF_TRACE_ITER &&
	    (!bpf_strncmp(name, sizeof("bpf_iter_bpf_map_elem"), "bpf_iter_bpf_map_elem") ||
	     !bpf_strncmp(name, sizeof("bpf_iter_bpf_sk_storage_map"),
			  "bpf_iter_bpf_sk_storage_map")))
		return true;
	use.maps = (__u64)BPF_CORE_READ(aux, used_maps);
	use.nr = BPF_CORE_READ(aux, used_map_cnt);
	bpf_loop(MAX_MAPS, check_map, &use, 0);
	return use.found;
}

SEC("lsm/bpf_prog")
long BPF_PROG(cm_guard_bpf_prog, struct bpf_prog *program)
{
	return refuse_if(cm_guard.stage != CM_GUARD_IDLE && undoes(program));
}

SEC("iter/bpf_prog")
int cm_guard_survey(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *program = ctx->prog;
	__u32 id;

	if (!program || !undoes(program))
		return 0;
	id = BPF_CORE_READ(program, aux, id);
	bpf_seq_write(ctx->meta->seq, &id, sizeof(id));
	return 0;
}

/* --- bpf(2) on cgroups */

static __always_inline struct files_struct *own_files(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), files);
}

/* May another thread put something else behind a descriptor meanwhile? */
static __always_inline bool are_shared(struct files_struct *files)
{
	return BPF_CORE_READ(files, count.counter) != 1;
}

static __always_inline struct file *file_of(struct files_struct *files, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(files, fdt);
	struct file *file = NULL;

	if (fd < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	return file;
}

static __always_inline bool changes_link(__u32 fd)
{
	struct files_struct *files = own_files();
	struct bpf_link *link;

	if (are_shared(files))
		return true;
	/* If it is no link the kernel refuses it anyway. */
	link = BPF_CORE_READ(file_of(files, fd), private_data);
	return BPF_CORE_READ(link, type) == BPF_LINK_TYPE_CGROUP &&
	       is_ours(CM_GUARD_ATTACH, attach_type_of(link));
}

SEC("lsm/bpf")
long BPF_PROG(cm_guard_bpf, int cmd, union bpf_attr *attr)
{
	union bpf_attr call;

	if (cm_guard.stage != CM_GUARD_LOCKED)
		return 0;
	if (cmd != BPF_PROG_ATTACH && cmd != BPF_LINK_CREATE && cmd != BPF_LINK_UPDATE &&
	    cmd != BPF_LINK_DETACH)
		return 0;
	if (bpf_probe_read_kernel(&call, sizeof(call.link_create), attr))
		return -EPERM;
	if (cmd == BPF_PROG_ATTACH)
		return refuse_if(is_ours(CM_GUARD_ATTACH, call.attach_type));
	if (cmd == BPF_LINK_CREATE)
		return refuse_if(is_ours(CM_GUARD_ATTACH, call.link_create.attach_type));
	return refuse_if(changes_link(call.link_update.link_fd));
}

/* Up to 6.12 at least, to switch ftrace off takes every BPF program off its hook. */
SEC("cgroup/sysctl")
int cm_guard_sysctl(struct bpf_sysctl *ctx)
{
	char name[24] = {};

	if (cm_guard.stage != CM_GUARD_LOCKED || !ctx->write)
		return 1;
	bpf_sysctl_get_name(ctx, name, sizeof(name), 0);
	return bpf_strncmp(name, 22, "kernel/ftrace_enabled") != 0;
}

#include "guard_pins.bpf.h"
#include "guard_leave.bpf.h"
