// SPDX-License-Identifier: GPL-2.0-only
/* E47-E49: special files, and files that give privileges. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "cases.h"

static int bind_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	return bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&addr, sizeof(addr));
}

static void e47(void)
{
	enter("jail");
	claim("block", mknod("/block", S_IFBLK | 0600, makedev(7, 200)));
	claim("char", mknod("/char", S_IFCHR | 0600, makedev(1, 1)));
	claim("socket", mknod("/socket", S_IFSOCK | 0600, 0));
	claim("null", mknod("/null", S_IFCHR | 0600, makedev(1, 3)));
	claim("fifo", mkfifo("/fifo", 0600));
	claim("file", mknod("/file", S_IFREG | 0600, 0));
	claim("bind", bind_to("/bound"));
}

/* What was done without an error has to be there, too. */
static int has_mode(const char *path, mode_t mode)
{
	struct stat st;

	if (stat(path, &st))
		return -1;
	errno = EBADMSG;
	return (st.st_mode & 07777) == mode ? 0 : -1;
}

static int set_mode(const char *path, mode_t mode)
{
	return chmod(path, mode) ? -1 : has_mode(path, mode);
}

static void e48(void)
{
	create("jail/file", "");
	must("mkdir", mkdir("jail/dir", 0755));
	enter("jail");
	claim("setuid", set_mode("/file", 04755));
	claim("setgid", set_mode("/file", 02755));
	claim("open",
	      open("/opened", O_WRONLY | O_CREAT, 04755) < 0 ? -1 : has_mode("/opened", 04755));
	claim("mknod", mknod("/made", S_IFREG | 04755, 0) ? -1 : has_mode("/made", 04755));
	claim("plain", set_mode("/file", 0755));
	claim("lock", set_mode("/file", 02644));
	claim("dir", set_mode("/dir", 02775));
}

static void e49(void)
{
	struct vfs_cap_data caps = { .magic_etc = VFS_CAP_REVISION_2,
				     .data[0].permitted = 1 << CAP_NET_RAW };

	create("jail/file", "");
	enter("jail");
	claim("setxattr", setxattr("/file", "security.capability", &caps, XATTR_CAPS_SZ_2, 0));
}

const struct row file_rows[] = {
	{ "E47", "devices are not made; fifos, files and bound sockets are", e47 },
	{ "E48", "files are not made setuid or setgid; directories may be setgid", e48 },
	{ "E49", "file capabilities", e49 },
	{ 0 },
};
