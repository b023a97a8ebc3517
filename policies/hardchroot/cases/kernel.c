// SPDX-License-Identifier: GPL-2.0-only
/* E63-E65, E67: terminals, fanotify, bpf(2), a shared fs_struct. */
#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cases.h"

#define TIOCLINUX_COLOUR 6 /* get_shift_state: changes nothing */

/* A terminal of its own; the row leads a session, so it becomes the controlling one. */
static int open_terminal(void)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), slave;

	must("ptmx", master);
	must("unlock", unlockpt(master));
	slave = open(ptsname(master), O_RDWR);
	must("pts", slave);
	return slave;
}

static int push_line(int tty)
{
	char got;

	if (ioctl(tty, TIOCSTI, "\n") || read(tty, &got, 1) != 1)
		return -1;
	errno = EBADMSG;
	return got == '\n' ? 0 : -1;
}

static void e63(void)
{
	int tty = open_terminal(), size;
	char arg = TIOCLINUX_COLOUR;

	enter("jail");
	claim("tiocsti", push_line(tty));
	claim("tioclinux", ioctl(tty, TIOCLINUX, &arg));
	claim("fionread", ioctl(tty, FIONREAD, &size));
}

static int turns[2];

static void open_secret(void)
{
	wait_turn(turns[1]);
	must("open", open("secret", O_RDONLY));
	hand_over(turns[1]);
	wait_turn(turns[1]);
}

/* The descriptor that comes with the event */
static int read_event(int fan)
{
	struct fanotify_event_metadata event;

	return read(fan, &event, sizeof(event)) < 0 ? -1 : event.fd;
}

static void e64(void)
{
	int fan, fd;

	make_pair(turns);
	start(open_secret);
	enter("jail");
	fan = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
	if (!step("init", fan) ||
	    !step("mark",
		  fanotify_mark(fan, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "/")))
		return;
	hand_over(turns[0]);
	wait_turn(turns[0]);
	fd = read_event(fan);
	if (step("event", fd))
		claim("secret", steal_fd(fd));
}

static int bpf_call(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int make_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1
	};
	int fd = bpf_call(BPF_MAP_CREATE, &attr);

	must("map", fd);
	return fd;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = {
		.info = { .bpf_fd = fd, .info_len = sizeof(info), .info = (uintptr_t)&info }
	};

	must("info", bpf_call(BPF_OBJ_GET_INFO_BY_FD, &attr));
	return info.id;
}

static int open_map(uint32_t id)
{
	union bpf_attr attr = { .map_id = id };

	return bpf_call(BPF_MAP_GET_FD_BY_ID, &attr);
}

static int set_first(int fd)
{
	uint32_t key = 0, value = 1;
	union bpf_attr attr = { .map_fd = fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value };

	return bpf_call(BPF_MAP_UPDATE_ELEM, &attr);
}

/* A map as that of a policy: of somebody outside, and found by its id. */
static void e65(void)
{
	union bpf_attr next = { 0 };
	uint32_t id = map_id(make_map());
	int fd;

	enter("jail");
	claim("next_id", bpf_call(BPF_MAP_GET_NEXT_ID, &next));
	fd = open_map(id);
	if (step("fd_by_id", fd))
		claim("update", set_first(fd));
}

static int place;

static int enter_for_both(void *unused)
{
	(void)unused;
	enter("jail");
	return 0;
}

/* It has not called chroot(2) itself. */
static void e67(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid;

	place = open(".", O_RDONLY | O_DIRECTORY);
	must("place", place);
	pid = clone(enter_for_both, stack + sizeof(stack), CLONE_FS | SIGCHLD, NULL);
	must("clone", pid);
	waitpid(pid, NULL, 0);
	claim("secret", steal(place, "secret"));
	claim("userns", unshare(CLONE_NEWUSER));
}

const struct row kernel_rows[] = {
	{ "E63", "characters pushed into an inherited terminal; it can be asked", e63 },
	{ "E64", "fanotify brings files of the whole file system", e64 },
	{ "E65", "bpf(2) finds and changes somebody's map", e65 },
	{ "E67", "who shares the root with a task that calls chroot is in the jail, too", e67 },
	{ 0 },
};
