# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # for the files that load this
# Words for the files here whose tests are about a cgroup a, b in it, and one out of it. Loaded after
# tests/helpers.

a=/sys/fs/cgroup/a

# To load the pack takes longer than all else here: it stays, in a scope of nobody's.
setup() {
	new_cgroup a/b
	new_cgroup out
	new_cgroup keep
	checmate 0 enable ratelimit --cgroup /sys/fs/cgroup/keep
	command checmate events >/dev/null
	mkdir -p "$BATS_TEST_TMPDIR/work"
	: >"$BATS_TEST_TMPDIR/work/file"
}

# The scopes go with their cgroups.
teardown() {
	clean
}

teardown_file() {
	command checmate disable ratelimit
	assert_nothing_left
}

# limit CGROUP KNOB=VALUE...: in force in that cgroup anew, with these values
limit() {
	command checmate disable ratelimit --cgroup "/sys/fs/cgroup/$1" 2>/dev/null || :
	checmate 0 enable ratelimit --cgroup "/sys/fs/cgroup/$1" "${@:2}"
}

# set_in CGROUP KNOB=VALUE...
set_in() {
	local setting
	for setting in "${@:2}"; do
		checmate 0 set "kernel.ratelimit.$setting" --cgroup "/sys/fs/cgroup/$1"
	done
}

is_empty() {
	[[ ! $(<"/sys/fs/cgroup/$1/cgroup.procs") ]]
}
