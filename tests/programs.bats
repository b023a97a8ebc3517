#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Real debuggers at each scope, against what the kernel's own Yama makes of them:
#
#	                                     uid 1000          root
#	kernel.yama.ptrace_scope             0   1   2   3     0   1   2   3
#	strace -p, gdb -p, gcore: a stranger yes no  no  no    yes yes yes no
#	strace X, strace -D X, gdb X         yes yes no  no    yes yes yes no
#
# strace -D lets a grandchild trace its own parent: PR_SET_PTRACER makes that work at 1. The scope is
# that of a cgroup, so that 3 ends with it.

load helpers

setup() {
	system 0
	new_cgroup p
	checmate 0 enable yama --cgroup /sys/fs/cgroup/p ptrace_scope=0
	work=$BATS_TEST_TMPDIR/work
	mkdir "$work"
	chmod 777 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" "$work"
	target # outside: the strictest of both sides counts
}

teardown() {
	clean
}

teardown_file() {
	reset
	assert_nothing_left
}

root() {
	launch "$@"
}

gdb_quick=(gdb -nx -batch -iex 'set debug-file-directory /nonexistent' -iex 'set startup-with-shell off')

# verdict SUCCESS OUTPUT: OK if the program said SUCCESS, EPERM if it told of that error
verdict() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $2 == *"Operation not permitted"* ]]; then
		echo EPERM
	elif [[ $2 == $1 ]]; then
		echo OK
	else
		echo "'$2'"
	fi
}

# It stays attached: ended as soon as it has said how it went.
strace_p() {
	background in_cgroup p "$1" strace -p "$target" -e trace=none 2>"$work/strace"
	until_true 30 grep -qE 'attached|not permitted' "$work/strace"
	kill -INT "$started" 2>/dev/null || true
	wait "$started" || true
	verdict "*attached*" "$(<"$work/strace")"
}

strace_run() {
	verdict "*+++ exited with 0 +++*" "$(in_cgroup p "$1" strace -e trace=exit_group /bin/true 2>&1)"
}

# The tracer may end after the program.
strace_d() {
	rm -f "$work/trace"
	local said
	said=$(in_cgroup p "$1" strace -D -o "$work/trace" -e trace=exit_group /bin/true 2>&1) || true
	[[ $said ]] || until_true 30 grep -q 'exited with 0' "$work/trace"
	verdict "*+++ exited with 0 +++*" "$said$(<"$work/trace")"
}

gdb_p() {
	verdict "*[(]process ${target}[)] detached*" "$(in_cgroup p "$1" "${gdb_quick[@]}" -p "$target" 2>&1)"
}

gdb_run() {
	verdict "*exited normally*" "$(in_cgroup p "$1" "${gdb_quick[@]}" -ex run --args /bin/true 2>&1)"
}

gcore_p() {
	verdict "*Saved corefile*" "$(in_cgroup p "$1" gcore -o "$work/core-$1" "$target" 2>&1)"
}

asked() {
	if [[ $1 == - ]]; then
		echo -
	else
		"${@:2}"
	fi
}

# at_each_scope PROGRAM USER-WANTED ROOT-WANTED: verdicts at 0, 1, 2 and 3; "-" is not asked
at_each_scope() {
	local program=$1 value got=() got_root=() wanted wanted_root
	read -ra wanted <<<"$2"
	read -ra wanted_root <<<"$3"
	for value in 0 1 2 3; do
		checmate 0 set --cgroup /sys/fs/cgroup/p "$knob=$value"
		got+=("$(asked "${wanted[$value]}" "$program" as_user)")
		got_root+=("$(asked "${wanted_root[$value]}" "$program" root)")
	done
	equal "$program by uid 1000 at 0, 1, 2 and 3" "$2" "${got[*]}"
	equal "$program by root at 0, 1, 2 and 3" "$3" "${got_root[*]}"
}

untraced strace_p strace_run strace_d gdb_p gdb_run gcore_p at_each_scope verdict root

@test "strace -p of a stranger: a user's is refused at 1, 2 and 3, root's at 3" {
	at_each_scope strace_p "OK EPERM EPERM EPERM" "OK OK OK EPERM"
}

@test "strace of a program it starts: a user's is refused at 2 and 3, root's at 3" {
	at_each_scope strace_run "OK OK EPERM EPERM" "OK OK OK EPERM"
}

@test "strace -D, where a grandchild traces: a user's is refused at 2 and 3, root's at 3" {
	at_each_scope strace_d "OK OK EPERM EPERM" "OK OK OK EPERM"
}

@test "gdb -p of a stranger: a user's is refused at 1, 2 and 3, root's at 3" {
	at_each_scope gdb_p "OK EPERM EPERM EPERM" "- - OK EPERM"
}

@test "gdb of a program it starts: a user's is refused at 2 and 3, root's at 3" {
	at_each_scope gdb_run "OK OK EPERM EPERM" "- - OK EPERM"
}

@test "gcore of a stranger: a user's is refused at 1, 2 and 3, root's at 3; a refused one leaves no file" {
	at_each_scope gcore_p "OK EPERM EPERM EPERM" "- - OK EPERM"
	equal "core files" "core-as_user.$target core-root.$target" "$(cd "$work" && echo core-*)"
}

@test "the target's cgroup counts as the debugger's does: strace -p from outside is refused too" {
	checmate 0 set --cgroup /sys/fs/cgroup/p "$knob=1"
	target p
	run as_user strace -p "$target" -e trace=none
	[[ $status -ne 0 && $output == *"Operation not permitted"* ]] || fail "strace" EPERM "$output"
}

@test "sysctl --system sets what a file in /etc/sysctl.d says, for debuggers too" {
	[[ -e $knob_file ]] ||
		skip "no /proc/sys door on this kernel: its headers want a newer gcc than Debian 12 has"
	echo "$knob = 2" >/etc/sysctl.d/90-checmate-test.conf
	# What else is in this machine's configuration may fail in a guest.
	sysctl --system >/dev/null 2>&1 || true
	rm /etc/sysctl.d/90-checmate-test.conf
	value 2
	run as_user strace -e trace=none /bin/true
	[[ $status -ne 0 && $output == *"Operation not permitted"* ]] || fail "strace" EPERM "$output"
}
