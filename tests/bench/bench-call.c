// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many instructions a call takes that a task locked in by chroot(2) may be refused, in a guest
 * that counts them (tests/vm/run -i):
 *
 *	bench-call [-j] TREE open|stat|kill|fork|connect
 *
 * TREE is the working directory, with -j also the root. The caller has uid 1000 and no capability.
 * Prints the median of many single calls less that of as many calls of an empty function.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "count.h"

#define UID	    1000
#define PATH	    "one/two/three/file"
#define CLOSED_PORT 9
#define SAMPLES	    501

static pid_t self;

static void open_and_close(void)
{
	int fd = open(PATH, O_RDONLY);

	if (fd < 0 || close(fd))
		err(1, "open");
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
} calls[] = {
	{ "open", open_and_close },
	{ "stat", stat_file },
	{ "kill", kill_self },
	{ "fork", fork_and_exit },
	{ "connect", connect_to_nobody },
};

static const struct call *find_call(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	errx(2, "no such call: %s", name);
}

static uint64_t count(void (*run)(void))
{
	static uint64_t samples[SAMPLES];
	uint64_t begin;
	int i;

	memset(samples, 1, sizeof(samples)); /* no page faults later */
	for (i = -WARM_UP; i < SAMPLES; i++) {
		begin = now();
		run();
		samples[i < 0 ? 0 : i] = now() - begin;
	}
	return median(samples, SAMPLES);
}

static void be_caller(const char *tree, bool jailed, const struct call *call)
{
	uint64_t cost, empty;

	if (chdir(tree) || (jailed && chroot(".")))
		err(1, "%s", tree);
	if (setresgid(UID, UID, UID) || setresuid(UID, UID, UID))
		err(1, "cannot become uid %d", UID);
	self = getpid();
	check_counter();
	cost = count(call->run);
	empty = count(do_nothing);
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
