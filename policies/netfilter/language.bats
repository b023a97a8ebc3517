#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The language of netfilter's rules, of which no kernel decides anything: what is wrong, and what it is
# compiled to.

load ../../tests/helpers

ways=$programs/net-ways
cases=$programs/netfilter-cases
a=/sys/fs/cgroup/a

teardown() {
	withdraw netfilter
	clean
}

teardown_file() {
	assert_nothing_left
}

# gets OUTCOME CGROUP PORT: what connecting there gets
gets() {
	equal "connect to port $3 in '$2'" "$1" "$(in_cgroup "$2" "$ways" connect 127.0.0.1 "$3")"
}

@test "a file that is wrong is refused with its place, its word and what is wrong, and changes nothing" {
	local said nr kinds wrong=$BATS_TEST_TMPDIR/wrong
	new_cgroup a
	echo "egress policy drop" >"$BATS_TEST_TMPDIR/rules"
	checmate 0 netfilter load --cgroup "$a" "$BATS_TEST_TMPDIR/rules"
	remember
	said=$("$cases" wrong "$top/policies/netfilter/cases/wrong" $a)
	read -r nr _ _ kinds _ <<<"$said"
	((nr >= 200 && kinds >= 30)) || fail "wrong files" "200 or more, of 30 kinds" "$said"
	printf 'egress policy accept\r\negress to example.com accept\r\n' >"$wrong"
	refused 1 "checmate: $wrong:2:11: \"example.com\" is a name, and names are not resolved: *" \
		netfilter load --cgroup "$a" "$wrong"
	refused 1 "checmate: <stdin>:2:11: \"example.com\" is a name, *" netfilter check - <"$wrong"
	printf 'egress to %0100000d accept' 1 >"$wrong"
	refused 1 "checmate: $wrong:1:11: \"0000000000000000000000000000000000000000...\" is not a port *" \
		netfilter load --cgroup "$a" "$wrong"
	refused 1 "*no-such-file*" netfilter load "$BATS_TEST_TMPDIR/no-such-file"
	unchanged
	gets EPERM a 4001
	gets ECONNREFUSED "" 4001
	checmate 0 netfilter check "$BATS_TEST_TMPDIR/rules"
}

@test "rulesets at random are compiled to what a slow model says" {
	local seed=${CHECMATE_SEED:-$RANDOM$RANDOM}
	"$cases" nested "$seed"
	"$cases" compile "$seed" 100
}
