// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules for netfilter that differ in what they say of the same addresses, and who asks them.
 *
 *	net-replace rules SET		the rules
 *	net-replace ask TIMES SET...	so many connects by UDP to addresses at random
 *
 * A SET is SEED:NUMBER, the number of its rules; an address that none of them has gets the policy's
 * errno. "ask" prints the place of each SET, 1 for the first, once it alone has an outcome so. An
 * outcome that none of them has is told, and the exit status is 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES 10000
#define SETS_MAX  8

static const int errors[] = { 0,	   EPERM,    EACCES,	   EHOSTDOWN, EHOSTUNREACH,
			      ENETUNREACH, ENETDOWN, EADDRNOTAVAIL };
#define NR_ERRORS    (sizeof(errors) / sizeof(*errors))
#define POLICY_ERROR ENOPROTOOPT

struct set {
	uint32_t seed;
	uint32_t number;
};

static uint32_t mix(uint32_t word)
{
	word ^= word >> 16;
	word *= 0x85ebca6b;
	word ^= word >> 13;
	word *= 0xc2b2ae35;
	return word ^ word >> 16;
}

/* Of the address @i, which is the same in all sets. */
static uint32_t address_of(uint32_t i)
{
	return 127u << 24 | 1 << 16 | i / 250 << 8 | (i % 250 + 1);
}

static uint16_t port_of(uint32_t i)
{
	return 1 + mix(i) % 65535;
}

static int error_of(const struct set *set, uint32_t i)
{
	return i < set->number ? errors[mix(mix(set->seed) + i) % NR_ERRORS] : POLICY_ERROR;
}

static bool parse(const char *text, struct set *ret)
{
	return sscanf(text, "%u:%u", &ret->seed, &ret->number) == 2 && ret->number <= ADDRESSES;
}

static void print_rules(const struct set *set)
{
	struct in_addr address;
	uint32_t i;
	int error;

	for (i = 0; i < set->number; i++) {
		error = error_of(set, i);
		address.s_addr = htonl(address_of(i));
		printf("egress udp to %s port %u %s%s\n", inet_ntoa(address), port_of(i),
		       error ? "drop errno " : "accept", error ? strerrorname_np(error) : "");
	}
	printf("egress policy drop errno %s\n", strerrorname_np(POLICY_ERROR));
}

static int ask(uint32_t i)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port_of(i)),
				  .sin_addr.s_addr = htonl(address_of(i)) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), error;

	if (fd < 0)
		exit(2);
	error = connect(fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0;
	close(fd);
	return error;
}

static void ask_at_random(unsigned long times, const struct set *sets, int nr)
{
	bool seen[SETS_MAX] = {};
	int k, matches, last = 0, error;
	uint32_t random = getpid(), i;

	while (times--) {
		random = mix(random + 1);
		i = random % ADDRESSES;
		error = ask(i);
		for (k = 0, matches = 0; k < nr; k++)
			if (error_of(&sets[k], i) == error) {
				matches++;
				last = k;
			}
		if (!matches) {
			printf("address %u: %s is what no set says\n", i, strerrorname_np(error));
			exit(1);
		}
		if (matches == 1 && !seen[last]) {
			printf("%d\n", last + 1);
			fflush(stdout);
			seen[last] = true;
		}
	}
}

int main(int argc, char **argv)
{
	struct set sets[SETS_MAX];
	int i;

	if (argc == 3 && !strcmp(argv[1], "rules") && parse(argv[2], sets)) {
		print_rules(sets);
		return 0;
	}
	if (argc < 4 || argc > 3 + SETS_MAX || strcmp(argv[1], "ask"))
		return 2;
	for (i = 3; i < argc; i++)
		if (!parse(argv[i], &sets[i - 3]))
			return 2;
	ask_at_random(strtoul(argv[2], NULL, 10), sets, argc - 3);
	return 0;
}
