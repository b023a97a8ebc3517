#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Nobody gets out of a jail while it changes: programs that race on two CPUs, cases/race.c. For 20 s
# each with CHECMATE_SOAK=1.

load ../../tests/helpers

cases=$programs/hardchroot-cases
seconds=$([[ ${CHECMATE_SOAK:-} ]] && echo 20 || echo 2)

second_cpu=/sys/devices/system/cpu/cpu1/online

# on_one_cpu COMMAND...: QEMU before 8.1 may go on with code that the other CPU has just patched, and
# these packs are attached to hooks that are called all the time.
on_one_cpu() {
	local status=0
	echo 0 >"$second_cpu"
	"$@" || status=$?
	echo 1 >"$second_cpu"
	return "$status"
}

teardown() {
	on_one_cpu withdraw hardchroot_lookup hardchroot
}

# race ID SECONDS: into $tried and $escaped
race() {
	local line
	line=$(CHECMATE_RACE_SECONDS=$2 "$cases" run "$1")
	[[ $line =~ ^"$1 tried="([0-9]+)" escaped="([0-9]+)$ ]] || fail "$1" "two numbers" "$line"
	tried=${BASH_REMATCH[1]} escaped=${BASH_REMATCH[2]}
	echo "# $1: $tried attempts, $escaped escapes" >&3
	((tried > 100)) || fail "attempts of $1" "many" "$tried"
}

# bats test_tags=parallel
@test "without the pack both races are lost" {
	race R01 1
	((escaped)) || fail "R01" "escapes" "none"
	race R02 1
	((escaped)) || fail "R02" "escapes" "none"
}

# bats test_tags=parallel
@test "rename/exchange against lookups, and chroot against opens: no escape, in both modes" {
	on_one_cpu checmate 0 enable hardchroot
	race R01 "$seconds"
	equal "escapes by rename" 0 "$escaped"
	race R02 "$seconds"
	equal "escapes by chroot" 0 "$escaped"
	on_one_cpu checmate 0 enable hardchroot_lookup
	race R01 "$seconds"
	equal "escapes by rename in full mode" 0 "$escaped"
	race R02 "$seconds"
	equal "escapes by chroot in full mode" 0 "$escaped"
}
