// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a policy's source to its object: one run of clang with the SDK's directory and, if the
 * source wants them, all types of a kernel. Needs no privilege and no session.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "internal.h"

extern char **environ;

static void dump(void *file, const char *format, va_list args)
{
	vfprintf(file, format, args);
}

static int dump_types(const struct btf *btf, FILE *file)
{
	struct btf_dump *types = btf_dump__new(btf, dump, file, NULL);
	unsigned int id;
	int err = libbpf_get_error(types);

	for (id = 1; !err && id < btf__type_cnt(btf); id++)
		err = btf_dump__dump_type(types, id);
	if (!libbpf_get_error(types))
		btf_dump__free(types);
	return err;
}

/* The types of a kernel as C, each access to one of them relocatable (CO-RE). */
static int write_types(struct cm *cm, const char *btf_file, const char *path)
{
	struct btf *btf = btf_file ? btf__parse(btf_file, NULL) : btf__load_vmlinux_btf();
	FILE *file;
	int err;

	if (!btf)
		return cm_fail(cm, -errno, "cannot read the kernel's types from %s: %s",
			       btf_file ? btf_file : "/sys/kernel/btf/vmlinux", strerror(errno));
	file = fopen(path, "we");
	if (!file) {
		err = cm_fail(cm, -errno, "cannot create %s: %s", path, strerror(errno));
		btf__free(btf);
		return err;
	}
	fputs("#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n"
	      "#pragma clang attribute push(__attribute__((preserve_access_index)), "
	      "apply_to = record)\n",
	      file);
	err = dump_types(btf, file);
	fputs("#pragma clang attribute pop\n#endif\n", file);
	btf__free(btf);
	if (ferror(file))
		err = -EIO;
	if (fclose(file) && !err)
		err = -errno;
	return err ? cm_fail(cm, err, "cannot write %s: %s", path, strerror(-err)) : 0;
}

/* Does the source itself have a line #include "vmlinux.h"? */
static int wants_types(struct cm *cm, const char *source, bool *ret)
{
	FILE *file = fopen(source, "re");
	char *line = NULL, *at;
	size_t size = 0;

	if (!file)
		return cm_fail(cm, -errno, "cannot open %s: %s", source, strerror(errno));

	while (!*ret && getline(&line, &size, file) > 0) {
		at = line + strspn(line, " \t");
		if (*at++ != '#')
			continue;
		at += strspn(at, " \t");
		if (strncmp(at, "include", 7))
			continue;
		at += 7 + strspn(at + 7, " \t");
		*ret = !strncmp(at, "\"vmlinux.h\"", 11) || !strncmp(at, "<vmlinux.h>", 11);
	}
	free(line);
	fclose(file);
	return 0;
}

static int run(struct cm *cm, char *const *argv)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old_int, old_quit;
	posix_spawnattr_t attributes;
	sigset_t signals;
	pid_t pid;
	int err, status = 0;

	/* As system(3) does: an interrupt ends the compiler, and what it has left is removed. */
	sigaction(SIGINT, &ignore, &old_int);
	sigaction(SIGQUIT, &ignore, &old_quit);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &signals);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	err = -posix_spawnp(&pid, argv[0], NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	while (!err && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err = -errno;
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGQUIT, &old_quit, NULL);
	if (err)
		return cm_fail(cm, err, "cannot run %s: %s%s", argv[0], strerror(-err),
			       err == -ENOENT ? " (install clang, or name it in CLANG)" : "");
	if (status)
		return cm_fail(cm, -EINVAL, "%s could not compile it", argv[0]);
	return 0;
}

static int compile(struct cm *cm, const char *source, const char *output, const char *types_dir)
{
	const char *sdk = getenv("CHECMATE_SDK"), *clang = getenv("CLANG");
	char header[PATH_MAX];
	const char *argv[] = {
		clang && *clang ? clang : "clang",
		"-g",
		"-O2",
		"-target",
		"bpf",
		"-mcpu=v3", /* atomics that fetch */
		"-D__TARGET_ARCH_" CM_TARGET_ARCH,
		"-Wall",
		"-fms-extensions", /* how the kernel names some members, from 7 */
		"-Wno-microsoft-anon-tag",
		"-I/usr/include/" CM_MULTIARCH,
		"-I",
		types_dir,
		"-I",
		sdk && *sdk ? sdk : CM_SDK_DIR,
		"-c",
		source,
		"-o",
		output,
		NULL,
	};

	if (!sdk || !*sdk)
		sdk = CM_SDK_DIR;
	snprintf(header, sizeof(header), "%s/checmate.bpf.h", sdk);
	if (access(header, R_OK))
		return cm_fail(cm, -ENOENT,
			       "no SDK: cannot read %s (make install puts it there, CHECMATE_SDK "
			       "names another directory)",
			       header);
	return run(cm, (char *const *)argv);
}

static int build(struct cm *cm, const char *source, const char *output, const char *btf)
{
	char dir[] = "/tmp/checmate-build-XXXXXX", types[sizeof(dir) + sizeof("/vmlinux.h")];
	bool wanted = false;
	int err = wants_types(cm, source, &wanted);

	if (err)
		return err;
	if (!mkdtemp(dir))
		return cm_fail(cm, -errno, "cannot create a directory in /tmp: %s",
			       strerror(errno));
	snprintf(types, sizeof(types), "%s/vmlinux.h", dir);
	if (wanted)
		err = write_types(cm, btf, types);
	if (!err)
		err = compile(cm, source, output, dir);
	unlink(types);
	rmdir(dir);
	return err;
}

/* What load would say of its declarations; there may be nothing to read back, as of /dev/null. */
static int check(struct cm *cm, const char *output)
{
	struct stat st;

	return stat(output, &st) || !S_ISREG(st.st_mode) ? 0 : cm_object_check(cm, output);
}

int cm_build(const char *source, const char *output, const char *btf, char *error, size_t size)
{
	struct cm cm = { .lock_fd = -1, .cgroup_fd = -1 };
	int err;

	libbpf_set_print(NULL);
	err = build(&cm, source, output, btf);
	if (!err)
		err = check(&cm, output);
	snprintf(error, size, "%s", cm.error);
	return err;
}
