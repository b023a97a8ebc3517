// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ratelimit: how often may this be done? Each scope on the caller's path, and the system, has a
 * bucket of tokens for each kind of operation (bucket.bpf.h); who finds one of them empty gets an
 * errno that programs handle (rate.bpf.h). What may not be done at all: io.bpf.h, call.bpf.h. Who
 * does too much of something is locked out: abuse.bpf.h. Here: which operation is which.
 *
 * What makes a name is asked on the path hooks: overlayfs and the like come by those of inodes
 * again, for the file in the layer.
 */
#define CM_NR_KNOBS 79
#define CM_LEVELS
#include "checmate.bpf.h"

CM_PACK("ratelimit", .question = "How often may a task do this?");

/* Knobs of a kind lie together in this order: rate.bpf.h finds them by number. */
#define RATE(NAME, HELP)                                                                           \
	CM_RATE(NAME, "kernel/ratelimit/" #NAME, .help = HELP "; 0: any number");                  \
	CM_KNOB(NAME##_errno, "kernel/ratelimit/" #NAME "_errno", .max = 3, .cap = -1,             \
		.words = "EAGAIN EPERM EDQUOT EMFILE", .help = "what the caller gets: " #NAME)

RATE(file_create, "files, links and nodes made");
RATE(mkdir, "directories made");
RATE(unlink, "names of files and directories removed");
RATE(rename, "names changed");
RATE(open, "files opened");
RATE(exec, "programs run");
RATE(fork, "processes and threads made");
RATE(connect, "sockets connected");
RATE(bind, "sockets bound");
RATE(mount, "mounts made or moved");
RATE(signal, "signals sent");
RATE(write, "writing calls on files and pipes");

#define SWITCH(NAME, HELP)                                                                         \
	CM_KNOB(NAME, "kernel/ratelimit/" #NAME, .max = 1, .cap = -1, .help = HELP)

#define LIMIT(NAME, HELP)                                                                          \
	CM_KNOB(NAME, "kernel/ratelimit/" #NAME, .max = 0x7fffffff, .cap = -1,                     \
		.strictest = CM_STRICTEST_LIMIT, .help = HELP "; 0: any")

/* Types of file systems that have a word of their own. */
// clang-format off
#define FS_TYPES(X)                                                                                \
	X(ext2) X(ext3) X(ext4) X(xfs) X(btrfs) X(f2fs) X(vfat) X(exfat) X(iso9660) X(squashfs)    \
	X(overlay) X(tmpfs) X(ramfs) X(hugetlbfs) X(nfs) X(nfs4) X(cifs) X(9p) X(fuse) X(fuseblk)  \
	X(proc) X(sysfs) X(cgroup2) X(devtmpfs) X(devpts) X(debugfs) X(tracefs) X(securityfs)      \
	X(bpf) X(mqueue)
// clang-format on

#define AS_WORD(NAME) #NAME " "

/* In this order: what is asked together lies together. */
CM_KNOB(deny_fs, "kernel/ratelimit/deny_fs", .max = 0x7fffffff, .cap = -1,
	.strictest = CM_STRICTEST_OR, .words = FS_TYPES(AS_WORD) "other",
	.help = "types of file systems on which nothing is opened");
SWITCH(deny_direct, "1: no O_DIRECT");
SWITCH(deny_sync, "1: no O_SYNC or O_DSYNC");
LIMIT(max_file_size, "KiB to which a file may be written or truncated upwards");
LIMIT(max_write, "bytes that may be written by one call");
CM_KNOB(deny_exec_writable, "kernel/ratelimit/deny_exec_writable", .max = 2, .cap = -1,
	.help = "no code from a file that 1: is open for writing or has no name; 2: or the user "
		"may write");
SWITCH(deny_memfd_exec, "1: no running of memory, memfd_create(2)");

/* These too: abuse.bpf.h. */
#define TIMES(NAME, HELP)                                                                          \
	CM_TIMES(lockout_##NAME, "kernel/ratelimit/lockout_" #NAME,                                \
		 .help = HELP ": locks the scope out; 0: never")

TIMES(refusals, "so many refusals by this pack");
TIMES(forks, "so many processes and threads made");
TIMES(ports, "so many ports connected to that were not before");
TIMES(connects, "so many connects denied, by whatever module");
TIMES(execs, "so many programs that could not be run, but for those that are not there");
CM_KNOB(lockout_seconds, "kernel/ratelimit/lockout_seconds", .min = 1, .max = 604800, .init = 60,
	.cap = -1, .help = "how long a scope is locked out; again, twice as long each time");
CM_KNOB(lockout_seconds_max, "kernel/ratelimit/lockout_seconds_max", .min = 1, .max = 604800,
	.init = 3600, .cap = -1, .help = "how long it is locked out at most");
CM_KNOB(lockout_hold, "kernel/ratelimit/lockout_hold", .max = 1, .cap = -1,
	.help = "1: it is locked out until it is released");
CM_KNOB(lockout_open, "kernel/ratelimit/lockout_open", .max = 1, .cap = -1,
	.help = "1: while it is locked out it opens no file at all");

#include "rate.bpf.h"
#include "abuse.bpf.h"
#include "io.bpf.h"

#define FMODE_NOACCOUNT 0x20000000
#define O_TMPFILE_BIT	020000000
#define FMODE_WRITE	0x2
#define MAY_WRITE	0x2

/* What overlayfs opens for a file of its own, and writes there, has been judged as that one. */
static __always_inline bool is_judged(const struct file *file)
{
	return file->f_mode & FMODE_NOACCOUNT;
}

LIMITED(path_mknod, file_create, "file.create", true, const struct path *dir)
LIMITED(path_symlink, file_create, "file.symlink", true, const struct path *dir)
LIMITED(path_link, file_create, "file.link", true, struct dentry *old)
LIMITED(path_mkdir, mkdir, "file.mkdir", true, const struct path *dir)
LIMITED(path_unlink, unlink, "file.unlink", true, const struct path *dir)
LIMITED(path_rmdir, unlink, "file.rmdir", true, const struct path *dir)
LIMITED(path_rename, rename, "file.rename", true, const struct path *dir)
LIMITED(socket_bind, bind, "socket.bind", true, struct socket *sock)
LIMITED(sb_mount, mount, "mount.mount", true, const char *device)
LIMITED(move_mount, mount, "mount.move", true, const struct path *from)
/*
 * 0 only asks whether it might; with credentials that are not the caller's it is the kernel that
 * sends. (7.x names the caller's as well, up to 6.12 they are NULL then.)
 */
LIMITED(task_kill, signal, "task.signal",
	number && (!cred || (__u64)cred == (__u64)cm_current()->cred), struct task_struct *task,
	struct kernel_siginfo *info, int number, const struct cred *cred)

/*
 * What lies together in memory is asked together: of the system's values those that concern a hook.
 * Of those of scopes cm_used() does it.
 */
#define system_pair(NAME) (*(const volatile __u64 *)&cm_state.system[cm_index__##NAME])
#define system_word(NAME) ((__u32)cm_system(NAME))

CM_ASSERT(!(cm_index__deny_fs & 1) && cm_index__deny_direct == cm_index__deny_fs + 1 &&
		  cm_index__max_file_size == cm_index__deny_sync + 1,
	  "pairs");

/* May I/O be refused for what it is? */
#define SCOPES_OPEN	    (cm_bit(deny_fs) | cm_bit(deny_direct) | cm_bit(deny_sync))
#define SYSTEM_OPEN	    (system_pair(deny_fs) | system_word(deny_sync))
#define SCOPES_WRITE	    (cm_bit(deny_sync) | cm_bit(max_file_size) | cm_bit(max_write))
#define SYSTEM_WRITE	    (system_pair(deny_sync) | system_word(max_write))
#define SCOPES_LOCKED	    CM_USED_LOCKOUT
#define is_concerned(ABOUT) (cm_used(SCOPES_##ABOUT) || SYSTEM_##ABOUT)

/*
 * WATCHED - a hook whose calls are of a kind, and that other knobs concern, too
 * @NAME, @IF: as in LIMITED()
 * @SYSTEM: they do for everybody, @SCOPES: for tasks in scopes, as cm_used() has them; 0: they do
 * not
 *
 * The full part follows; its hint is one more than the row.
 */
#define WATCHED(HOOK, NAME, IF, SYSTEM, SCOPES, ARGS...)                                           \
	IN_SCOPE(HOOK)                                                                             \
	{                                                                                          \
		if (cm_used_bits(SCOPES) | system_word(NAME) | (SYSTEM))                           \
			return row + 1;                                                            \
		return ask_at_once(KIND_OF(NAME), row);                                            \
	}                                                                                          \
                                                                                                   \
	IN_NONE(HOOK)                                                                              \
	{                                                                                          \
		return (SYSTEM) ? 1 : ask_system_at_once(KIND_OF(NAME));                           \
	}                                                                                          \
                                                                                                   \
	CM_HOOK_QUICK(HOOK, ##ARGS)                                                                \
	{                                                                                          \
		__u32 row, hint;                                                                   \
                                                                                                   \
		if (!(IF))                                                                         \
			goto done;                                                                 \
		if (cm_used(cm_bit(NAME) | (SCOPES)) && !cm_own_is_outside(&row))                  \
			hint = in_scope(HOOK, row);                                                \
		else if (system_word(NAME) | (SYSTEM))                                             \
			hint = in_none__##HOOK(ctx);                                               \
		else                                                                               \
			goto done;                                                                 \
		end_quick(HOOK, hint);                                                             \
	}

WATCHED(bprm_creds_for_exec, exec, true, 0, SCOPES_LOCKED, struct linux_binprm *bprm)
CM_HOOK_FULL(bprm_creds_for_exec, struct linux_binprm *bprm)
{
	long verdict = shut(hint - 1);

	if (!verdict && cm_is_anywhere(exec))
		verdict = limited(exec, hint - 1, "task.exec");
	return verdict;
}

WATCHED(task_alloc, fork, true, system_word(lockout_forks), SCOPES_LOCKED | cm_bit(lockout_forks),
	struct task_struct *task, unsigned long flags)
CM_HOOK_FULL(task_alloc, struct task_struct *task, unsigned long flags)
{
	long verdict = shut(hint - 1);

	if (verdict)
		return verdict;
	if (cm_is_anywhere(lockout_forks))
		abuse(ABUSE_FORKS, 0);
	return cm_is_anywhere(fork) ? limited(fork, hint - 1, "task.fork") : CM_ALLOW;
}

WATCHED(socket_connect, connect, true, system_word(lockout_ports), cm_bit(lockout_ports),
	struct socket *sock, struct sockaddr *address, int length)
CM_HOOK_FULL(socket_connect, struct socket *sock, struct sockaddr *address, int length)
{
	__u16 port;

	if (cm_is_anywhere(lockout_ports) && cm_read_port(address, length, &port))
		abuse(ABUSE_PORTS, port);
	return cm_is_anywhere(connect) ? limited(connect, hint - 1, "socket.connect") : CM_ALLOW;
}

CM_HOOK_QUICK(socket_create, int family, int type, int protocol, int kern)
{
	__u32 row;

	if (!kern && cm_lockouts() && !cm_own_is_outside(&row))
		goto ask;
	cm_done(socket_create);
ask:
	return cm_ask(socket_create, CM_ROW_UNKNOWN);
}

CM_HOOK_FULL(socket_create, int family, int type, int protocol, int kern)
{
	return shut(hint);
}

WATCHED(file_permission, write, mask &MAY_WRITE && !is_judged(file), SYSTEM_WRITE, SCOPES_WRITE,
	struct file *file, int mask)
CM_HOOK_FULL(file_permission, struct file *file)
{
	long verdict = CM_ALLOW;

	if (is_concerned(WRITE))
		verdict = refuse_write(cm_here, file, hint - 1);
	if (!verdict && cm_is_anywhere(write))
		verdict = limited(write, hint - 1, "file.write");
	return verdict;
}

/* Before a tmpfile there is no hook: no path leads to a file without a name. */
static __always_inline bool is_tmpfile(const struct file *file)
{
	return file->f_flags & O_TMPFILE_BIT;
}

/* The argument of file_open, read where it is needed: it stays in no register. */
#define opened(CTX) ((struct file *)(CTX)[0])

#define SCOPES_AT_OPEN (SCOPES_OPEN | SCOPES_LOCKED)

static __always_inline bool makes_a_file(unsigned long long *ctx)
{
	return cm_is_anywhere(file_create) && is_tmpfile(opened(ctx));
}

IN_SCOPE(file_open)
{
	if (cm_used_bits(SCOPES_AT_OPEN | cm_bit(file_create)) | SYSTEM_OPEN | system_word(open) |
	    system_word(file_create)) {
		if (cm_used(SCOPES_AT_OPEN) || (SYSTEM_OPEN | system_word(open)) ||
		    makes_a_file(ctx))
			return row + 1;
	}
	if (is_judged(opened(ctx)))
		return number_here(0);
	return ask_at_once(KIND_OF(open), row);
}

IN_NONE(file_open)
{
	if (SYSTEM_OPEN || makes_a_file(ctx))
		return 1;
	return is_judged(opened(ctx)) ? 0 : ask_system_at_once(KIND_OF(open));
}

CM_HOOK_QUICK(file_open)
{
	__u32 row, hint;

	if (cm_used(SCOPES_AT_OPEN | cm_bit(open))) {
		if (!cm_own_is_outside(&row)) {
			hint = in_scope(file_open, row);
			goto found;
		}
	} else if (cm_used(cm_bit(file_create)) && is_tmpfile(opened(ctx))) {
		hint = number_here(CM_ROW_UNKNOWN + 1);
		goto ask;
	}
	if (!(SYSTEM_OPEN | system_word(open) | system_word(file_create)))
		goto done;
	hint = in_none__file_open(ctx);
found:
	end_quick(file_open, hint);
}

CM_HOOK_FULL(file_open, struct file *file)
{
	long verdict = CM_ALLOW;

	if (is_judged(file))
		return CM_ALLOW;
	if (file->f_mode & FMODE_WRITE || (cm_lockouts() && opens_nothing(hint - 1)))
		verdict = shut(hint - 1);
	if (!verdict && is_concerned(OPEN))
		verdict = refuse_open(cm_here, file, hint - 1);
	if (!verdict && file->f_flags & O_TMPFILE_BIT && cm_is_anywhere(file_create))
		verdict = limited(file_create, hint - 1, "file.tmpfile");
	if (!verdict && cm_is_anywhere(open))
		verdict = limited(open, hint - 1, "file.open");
	return verdict;
}
