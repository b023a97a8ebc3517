// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives the procfs door for door.bats. Every command prints one line: OK, perhaps with a result,
 * or the name of the errno. Exit status: 0 the command could be carried out, whatever it printed;
 * 1 the set-up failed or a race was lost; 2 misuse.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "door-driver.h"

static const char usage[] =
	"usage: door-driver version | ioctl NUMBER\n"
	"       door-driver add [OPTION...] PATH     creates a map, makes PATH a file over it\n"
	"         -t array|percpu_array|hash|lock    map type (lock: an array with a "
	"bpf_spin_lock)\n"
	"         -v BYTES  value size      -e N     entries          -m FLAGS  map flags\n"
	"         -o BYTES  offset          -b MIN:MAX bounds         -l LATCH\n"
	"         -c CAP    capability      -i VALUE initial value    -f FLAGS  door flags\n"
	"         -s SIZE   struct size, zeros behind it (-S: ones)   -d FD     instead of the "
	"map\n"
	"         -p PIN    pin the map     -u PIN   use that map     -r        ... read-only\n"
	"         -z        freeze the map  -H       hold the map until killed\n"
	"         -k PIN:OFFSET:VALUE       sealed while that integer is VALUE\n"
	"       door-driver remove PATH\n"
	"       door-driver get PIN [OFFSET] | set PIN VALUE [OFFSET]\n"
	"       door-driver freeze PIN\n"
	"       door-driver read FILE | write FILE TEXT\n"
	"       door-driver hold-open FILE           opens, reads at each line of input\n"
	"       door-driver fill PREFIX              adds files until refused, prints how many\n"
	"       door-driver latch-race PIN FILE LATCH ROUNDS\n"
	"       door-driver churn SECONDS PREFIX     add, remove, read and write at once\n";

int say(int err)
{
	puts(err ? strerrorname_np(err) : "OK");
	fflush(stdout);
	return 0;
}

void die(const char *format, ...)
{
	int err = errno;
	va_list args;

	fputs("door-driver: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

int door(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(CM_DOOR_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("%s", CM_DOOR_DEVICE);
	return fd;
}

void copy_path(char *to, const char *from)
{
	size_t len = strlen(from);

	/* Without an end when it is too long: the module has to notice. */
	memset(to, 0, CM_DOOR_PATH_MAX);
	memcpy(to, from, len < CM_DOOR_PATH_MAX ? len : CM_DOOR_PATH_MAX);
}

int door_remove(const char *path)
{
	struct cm_door_path name;

	copy_path(name.path, path);
	return ioctl(door(), CM_DOOR_REMOVE, &name) ? errno : 0;
}

/* An array of { int value; struct bpf_spin_lock lock; }. */
static int create_lock_map(void)
{
	struct btf *btf = btf__new_empty();
	int number, lock, value, fd;

	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	lock = btf__add_struct(btf, "bpf_spin_lock", 4);
	btf__add_field(btf, "val", number, 0, 0);
	value = btf__add_struct(btf, "value", 8);
	btf__add_field(btf, "value", number, 0, 0);
	btf__add_field(btf, "lock", lock, 32, 0);
	if (btf__load_into_kernel(btf))
		die("loading BTF");
	LIBBPF_OPTS(bpf_map_create_opts, opts, .btf_fd = btf__fd(btf), .btf_key_type_id = number,
		    .btf_value_type_id = value);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "door", 4, 8, 1, &opts);
	btf__free(btf);
	return fd;
}

int create_map(const char *type, unsigned int value_size, unsigned int entries, unsigned int flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	if (!strcmp(type, "lock"))
		return create_lock_map();
	return bpf_map_create(!strcmp(type, "hash")	      ? BPF_MAP_TYPE_HASH
			      : !strcmp(type, "percpu_array") ? BPF_MAP_TYPE_PERCPU_ARRAY
							      : BPF_MAP_TYPE_ARRAY,
			      "door", 4, value_size, entries, &opts);
}

int open_pin(const char *pin, unsigned int flags)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = flags);
	int fd = bpf_obj_get_opts(pin, &opts);

	if (fd < 0)
		die("%s", pin);
	return fd;
}

/* An integer of element 0, after storing it where there is something to store. */
int map_int(int fd, unsigned int offset, const int *store)
{
	struct bpf_map_info info = { 0 };
	unsigned int len = sizeof(info), key = 0;
	char *value;
	int result;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		die("map info");
	value = calloc(1, info.value_size);
	if (bpf_map_lookup_elem(fd, &key, value))
		die("map lookup");
	if (offset > info.value_size - sizeof(int)) {
		errno = ERANGE;
		die("offset");
	}
	if (store) {
		memcpy(value + offset, store, sizeof(int));
		if (bpf_map_update_elem(fd, &key, value, BPF_ANY))
			die("map update");
	}
	memcpy(&result, value + offset, sizeof(int));
	free(value);
	return result;
}

/* "PIN:OFFSET:VALUE" */
static void set_seal(struct cm_door_knob *knob, const char *text)
{
	char pin[256];

	if (sscanf(text, "%255[^:]:%u:%d", pin, &knob->seal_offset, &knob->seal_value) != 3) {
		errno = EINVAL;
		die("%s", text);
	}
	knob->seal_fd = open_pin(pin, 0);
	knob->flags |= CM_DOOR_SEALED;
}

static int cmd_add(int argc, char **argv)
{
	struct {
		struct cm_door_knob knob;
		char behind[8192];
	} arg = { .knob = { .size = sizeof(arg.knob), .max = 3, .cap = -1 } };
	const char *type = "array", *pin = NULL, *use = NULL;
	unsigned int value_size = 4, entries = 1, flags = 0, size = sizeof(arg.knob);
	bool hold = false, freeze = false, read_only = false, ones = false, other = false;
	int c, initial = 0, map, err;

	while ((c = getopt(argc, argv, "t:v:e:m:o:b:l:c:i:f:s:S:d:p:u:k:rzH")) != -1) {
		long number = optarg ? strtol(optarg, NULL, 0) : 0;

		switch (c) {
		case 't':
			type = optarg;
			break;
		case 'v':
			value_size = number;
			break;
		case 'e':
			entries = number;
			break;
		case 'm':
			flags = number;
			break;
		case 'o':
			arg.knob.offset = number;
			break;
		case 'b':
			if (sscanf(optarg, "%d:%d", &arg.knob.min, &arg.knob.max) != 2)
				return 2;
			break;
		case 'l':
			arg.knob.latch = number;
			arg.knob.flags |= CM_DOOR_LATCH;
			break;
		case 'c':
			arg.knob.cap = number;
			break;
		case 'i':
			initial = number;
			break;
		case 'f':
			arg.knob.flags = number;
			break;
		case 'S':
			ones = true; /* fall through */
		case 's':
			size = arg.knob.size = number;
			break;
		case 'd':
			arg.knob.map_fd = number;
			other = true;
			break;
		case 'p':
			pin = optarg;
			break;
		case 'u':
			use = optarg;
			break;
		case 'k':
			set_seal(&arg.knob, optarg);
			break;
		case 'r':
			read_only = true;
			break;
		case 'z':
			freeze = true;
			break;
		case 'H':
			hold = true;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1)
		return 2;
	copy_path(arg.knob.path, argv[optind]);
	if (ones && size > sizeof(arg.knob))
		arg.behind[0] = 1;

	map = use ? open_pin(use, read_only ? BPF_F_RDONLY : 0)
		  : create_map(type, value_size, entries, flags);
	if (map < 0)
		die("creating a map");
	if (initial)
		map_int(map, arg.knob.offset, &initial);
	if (pin && bpf_obj_pin(map, pin))
		die("pinning %s", pin);
	if (freeze && bpf_map_freeze(map))
		die("freezing");
	if (!other)
		arg.knob.map_fd = map;
	err = ioctl(door(), CM_DOOR_ADD, &arg) ? errno : 0;
	say(err);
	if (hold && !err)
		pause();
	return 0;
}

static int cmd_file(const char *name, const char *text)
{
	char buffer[64];
	int fd = open(name, text ? O_WRONLY : O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return say(errno);
	n = text ? write(fd, text, strlen(text)) : read(fd, buffer, sizeof(buffer) - 1);
	if (n < 0)
		return say(errno);
	if (text) {
		printf("OK %zd\n", n);
	} else {
		buffer[n] = 0;
		printf("OK %s", n ? buffer : "\n");
	}
	return 0;
}

static int cmd_hold_open(const char *name)
{
	char line[8], buffer[16];
	int fd = open(name, O_RDONLY);

	say(fd < 0 ? errno : 0);
	while (fd >= 0 && fgets(line, sizeof(line), stdin))
		say(pread(fd, buffer, sizeof(buffer), 0) < 0 ? errno : 0);
	return 0;
}

int add_simple(int map, const char *path, int latch)
{
	struct cm_door_knob knob = { .size = sizeof(knob), .map_fd = map, .max = 3, .cap = -1 };

	if (latch) {
		knob.latch = latch;
		knob.flags = CM_DOOR_LATCH;
	}
	copy_path(knob.path, path);
	return ioctl(door(), CM_DOOR_ADD, &knob) ? errno : 0;
}

static int number(const char *text)
{
	return strtol(text, NULL, 0);
}

static int cmd_version(void)
{
	unsigned int version;

	if (ioctl(door(), CM_DOOR_VERSION, &version))
		return say(errno);
	printf("OK %u\n", version);
	return 0;
}

static int cmd_get(const char *pin, int offset)
{
	printf("%d\n", map_int(open_pin(pin, 0), offset, NULL));
	return 0;
}

static int cmd_set(const char *pin, int value, int offset)
{
	map_int(open_pin(pin, 0), offset, &value);
	return say(0);
}

static int run(int argc, char **argv)
{
	const char *verb = argv[1];
	const int args = argc - 2;

	if (!strcmp(verb, "version") && args == 0)
		return cmd_version();
	if (!strcmp(verb, "ioctl") && args == 1)
		return say(ioctl(door(), number(argv[2]), NULL) ? errno : 0);
	if (!strcmp(verb, "add"))
		return cmd_add(argc - 1, argv + 1);
	if (!strcmp(verb, "remove") && args == 1)
		return say(door_remove(argv[2]));
	if (!strcmp(verb, "get") && (args == 1 || args == 2))
		return cmd_get(argv[2], args == 2 ? number(argv[3]) : 0);
	if (!strcmp(verb, "set") && (args == 2 || args == 3))
		return cmd_set(argv[2], number(argv[3]), args == 3 ? number(argv[4]) : 0);
	if (!strcmp(verb, "freeze") && args == 1)
		return say(bpf_map_freeze(open_pin(argv[2], 0)) ? errno : 0);
	if (!strcmp(verb, "read") && args == 1)
		return cmd_file(argv[2], NULL);
	if (!strcmp(verb, "write") && args == 2)
		return cmd_file(argv[2], argv[3]);
	if (!strcmp(verb, "hold-open") && args == 1)
		return cmd_hold_open(argv[2]);
	if (!strcmp(verb, "fill") && args == 1)
		return cmd_fill(argv[2]);
	if (!strcmp(verb, "latch-race") && args == 4)
		return cmd_latch_race(argv[2], argv[3], number(argv[4]), number(argv[5]));
	if (!strcmp(verb, "churn") && args == 2)
		return cmd_churn(number(argv[2]), argv[3]);
	return 2;
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? run(argc, argv) : 2;

	if (status == 2)
		fputs(usage, stderr);
	return status;
}
