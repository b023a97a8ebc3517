#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Yama, the pack's page of the specification. Who may attach to whom (T target, R tracer, both of
# uid 1000 without capabilities; root has them all):
#
#	kernel.yama.ptrace_scope     0     1     2     3
#	R is T's parent or ancestor  yes   yes   no    no
#	T named R, or anyone         yes   yes   no    no
#	R is a stranger              yes   no    no    no
#	R is root                    yes   yes   yes   no
#	T asks its parent (traceme)  yes   yes   no    no
#
# The scope is the strictest of the system's, R's cgroup's and T's cgroup's. The full differential
# comparison with the kernel's own Yama is contract.bats.

load ../../tests/helpers

teardown() {
	clean
}

teardown_file() {
	reset
	assert_nothing_left
}

@test "disabled: a stranger may attach, and PR_SET_PTRACER is unknown (EINVAL)" {
	target
	attempt OK "" attach
	attempt OK "" read
	equal "prctl" EINVAL "$(as_user "$try" ptracer any)"
	equal "prctl of 0" EINVAL "$(as_user "$try" ptracer 0)"
}

@test "system-wide at 1: a stranger gets EPERM from attach, seize, read and getfd, EACCES from mem" {
	system 1
	target
	attempt EPERM "" attach
	attempt EPERM "" seize
	attempt EPERM "" read
	attempt EPERM "" syscall
	attempt EPERM "" getfd
	attempt EACCES "" mem
	counted "6 0 0 0"
}

@test "system-wide at 1: a parent may attach to its child, and a child may ask to be traced" {
	system 1
	attempt OK "" child
	attempt OK "" traceme
	counted "0 0 0 0"
}

@test "system-wide at 1: root may attach to a stranger" {
	system 1
	target
	equal "attach by root" OK "$("$try" attach "$target")"
}

@test "system-wide at 0: a stranger may attach" {
	system 0
	target
	attempt OK "" attach
	counted "0 0 0 0"
}

@test "system-wide at 2: only CAP_SYS_PTRACE helps; parent, declared tracer and traceme get EPERM" {
	system 2
	target "" any
	attempt EPERM "" attach
	attempt EPERM "" child
	attempt EPERM "" traceme
	equal "attach by root" OK "$("$try" attach "$target")"
	counted "2 0 1 0"
}

@test "in scope, enforcing: whoever attaches from there or to there is refused" {
	system 0
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	target c
	attempt EPERM "" attach
	attempt EPERM c attach
	end_background
	target
	attempt EPERM c attach
	counted "3 0 0 0"
}

@test "out of scope: nothing is refused and nothing counted" {
	system 0
	new_cgroup c
	new_cgroup d
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	target d
	attempt OK d attach
	attempt OK "" attach
	attempt OK d child
	attempt OK d traceme
	counted "0 0 0 0"
}

@test "in scope, permissive: nothing is refused, and what would have been is counted" {
	system 0
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	checmate 0 mode yama permissive --cgroup /sys/fs/cgroup/c
	target c
	attempt OK "" attach
	attempt OK c child
	attempt OK c traceme
	counted "0 2 0 1"
}

@test "disabled again: what was refused is allowed, and PR_SET_PTRACER is unknown again" {
	system 1
	target "" any
	attempt OK "" attach
	equal "prctl" OK "$(as_user "$try" ptracer any)"
	checmate 0 disable yama
	attempt OK "" attach
	equal "prctl" EINVAL "$(as_user "$try" ptracer any)"
}

@test "PR_SET_PTRACER with -1 opens the caller to everyone of its uid, at 1" {
	system 1
	target "" any
	attempt OK "" attach
	attempt OK "" mem
	checmate 0 set "$knob=2"
	attempt EPERM "" attach
}

@test "PR_SET_PTRACER with a pid opens the caller to that process and its descendants alone" {
	system 1
	target "" $$ # an ancestor of all attempts
	attempt OK "" attach
	end_background
	background sleep 1000
	target "" "$started"
	attempt EPERM "" attach
}

@test "PR_SET_PTRACER refuses a pid that is not there, takes 0 and -1 at any scope" {
	local value
	for value in 0 2; do
		system "$value"
		equal "any at $value" OK "$(as_user "$try" ptracer any)"
		equal "0 at $value" OK "$(as_user "$try" ptracer 0)"
		equal "4194303 at $value" EINVAL "$(as_user "$try" ptracer 4194303)"
		equal "-2 at $value" EINVAL "$(as_user "$try" ptracer -2)"
	done
}

@test "a relation that was declared at 0 counts when the knob goes to 1" {
	system 0
	target "" any
	checmate 0 set "$knob=1"
	attempt OK "" attach
}

@test "a relation counts in a cgroup scope as it does system-wide" {
	system 0
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	target c any
	attempt OK "" attach
	checmate 0 set --cgroup /sys/fs/cgroup/c "$knob=2"
	attempt EPERM "" attach
}

@test "one cgroup at 2 forbids there what the system at 1 allows elsewhere" {
	new_cgroup c
	system 1
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	attempt OK "" child
	attempt EPERM c child
	attempt EPERM c traceme
}

@test "3 in a cgroup stops root there and in its descendants, and nowhere else" {
	system 0
	new_cgroup c/d
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=3
	target c/d
	equal "attach by root" EPERM "$("$try" attach "$target")"
	equal "root's child there" EPERM "$(in_cgroup c/d "$try" child)"
	equal "root's child elsewhere" OK "$("$try" child)"
	end_background
	target
	equal "attach by root elsewhere" OK "$("$try" attach "$target")"
}
