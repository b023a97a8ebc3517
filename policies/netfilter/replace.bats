#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Rules of the pack netfilter that take each other's place while they are asked, on both CPUs.

load ../../tests/helpers

replace=$programs/net-replace
a=/sys/fs/cgroup/a

teardown() {
	withdraw netfilter
	clean
}

teardown_file() {
	assert_nothing_left
}

# loaded SET: its rules are in force, and those of no other set, when the command has returned
loaded() {
	local said
	checmate 0 netfilter load --cgroup "$a" "$BATS_TEST_TMPDIR/${1/:/-}"
	said=$(in_cgroup a "$replace" ask 300 "$1") || fail "behind load" "the rules of $1" "$said"
}

# taking_turns SET SET TIMES: the first is in force; under load, and every decision is by one of the two
taking_turns() {
	local said=$BATS_TEST_TMPDIR/said i
	for i in 1 2; do
		background in_cgroup a "$replace" ask 1000000000 "$1" "$2" >"$said.$i"
		until_true 60 test -s "$said.$i"
	done
	for ((i = 1; i < $3; i++)); do
		loaded "$2"
		loaded "$1"
	done
	loaded "$2"
	for i in 1 2; do
		until_true 60 grep -vqx 1 "$said.$i"
	done
	end_background
	equal "by which of the two it was decided" "1 2 " "$(sort -u "$said".* | tr '\n' ' ')"
}

untraced loaded taking_turns

# bats test_tags=parallel
@test "10,000 rules are replaced under load: each decision is by the old ones or the new ones, and then by the new" {
	local set times=$((${CHECMATE_SOAK:+49} + 1))
	new_cgroup a
	for set in 1:10000 2:9000 3:100; do
		"$replace" rules "$set" >"$BATS_TEST_TMPDIR/${set/:/-}"
	done
	loaded 1:10000
	taking_turns 1:10000 2:9000 "$times"
	taking_turns 2:9000 3:100 "$times"
	taking_turns 3:100 1:10000 "$times"
}
