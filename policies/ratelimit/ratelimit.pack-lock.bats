#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack ratelimit in a locked system. The file has a guest of its own, which stays locked.

load ../../tests/helpers

acts=$programs/lockout-try
a=/sys/fs/cgroup/a

setup_file() {
	new_cgroup a
	mkdir -p "$BATS_FILE_TMPDIR/work"
	checmate 0 enable ratelimit --cgroup $a mkdir=100/s lockout_refusals=3/m lockout_hold=1
	checmate 0 lock
}

# does "RESULT..." ACT...
does() {
	local got
	got=$("$acts" $a "$BATS_FILE_TMPDIR/work" "${@:2}" | tr '\n' ' ')
	equal "${*:2}" "$1" "${got% }"
}

# rate "N PER BURST": of mkdir
rate() {
	local each got=
	for each in mkdir mkdir_per mkdir_burst; do
		got+=" $(command checmate get -n "kernel.ratelimit.$each" --cgroup $a)"
	done
	equal "the rate" "$1" "${got# }"
}

@test "a rate can be made stricter, all three numbers of it or none" {
	rate "100 1 100"
	refused 1 "*locked, it can only become stricter" set --cgroup $a kernel.ratelimit.mkdir=10/s:200
	refused 1 "*locked, it can only become stricter" set --cgroup $a kernel.ratelimit.mkdir=200/s:10
	rate "100 1 100"
	checmate 0 set --cgroup $a kernel.ratelimit.mkdir=1/h:2
	rate "1 3600 2"
	does "OK OK EAGAIN" mkdir:1 mkdir:2 mkdir:3
}

@test "a scope locks itself out, and cannot be released" {
	does "EAGAIN OK" mkdir:3 fork
	does "EAGAIN EPERM" mkdir:3 fork
	refused 1 "checmate: $a cannot be released: the system is locked until reboot" release --cgroup $a
	does "EPERM" fork
	equal "seen" 1 "$(command checmate status | grep -c '^/a has locked itself out, ratelimit: refusals, until it is released$')"
}
