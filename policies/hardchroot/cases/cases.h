/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hardchroot-cases: the ways out of a chroot, each tried for real.
 *
 * A row runs as root in a process and a mount namespace of its own. Its working directory is a
 * fresh one of a tmpfs, with what it is all about: "secret", and beside it "jail". It reports
 * claims, tokens STEP=RESULT. A claim that takes several steps is named after the first that
 * fails, or after the last; "secret=ok" means that the secret's content was read.
 */
#ifndef HARDCHROOT_CASES_H
#define HARDCHROOT_CASES_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Newer than the C library's headers. */
#define NR_OPEN_TREE	  428
#define NR_FSOPEN	  430
#define NR_FSCONFIG	  431
#define NR_FSMOUNT	  432
#define NR_OPEN_TREE_ATTR 467
#define NR_FCHROOT	  472

#define OUT_OF_JAIL "../secret"
#define USER	    1000

struct row {
	const char *id;
	const char *title;
	void (*run)(void);
};

/* One area each, ended by a row without id. */
extern const struct row lookup_rows[];
extern const struct row fd_rows[];
extern const struct row uring_rows[];
extern const struct row namespace_rows[];
extern const struct row mount_rows[];
extern const struct row file_rows[];
extern const struct row task_rows[];
extern const struct row signal_rows[];
extern const struct row ipc_rows[];
extern const struct row admin_rows[];
extern const struct row kernel_rows[];
extern const struct row undo_rows[];
extern const struct row race_rows[];

int race_seconds(void);

/* What the processes of a row share. */
struct shared {
	char line[512];
	char secret[64];	/* its absolute path */
	unsigned int urgent[2]; /* SIGURGs that came to the outsider and to one in the jail */
	int ids[2];		/* of the outsider's objects */
	char buffer[64];
};
extern struct shared *shared;

/* --- claims */

/* A claim: "ok", or the name of errno if R is negative. */
void claim(const char *step, long r);
void claim_word(const char *step, const char *word);

/* A step on the way to a claim: claimed only if it failed, and then there is no way on. */
bool step(const char *name, long r);

/* What has to work with the pack as well as without; otherwise the row ends there. */
void must(const char *what, long r);

/* --- the place */

/* 0 if the secret was read there; EBADMSG if something else was. */
int steal(int dirfd, const char *path);
int steal_fd(int fd);

void create(const char *path, const char *content);
void enter(const char *jail);
void mount_proc(void);

/* --- other processes */

/* A process that stays outside, after it has called prepare, and ends with the row. */
pid_t outsider(void (*prepare)(void));

/* One that ends with the row, but does only what fn does. */
pid_t start(void (*fn)(void));
void run_in_child(void (*fn)(void));
void become_user(void);
void count_urgent(unsigned int *counter);
bool urgent_came(const unsigned int *counter, unsigned int before);

/* Two processes take turns: a pair of sockets, and a byte handed over. */
void make_pair(int pair[2]);
void hand_over(int fd);
void wait_turn(int fd);

#endif
