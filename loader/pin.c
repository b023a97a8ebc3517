// SPDX-License-Identifier: GPL-2.0-only
/* Names in the bpf file system. They keep the enforcement alive without a process of ours. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

int cm_pin_path(struct cm *cm, char *buf, const char *format, ...)
{
	va_list args;
	int len, more;

	len = snprintf(buf, PATH_MAX, "%s/", CM_PINS);
	va_start(args, format);
	more = vsnprintf(buf + len, PATH_MAX - len, format, args);
	va_end(args);
	if (more >= PATH_MAX - len)
		return cm_fail(cm, -ENAMETOOLONG, "pin name is too long: %s", buf);
	return 0;
}

int cm_pin_mkdir(struct cm *cm, const char *path)
{
	if (mkdir(path, 0700) && errno != EEXIST)
		return cm_fail(cm, -errno, "cannot create %s: %s", path, strerror(errno));
	return 0;
}

int cm_pin_put(struct cm *cm, int fd, const char *path)
{
	int err = bpf_obj_pin(fd, path);

	if (err)
		return cm_fail(cm, err, "cannot pin %s: %s", path, strerror(-err));
	return 0;
}

int cm_pin_get(const char *path)
{
	return bpf_obj_get(path);
}

bool cm_pin_exists(const char *path)
{
	return !access(path, F_OK);
}

int cm_pin_each(struct cm *cm, const char *dir, cm_pin_fn fn, void *arg)
{
	struct dirent **names;
	int count, i, err = 0;

	count = scandir(dir, &names, NULL, alphasort);
	if (count < 0)
		return errno == ENOENT
			       ? 0
			       : cm_fail(cm, -errno, "cannot read %s: %s", dir, strerror(errno));
	for (i = 0; i < count; i++) {
		if (!err && strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, ".."))
			err = fn(cm, names[i]->d_name, arg);
		free(names[i]);
	}
	free(names);
	return err;
}

static int remove_entry(struct cm *cm, const char *name, void *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s", (const char *)dir, name) >= (int)sizeof(path))
		return cm_fail(cm, -ENAMETOOLONG, "pin name is too long below %s",
			       (const char *)dir);
	return cm_pin_remove(cm, path);
}

int cm_pin_remove(struct cm *cm, const char *path)
{
	struct stat st;
	int err;

	if (lstat(path, &st))
		return errno == ENOENT ? 0
				       : cm_fail(cm, -errno, "cannot look at %s: %s", path,
						 strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		err = cm_pin_each(cm, path, remove_entry, (void *)path);
		if (err)
			return err;
	}
	if (S_ISDIR(st.st_mode) ? rmdir(path) : unlink(path))
		return cm_fail(cm, -errno, "cannot remove %s: %s", path, strerror(errno));
	return 0;
}
