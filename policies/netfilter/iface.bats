#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Who may talk to whom: the match `iface` of the pack netfilter. Two network namespaces are hosts that come
# by the interfaces wan0 and lan0; each has eth0, and the addresses .2 and ::2 at its end. The pack is
# enabled in the cgroup a throughout.

load ../../tests/helpers

ways=$programs/net-ways packets=$programs/net-packets
a=/sys/fs/cgroup/a

# host NAME PREFIX PREFIX6: a network namespace, by an interface of that name
host() {
	ip netns add "$1"
	wire "$1" "$1"
	at "$1" "$2.1/24" "$3::1/64"
	ip -n "$1" address add "$2.2/24" dev eth0
	ip -n "$1" address add "$3::2/64" dev eth0 nodad
	ip -n "$1" link set lo up
}

# wire NAME INTERFACE: between here and the host's eth0
wire() {
	ip link add "$2" type veth peer name eth0 netns "$1"
	ip link set "$2" up
	ip -n "$1" link set eth0 up
}

# at INTERFACE ADDRESS ADDRESS6
at() {
	ip address add "$2" dev "$1"
	ip address add "$3" dev "$1" nodad
}

setup_file() {
	new_cgroup a/b
	new_cgroup out
	echo "0 0" >/proc/sys/net/ipv4/ping_group_range
	checmate 0 enable netfilter --cgroup "$a"
	host wan0 192.0.2 2001:db8:1
	host lan0 198.51.100 2001:db8:2
}

teardown() {
	end_background
	command checmate disable netfilter --cgroup "$a/b" 2>/dev/null || :
	checmate 0 netfilter flush --cgroup "$a"
	checmate 0 mode netfilter enforce --cgroup "$a"
}

teardown_file() {
	withdraw netfilter
	ip netns delete wan0
	ip netns delete lan0
	clean
	assert_nothing_left
}

# rules CGROUP: from standard input, in force there
rules() {
	checmate 0 netfilter load --cgroup "/sys/fs/cgroup/$1" -
}

# serve CGROUP [COMMAND...]: TCP, IPv4 and IPv6, at port 4000
serve() {
	local said=$BATS_TEST_TMPDIR/serving
	: >"$said"
	background in_cgroup "$1" "${@:2}" "$ways" serve 4000 >"$said"
	until_true 20 test -s "$said"
}

# reached OUTCOME HOST ADDRESS [SOURCE]: by TCP, from a host or, "here", from this one
reached() {
	local from=(ip netns exec "$2")
	[[ $2 != here ]] || from=()
	equal "from $2 to $3" "$1" "$("${from[@]}" "$ways" from "${4:-0.0.0.0}" "$3" 4000)"
}

# hears SOURCES CGROUP WAY WORD...: which of them a socket there hears
hears() {
	equal "heard by ${*:3} in '$2'" "$1" "$(in_cgroup "$2" "$packets" "${@:3}")"
}

# counted CGROUP COUNT...: of its rules, in their order
counted() {
	checmate 0 netfilter list -j --cgroup "/sys/fs/cgroup/$1"
	equal "counts of $1" "${*:2}" "$(jq -r 'map(.count // 0) | join(" ")' <<<"$output")"
}

untraced rules serve reached hears counted

@test "ingress iface: who asks to connect is let in or not by the interface he comes by, whatever his address" {
	rules a <<-'END'
		ingress tcp iface wan0 port 4000 drop
		ingress policy accept
	END
	serve a
	reached silence wan0 192.0.2.1
	reached OK lan0 198.51.100.1
	ip -n wan0 address add 198.51.100.3/32 dev eth0
	ip -n wan0 route add 198.51.100.1/32 via 192.0.2.1
	ip route add 198.51.100.3/32 dev wan0
	reached silence wan0 198.51.100.1 198.51.100.3
	rules a <<<"ingress tcp iface lan0 drop"
	reached OK wan0 198.51.100.1 198.51.100.3
	ip route delete 198.51.100.3/32 dev wan0
	ip -n wan0 route delete 198.51.100.1/32
	ip -n wan0 address delete 198.51.100.3/32 dev eth0
	rules a <<-'END'
		ingress from 192.0.2.0/24 iface { lan0, lo } accept
		ingress family ipv6 iface wan0 accept
		ingress policy drop
	END
	reached silence wan0 192.0.2.1
	reached silence lan0 198.51.100.1
	reached OK wan0 2001:db8:1::1 ::
	reached silence lan0 2001:db8:2::1 ::
}

@test "ingress iface lo is this machine itself, by whatever address it is reached" {
	rules a <<-'END'
		ingress iface lo accept
		ingress policy drop
	END
	serve a
	reached OK here 127.0.0.1
	reached OK here 192.0.2.1
	reached OK here 2001:db8:2::1 ::
	reached silence wan0 192.0.2.1
	reached silence lan0 2001:db8:2::1 ::
}

@test "ingress iface: of datagrams, of ICMP, and of what raw sockets get" {
	local peer
	rules a <<<"ingress icmp iface wan0 drop"
	for peer in 192.0.2.2 2001:db8:1::2; do
		in_cgroup out "$packets" ping "$peer" # who is next door is known then
	done
	hears "198.51.100.2" a ping 192.0.2.2 198.51.100.2
	hears "2001:db8:2::2" a ping 2001:db8:1::2 2001:db8:2::2
	hears "198.51.100.2" a raw 192.0.2.2 198.51.100.2
	hears "2001:db8:2::2" a raw 2001:db8:1::2 2001:db8:2::2
	hears "192.0.2.2 198.51.100.2" out ping 192.0.2.2 198.51.100.2
	rules a <<<"ingress udp iface { wan0, lo } drop"
	hears "192.0.2.2 198.51.100.2" a ping 192.0.2.2 198.51.100.2
	background in_cgroup a "$packets" hear 0.0.0.0 5000 198.51.100.2 >"$BATS_TEST_TMPDIR/heard"
	until_true 20 test -s "$BATS_TEST_TMPDIR/heard"
	echo x >/dev/udp/127.0.0.1/5000
	ip netns exec wan0 bash -c 'echo x >/dev/udp/192.0.2.1/5000'
	ip netns exec lan0 bash -c 'echo x >/dev/udp/198.51.100.1/5000'
	until_true 20 grep -q 198 "$BATS_TEST_TMPDIR/heard"
	equal "heard" $'ready\n198.51.100.2' "$(<"$BATS_TEST_TMPDIR/heard")"
}

@test "ingress iface goes by the name of the moment: made anew, renamed, after a longer one" {
	rules a <<-'END'
		set wan iface { ppp0, ethernet0.4094 }
		ingress iface { @wan } drop
	END
	serve a
	reached OK wan0 192.0.2.1
	ip link set wan0 down
	ip link set wan0 name ethernet0.4094
	ip link set ethernet0.4094 up
	reached silence wan0 192.0.2.1
	ip link set ethernet0.4094 down
	ip link set ethernet0.4094 name eth
	ip link set eth up
	reached OK wan0 192.0.2.1
	ip link set eth down
	ip link set eth name ppp0
	ip link set ppp0 up
	reached silence wan0 192.0.2.1
	ip link delete ppp0
	wire wan0 ppp0
	at ppp0 192.0.2.1/24 2001:db8:1::1/64
	at_other_end
	reached silence wan0 192.0.2.1
	ip link delete ppp0
	wire wan0 wan0
	at wan0 192.0.2.1/24 2001:db8:1::1/64
	at_other_end
	reached OK wan0 192.0.2.1
}

at_other_end() {
	ip -n wan0 address add 192.0.2.2/24 dev eth0
	ip -n wan0 address add 2001:db8:1::2/64 dev eth0 nodad
}

@test "ingress iface: in another network namespace it is the name there" {
	rules a <<<"ingress iface eth0 drop"
	serve a ip netns exec wan0
	reached silence here 192.0.2.2
	rules a <<<"ingress iface wan0 drop"
	reached OK here 192.0.2.2
}

@test "ingress iface: of a VLAN, a bridge and a VRF it is the name of the upper one" {
	ip link add link wan0 name wan0.5 type vlan id 5
	ip -n wan0 link add link eth0 name eth0.5 type vlan id 5
	ip link set wan0.5 up
	ip -n wan0 link set eth0.5 up
	ip address add 203.0.113.1/24 dev wan0.5
	ip -n wan0 address add 203.0.113.2/24 dev eth0.5
	serve a
	rules a <<<"ingress iface wan0 drop"
	reached OK wan0 203.0.113.1
	rules a <<<"ingress iface wan0.5 drop"
	reached silence wan0 203.0.113.1
	reached OK wan0 192.0.2.1
	ip link delete wan0.5
	ip -n wan0 link delete eth0.5

	ip link add br0 type bridge
	ip link set br0 up
	ip link set lan0 master br0
	ip address add 203.0.113.1/24 dev br0
	ip -n lan0 address add 203.0.113.2/24 dev eth0
	rules a <<<"ingress iface lan0 drop"
	reached OK lan0 203.0.113.1
	rules a <<<"ingress iface br0 drop"
	reached silence lan0 203.0.113.1
	ip link delete br0
	ip -n lan0 address delete 203.0.113.2/24 dev eth0

	ip link add red type vrf table 10
	ip link set red up
	ip link set wan0 master red
	sysctl -qw net.ipv4.tcp_l3mdev_accept=1
	rules a <<<"ingress iface wan0 drop"
	reached OK wan0 192.0.2.1
	rules a <<<"ingress iface red drop"
	reached silence wan0 192.0.2.1
	sysctl -qw net.ipv4.tcp_l3mdev_accept=0
	ip link delete red
}

@test "every scope above must accept, by its own interfaces; each rule that decides counts once" {
	checmate 0 netfilter load --cgroup "$a/b" - <<-'END'
		ingress tcp iface lan0 count accept
		ingress tcp iface wan0 count accept
		ingress policy drop
	END
	rules a <<-'END'
		ingress iface wan0 drop
		ingress count accept
	END
	serve a/b
	reached OK lan0 198.51.100.1
	counted a/b 1 0 0
	counted a 0 1
	reached silence wan0 192.0.2.1
	reached silence here 127.0.0.1
	checmate 0 disable netfilter --cgroup "$a/b"
	reached OK here 127.0.0.1
	reached silence wan0 192.0.2.1
}

@test "a permissive scope lets in what its interface would not, and counts and reports it" {
	checmate 0 netfilter load --permissive --cgroup "$a/b" - <<<"ingress iface { wan0, lo } drop"
	rules a <<-'END'
		ingress iface lo drop
		ingress count accept
	END
	serve a/b
	checmate 0 events # of the tests before
	reached OK wan0 192.0.2.1
	reached OK lan0 198.51.100.1
	counted a/b 1
	counted a 0 2
	checmate 0 events -j
	jq -se 'map(select(.action == "socket.accept" and .verdict == "would-deny")) | length == 1 and
		(.[0] | .reason == "rule" and .fields.address == "192.0.2.2" and .fields.line == 1)' \
		<<<"$output" >/dev/null || fail "the event" "a would-deny" "$output"
	reached silence here 127.0.0.1
}

@test "iface: test asks for one and says so, list shows the rule as written, uid goes with it" {
	rules a <<-'END'
		set wan iface { eth0, ppp0 }
		ingress tcp iface { @wan, eth1 } uid 0-99 drop
		ingress tcp uid 100 accept
		ingress policy accept
	END
	local iface by="by line 2 of /a: ingress tcp iface { @wan, eth1 } uid 0-99 drop"
	for iface in eth0 ppp0 eth1; do
		checmate 0 netfilter test --cgroup "$a" ingress tcp 10.0.0.1:80 iface $iface
		equal "test" "denied with EPERM $by" "$output"
	done
	checmate 0 netfilter test --cgroup "$a" ingress tcp 10.0.0.1:80 iface lo uid 99
	equal "test" "accepted by line 4 of /a: ingress policy accept" "$output"
	checmate 0 netfilter test --cgroup "$a" ingress tcp 10.0.0.1:80 uid 100
	equal "test" "accepted by line 3 of /a: ingress tcp uid 100 accept" "$output"
	refused 1 "checmate: it depends on the interface by which it comes: add \"iface NAME\"" \
		netfilter test --cgroup "$a" ingress tcp 10.0.0.1:80 uid 99
	checmate 2 netfilter test --cgroup "$a" egress tcp 10.0.0.1:80 iface eth0
	checmate 2 netfilter test --cgroup "$a" ingress tcp 10.0.0.1:80 iface
	checmate 2 netfilter test --cgroup "$a" ingress tcp 10.0.0.1:80 iface eth/0
	checmate 0 netfilter list --cgroup "$a"
	[[ $output == *"ingress tcp iface { @wan, eth1 } uid 0-99 drop"* ]] || fail "list" "the rule" "$output"
	checmate 0 netfilter list -j --cgroup "$a"
	jq -r '.[].rule' <<<"$output" >"$BATS_TEST_TMPDIR/again"
	checmate 0 netfilter load --cgroup "$a" "$BATS_TEST_TMPDIR/again"
	equal "rules listed and loaded again" "$(<"$BATS_TEST_TMPDIR/again")" \
		"$(command checmate netfilter list -j --cgroup "$a" | jq -r '.[].rule')"
}
