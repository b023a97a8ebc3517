/* SPDX-License-Identifier: GPL-2.0-only */
/* What init.c and root.c, the two halves of the guest's process 1, share. */
#ifndef CHECMATE_VM_GUEST_H
#define CHECMATE_VM_GUEST_H

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define LIST_MAX      4096

struct list {
	char *item[LIST_MAX + 1];
	int count;
};

/* What the host wants, by the same names as the keys of the configuration. */
struct settings {
	struct list args;   /* the command, word by word */
	struct list env;    /* its whole environment */
	struct list keeps;  /* directories that stay visible under /tmp, /run, ... */
	struct list opens;  /* directories every user must be able to reach */
	struct list shares; /* TAG:PATH, writable directories of the host */
	char *cwd;	    /* the command's working directory */
	char *modules;	    /* directory to see as /lib/modules/RELEASE */
	char *release;	    /* RELEASE */
	char *probe;	    /* set: only say that the guest runs */
};

/* Tells the host and ends the guest. */
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *fmt, ...);

/* From the initramfs to the machine's own file system, ready for the command. */
void set_up_root(const struct settings *settings);

/* Everything written to the host's directories is there when this returns. */
void leave_shares(const struct settings *settings);

#endif
