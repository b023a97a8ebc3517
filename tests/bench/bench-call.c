// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many instructions a call takes that a task locked in by chroot(2) may be refused, or one too
 * many in a time, in a guest that counts them (tests/vm/run -i):
 *
 *	bench-call [-j] TREE open|create|stat|kill|fork|thread|connect
 *
 * TREE is the working directory, with -j also the root. The caller has uid 1000 and no capability.
 * Prints the median of many single calls less that of as many calls of an empty function.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "count.h"

#define UID	    1000
#define PATH	    "one/two/three/file"
#define NEW_PATH    "one/two/three/new"
#define CLOSED_PORT 9
#define SAMPLES	    501

static pid_t self;

static void open_and_close(void)
{
	int fd = open(PATH, O_RDONLY);

	if (fd < 0 || close(fd))
		err(1, "open");
}

static void create_and_close(void)
{
	int fd = open(NEW_PATH, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || close(fd))
		err(1, "create");
}

static void remove_created(void)
{
	if (unlink(NEW_PATH))
		err(1, "unlink");
}

static void stat_file(void)
{
	struct stat ignored;

	if (stat(PATH, &ignored))
		err(1, "stat");
}

static void kill_self(void)
{
	if (kill(self, 0))
		err(1, "kill");
}

/* fork(2) copies memory, and how much work that is varies by more than a hook costs. */
static void fork_and_exit(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		err(1, "vfork");
}

/*
 * A thread that would be made if the caller might choose its number: the kernel finds that out
 * behind the hook, and before what makes the work vary.
 */
static void ask_for_thread(void)
{
	pid_t number = FIRST_PID;
	struct clone_args thread = {
		.flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD,
		.set_tid = (uintptr_t)&number,
		.set_tid_size = 1,
	};

	if (syscall(SYS_clone3, &thread, sizeof(thread)) != -1 || errno != EPERM)
		err(1, "clone3");
}

/* The kernel frees its stack when all CPUs have been idle, and the next one finds the same again.
 */
static void settle(void)
{
	usleep(20000);
}

static void connect_to_nobody(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(CLOSED_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)) || errno != ECONNREFUSED)
		err(1, "connect");
	close(fd);
}

static void do_nothing(void)
{
}

static const struct call {
	const char *name;
	void (*run)(void);
	void (*undo)(void); /* is not counted */
	int samples;	    /* 0: as many as others */
} calls[] = {
	{ .name = "open", .run = open_and_close },
	{ .name = "create", .run = create_and_close, .undo = remove_created },
	{ .name = "stat", .run = stat_file },
	{ .name = "kill", .run = kill_self },
	{ .name = "fork", .run = fork_and_exit },
	{ .name = "thread", .run = ask_for_thread, .undo = settle, .samples = 61 },
	{ .name = "connect", .run = connect_to_nobody },
};

static const struct call *find_call(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	errx(2, "no such call: %s", name);
}

static uint64_t count(const struct call *call)
{
	static uint64_t samples[SAMPLES];
	int number = call->samples ? call->samples : SAMPLES, i;
	uint64_t begin;

	memset(samples, 1, sizeof(samples)); /* no page faults later */
	for (i = call->samples ? -WARM_UP / 5 : -WARM_UP; i < number; i++) {
		begin = now();
		call->run();
		samples[i < 0 ? 0 : i] = now() - begin;
		if (call->undo)
			call->undo();
	}
	return median(samples, number);
}

static void be_caller(const char *tree, bool jailed, const struct call *call)
{
	static const struct call nothing = { .run = do_nothing };
	uint64_t cost, empty;

	if (chdir(tree) || (jailed && chroot(".")))
		err(1, "%s", tree);
	if (setresgid(UID, UID, UID) || setresuid(UID, UID, UID))
		err(1, "cannot become uid %d", UID);
	self = getpid();
	check_counter();
	cost = count(call);
	empty = count(&nothing);
	printf("%llu\n", (unsigned long long)(cost - empty));
	exit(fflush(stdout) ? 1 : 0);
}

int main(int argc, char **argv)
{
	bool jailed = argc > 1 && !strcmp(argv[1], "-j");
	char **words = argv + 1 + jailed;
	const struct call *call;
	int status;
	pid_t pid;

	if (argc != 3 + jailed)
		errx(2, "usage: bench-call [-j] TREE CALL");
	call = find_call(words[1]);
	hold_still(argv);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		be_caller(words[0], jailed, call);
	if (waitpid(pid, &status, 0) != pid)
		err(1, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
