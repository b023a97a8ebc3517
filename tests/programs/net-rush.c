// SPDX-License-Identifier: GPL-2.0-only
/*
 * net-rush LIMIT PROCESSES TIMES PORT	all at once connect to 127.0.0.1 and close again, so often
 *
 * Prints OK if never more than LIMIT were connected, or how many were; and what else than EUSERS
 * kept one from it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
	int waiting, connected, most, error;
};

static void connect_once(struct shared *shared, const struct sockaddr_in *to)
{
	struct linger now = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), there;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	if (!connect(fd, (const struct sockaddr *)to, sizeof(*to))) {
		there = __atomic_add_fetch(&shared->connected, 1, __ATOMIC_SEQ_CST);
		if (there > shared->most)
			shared->most = there;
		__atomic_sub_fetch(&shared->connected, 1, __ATOMIC_SEQ_CST);
	} else if (errno != EUSERS) {
		shared->error = errno;
	}
	close(fd);
}

static void one(struct shared *shared, int processes, int times, const struct sockaddr_in *to)
{
	__atomic_add_fetch(&shared->waiting, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->waiting, __ATOMIC_SEQ_CST) < processes)
		usleep(100);
	while (times--)
		connect_once(shared, to);
	exit(0);
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sockaddr_in to = { .sin_family = AF_INET };
	int i, processes;

	if (argc != 5 || shared == MAP_FAILED)
		return 2;
	processes = atoi(argv[2]);
	to.sin_port = htons(atoi(argv[4]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (i = 0; i < processes; i++)
		if (!fork())
			one(shared, processes, atoi(argv[3]), &to);
	while (wait(NULL) > 0)
		;
	if (shared->error)
		puts(strerrorname_np(shared->error));
	else if (shared->most > atoi(argv[1]))
		printf("%d at once\n", shared->most);
	else
		puts("OK");
	return 0;
}
