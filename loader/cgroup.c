// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cgroup directories and ids. The id of a cgroup is what its file handle holds (name_to_handle_at),
 * and a handle made of an id opens the directory again; it is never given to another cgroup.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "internal.h"

/* FILEID_KERNFS of include/linux/exportfs.h: the handle is the 64-bit id. */
#define HANDLE_KERNFS 0xfe

union kernfs_handle {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + sizeof(uint64_t)];
};

static int open_mount(struct cm *cm)
{
	struct mntent *entry;
	FILE *mounts;

	if (cm->cgroup_fd >= 0)
		return 0;
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return cm_fail(cm, -errno, "cannot read /proc/self/mounts: %s", strerror(errno));
	while ((entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "cgroup2"))
			continue;
		cm->cgroup_fd = open(entry->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (cm->cgroup_fd < 0 || strlen(entry->mnt_dir) >= sizeof(cm->cgroup_mount))
			continue;
		strcpy(cm->cgroup_mount, entry->mnt_dir);
		break;
	}
	endmntent(mounts);
	if (cm->cgroup_fd < 0)
		return cm_fail(
			cm, -ENOENT,
			"no cgroup v2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup");
	return 0;
}

static int id_of(int dir_fd, const char *name, uint64_t *ret_id)
{
	union kernfs_handle h = { .handle.handle_bytes = sizeof(uint64_t) };
	int mount_id;

	if (name_to_handle_at(dir_fd, name, &h.handle, &mount_id, *name ? 0 : AT_EMPTY_PATH))
		return -errno;
	memcpy(ret_id, h.handle.f_handle, sizeof(*ret_id));
	return 0;
}

/* The cgroup's path below the mount, from its open directory. */
static int path_of_fd(struct cm *cm, int fd, char *buf, size_t size)
{
	size_t mount = strlen(cm->cgroup_mount);
	char link[64], full[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, full, sizeof(full) - 1);
	if (len < 0)
		return -errno;
	full[len] = '\0';
	if (strncmp(full, cm->cgroup_mount, mount) || (full[mount] && full[mount] != '/') ||
	    (len > 10 && !strcmp(full + len - 10, " (deleted)") && access(full, F_OK)))
		return -ENOENT;
	if (snprintf(buf, size, "%s", full[mount] ? full + mount : "/") >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

static bool is_cgroup(int fd)
{
	struct statfs fs;

	return fd >= 0 && !fstatfs(fd, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* A directory, or a path below the mount as /proc/PID/cgroup and our own status show it. */
static int open_cgroup(struct cm *cm, const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = errno, below;

	if (is_cgroup(fd) || dir[0] != '/')
		return fd < 0 ? -err : fd;
	below = openat(cm->cgroup_fd, dir[1] ? dir + 1 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (below < 0)
		return fd < 0 ? -err : fd;
	if (fd >= 0)
		close(fd);
	return below;
}

int cm_cgroup_id(struct cm *cm, const char *dir, uint64_t *ret_id, char *ret_path)
{
	_cleanup_close_ int fd = -1;
	int err = open_mount(cm);

	if (err)
		return err;
	if (!dir) {
		*ret_id = CM_CGROUP_ROOT;
		strcpy(ret_path, "/");
		return 0;
	}
	fd = open_cgroup(cm, dir);
	if (fd < 0)
		return cm_fail(cm, fd == -ENOTDIR ? -ENOENT : fd, "no cgroup '%.200s': %s", dir,
			       strerror(-fd));
	if (!is_cgroup(fd))
		return cm_fail(cm, -ENOENT,
			       "'%.200s' is not a cgroup v2 directory: they are below %s", dir,
			       cm->cgroup_mount);
	err = id_of(fd, "", ret_id);
	if (err)
		return cm_fail(cm, err, "cannot get the id of cgroup '%.200s': %s", dir,
			       strerror(-err));
	err = path_of_fd(cm, fd, ret_path, PATH_MAX);
	if (err)
		return cm_fail(cm, err, "cgroup '%.200s' is not below %s", dir, cm->cgroup_mount);
	return 0;
}

int cm_cgroup_root(struct cm *cm)
{
	int err = open_mount(cm);

	return err ? err : cm->cgroup_fd;
}

int cm_cgroup_id_below(struct cm *cm, const char *path, uint64_t *ret_id)
{
	int err = open_mount(cm);

	return err ? err : id_of(cm->cgroup_fd, path[1] ? path + 1 : ".", ret_id);
}

bool cm_cgroup_has_children(struct cm *cm, const char *path)
{
	struct stat st;

	/* "." , the entry in the parent, and one ".." per child; unknown counts as yes */
	return fstatat(cm->cgroup_fd, path[1] ? path + 1 : ".", &st, 0) || st.st_nlink != 2;
}

int cm_cgroup_path(struct cm *cm, uint64_t id, char *buf, size_t size)
{
	union kernfs_handle h = { .handle = { sizeof(uint64_t), HANDLE_KERNFS } };
	_cleanup_close_ int fd = -1;
	int err = open_mount(cm);

	if (err)
		return err;
	memcpy(h.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(cm->cgroup_fd, &h.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || path_of_fd(cm, fd, buf, size))
		snprintf(buf, size, "(removed)");
	return 0;
}
