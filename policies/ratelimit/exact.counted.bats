#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack ratelimit by a clock of instructions, where the answer is exact to the token.

load ../../tests/helpers
load words

cases=$programs/ratelimit-cases

# exactly KIND RATE PER BURST SECONDS: of 1, 8 and 64 threads. A bucket whose limit was changed begins
# empty; one that begins full would lose what comes before all threads have begun.
exactly() {
	local threads burst=$4
	limit a "$1=$2" "$1_per=$3" "$1_burst=$burst"
	in_cgroup a "$cases" "$1" 1 "$BATS_TEST_TMPDIR/work" >/dev/null
	for threads in 1 8 64; do
		set_in a "$1_burst=$((++burst))"
		equal "$1, $2 in $3 s, $threads threads" exact "$(in_cgroup a "$cases" "$1" $threads \
			"$(jq -n "$2 / $3")" 0 "$5" "$BATS_TEST_TMPDIR/work" counted)"
	done
}

@test "so many succeed as the rate gives, not one more, of any number of threads, at any rate" {
	exactly bind 1 3600 5 0.1
	exactly bind 7 1 3 1
	exactly bind 2000 1 1000 0.5
	exactly signal 100000 1 1000 0.1
	exactly signal 999983 20 1000 0.1
}
