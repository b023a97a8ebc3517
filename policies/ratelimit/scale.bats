#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack ratelimit in many scopes, in deep ones, and for long.

load ../../tests/helpers

cases=$programs/ratelimit-cases

setup() {
	new_cgroup many
	mkdir -p "$BATS_TEST_TMPDIR/work"
}

teardown() {
	withdraw ratelimit
	clean
}

teardown_file() {
	assert_nothing_left
}

# does EXPECTED CGROUP KIND TIMES: what so many attempts get there
does() {
	equal "$3 in '$2'" "$1" "$(in_cgroup "$2" "$cases" "$3" "$4" "$BATS_TEST_TMPDIR/work")"
}

# nested DEPTH: "many/1/2...", made
nested() {
	local path=many i
	for ((i = 1; i < $1; i++)); do
		path+=/$i
	done
	mkdir -p "/sys/fs/cgroup/$path"
	echo "$path"
}

# scopes_from PATH: --cgroup for it and each cgroup above it
scopes_from() {
	local path=$1
	while [[ $path == */* ]]; do
		printf '%s\n' --cgroup "/sys/fs/cgroup/$path"
		path=${path%/*}
	done
	printf '%s\n' --cgroup "/sys/fs/cgroup/$path"
}

@test "each of 1000 scopes has buckets of its own" {
	local i options=()
	mkdir /sys/fs/cgroup/many/{1..1000}
	for i in {1..1000}; do
		options+=(--cgroup "/sys/fs/cgroup/many/$i")
	done
	checmate 0 enable ratelimit "${options[@]}" bind=1/h:3
	for i in 1 500 1000; do
		does "OK 3 EAGAIN 1" "many/$i" bind 4
	done
	does "OK 0 EAGAIN 2" many/500 bind 2
	does "OK 3" many/501 bind 3
}

@test "63 scopes within each other must each have a token" {
	local path options
	path=$(nested 63)
	mapfile -t options < <(scopes_from "$path")
	checmate 0 enable ratelimit "${options[@]}" bind=1/h:9
	checmate 0 set kernel.ratelimit.bind_burst=4 --cgroup /sys/fs/cgroup/many/1/2
	does "OK 4 EAGAIN 3" "$path" bind 7
	does "OK 5 EAGAIN 1" many/1 bind 6
}

@test "in the 64th there is no token for anybody" {
	local path options
	path=$(nested 64)
	mapfile -t options < <(scopes_from "$path")
	checmate 0 enable ratelimit "${options[@]}" bind=1/h:9
	does "OK 0 EAGAIN 3" "$path" bind 3
	does "OK 2" "${path%/*}" bind 2
}

@test "the bucket gives what its rate says to the last token, from one an hour to a million a second" {
	local each events=100000 million=1000000
	# A thousand million of them take minutes without KVM.
	[[ ! ${CHECMATE_SOAK:-} ]] || million=1000000000
	for each in "$events 1 3600 2" "$events 7 1 3" "$events 3 3600 1000000" "$events 999983 3 1000" \
		"$million 1000000 1 10"; do
		# shellcheck disable=SC2086 # four words
		equal "$each" exact "$("$programs/bucket-drift" $each)"
	done
}
