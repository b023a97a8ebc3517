# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # for the files that load this; helpers.bash sets them
# Words for the files here, whose tests are about a cgroup a, b in it, and one out of it. Loaded after
# tests/helpers.

a=/sys/fs/cgroup/a

# To load the pack takes longer than all else in most tests: it stays, in a scope of nobody's.
setup() {
	new_cgroup a/b
	new_cgroup out
	new_cgroup keep
	[[ -e $pins/packs/netfilter ]] || checmate 0 enable netfilter --cgroup /sys/fs/cgroup/keep
	command checmate events >/dev/null
}

# The scopes of cgroups go with them.
teardown() {
	command checmate disable netfilter --cgroup /sys/fs/cgroup 2>/dev/null || :
	clean
}

teardown_file() {
	withdraw netfilter
	assert_nothing_left
}

# rules CGROUP [OPTION...]: from standard input, in force there; "/" is the system
rules() {
	local where=()
	[[ $1 == / ]] || where=(--cgroup "/sys/fs/cgroup/$1")
	cat >"$BATS_TEST_TMPDIR/rules"
	checmate 0 netfilter load "${where[@]}" "${@:2}" "$BATS_TEST_TMPDIR/rules"
}

# answers TEXT CGROUP WORD...: what netfilter test says
answers() {
	checmate 0 netfilter test --cgroup "/sys/fs/cgroup/$2" "${@:3}"
	equal "test ${*:3} in '$2'" "$1" "$output"
}

untraced rules answers
