#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154,SC2016 # helpers.bash and bats set them; scripts in '' are for inner shells
# What programs and administrators do with chroots every day works while the pack is in force. Servers
# and package tools are in workloads.bats, escapes elsewhere.

load ../../tests/helpers
load workloads

setup_file() {
	running >"$BATS_FILE_TMPDIR/running"
}

setup() {
	jail=$BATS_TEST_TMPDIR/jail
	new_jail "$jail"
}

teardown() {
	show_refusals
	clean
}

teardown_file() {
	withdraw hardchroot_lookup hardchroot
	assert_nothing_left
	equal "what runs and is mounted" "$(<"$BATS_FILE_TMPDIR/running")" "$(running)"
}

@test "chroot(8) works from any directory, and relative paths, cd and cd ../.. work inside" {
	with_profile service
	local from
	for from in / /tmp "$jail" "$jail/etc" /proc/self; do
		cd "$from"
		equal "from $from" "inside inside /tmp" \
			"$(chroot "$jail" /bin/sh -c 'a=$(cat etc/where); mkdir -p tmp/a/b; cd tmp/a/b
				b=$(cat ../../../etc/where); cd ../..; echo $a $b $(pwd)')"
	done
}

@test "busybox chroot works from any directory" {
	with_profile service
	local from
	for from in / /tmp "$jail/etc"; do
		cd "$from"
		equal "from $from" inside "$(busybox chroot "$jail" /bin/sh -c 'cd etc && cat where ../etc/where >/tmp/w
			cat where')"
	done
}

@test "directories are walked down and up, by path and by file descriptor" {
	with_profile service
	cd /usr/bin
	"$work" walk "$jail"
}

@test "submounts of a jail, proc, tmpfs and a bind mount, are entered and left" {
	with_profile service
	mkdir "$BATS_TEST_TMPDIR/outside"
	echo bound >"$BATS_TEST_TMPDIR/outside/file"
	mount -t proc proc "$jail/proc"
	mount -t tmpfs tmpfs "$jail/tmp"
	mount --bind "$BATS_TEST_TMPDIR/outside" "$jail/mnt"
	run chroot "$jail" /bin/sh -c 'cd mnt && cat file && cd .. && cd proc/self/.. && cat self/comm &&
		cd ../tmp && mkdir -p a/b && cd a/b && cat ../../../etc/where && echo new >/mnt/new'
	umount "$jail/proc" "$jail/tmp" "$jail/mnt"
	equal "in the submounts" "0 bound cat inside" "$status ${lines[*]}"
	equal "what was written to the bind mount" new "$(<"$BATS_TEST_TMPDIR/outside/new")"
}

@test "a jail that is entered through a bind mount works" {
	with_profile service
	mkdir "$BATS_TEST_TMPDIR/twin"
	mount --bind "$jail" "$BATS_TEST_TMPDIR/twin"
	run "$work" walk "$BATS_TEST_TMPDIR/twin"
	umount "$BATS_TEST_TMPDIR/twin"
	equal "in the bind mount" "0 " "$status $output"
}

@test "a chroot in a chroot works, by path and by fchroot where there is one" {
	with_profile service
	"$work" nested "$jail"
	equal "two chroot(8)" inside "$(mkdir -p "$jail/mnt/bin" && cp "$jail/bin/busybox" "$jail/mnt/bin/sh" &&
		chroot "$jail" chroot mnt /bin/sh -c 'cd bin; cd ..; test -x bin/sh && echo inside')"
}

@test "an overlay jail works: mkdir, rename, and removing what the lower layer has" {
	with_profile service
	local overlay=$BATS_TEST_TMPDIR/overlay
	mkdir "$overlay" "$overlay"/{upper,work,root}
	mount -t overlay -o "lowerdir=$jail,upperdir=$overlay/upper,workdir=$overlay/work" overlay "$overlay/root"
	run chroot "$overlay/root" /bin/sh -c 'cd etc && mv where moved && cat ../etc/moved &&
		mkdir ../tmp/d && mv moved ../tmp/d/ && cat ../tmp/d/moved && rm passwd && rm -r /mnt && mkdir /mnt && ls'
	umount "$overlay/root"
	equal "in the overlay" "0 inside inside" "$status ${lines[*]}"
	equal "the whiteout" "character special file" "$(stat -c %F "$overlay/upper/etc/passwd")"
	equal "the lower layer" inside "$(<"$jail/etc/where")"
}

@test "a memfd and a pipe are opened again through /proc/self/fd" {
	with_profile service
	mount -t proc proc "$jail/proc"
	run "$work" reopen "$jail"
	umount "$jail/proc"
	equal "in the jail" "0 " "$status $output"
}

@test "a process signals, groups, slows down and reaps its children" {
	with_profile service
	"$work" children "$jail"
}

@test "an abstract socket and a shared memory segment work between those who are inside" {
	with_profile service
	"$work" ipc "$jail"
}

@test "a helper outside passes a regular file to a server inside" {
	with_profile service
	"$work" pass "$jail"
}

@test "threads that share a root directory enter together" {
	with_profile service
	"$work" threads "$jail"
}

@test "a user namespace is made, then chroot: unshare -r chroot, as an ordinary user" {
	with_profile service
	local open=/tmp/open-jail # the test's own directory is for root only
	mv "$jail" "$open"
	run as_user unshare --map-root-user chroot "$open" /bin/sh -c 'echo $(id -u) $(cat etc/where)'
	rm -r "$open"
	equal "inside" "0 0 inside" "$status $output"
}

# As containers are made: its root is the root of its mount namespace.
in_container() {
	unshare --mount --pid --fork --kill-child sh -ec 'mount --bind "$1" "$1"; cd "$1"; pivot_root . mnt
		exec /bin/sh -ec "/bin/busybox umount -l /mnt; $2"' sh "$jail" "$1"
}

@test "unshare and pivot_root: mounting inside works, and so does a chroot there" {
	with_profile service
	equal "in the container" "inside here" "$(in_container '
		mount -t proc proc /proc; mount -t tmpfs tmpfs /tmp; mkdir /tmp/bin; busybox cp /bin/busybox /tmp/bin/sh
		echo here >/tmp/file; echo $(cat /etc/where) $(chroot /tmp /bin/sh -c "read a <file; echo \$a")
		umount /tmp; umount /proc')"
}

@test "switch_root into another root: mounting there works, and so does a chroot" {
	with_profile service
	mkdir "$jail/sys"
	equal "in the new root" "inside inside" "$(unshare --mount sh -ec 'mount -t tmpfs new "$1/mnt"
		cp -a "$1/bin" "$1/etc" "$1/mnt/"; cd "$1/mnt"; mkdir dev proc sys run tmp
		exec switch_root "$1/mnt" /bin/sh -ec "
			mount -t tmpfs tmpfs /tmp; umount /tmp
			echo \$(cat /etc/where) \$(chroot / /bin/sh -c \"cat etc/where\")"' sh "$jail")"
}

# A process in the jail, its pid in $started
jailed_sleeper() {
	background chroot "$jail" /bin/sleep 1000
	until_true 20 is_inside "$started"
}

is_inside() {
	[[ $(readlink "/proc/$1/root") == "$jail" && $(<"/proc/$1/comm") == sleep ]]
}

@test "strace from outside sees what a process inside does" {
	with_profile service
	background chroot "$jail" /bin/sh -c 'while test ! -e /tmp/end; do sleep 0.1; done'
	strace -o "$BATS_TEST_TMPDIR/trace" -p "$started" 2>/dev/null &
	until_true 20 grep -q tmp/end "$BATS_TEST_TMPDIR/trace"
	touch "$jail/tmp/end"
	wait "$started"
	wait
	grep -q 'exited with 0' "$BATS_TEST_TMPDIR/trace"
}

@test "strace runs chroot(8) and follows what it starts" {
	with_profile service
	equal "inside" inside "$(strace -f -o "$BATS_TEST_TMPDIR/trace" chroot "$jail" /bin/cat /etc/where)"
	grep -q 'chroot(.*) = 0' "$BATS_TEST_TMPDIR/trace"
}

@test "gdb from outside reads the memory of a process inside" {
	with_profile service
	jailed_sleeper
	run gdb -nx -batch -p "$started" -ex 'x/i $pc'
	[[ $output == *'=> 0x'* ]] || fail "gdb" "an instruction" "$output"
}

@test "nsenter from outside enters the root of a process inside" {
	with_profile service
	jailed_sleeper
	equal "inside" inside "$(nsenter --target "$started" --all --root --wd /bin/cat etc/where)"
}

@test "kill from outside ends a process inside, and its files are seen in /proc" {
	with_profile service
	jailed_sleeper
	equal "its file by /proc" inside "$(<"/proc/$started/root/etc/where")"
	kill "$started"
	wait "$started" || equal "ended by" 143 "$?"
}
