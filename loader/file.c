// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy's file: read once, through one descriptor, after it was made sure that nobody but root
 * can have written it; then looked at as far as libbpf and the kernel would complain in words that
 * nobody understands.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "internal.h"

static int check_owner(struct cm *cm, const struct stat *st, const char *path)
{
	const char *what = S_ISDIR(st->st_mode) ? "directory " : "";

	if (st->st_uid)
		return cm_fail(cm, -EPERM, "%s%.300s belongs to uid %u: it must belong to root",
			       what, path, st->st_uid);
	/* Of a directory like /tmp nobody can take root's files away. */
	if (st->st_mode & 022 && !(S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX))
		return cm_fail(cm, -EPERM,
			       "%s%.300s can be written by others than root: chmod go-w", what,
			       path);
	return 0;
}

/* Whoever can write a directory on the way could have put another file there. */
static int check_directories(struct cm *cm, char *path)
{
	struct stat st;
	char *slash;
	int err = 0;

	while (!err && (slash = strrchr(path, '/'))) {
		*slash = '\0';
		if (stat(*path ? path : "/", &st))
			return cm_fail(cm, -errno, "cannot look at %.300s: %s", path,
				       strerror(errno));
		err = check_owner(cm, &st, *path ? path : "/");
	}
	return err;
}

static int read_all(struct cm *cm, int fd, const char *path, size_t size, void **ret)
{
	_cleanup_free_ char *bytes = malloc(size + 1);
	size_t have = 0;
	ssize_t len = 1;

	if (!bytes)
		return cm_fail(cm, -ENOMEM, "out of memory");
	while (have <= size && len > 0) {
		len = read(fd, bytes + have, size + 1 - have);
		if (len < 0)
			return cm_fail(cm, -errno, "cannot read %.300s: %s", path, strerror(errno));
		have += len;
	}
	if (have != size)
		return cm_fail(cm, -EAGAIN, "%.300s changes while it is read: try again", path);
	*ret = bytes;
	bytes = NULL;
	return 0;
}

int cm_file_read(struct cm *cm, const char *path, size_t max, char *ret_path, void **ret,
		 size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char link[64], directory[PATH_MAX];
	struct stat st;
	ssize_t len;
	int err;

	if (fd < 0 || fstat(fd, &st))
		return cm_fail(cm, -errno, "cannot open %.300s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cm_fail(cm, -EINVAL, "%.300s is not a file", path);
	err = check_owner(cm, &st, path);
	if (err)
		return err;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, ret_path, PATH_MAX - 1);
	if (len < 0)
		return cm_fail(cm, -errno, "cannot read %s: %s", link, strerror(errno));
	ret_path[len] = '\0';
	strcpy(directory, ret_path);
	err = check_directories(cm, directory);
	if (err)
		return err;
	if ((size_t)st.st_size > max)
		return cm_fail(cm, -EFBIG, "%.300s is larger than %zu MiB", path, max >> 20);
	*ret_size = st.st_size;
	return read_all(cm, fd, path, st.st_size, ret);
}

/* The bytes at @offset, if that many are there and lie as their type needs it. */
static const void *within(const char *bytes, size_t size, uint64_t offset, uint64_t len,
			  size_t align)
{
	if (offset > size || len > size - offset || offset % align)
		return NULL;
	return bytes + offset;
}

static bool is_named(const char *bytes, size_t size, const Elf64_Shdr *names, uint32_t name,
		     const char *wanted)
{
	const char *text;
	size_t len = strlen(wanted) + 1;

	text = name > names->sh_size ? NULL : within(bytes, size, names->sh_offset + name, len, 1);
	return text && !memcmp(text, wanted, len);
}

/* Contents of the section of that name as a string; NULL if there is none. */
static const char *section_text(const char *bytes, size_t size, const char *wanted)
{
	const Elf64_Ehdr *elf = (const void *)bytes;
	const Elf64_Shdr *sections =
		within(bytes, size, elf->e_shoff, (uint64_t)elf->e_shnum * sizeof(*sections), 8);
	const char *text;
	size_t i;

	if (!sections || elf->e_shentsize != sizeof(*sections) || elf->e_shstrndx >= elf->e_shnum)
		return NULL;
	for (i = 0; i < elf->e_shnum; i++) {
		if (!is_named(bytes, size, &sections[elf->e_shstrndx], sections[i].sh_name, wanted))
			continue;
		text = within(bytes, size, sections[i].sh_offset, sections[i].sh_size, 1);
		return text && memchr(text, '\0', sections[i].sh_size) ? text : NULL;
	}
	return NULL;
}

/* license_is_gpl_compatible() of the kernel: it lets no others decide. */
static bool is_gpl(const char *license)
{
	static const char *const known[] = {
		"GPL",		"GPL v2",	"GPL and additional rights",
		"Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(license, known[i]))
			return true;
	return false;
}

int cm_file_check(struct cm *cm, const char *path, const void *bytes, size_t size)
{
	static const unsigned char here =
		__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;
	const Elf64_Ehdr *elf = bytes;
	const char *license;

	if (size < sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG))
		return cm_fail(cm, -ENOEXEC, "%.300s is not an object file (ELF)", path);
	if (elf->e_ident[EI_CLASS] != ELFCLASS64)
		return cm_fail(cm, -ENOEXEC, "%.300s is a 32-bit file, BPF objects have 64", path);
	if (elf->e_ident[EI_DATA] != here)
		return cm_fail(cm, -ENOEXEC,
			       "%.300s has the byte order of another architecture: build it with "
			       "clang -target bpf on this one",
			       path);
	if (elf->e_machine != EM_BPF)
		return cm_fail(cm, -ENOEXEC,
			       "%.300s is for another machine than BPF (ELF machine %u): build it "
			       "with clang -target bpf",
			       path, elf->e_machine);
	if (elf->e_type != ET_REL)
		return cm_fail(cm, -ENOEXEC, "%.300s is not an object file: build it with clang -c",
			       path);
	license = section_text(bytes, size, "license");
	if (!license)
		return cm_fail(cm, -ENOEXEC, "%.300s states no licence: CM_PACK() does it", path);
	if (!is_gpl(license))
		return cm_fail(cm, -ENOEXEC,
			       "%.300s has licence '%.40s': the kernel wants one that is "
			       "compatible with the GPL",
			       path, license);
	return 0;
}
