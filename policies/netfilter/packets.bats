#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2030,SC2031,SC2154 # helpers.bash and bats set them
# The pack netfilter, what arrives without a connection: ingress of UDP, UDP-Lite, ICMP and of what raw
# sockets get. The pack is enabled in the cgroup a throughout. Who sends comes last from an address that
# is accepted, so what is dropped is known to be.

load ../../tests/helpers

packets=$programs/net-packets
a=/sys/fs/cgroup/a
hook=$pins/hooks/socket_sock_rcv_skb

setup_file() {
	new_cgroup a/b
	new_cgroup out
	ip address add fd00::2/128 dev lo
	ip address add fd00::3/128 dev lo
	echo "0 0" >/proc/sys/net/ipv4/ping_group_range
	checmate 0 enable netfilter --cgroup "$a"
}

teardown() {
	end_background
	checmate 0 netfilter flush --cgroup "$a"
	checmate 0 mode netfilter enforce --cgroup "$a"
}

teardown_file() {
	withdraw netfilter
	ip address delete fd00::2/128 dev lo
	ip address delete fd00::3/128 dev lo
	clean
	assert_nothing_left
}

# rules CGROUP: from standard input, in force there
rules() {
	checmate 0 netfilter load --cgroup "/sys/fs/cgroup/$1" -
}

# hears SOURCES CGROUP WAY WORD...: which of them a socket there hears
hears() {
	equal "heard by ${*:3} in '$2'" "$1" "$(in_cgroup "$2" "$packets" "${@:3}")"
}


untraced rules hears

@test "ingress udp is asked for each datagram: by source and own port, of IPv4, IPv6 and v4-mapped" {
	rules a <<-'END'
		ingress udp from { 127.0.0.2, fd00::2 } port 5000 drop
		ingress tcp from 127.0.0.3 drop
	END
	hears "127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	hears "127.0.0.3" a/b udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	hears "127.0.0.2 127.0.0.3" a udp 127.0.0.1 5001 127.0.0.2 127.0.0.3
	hears "fd00::3" a udp fd00::2 5000 fd00::2 fd00::3
	hears "127.0.0.3 fd00::3" a both :: 5000 127.0.0.2 127.0.0.3 fd00::2 fd00::3
	hears "127.0.0.2 127.0.0.3" out udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
}

@test "ingress policy is that of datagrams and of raw sockets as well" {
	rules a <<-'END'
		ingress from 127.0.0.3 accept
		ingress icmp from fd00::3 accept
		ingress policy drop
	END
	hears "127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	hears "127.0.0.3" a ping 127.0.0.2 127.0.0.3
	hears "127.0.0.3" a raw 127.0.0.2 127.0.0.3
	hears "fd00::3" a ping fd00::2 fd00::3
	hears "fd00::3" a raw fd00::2 fd00::3
	hears "127.0.0.2 127.0.0.3" out raw 127.0.0.2 127.0.0.3
}

@test "ingress icmp is what ping's and raw sockets get, not datagrams; ingress udplite likewise" {
	rules a <<-'END'
		ingress icmp from { 127.0.0.2, fd00::2 } drop
		ingress udplite from 127.0.0.4 drop
	END
	hears "127.0.0.3" a ping 127.0.0.2 127.0.0.3
	hears "fd00::3" a raw fd00::2 fd00::3
	hears "127.0.0.2 127.0.0.4 127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.4 127.0.0.3
	# The kernel 7 has no UDP-Lite any more.
	[[ $CHECMATE_KERNEL == 7 ]] ||
		hears "127.0.0.2 127.0.0.3" a udplite 127.0.0.1 5000 127.0.0.2 127.0.0.4 127.0.0.3
}

@test "a socket that is connected gets its answers under ingress policy drop, as of a resolver; others do not" {
	local said=$BATS_TEST_TMPDIR/said at
	rules a <<-'END'
		egress udp to { 127.0.0.1, ::1 } port 53 accept
		egress policy drop
		ingress policy drop
	END
	for at in 127.0.0.1 ::1; do
		background in_cgroup out "$packets" answer $at 53 >"$said"
		until_true 20 test -s "$said"
		equal "asked of $at" "unconnected silence, connected OK" \
			"$(in_cgroup a "$packets" ask $at 53)"
		equal "asked outside" "unconnected OK, connected OK" \
			"$(in_cgroup out "$packets" ask $at 53)"
		end_background
		: >"$said"
	done
	rules a <<<"ingress policy drop"
	hears "127.0.0.3" a pinged 127.0.0.2 127.0.0.3
	hears "fd00::3" a pinged fd00::2 fd00::3
	hears "127.0.0.2 127.0.0.3" out pinged 127.0.0.2 127.0.0.3
}

@test "every scope above the receiver must accept, and the system" {
	checmate 0 netfilter load --cgroup "$a/b" - <<<"ingress udp from 127.0.0.4 drop"
	rules a <<<"ingress udp from 127.0.0.2 drop"
	checmate 0 netfilter load - <<<"ingress udp from 127.0.0.5 drop"
	hears "127.0.0.3" a/b udp 127.0.0.1 5000 127.0.0.2 127.0.0.4 127.0.0.5 127.0.0.3
	hears "127.0.0.4 127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.4 127.0.0.5 127.0.0.3
	hears "127.0.0.2 127.0.0.3" out udp 127.0.0.1 5000 127.0.0.2 127.0.0.5 127.0.0.3
	checmate 0 disable netfilter --cgroup "$a/b"
	checmate 0 disable netfilter --cgroup /sys/fs/cgroup
	hears "127.0.0.4 127.0.0.5" a/b udp 127.0.0.1 5000 127.0.0.2 127.0.0.4 127.0.0.5
}

@test "uid: of packets it is that of the socket that gets them" {
	rules a <<<"ingress udp from 127.0.0.2 uid 1000 drop"
	hears "127.0.0.2 127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	equal "heard by uid 1000" "127.0.0.3" \
		"$(in_cgroup a as_user "$packets" udp 127.0.0.1 5000 127.0.0.2 127.0.0.3)"
}

@test "what is dropped is counted and reported; in permissive mode it arrives, and is" {
	rules a <<<"ingress udp from 127.0.0.2 drop"
	checmate 0 events # of the tests before
	hears "127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	checmate 0 netfilter list -j --cgroup "$a"
	json '.[0].count == 1'
	checmate 0 events -j
	jq -se 'map(select(.action == "socket.receive")) | length == 1 and (.[0] | .verdict == "deny" and
		.subject.cgroup == "/a" and .reason == "rule" and .fields.address == "127.0.0.2" and
		.fields.port == 5000 and .fields.line == 1)' <<<"$output" >/dev/null ||
		fail "the event" "a denial" "$output"
	checmate 0 mode netfilter permissive --cgroup "$a"
	hears "127.0.0.2 127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	equal "would-deny" 1 "$(count would_deny socket_sock_rcv_skb)"
	checmate 0 netfilter test --cgroup "$a" ingress udp 127.0.0.2:5000
	equal "test" "would be denied with EPERM by line 1 of /a: ingress udp from 127.0.0.2 drop" "$output"
}

# Is there anything on the hook?
is_attached() {
	[[ -e $hook/link ]] || fail "the hook" "attached" "nothing there"
}

is_absent() {
	[[ ! -e $hook ]] || fail "the hook" "nothing there" "attached"
}

@test "nothing is attached where packets come by but while rules of some scope need it" {
	is_absent
	rules a <<-'END'
		egress policy drop
		ingress tcp from 127.0.0.2 drop
		ingress udp accept
		ingress policy accept
	END
	is_absent
	rules a <<<"ingress policy drop"
	is_attached
	checmate 0 netfilter load --cgroup "$a/b" - <<<"ingress from fd00::2 drop"
	checmate 0 netfilter flush --cgroup "$a"
	is_attached
	checmate 0 order netfilter --priority 7
	hears "fd00::3" a/b udp fd00::2 5000 fd00::2 fd00::3
	is_attached
	checmate 0 disable netfilter --cgroup "$a/b"
	is_absent
	rules a <<<"ingress udp count accept"
	is_attached
	rules a <<<"ingress udp accept"
	is_absent
	rules a <<<"ingress udp log accept"
	is_attached
	checmate 0 netfilter flush --cgroup "$a"
	is_absent
}

# steps WORD...: of `checmate WORD...`, as "KIND COUNT"; with CHECMATE_SOAK all, else some that are each
# kernel's own
steps() {
	local kind i=0
	local -A count=()
	while read -r kind; do
		count[$kind]=$((${count[$kind]:-0} + 1))
		if [[ $kind != @(exit|end) ]] && { [[ ${CHECMATE_SOAK:-} ]] || ((i++ % 15 == third * 5)); }; then
			echo "$kind ${count[$kind]}"
		fi
	done < <("$programs/lifecycle-kill" list 0 "$(type -P checmate)" "$@")
}

# killed KIND COUNT WORD...: after that step of it; the rules are those from before or the new ones, and hold
killed() {
	"$programs/lifecycle-kill" "$1" "$2" "$(type -P checmate)" "${@:3}" >/dev/null
	checmate 0 netfilter list --cgroup "$a"
	if [[ $output == "no rules" ]]; then
		hears "127.0.0.2 127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	else
		hears "127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	fi
}

@test "kill -9 of load and flush, after any step, leaves the old rules or the new ones, and the next call mends it" {
	local file=$BATS_TEST_TMPDIR/rules kind count all
	echo "ingress udp from 127.0.0.2 drop" >"$file"
	all=$(steps netfilter load --cgroup "$a" "$file")
	checmate 0 netfilter flush --cgroup "$a"
	while read -r kind count; do
		killed "$kind" "$count" netfilter load --cgroup "$a" "$file"
		checmate 0 netfilter flush --cgroup "$a"
		is_absent
	done <<<"$all"
	checmate 0 netfilter load --cgroup "$a" "$file"
	all=$(steps netfilter flush --cgroup "$a")
	while read -r kind count; do
		checmate 0 netfilter load --cgroup "$a" "$file"
		killed "$kind" "$count" netfilter flush --cgroup "$a"
		checmate 0 netfilter load --cgroup "$a" "$file"
		hears "127.0.0.3" a udp 127.0.0.1 5000 127.0.0.2 127.0.0.3
	done <<<"$all"
}
