/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * yama-cases: one small program per rule of Yama, run unchanged on native Yama and on ours.
 *
 * A case is directed from one process. It spawns actors (processes and threads) and has them
 * carry out ops one after the other, so every case is sequential and its line always the same.
 *
 *   main.c    command line, scheduling, the scope in force
 *   keeper.c  one process per case that outlives it, with a watchdog, and leaves nothing behind
 *   actor.c   directing: spawn, call, tokens of the result line
 *   ops*.c    what actors can do
 *   the rest  the cases, one area each, with what the contract expects of them
 */
#ifndef YAMA_CASES_H
#define YAMA_CASES_H

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define UID_USER  1000 /* the contract's uT, uR: no capabilities */
#define UID_OTHER 1001

#define PROBE_ADDRESS 0x13370000UL
#define PROBE_WORD    0x59414d4143415345UL /* stands there in every actor: what RV must bring */
#define NO_PID	      4194304 /* PID_MAX_LIMIT: one more than the largest pid there can be */
#define KTHREADD      2
#define RCU_WAIT_MS   600 /* a relation dies this long after its task was reaped, at the latest */

#define ANY	   (-1L)
#define CAP(n)	   (1UL << (n))
#define ALL_CAPS   (~0UL)
#define PTRACE_CAP CAP(CAP_SYS_PTRACE)

/* The result of a system call, or -errno. */
static inline long ret(long r)
{
	return r < 0 ? -errno : r;
}

/* --- cases ------------------------------------------------------------------------------- */

#define SCOPE_NONE    4 /* "-s none": no Yama at all */
#define SCOPE_COLUMNS 5

enum case_flags {
	CASE_ALONE = 1, /* changes global state: nothing else may run */
	CASE_LATCH = 2, /* prepared at scope 0, acts at the scope of its column */
	CASE_FILE = 4,	/* needs the sysctl file */
	CASE_PERF = 8,	/* needs perf_event_paranoid 1 */
	CASE_LOG = 16,	/* reads the log: after everything else, alone */
};

struct yama_case {
	const char *id;
	const char *title;
	void (*run)(void);
	const char *expect[SCOPE_COLUMNS]; /* NULL: the contract has no value there */
	/* for long tables: writes the expected tokens instead of expect[] */
	void (*expect_fn)(int scope, char *buf, size_t len);
	unsigned int flags;
	unsigned int log_lines; /* the most log records it causes (the limit is 10 in 5 s) */
};

/* The four columns, each made by a macro from the result expected there. */
#define BY_SCOPE(tokens, s0, s1, s2, s3)                                                           \
	{                                                                                          \
		tokens(s0), tokens(s1), tokens(s2), tokens(s3)                                     \
	}
#define ALWAYS(tokens)                                                                             \
	{                                                                                          \
		tokens, tokens, tokens, tokens                                                     \
	}
#define OPPP(tokens) BY_SCOPE(tokens, "OK", "P", "P", "P")
#define OOPP(tokens) BY_SCOPE(tokens, "OK", "OK", "P", "P")
#define OOOP(tokens) BY_SCOPE(tokens, "OK", "OK", "OK", "P")
#define TOK_A(r)     "A=" r
#define TOK_A_RV(r)  "A=" r " RV=" r

/* A row of a table; after the expectations any other field may follow. */
#define CASE(case_id, text, fn, ...)                                                               \
	{                                                                                          \
		.id = case_id, .title = text, .run = fn, .expect = __VA_ARGS__                     \
	}

/* The cases of one letter. */
struct area {
	const struct yama_case *cases;
	size_t n;
};

extern const struct area attach_area, cred_area, relation_area, ns_area, prctl_area, traceme_area,
	access_area, existing_area, sysctl_area, log_area;

/* --- keeper.c ---------------------------------------------------------------------------- */

struct job {
	const struct yama_case *c;
	pid_t keeper;  /* 0: not started, or finished */
	int out;       /* read end: the tokens */
	int ready, go; /* latch mode: the case is prepared; it may act */
	bool failed;
	char tokens[8192];
};

void job_start(struct job *j, bool latch);
void job_finish(struct job *j, int status);

/* --- the scope in force (main.c) --------------------------------------------------------- */

extern int run_scope; /* the number given by -s */
const char *scope_file(void);
bool scope_file_exists(void);
int scope_read(void); /* -errno where the file cannot be read */
int scope_set(int scope);

/* --- directing (actor.c) ----------------------------------------------------------------- */

struct call {
	long a[6];
	int fd; /* the calling actor's own channel */
};
typedef long (*op_fn)(const struct call *c); /* 0 or more, or -errno */

enum spawn_how {
	SPAWN_FORK,
	SPAWN_SIBLING, /* CLONE_PARENT: a child of the actor's parent */
	SPAWN_VM,      /* CLONE_VM without CLONE_THREAD */
	SPAWN_VFORK,   /* its parent answers when this child is gone: await(parent) */
	SPAWN_THREAD,
};

#define ME 0 /* the director, as an actor */

int spawn(int parent, enum spawn_how how);
/* In two steps, where something has to happen between: await(parent) brings the result. */
int spawn_begin(int parent, enum spawn_how how);
void spawn_end(int actor);
int spawn_with_pid(int parent, pid_t pid); /* a child of that very pid number */
pid_t pid_of(int actor);		   /* its tid in the initial pid namespace */

/* Has the actor carry out op; returns the result. need() insists on success. */
#define call(actor, op, ...) call_op(actor, op, #op, false, (struct call){ .a = { __VA_ARGS__ } })
#define need(actor, op, ...) call_op(actor, op, #op, true, (struct call){ .a = { __VA_ARGS__ } })
/* Starts op without waiting; await() collects the result. */
#define post(actor, op, ...) post_op(actor, op, (struct call){ .a = { __VA_ARGS__ } })
long call_op(int actor, op_fn op, const char *name, bool insist, struct call c);
void post_op(int actor, op_fn op, struct call c);
long await(int actor);

int user(void); /* spawn from the director, as uid 1000 */
int child_of(int parent);
int thread_of(int parent);
void exec_as(int actor, int argv);	 /* ARGV_x: runs this program anew, in the calling thread */
void end_thread(int actor);		 /* ... and waits until its tid is gone */
void end_leader(int actor);		 /* the other threads live on */
void end_process(int actor, int parent); /* ... reaped by parent */
void end_to_zombie(int actor, int parent); /* ... not reaped */
void rcu_wait(void);
void scope_lower(void); /* CASE_LATCH: to 0, to prepare */
void scope_raise(void); /* ... and to the scope of the column, to act */

long attach(int agent, int target);
long read_vm(int agent, int target);
long ptracer(int actor, long arg);

void tok(const char *name, long result);
void tok_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tok_a_rv(int agent, int target);
const char *letter(long result); /* OK, P, C, S, V or the errno's name */
const char *tokens_get(void);
void fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

void director_init(const char *id, int ready_fd, int go_fd);
void actor_main(int fd) __attribute__((noreturn));
int exec_image(void); /* a memfd of this program, also executable by uid 1000 */
void map_probe(void);

/* --- ops --------------------------------------------------------------------------------- */

/* The argument lists an actor can be executed with. */
enum argv_id {
	ARGV_ACTOR,
	ARGV_TARGET,
	ARGV_AGENT,
	ARGV_QUOTES,
	ARGV_BLANKS,
	ARGV_BYTES,
	ARGV_EMPTY_ARGS,
	ARGV_EMPTY_ARGV0,
	ARGV_LONG,
};

/* The files of /proc/PID. */
enum proc_file {
	F_MEM,
	F_SYSCALL,
	F_PERSONALITY,
	F_STACK,
	F_MAPS,
	F_ENVIRON,
	F_AUXV,
	F_IO,
};

/* ops.c: processes, credentials, namespaces */
long op_getpid(const struct call *c);
long op_getppid(const struct call *c);
long op_spawn(const struct call *c);	      /* channel fd, how */
long op_spawn_with_pid(const struct call *c); /* channel fd, pid */
long op_exec(const struct call *c);	      /* image fd, argv id */
long op_exit(const struct call *c);	      /* the whole process */
long op_exit_thread(const struct call *c);    /* this thread, also the leader */
long op_reap(const struct call *c);	      /* pid */
long op_await_zombie(const struct call *c);   /* pid: waits, does not reap */
long op_subreaper(const struct call *c);
long op_become(const struct call *c);	   /* uid: no capabilities, dumpable */
long op_become_caps(const struct call *c); /* uid, permitted, effective, gid stays 0 */
long op_caps(const struct call *c);	   /* permitted, effective: this thread only */
long op_dumpable(const struct call *c);	   /* 0 or 1 */
long op_userns(const struct call *c);	   /* inner uid, outer uid: unshare and map */
long op_unshare(const struct call *c);	   /* CLONE_x */
long op_ptracer(const struct call *c);	   /* arg2 */
long op_prctl_raw(const struct call *c);   /* all five arguments */
long op_prctl_int80(const struct call *c); /* arg2 */

/* ops-access.c: the accesses Yama is asked about, and those it is not */
long op_attach(const struct call *c);	   /* pid: attach, stop, detach */
long op_attach_stay(const struct call *c); /* pid: attach and leave it stopped */
long op_seize(const struct call *c);	   /* pid, options: stays seized, running */
long op_peek(const struct call *c);	   /* pid */
long op_fork_event(const struct call *c);  /* pid: awaits PTRACE_EVENT_FORK, returns the child */
long op_traceme(const struct call *c);
long op_read_vm(const struct call *c);	     /* pid */
long op_read_vm_len(const struct call *c);   /* pid, local length, remote length: bytes read */
long op_proc_open(const struct call *c);     /* pid, file, open flags: an fd */
long op_proc_read(const struct call *c);     /* pid, file: open, read, close */
long op_fd_read(const struct call *c);	     /* fd */
long op_fd_read_probe(const struct call *c); /* fd of a mem file */
long op_fd_close(const struct call *c);	     /* fd */
long op_getfd(const struct call *c);	     /* pid, fd */
long op_perf(const struct call *c);	     /* pid, sigtrap */
long op_list_fds(const struct call *c);	     /* pid */
long op_link(const struct call *c);	     /* pid, 0 = exe, 1 = ns/net */
long op_kcmp(const struct call *c);	     /* pid, pid */
long op_robust_list(const struct call *c);   /* pid */
long op_move_pages(const struct call *c);    /* pid */

#endif
