#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack netfilter by calls: what a task in a scope gets for them, and who reaches it, is what the slow
# model says. Two network namespaces are hosts, one with all of 10.0.0.0/8 and fdfd::/16, the other with
# 11.0.0.0/8 and the rest of fd00::/8.

load ../../tests/helpers

teardown() {
	withdraw netfilter
	ip netns delete first
	ip netns delete second
	clean
}

teardown_file() {
	assert_nothing_left
}

# host NAME OWN HOST OWN6 HOST6 PREFIX PREFIX6: with our address and its own between us
host() {
	local at=(ip -n "$1")
	ip netns add "$1"
	ip link add "to-$1" type veth peer name eth0 netns "$1"
	ip address add "$2/24" dev "to-$1"
	ip address add "$4/64" dev "to-$1" nodad
	"${at[@]}" address add "$3/24" dev eth0
	"${at[@]}" address add "$5/64" dev eth0 nodad
	ip link set "to-$1" up
	"${at[@]}" link set lo up
	"${at[@]}" link set eth0 up
	"${at[@]}" route add local "$6" dev lo
	"${at[@]}" route add local "$7" dev lo
	ip route add "$6" via "$3"
	ip route add "$7" via "$5"
}

@test "2,100 calls, by ten ways and from two hosts, of rulesets at random get what a slow model says" {
	local seed=${CHECMATE_SEED:-$RANDOM$RANDOM} way
	new_cgroup a/b
	host first 192.0.2.1 192.0.2.2 2001:db8:1::1 2001:db8:1::2 10.0.0.0/8 fdfd::/16
	host second 198.51.100.1 198.51.100.2 2001:db8:2::1 2001:db8:2::2 11.0.0.0/8 fd00::/8
	run "$programs/netfilter-cases" calls "$seed" $((${CHECMATE_SOAK:+126} + 14)) \
		/sys/fs/cgroup/a /sys/fs/cgroup/a/b first second
	equal "exit status ($output)" 0 "$status"
	for way in connect fastopen uring-connect udp-connect sendto sendmsg sendmmsg uring-sendmsg \
		from-tcp from-udp; do
		[[ $output =~ $'\n'"$way: "[1-9][0-9]*" accepted, "[1-9][0-9]*" refused" ]] ||
			fail "$way" "some accepted, some refused" "$output"
	done
	[[ $output == *"decisions as the model has them" ]]
	echo "$output"
}
