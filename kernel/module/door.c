// SPDX-License-Identifier: GPL-2.0-only
/*
 * The procfs door: /proc/sys files whose storage is an integer inside a BPF array map.
 *
 * The kernel's own sysctl code reads and writes the map's memory in place, so parsing, errno and
 * file offsets are native by construction and a BPF program sees a write at once. Which files exist
 * is said by CM_DOOR_ADD; this module knows no policy and no knob.
 *
 * What keeps the memory valid: every file holds a reference on its map, and the memory of an array
 * map neither moves nor changes its size while the map exists. Removal waits for the readers and
 * writers inside a file before the reference goes (unregister_sysctl_table).
 *
 * That reference is not a user's: when all descriptors and pins are gone the policy is gone, and a
 * file that went on answering would tell a lie. It answers ENODEV from then on.
 *
 * What is refused, because an int stored there would break something: any other map type (per-CPU
 * and object arrays have no plain memory), arrays offloaded to a device, arrays whose values hold
 * kernel fields (locks, timers, kernel pointers), frozen arrays (the verifier may have taken their
 * content for constant), and descriptors without write access. An mmapable array is fine: user
 * space sharing the page may change the value just as bpf(2) may. Keeping those who may use bpf(2)
 * from lowering a latch is not this module's job.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/namei.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "door.h"

/* All that differs between kernels. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
typedef const struct ctl_table handler_table;
#else
typedef struct ctl_table handler_table;
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
/* The table ends with an empty entry. */
#define register_sysctl_sz(path, table, size) register_sysctl(path, table)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define has_kernel_fields(map)                                                                     \
	(map_value_has_spin_lock(map) || map_value_has_timer(map) || map_value_has_kptrs(map))
#else
#define has_kernel_fields(map) (!IS_ERR_OR_NULL((map)->record))
#endif

/* Where bpf_map_get is in that namespace (6.12 is) this is needed, elsewhere it does nothing. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("BPF_INTERNAL");
#else
MODULE_IMPORT_NS(BPF_INTERNAL);
#endif

#define DIRECTIONS (CM_DOOR_UP | CM_DOOR_DOWN | CM_DOOR_BITS | CM_DOOR_LIMIT)

struct knob {
	struct list_head list;
	struct bpf_map *map;
	int *value;		  /* in the map's element 0 */
	struct bpf_map *seal_map; /* NULL: none */
	int *seal;
	int seal_value;
	int min;
	int max;
	int latch;
	int cap;
	u32 flags;
	struct ctl_table_header *header;
	struct ctl_table table[2]; /* the second is the empty end */
	char path[CM_DOOR_PATH_MAX];
};

/*
 * Protects the list and the number, and keeps every registration apart from every removal: while
 * register_sysctl looks up a directory it may find one whose last file is just being unregistered,
 * and count on it after it is freed (proc_sysctl.c up to 6.12 at least; the result is a kfree of
 * static memory). So a removal waits for the readers and writers of its file with this held, and
 * other callers wait killably. Never taken by a file's reader or writer.
 */
static DEFINE_MUTEX(door_lock);
/*
 * Around each write of a file: a seal is looked at and the value stored with no other file's write
 * between, which may be the one that seals. Taken before a map's freeze_mutex.
 */
static DEFINE_MUTEX(write_lock);
static LIST_HEAD(knobs);
static unsigned int knobs_number;

static bool policy_gone(const struct knob *knob)
{
	return atomic64_read(&knob->map->usercnt) == 0;
}

static bool may_become(const struct knob *knob, int old, int value)
{
	switch (knob->flags & DIRECTIONS) {
	case CM_DOOR_UP:
		return value >= old;
	case CM_DOOR_DOWN:
		return value <= old;
	case CM_DOOR_BITS:
		return (value & old) == old;
	case CM_DOOR_LIMIT:
		return (u32)value - 1 <= (u32)old - 1;
	default:
		return false;
	}
}

static bool sealed(const struct knob *knob)
{
	return knob->seal_map && READ_ONCE(*knob->seal) == knob->seal_value;
}

/*
 * Of a frozen map or a sealed knob; @refusal for the other direction. A BPF program that does the
 * same may come between: its value is not lost.
 */
static int knob_tighten(const struct knob *knob, struct ctl_table *table, void *buffer,
			size_t *lenp, loff_t *ppos, int refusal)
{
	int old = READ_ONCE(*knob->value), value = old;
	int err;

	if (!(knob->flags & DIRECTIONS))
		return refusal;
	table->data = &value;
	err = proc_dointvec_minmax(table, 1, buffer, lenp, ppos);
	if (err)
		return err;
	do {
		if (!may_become(knob, old, value))
			return refusal;
	} while (!try_cmpxchg(knob->value, &old, value));
	return 0;
}

/*
 * A latch holds against concurrent writers only if nothing comes between the look at the old value
 * and the store of the new one. The map's freeze_mutex does that, for all knobs of one map, and
 * keeps BPF_MAP_FREEZE out as well. The buffer is the kernel's already: nothing faults in here.
 */
static int knob_write(const struct knob *knob, struct ctl_table *table, void *buffer, size_t *lenp,
		      loff_t *ppos)
{
	int latch = knob->latch;
	int err;

	mutex_lock(&write_lock);
	mutex_lock(&knob->map->freeze_mutex);
	if ((knob->flags & CM_DOOR_LATCH) && READ_ONCE(*knob->value) == latch)
		table->extra1 = table->extra2 = &latch;
	if (knob->map->frozen)
		err = knob_tighten(knob, table, buffer, lenp, ppos, -EPERM);
	else if (sealed(knob))
		err = knob_tighten(knob, table, buffer, lenp, ppos, -EACCES);
	else
		err = proc_dointvec_minmax(table, 1, buffer, lenp, ppos);
	mutex_unlock(&knob->map->freeze_mutex);
	mutex_unlock(&write_lock);
	return err;
}

static int knob_handler(handler_table *entry, int write, void *buffer, size_t *lenp, loff_t *ppos)
{
	struct knob *knob = entry->data;
	struct ctl_table table = *entry;

	/* Before anything is parsed, as in the kernel's own guarded files; empty writes as well. */
	if (write && knob->cap >= 0 && !capable(knob->cap))
		return -EPERM;
	if (policy_gone(knob))
		return -ENODEV;

	table.data = knob->value;
	table.extra1 = &knob->min;
	table.extra2 = &knob->max;
	if (write)
		return knob_write(knob, &table, buffer, lenp, ppos);
	return proc_dointvec_minmax(&table, 0, buffer, lenp, ppos);
}

static void knob_free(struct knob *knob)
{
	if (knob->seal_map)
		bpf_map_put(knob->seal_map);
	bpf_map_put(knob->map);
	kfree(knob);
}

static struct knob *knob_find(const char *path)
{
	struct knob *knob;

	lockdep_assert_held(&door_lock);
	list_for_each_entry(knob, &knobs, list)
		if (!strcmp(knob->path, path))
			return knob;
	return NULL;
}

/* Returns when nobody is inside the file's handler any more, nor will be. */
static void knob_remove(struct knob *knob)
{
	lockdep_assert_held(&door_lock);
	unregister_sysctl_table(knob->header);
	list_del(&knob->list);
	knobs_number--;
	knob_free(knob);
}

static int door_register(struct knob *knob)
{
	char dir[CM_DOOR_PATH_MAX];
	char *slash;

	lockdep_assert_held(&door_lock);
	if (knobs_number == CM_DOOR_KNOBS_MAX)
		return -ENOSPC;

	strscpy(dir, knob->path, sizeof(dir));
	slash = strrchr(dir, '/');
	*slash = '\0';
	knob->table[0] = (struct ctl_table){
		.procname = knob->path + (slash - dir) + 1,
		.data = knob,
		.maxlen = sizeof(int),
		.mode = 0644,
		.proc_handler = knob_handler,
	};
	knob->header = register_sysctl_sz(dir, knob->table, 1);
	if (!knob->header)
		return -EEXIST;
	list_add_tail(&knob->list, &knobs);
	knobs_number++;
	return 0;
}

/*
 * register_sysctl is the judge of what exists; but it prints a stack trace when it finds a
 * duplicate, so ask first, as far as the caller's view of /proc allows.
 */
static int path_taken(const char *path)
{
	char full[sizeof("/proc/sys/") + CM_DOOR_PATH_MAX];
	struct path found;
	int err;

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	err = kern_path(full, 0, &found);
	if (!err) {
		path_put(&found);
		return -EEXIST;
	}
	return err == -ENOTDIR ? err : 0;
}

static bool path_valid(const char *path)
{
	const char *p;
	char previous = '/';
	bool has_dir = false;

	if (strnlen(path, CM_DOOR_PATH_MAX) == CM_DOOR_PATH_MAX)
		return false;
	for (p = path; *p; previous = *p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-')
			continue;
		if (*p == '/' && previous != '/')
			has_dir = true;
		else if (*p != '.' || previous == '/' || previous == '.')
			return false;
	}
	return has_dir && previous != '/';
}

static struct bpf_map *map_get_writable(int fd)
{
	struct bpf_map *map;
	struct file *file;
	bool writable;

	map = bpf_map_get(fd);
	if (IS_ERR(map))
		return map;
	/* bpf_map_get ignores the mode. The comparison settles a descriptor swapped in between. */
	file = fget(fd);
	writable = file && file->private_data == map && (file->f_mode & FMODE_CAN_READ) &&
		   (file->f_mode & FMODE_CAN_WRITE);
	if (file)
		fput(file);
	if (!writable || READ_ONCE(map->frozen)) {
		bpf_map_put(map);
		return ERR_PTR(-EPERM);
	}
	return map;
}

static int *map_value(struct bpf_map *map, u32 offset)
{
	u32 key = 0;
	char *element;

	/* An array offloaded to a device has this type too, but neither lookup nor memory here. */
	if (map->map_type != BPF_MAP_TYPE_ARRAY || !map->ops->map_lookup_elem ||
	    has_kernel_fields(map))
		return NULL;
	if (offset % sizeof(int) || map->value_size < sizeof(int) ||
	    offset > map->value_size - sizeof(int))
		return NULL;

	rcu_read_lock();
	element = map->ops->map_lookup_elem(map, &key);
	rcu_read_unlock();
	return element ? (int *)(element + offset) : NULL;
}

static bool knob_valid(const struct cm_door_knob *wanted)
{
	unsigned int directions = hweight32(wanted->flags & DIRECTIONS);

	if ((wanted->flags & ~(CM_DOOR_LATCH | CM_DOOR_SEALED | DIRECTIONS)) || directions > 1 ||
	    ((wanted->flags & CM_DOOR_SEALED) && !directions))
		return false;
	if ((wanted->flags & CM_DOOR_LATCH) &&
	    (wanted->latch < wanted->min || wanted->latch > wanted->max))
		return false;
	return wanted->min <= wanted->max && (wanted->cap == -1 || cap_valid(wanted->cap)) &&
	       path_valid(wanted->path);
}

/* A reference on the map, and where in it the integer is. */
static int take_map(int fd, u32 offset, struct bpf_map **ret, int **ret_value)
{
	struct bpf_map *map = map_get_writable(fd);
	int *value;

	if (IS_ERR(map))
		return PTR_ERR(map);
	value = map_value(map, offset);
	if (!value) {
		bpf_map_put(map);
		return -EINVAL;
	}
	*ret = map;
	*ret_value = value;
	return 0;
}

static struct knob *knob_new(const struct cm_door_knob *wanted)
{
	struct knob *knob;
	int err;

	if (!knob_valid(wanted))
		return ERR_PTR(-EINVAL);

	knob = kzalloc(sizeof(*knob), GFP_KERNEL_ACCOUNT);
	if (!knob)
		return ERR_PTR(-ENOMEM);
	knob->min = wanted->min;
	knob->max = wanted->max;
	knob->latch = wanted->latch;
	knob->cap = wanted->cap;
	knob->flags = wanted->flags;
	strscpy(knob->path, wanted->path, sizeof(knob->path));

	err = take_map(wanted->map_fd, wanted->offset, &knob->map, &knob->value);
	if (err)
		goto out_free;
	if (wanted->flags & CM_DOOR_SEALED) {
		knob->seal_value = wanted->seal_value;
		err = take_map(wanted->seal_fd, wanted->seal_offset, &knob->seal_map, &knob->seal);
		if (err)
			goto out_put;
	}
	return knob;

out_put:
	bpf_map_put(knob->map);
out_free:
	kfree(knob);
	return ERR_PTR(err);
}

static int door_add(const struct cm_door_knob *wanted)
{
	struct knob *knob, *old;
	int err, taken;

	knob = knob_new(wanted);
	if (IS_ERR(knob))
		return PTR_ERR(knob);

	/* Before locking: whatever is mounted there may be slow to answer. */
	taken = path_taken(knob->path);
	err = mutex_lock_killable(&door_lock);
	if (err)
		goto out_free;

	old = knob_find(knob->path);
	if (old && !policy_gone(old))
		err = -EEXIST;
	else if (old)
		knob_remove(old);
	else
		err = taken;
	if (!err)
		err = door_register(knob);
	mutex_unlock(&door_lock);
	if (!err)
		return 0;

out_free:
	knob_free(knob);
	return err;
}

static int door_remove(const char *path)
{
	struct knob *knob;
	int err;

	err = mutex_lock_killable(&door_lock);
	if (err)
		return err;
	knob = knob_find(path);
	if (knob)
		knob_remove(knob);
	mutex_unlock(&door_lock);
	return knob ? 0 : -ENOENT;
}

static int ioctl_add(void __user *arg)
{
	struct cm_door_knob wanted;
	u32 size;
	int err;

	if (get_user(size, (u32 __user *)arg))
		return -EFAULT;
	if (size < CM_DOOR_KNOB_SIZE_1)
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(&wanted, sizeof(wanted), arg, size);
	return err ?: door_add(&wanted);
}

static int ioctl_remove(void __user *arg)
{
	struct cm_door_path name;

	if (copy_from_user(&name, arg, sizeof(name)))
		return -EFAULT;
	return path_valid(name.path) ? door_remove(name.path) : -EINVAL;
}

static long door_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	if (cmd == CM_DOOR_VERSION)
		return put_user(CM_DOOR_ABI, (u32 __user *)user);
	if (cmd != CM_DOOR_ADD && cmd != CM_DOOR_REMOVE)
		return -ENOTTY;
	/* Of the caller, not of whoever opened the device. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return cmd == CM_DOOR_ADD ? ioctl_add(user) : ioctl_remove(user);
}

static const struct file_operations door_fops = {
	.owner = THIS_MODULE, /* nobody is inside an ioctl while the module goes */
	.unlocked_ioctl = door_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice door_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "checmate",
	.mode = 0600,
	.fops = &door_fops,
};

static int __init door_init(void)
{
	return misc_register(&door_device);
}

static void __exit door_exit(void)
{
	struct knob *knob, *next;

	misc_deregister(&door_device);
	mutex_lock(&door_lock);
	list_for_each_entry_safe(knob, next, &knobs, list)
		knob_remove(knob);
	mutex_unlock(&door_lock);
}

module_init(door_init);
module_exit(door_exit);
MODULE_DESCRIPTION("Checmate: /proc/sys files over the values of BPF array maps");
MODULE_LICENSE("GPL");
