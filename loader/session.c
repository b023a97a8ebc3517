// SPDX-License-Identifier: GPL-2.0-only
/* A session: privileges, the lock, the last error. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "internal.h"

/* How long a writer waits for another; the lock is held for seconds at the most. */
#define LOCK_WAIT_MS  10000
#define LOCK_RETRY_MS 20

int cm_fail(struct cm *cm, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(cm->error, sizeof(cm->error), format, args);
	va_end(args);
	return error;
}

void cm_note(struct cm *cm, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(cm->notice, sizeof(cm->notice), format, args);
	va_end(args);
}

const char *cm_error(const struct cm *cm)
{
	return !cm ? "out of memory" : cm->error[0] ? cm->error : "no error";
}

const char *cm_error_detail(const struct cm *cm)
{
	return cm ? cm->detail : NULL;
}

const char *cm_notice(const struct cm *cm)
{
	return cm->notice[0] ? cm->notice : NULL;
}

bool cm_has_capability(int cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &header, data))
		return false;
	return data[cap / 32].effective & (1u << (cap % 32));
}

static int lock(struct cm *cm, int operation)
{
	struct timespec pause = { .tv_nsec = LOCK_RETRY_MS * 1000000L };
	int waited;

	for (waited = 0; waited < LOCK_WAIT_MS; waited += LOCK_RETRY_MS) {
		if (!flock(cm->lock_fd, operation | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			return cm_fail(cm, -errno, "cannot lock %s: %s", CM_BPFFS, strerror(errno));
		nanosleep(&pause, NULL);
	}
	return cm_fail(cm, -EBUSY, "another checmate is at work; nothing was changed, try again");
}

void cm_unlock(struct cm *cm)
{
	if (cm->lock_fd >= 0)
		flock(cm->lock_fd, LOCK_UN);
}

static int open_bpffs(struct cm *cm)
{
	struct statfs fs;

	/* The directory itself is the lock: there wherever a pin can be, and nothing to leave. */
	cm->lock_fd = open(CM_BPFFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cm->lock_fd < 0)
		return cm_fail(cm, errno == ENOENT ? -ENOENT : -errno, "cannot open %s: %s",
			       CM_BPFFS, strerror(errno));
	if (fstatfs(cm->lock_fd, &fs) || fs.f_type != BPF_FS_MAGIC)
		return cm_fail(cm, -ENOENT,
			       "no bpf file system at %s: mount -t bpf -o mode=0700 bpf %s (and "
			       "add it to fstab)",
			       CM_BPFFS, CM_BPFFS);
	return 0;
}

/* The library is silent; CHECMATE_DEBUG in the environment lets libbpf speak on stderr. */
static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	return getenv("CHECMATE_DEBUG") ? vfprintf(stderr, format, args) : 0;
}

int cm_open(unsigned int flags, struct cm **ret)
{
	struct cm *cm = calloc(1, sizeof(*cm));
	int err;

	*ret = cm;
	if (!cm)
		return -ENOMEM;
	cm->flags = flags;
	cm->lock_fd = -1;
	cm->cgroup_fd = -1;
	libbpf_set_print(print);
	if (!cm_has_capability(CAP_SYS_ADMIN))
		return cm_fail(cm, -EPERM, "must be root (CAP_SYS_ADMIN): try sudo");
	err = open_bpffs(cm);
	if (err)
		return err;
	err = lock(cm, flags & CM_OPEN_WRITE ? LOCK_EX : LOCK_SH);
	if (err)
		return err;
	if (cm_needs_recovery(cm)) {
		/* An interrupted call: put things right first, also for a reader. */
		err = lock(cm, LOCK_EX);
		if (!err)
			err = cm_recover(cm);
		if (!err && !(flags & CM_OPEN_WRITE))
			err = lock(cm, LOCK_SH);
	}
	cm->locked = cm_lock_state(cm) == CM_LOCK_COMPLETE;
	if (!err && (flags & CM_OPEN_WRITE) && !cm->locked)
		cm_door_sync(cm);
	return err;
}

void cm_close(struct cm *cm)
{
	if (!cm)
		return;
	if (cm->lock_fd >= 0)
		close(cm->lock_fd);
	if (cm->cgroup_fd >= 0)
		close(cm->cgroup_fd);
	cm_object_free(cm->last);
	free(cm->detail);
	free(cm);
}
