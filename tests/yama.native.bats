#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# With native Yama active (the native door): its file stays its own and is the system-wide value;
# ours adds what native cannot do, cgroups that are stricter, and never loosens anything.
# Nothing here writes 3: that would hold until reboot.

load helpers

setup() {
	native_yama || {
		echo "this file is for a guest with native Yama: tests/vm/run -l lockdown,yama,bpf" >&2
		return 1
	}
	echo 0 >"$knob_file"
}

teardown() {
	reset
}

teardown_file() {
	assert_nothing_left
}

# native VALUE: what the file, sysctl(8), get and status have; status if the system's scope is enabled
native() {
	equal "the file" "$1" "$(<"$knob_file")"
	value "$1"
	checmate 0 status -j
	jq -e --argjson value "$1" 'all(.[].scopes[] | select(.cgroup == "/").knobs[];
		.set == $value and .effective == $value)' <<<"$output"
}

untraced native

@test "enabling system-wide sets native Yama's own value to 1, and status tells of the native door" {
	checmate 0 enable yama
	native 1
	jq -e '.[0].native and .[0].door == "native"' <<<"$output"
	target
	attempt EPERM "" attach
	attempt OK "" child
	# It was native that refused: our hooks did not even see it.
	local got
	got=$(counts)
	equal "our counts" "0 0 0 0" "$got"
}

@test "enabling never lowers what native holds, unless a value is given" {
	echo 2 >"$knob_file"
	checmate 0 enable yama
	native 2
	checmate 0 disable yama
	checmate 0 enable yama ptrace_scope=1
	native 1
}

@test "the file, sysctl, set and get are one value in both directions" {
	checmate 0 enable yama
	echo 2 >"$knob_file"
	native 2
	sysctl -qw "$knob=0"
	native 0
	checmate 0 set "$knob=1"
	native 1
	refused 1 "*out of range*" set "$knob=4"
	native 1
}

@test "enabling in a cgroup leaves native's value alone" {
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	native 0
	value 2 c
	target
	attempt OK "" attach
	attempt EPERM c attach
	attempt EPERM c child
	attempt EPERM c traceme
	attempt OK "" child
}

@test "a cgroup at 2 is stricter than native at 1, there alone" {
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	attempt OK "" child
	attempt EPERM c child
	value 2 c
	native 1
}

@test "a cgroup at 0 or 1 under native 2 changes nothing" {
	new_cgroup c
	checmate 0 enable yama ptrace_scope=2
	local value
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=0
	target c any
	for value in 0 1; do
		checmate 0 set --cgroup /sys/fs/cgroup/c "$knob=$value"
		value 2 c
		attempt EPERM c child
		attempt EPERM c attach
		attempt EPERM "" attach
	done
	# Native refused all of it, and reported it.
	equal "our counts" "0 0 0 0" "$(counts)"
	native 2
}

@test "PR_SET_PTRACER reaches native Yama" {
	checmate 0 enable yama
	target "" any
	attempt OK "" attach
	equal "a pid that is not there" EINVAL "$(as_user "$try" ptracer 4194303)"
	equal "0" OK "$(as_user "$try" ptracer 0)"
}

@test "PR_SET_PTRACER is mirrored: a cgroup at 1 above native 0 honours it" {
	new_cgroup c
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	native 0
	target c any
	attempt OK "" attach
	target c
	attempt EPERM "" attach
	# What native refuses is no relation here either: the old one stays.
	background sleep 1000
	target c "$started"
	attempt EPERM "" attach
}

@test "a relation from before enabling is native's alone: known to native 1, unknown to a cgroup at 1" {
	new_cgroup c
	echo 1 >"$knob_file"
	target c any
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c
	# Native decides at 1, and ours is no stricter there.
	attempt OK "" attach
	checmate 0 set "$knob=0"
	attempt EPERM "" attach
}

@test "permissive is refused system-wide, where native enforces, and works in a cgroup" {
	new_cgroup c
	checmate 0 enable yama
	remember
	refused 1 "*yama enforces the system-wide value: lower it instead" mode yama permissive
	unchanged
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	checmate 0 mode yama permissive --cgroup /sys/fs/cgroup/c
	attempt OK c child
	equal "our counts" "0 1 0 0" "$(counts)"
	target
	attempt EPERM c attach
}

@test "disable leaves native's value and says so in a note, and leaves nothing of ours" {
	checmate 0 enable yama
	checmate 0 disable yama
	equal "the note" "checmate: note: $knob stays 1: the kernel's own yama enforces it" "$stderr"
	equal "the file" 1 "$(<"$knob_file")"
	leaves_nothing
	target
	attempt EPERM "" attach
	target "" any
	attempt OK "" attach
}

@test "disabling the system's scope leaves the cgroups', and native's value" {
	new_cgroup c
	checmate 0 enable yama
	checmate 0 enable yama --cgroup /sys/fs/cgroup/c ptrace_scope=2
	checmate 0 disable yama --cgroup /sys/fs/cgroup
	[[ $stderr == "checmate: note: $knob stays 1: "* ]]
	scopes /c
	attempt EPERM c child
	attempt OK "" child
	value 1
}

@test "disable says nothing when native's value is 0" {
	checmate 0 enable yama ptrace_scope=0
	checmate 0 disable yama
	equal "the note" "" "$stderr"
}
