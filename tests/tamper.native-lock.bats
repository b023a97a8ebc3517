#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# checmate lock where native Yama has the file: it may be written lower, and what it said when the
# system was locked holds all the same. In a guest of its own, which stays locked.

load helpers

setup_file() {
	echo 2 >"$knob_file"
	new_cgroup a
	checmate 0 enable yama --cgroup /sys/fs/cgroup/a ptrace_scope=1
	checmate 0 lock
}

teardown() {
	end_background
}

@test "the native file can be written lower; what was forbidden is still" {
	local value
	target
	for value in 1 0; do
		echo $value >"$knob_file"
		attempt EPERM "" child # which 1 would allow
		attempt EPERM "" attach
		attempt EPERM a attach
	done
}

@test "set below the value of the lock is refused, set above it writes the native file as well" {
	refused 1 "*is 2: locked, it can only become stricter" set "$knob=1"
	checmate 0 set "$knob=3"
	equal "$knob_file" 3 "$(<"$knob_file")"
	target
	equal "attach by root" EPERM "$("$try" attach "$target")"
}
