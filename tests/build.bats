#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# checmate build: from the source of a policy to an object that load takes. That the types it gives are
# the running kernel's is in sdk.bats.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	local dir
	for dir in "$pins"/packs/*; do
		[[ ! -e $dir ]] || command checmate unload "${dir##*/}"
	done
}

teardown_file() {
	assert_nothing_left
}

@test "build compiles a policy that load takes, by default into NAME.o here" {
	cp "$top/tests/bpf/fields.bpf.c" mine.bpf.c
	checmate 0 build mine.bpf.c
	equal "output" "" "$output"
	checmate 0 load mine.bpf.o
	run -1 renice -n 3 -p $$
	[[ $output == *"Permission denied" ]] || fail "renice" "Permission denied" "$output"
}

@test "build takes the types from a file that --btf names, and says if it cannot" {
	printf '%s\n' '#include "vmlinux.h"' '#include "checmate.bpf.h"' 'CM_PACK("typed");' \
		'CM_HOOK(file_open, struct file *file) { return file->f_inode ? CM_ALLOW : -EPERM; }' >typed.c
	cp /sys/kernel/btf/vmlinux types
	checmate 0 build --btf types -o out.o typed.c
	checmate 0 load out.o
	rm types
	refused 1 "checmate: typed.c: cannot read the kernel's types from types: No such file or directory" \
		build --btf types -o other.o typed.c
	[[ ! -e other.o ]]
}

@test "build says in one line what is missing, and leaves nothing behind" {
	refused 1 "checmate: none.c: cannot open none.c: No such file or directory" build none.c
	refused 2 '*is not a NAME.c: use -o*' build policy
	refused 2 '*--output is given twice*' build a.c -o b -o c
	cp "$top/tests/bpf/exits.bpf.c" .
	CHECMATE_SDK=/nonexistent refused 1 'checmate: exits.bpf.c: no SDK: cannot read /nonexistent/checmate.bpf.h*' \
		build exits.bpf.c
	CLANG=/nonexistent/clang refused 1 '*cannot run /nonexistent/clang: No such file or directory (install clang*' \
		build exits.bpf.c
	echo 'CM_PACK("broken"' >broken.c
	run -1 command checmate build broken.c
	[[ ${lines[-1]} == 'checmate: broken.c: clang could not compile it' ]]
	[[ -z $(find /tmp -maxdepth 1 -name 'checmate-build-*') && ! -e exits.bpf.o && ! -e broken.o ]]
}

@test "make install puts the SDK where build finds it, and its flags where pkg-config does" {
	local prefix=$BATS_TEST_TMPDIR/prefix flags
	cd "$top"
	make -s install PREFIX="$prefix" >/dev/null
	cd "$BATS_TEST_TMPDIR"
	env -u CHECMATE_SDK "$prefix/sbin/checmate" build "$top/tests/bpf/exits.bpf.c"
	read -ra flags < <(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --variable=bpf_cflags checmate)
	clang "${flags[@]}" -c "$top/tests/bpf/exits.bpf.c" -o flags.o
	checmate 0 load exits.bpf.o
	checmate 0 load flags.o --name flags
}

@test "what is too much does not compile: a seventh field, a text that is too long" {
	source_with() {
		printf '#include "checmate.bpf.h"\nCM_PACK("p");\nCM_HOOK(task_setnice, struct task_struct *p, int n)\n{\n\treturn %s;\n}\n' "$1" >p.bpf.c
	}
	compiles() {
		command checmate build p.bpf.c 2>said
	}
	source_with 'cm_deny(EPERM, "a.b", "c", cm_u64("a", 1), cm_u64("b", 2), cm_u64("c", 3), cm_u64("d", 4), cm_u64("e", 5), cm_u64("f", 6))'
	compiles
	source_with 'cm_deny(EPERM, "a.b", "c", cm_u64("a", 1), cm_u64("b", 2), cm_u64("c", 3), cm_u64("d", 4), cm_u64("e", 5), cm_u64("f", 6), cm_u64("g", 7))'
	run ! compiles
	grep -q 'too many fields' said
	source_with 'cm_deny(EPERM, "a.b", "c", cm_u64("a_name_that_is_too_long", 1))'
	run ! compiles
	grep -q 'text too long for the event' said
}
