// SPDX-License-Identifier: GPL-2.0-only
/*
 * stress-race SECONDS [FILE]: 64 threads of uid 1000 register with PR_SET_PTRACER, read each
 * other's memory (process_vm_readv) and attach (PTRACE_SEIZE), while the value of ptrace_scope goes
 * up and down between 0 and 1: by way of FILE, or with `checmate set` where there is none.
 *
 * A writer makes its epoch odd, changes something and makes it even again. An attempt during which
 * no epoch that it depends on has moved has one right verdict, any other has two. Exits 1 on a
 * wrong verdict, a registration that fails, or when hardly any attempt could be judged; prints the
 * counts.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

/* Threads: 4 seize, 32 read, 4 change registrations that are judged, 24 make others. */
#define SEIZERS	 4
#define READERS	 32
#define CHANGERS 4
#define CROWD	 16 /* threads of one process that register as they like */
#define REPEATS	 4  /* threads of a process that register the same over and over */

/* What a target's registration is, and with it the verdict at 0 and at 1. */
enum kind {
	CHILD,	  /* of the tracer: OK */
	STRANGER, /* never registered: OK, EPERM */
	OPEN,	  /* ANY, over and over: OK */
	DECLARED, /* the tracer, over and over: OK */
	OTHER,	  /* declared somebody else: OK, EPERM */
	CROWDED,  /* nobody knows: OK, either */
	CHANGING, /* by its epoch */
	KINDS,
};

static const char *const kinds[KINDS] = { "child", "stranger", "open",	  "declared",
					  "other", "crowded",  "changing" };

/* Something that changes, and its value between changes. */
struct fact {
	unsigned long epoch;
	int value;
};

struct target {
	enum kind kind;
	pid_t pid;
	struct fact open; /* of CHANGING */
};

/* One of each kind but CHANGING, then the changing ones, then a child and a stranger per seizer. */
#define FIRST_CHANGING CHANGING
#define FIRST_SEIZED   (FIRST_CHANGING + CHANGERS)
#define TARGETS	       (FIRST_SEIZED + 2 * SEIZERS)

static struct shared {
	struct fact knob;
	struct target targets[TARGETS];
	pid_t tracer;
	bool stop;
	bool claimed; /* `wrong` is being written */
	bool failed;  /* and that it has been */
	char wrong[256];
	unsigned long judged[KINDS][2], unjudged, seized, registered, toggled;
} * shared;

static volatile unsigned long word = 0x57e55;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST);
}

/* What is found after the end has begun is of tasks that were killed. */
static void wrong(const char *what, const char *kind, int error, int knob, int open)
{
	if (stopped() || __atomic_exchange_n(&shared->claimed, true, __ATOMIC_SEQ_CST))
		return;
	snprintf(shared->wrong, sizeof(shared->wrong),
		 "%s, %s: %s (knob %d, registered %d; -1: changed meanwhile)", what, kind,
		 error ? strerrorname_np(error) : "OK", knob, open);
	__atomic_store_n(&shared->failed, true, __ATOMIC_SEQ_CST);
}

static void change_begin(struct fact *fact)
{
	__atomic_fetch_add(&fact->epoch, 1, __ATOMIC_SEQ_CST);
}

static void change_end(struct fact *fact, int value)
{
	__atomic_store_n(&fact->value, value, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&fact->epoch, 1, __ATOMIC_SEQ_CST);
}

static struct fact look(struct fact *fact)
{
	struct fact now = { .epoch = __atomic_load_n(&fact->epoch, __ATOMIC_SEQ_CST) };

	now.value = __atomic_load_n(&fact->value, __ATOMIC_SEQ_CST);
	return now;
}

/* The value that held all the time since @then, -1 if it changed. */
static int held(struct fact *fact, struct fact then)
{
	return then.epoch % 2 || __atomic_load_n(&fact->epoch, __ATOMIC_SEQ_CST) != then.epoch
		       ? -1
		       : then.value;
}

/* --- attempts */

static int try_readv(pid_t pid)
{
	unsigned long copy = 0;
	struct iovec local = { &copy, sizeof(copy) };
	struct iovec remote = { (void *)&word, sizeof(word) };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof(copy))
		return errno;
	return copy == word ? 0 : EBADMSG;
}

static int try_seize(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0))
		return errno;
	add(&shared->seized);
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) || waitpid(pid, &status, __WALL) != pid ||
	    ptrace(PTRACE_DETACH, pid, 0, 0))
		return errno == EPERM ? EBADMSG : errno;
	return 0;
}

static void judge(const char *what, struct target *target, int error, int knob, int open)
{
	bool right;

	if (target->kind == CHILD || target->kind == OPEN || target->kind == DECLARED)
		right = !error;
	else if (knob == 0 || (target->kind == CHANGING && open == 1))
		right = !error;
	else if (knob == 1 && target->kind != CROWDED && (target->kind != CHANGING || open == 0))
		right = error == EPERM;
	else
		right = !error || error == EPERM;
	if (!right)
		wrong(what, kinds[target->kind], error, knob, open);
	if (knob < 0 || open < 0)
		add(&shared->unjudged);
	else
		add(&shared->judged[target->kind][knob]);
}

static void attempt(const char *what, int (*function)(pid_t pid), struct target *target)
{
	struct fact open = look(&target->open), knob = look(&shared->knob);
	int error = function(target->pid);

	judge(what, target, error, held(&shared->knob, knob), held(&target->open, open));
}

static void *read_all(void *arg)
{
	unsigned long i;

	for (i = (unsigned long)arg; !stopped(); i++)
		attempt("process_vm_readv", try_readv, &shared->targets[i % FIRST_SEIZED]);
	return NULL;
}

static void *seize_own(void *arg)
{
	struct target *own = &shared->targets[FIRST_SEIZED + 2 * (unsigned long)arg];
	unsigned long i;

	for (i = 0; !stopped(); i++)
		attempt("PTRACE_SEIZE", try_seize, &own[i % 2]);
	return NULL;
}

/* --- registrations */

static void declare(long tracer, int expected)
{
	int error = prctl(PR_SET_PTRACER, tracer, 0, 0, 0) ? errno : 0;

	add(&shared->registered);
	if (error != expected)
		wrong("PR_SET_PTRACER", tracer == -1 ? "ANY" : tracer ? "pid" : "0", error, -1, -1);
}

static void *repeat(void *arg)
{
	while (!stopped())
		declare((long)arg, 0);
	return NULL;
}

static void *crowd(void *arg)
{
	unsigned long i;

	for (i = (unsigned long)arg; !stopped(); i++) {
		declare(-1, 0);
		declare(shared->targets[i % TARGETS].pid, 0);
		declare(0x7ffffff0, EINVAL); /* nobody's pid */
		declare(i % 2 ? shared->tracer : 0, 0);
	}
	return NULL;
}

static void pause_ms(int ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000L };

	nanosleep(&time, NULL);
}

static void *change(void *arg)
{
	struct target *target = arg;
	unsigned long i;

	for (i = 0; !stopped(); i++) {
		change_begin(&target->open);
		declare(i % 2 ? 0 : i % 4 ? -1 : shared->tracer, 0);
		change_end(&target->open, !(i % 2));
		pause_ms(1 + i % 30);
	}
	return NULL;
}

/* --- processes */

static void start_threads(int count, void *(*function)(void *), unsigned long arg, int step)
{
	pthread_attr_t attr;
	pthread_t thread;
	int i;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (i = 0; i < count; i++)
		if (pthread_create(&thread, &attr, function, (void *)(arg + i * step)))
			die("stress-race: pthread_create");
}

static void run_target(struct target *target)
{
	switch (target->kind) {
	case OPEN:
	case DECLARED:
		declare(target->kind == OPEN ? -1 : shared->tracer, 0);
		start_threads(REPEATS, repeat, target->kind == OPEN ? -1 : shared->tracer, 0);
		break;
	case OTHER:
		declare(shared->targets[STRANGER].pid, 0);
		break;
	case CROWDED:
		start_threads(CROWD, crowd, 0, 1);
		break;
	case CHANGING:
		start_threads(1, change, (unsigned long)target, 0);
		break;
	default:
		break;
	}
}

static void start_target(struct target *target, enum kind kind)
{
	int ready[2];
	pid_t pid;
	char c;

	target->kind = kind;
	if (pipe(ready))
		die("stress-race: pipe");
	pid = fork();
	if (pid < 0)
		die("stress-race: fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_target(target);
		if (write(ready[1], "", 1) != 1)
			die("stress-race: write");
		for (;;)
			pause();
	}
	if (read(ready[0], &c, 1) != 1)
		die("stress-race: read");
	target->pid = pid;
	close(ready[0]);
	close(ready[1]);
}

static void start_targets(bool children)
{
	int i;

	if (children)
		start_target(&shared->targets[CHILD], CHILD);
	for (i = 0; i < SEIZERS; i++)
		start_target(&shared->targets[FIRST_SEIZED + 2 * i + !children],
			     children ? CHILD : STRANGER);
	if (children)
		return;
	for (i = STRANGER; i < CHANGING; i++)
		start_target(&shared->targets[i], i);
	for (i = 0; i < CHANGERS; i++)
		start_target(&shared->targets[FIRST_CHANGING + i], CHANGING);
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000) ||
	    prctl(PR_SET_DUMPABLE, 1) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("stress-race: cannot become uid 1000");
}

/* A process beside the targets; waits for @go before it attempts anything. */
static void run_tracer(int ready, int go)
{
	char c;

	become_user();
	start_targets(true);
	if (write(ready, "", 1) != 1 || read(go, &c, 1) != 1)
		die("stress-race: tracer");
	start_threads(SEIZERS, seize_own, 0, 1);
	start_threads(READERS, read_all, 0, 1);
	for (;;)
		pause();
}

/* --- the knob */

/* Ahead of the crowd, or starting a program would take as long as all the rest. */
static void run_checmate(int value)
{
	char setting[] = "kernel.yama.ptrace_scope=0";
	struct sched_param first = { .sched_priority = 1 };
	int status = 1;
	pid_t pid;

	setting[sizeof(setting) - 2] += value;
	pid = vfork();
	if (!pid) {
		sched_setscheduler(0, SCHED_FIFO, &first);
		execlp("checmate", "checmate", "set", setting, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		die("stress-race: checmate set");
}

/* Changes the knob; then it stays so for about as long as that took. */
static void set_knob(const char *file, int value)
{
	char text[] = { '0' + value, '\n' };
	struct timespec before, after;
	int fd, ms;

	clock_gettime(CLOCK_MONOTONIC, &before);
	change_begin(&shared->knob);
	if (!file) {
		run_checmate(value);
	} else {
		fd = open(file, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text, sizeof(text)) != sizeof(text))
			die(file);
		close(fd);
	}
	change_end(&shared->knob, value);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
	pause_ms(1 + shared->toggled++ * 7 % 40 + (ms < 900 ? ms : 900));
}

static int print_result(void)
{
	bool few = false;
	int i;

	for (i = 0; i < KINDS; i++) {
		printf("%s: %lu judged at 0, %lu at 1\n", kinds[i], shared->judged[i][0],
		       shared->judged[i][1]);
		few = few || shared->judged[i][0] < 100 || shared->judged[i][1] < 100;
	}
	printf("%lu not judged, %lu seized, %lu registrations, %lu changes of the knob\n",
	       shared->unjudged, shared->seized, shared->registered, shared->toggled);
	fflush(stdout);
	if (shared->claimed)
		fprintf(stderr, "stress-race: wrong: %s\n",
			shared->failed ? shared->wrong : "(killed before it could say what)");
	else if (few || shared->seized < 10 || shared->toggled < 4)
		fprintf(stderr, "stress-race: too few to tell\n");
	else
		return 0;
	return 1;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 0, ready[2], go[2];
	const char *file = argc > 2 ? argv[2] : NULL;
	pid_t tracer, targets;
	time_t end;
	char c;

	if (seconds <= 0) {
		fprintf(stderr, "usage: stress-race SECONDS [FILE]\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		die("stress-race: cannot prepare");
	set_knob(file, 0);
	tracer = fork();
	if (!tracer)
		run_tracer(ready[1], go[0]);
	shared->tracer = tracer;
	if (tracer < 0 || read(ready[0], &c, 1) != 1)
		die("stress-race: read");
	targets = fork();
	if (targets < 0)
		die("stress-race: fork");
	if (!targets) {
		become_user();
		start_targets(false);
		if (write(ready[1], "", 1) != 1)
			die("stress-race: write");
		for (;;)
			pause();
	}
	if (read(ready[0], &c, 1) != 1 || write(go[1], "", 1) != 1)
		die("stress-race: start");
	for (end = time(NULL) + seconds; time(NULL) < end && !shared->failed;)
		set_knob(file, shared->toggled % 2);
	__atomic_store_n(&shared->stop, true, __ATOMIC_SEQ_CST);
	kill(tracer, SIGKILL);
	kill(targets, SIGKILL);
	while (wait(NULL) > 0)
		;
	return print_result();
}
