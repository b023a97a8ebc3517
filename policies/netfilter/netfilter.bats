#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Who may talk to whom: the pack netfilter. Nobody listens at the ports here unless a test says so:
# what is accepted gets ECONNREFUSED then, by TCP, and OK by UDP.

load ../../tests/helpers
load words

ways=$programs/net-ways
cases=$programs/netfilter-cases

# gets OUTCOME CGROUP WAY ADDRESS PORT: what that way to the address gets there
gets() {
	equal "$3 to $4 port $5 in '$2'" "$1" "$(in_cgroup "$2" "$ways" "${@:3}")"
}

# creates OUTCOME CGROUP FAMILY TYPE PROTOCOL
creates() {
	equal "socket($3, $4, $5) in '$2'" "$1" "$(in_cgroup "$2" "$ways" create "${@:3}")"
}

untraced gets creates

# --- egress

@test "a rule accepts, the policy refuses the rest, and nobody outside is asked" {
	rules a <<-'END'
		egress tcp to 127.0.0.1 port { 4000, 4010-4019 } accept
		egress policy drop
	END
	gets ECONNREFUSED a connect 127.0.0.1 4000
	gets ECONNREFUSED a/b connect 127.0.0.1 4019
	gets EPERM a connect 127.0.0.1 4001
	gets EPERM a/b connect 127.0.0.2 4000
	gets EPERM a connect ::1 4000
	gets EPERM a sendto 127.0.0.1 4000
	gets ECONNREFUSED out connect 127.0.0.1 4001
	checmate 0 netfilter flush --cgroup "$a"
	gets ECONNREFUSED a connect 127.0.0.1 4001
}

@test "each way to an address is asked, of IPv4, IPv6 and v4-mapped, and gets the rule's errno" {
	local way at
	rules a <<-'END'
		egress to { 127.0.0.0/8, ::1 } port 5000-5009 drop errno EHOSTUNREACH
		egress policy accept
	END
	for at in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
		for way in connect fastopen uring; do
			gets EHOSTUNREACH a $way $at 5001
			gets ECONNREFUSED a $way $at 5010
		done
		for way in udp sendto sendmsg sendmmsg uring_sendmsg; do
			gets EHOSTUNREACH a $way $at 5009
			gets OK a $way $at 5010
		done
	done
}

@test "the first rule that matches decides; a prefix within another one has its own rules as well" {
	rules a <<-'END'
		set here { 127.0.0.1, ::1 }
		set ports { 4001, 4003-4005 }
		egress tcp to 127.0.0.64/26 port 4001 accept
		egress tcp to { @here, 127.0.0.64/26 } port @ports drop errno EACCES
		egress udp drop errno ENETUNREACH
		egress tcp to 127.0.0.0/24 drop errno EHOSTDOWN
		deny port 4007
	END
	gets ECONNREFUSED a connect 127.0.0.65 4001
	gets EACCES a connect 127.0.0.65 4003
	gets EACCES a connect ::1 4001
	gets EHOSTDOWN a connect 127.0.0.1 4002
	gets EHOSTDOWN a connect 127.0.0.128 4001
	gets ECONNREFUSED a connect 127.0.1.1 4001
	gets EPERM a connect 127.0.1.1 4007
	gets ENETUNREACH a sendto 127.0.1.1 4001
}

@test "a family, a protocol and a port are each asked by itself" {
	rules a <<-'END'
		egress family ipv6 tcp drop errno EACCES
		egress port 4000 drop
	END
	gets EACCES a connect ::1 4001
	gets OK a sendto ::1 4001
	gets ECONNREFUSED a connect 127.0.0.1 4001
	gets ECONNREFUSED a connect ::ffff:127.0.0.1 4001
	gets EPERM a connect 127.0.0.1 4000
	gets EPERM a sendto ::1 4000
}

# --- scopes

@test "every scope on the path and the system must accept" {
	rules a/b <<<"egress tcp to 127.0.0.1 port 4001 drop errno EACCES"
	rules a <<<"egress tcp to 127.0.0.1 port 4001-4002 drop errno EHOSTDOWN"
	rules / <<<"egress tcp to 127.0.0.1 port 4001-4003 drop errno ENETDOWN"
	gets EACCES a/b connect 127.0.0.1 4001
	gets EHOSTDOWN a/b connect 127.0.0.1 4002
	gets ENETDOWN a/b connect 127.0.0.1 4003
	gets ECONNREFUSED a/b connect 127.0.0.1 4004
	gets EHOSTDOWN a connect 127.0.0.1 4001
	gets ENETDOWN out connect 127.0.0.1 4001
	checmate 0 disable netfilter --cgroup "$a"
	gets ENETDOWN a/b connect 127.0.0.1 4002
}

@test "a permissive scope refuses nothing, counts and reports; an enforcing one above it does refuse" {
	local before
	before=$(count would_deny connect4)
	rules a --permissive <<<"egress policy drop errno EACCES"
	gets ECONNREFUSED a connect 127.0.0.1 4001
	equal "would-deny" 1 $(($(count would_deny connect4) - before))
	checmate 0 events -j
	json 'select(.action == "socket.connect") | .verdict == "would-deny" and .error == "EACCES" and
		.reason == "policy" and .fields.line == 1 and .fields.address == "127.0.0.1" and
		.fields.port == 4001'
	answers "would be denied with EACCES by line 1 of /a: egress policy drop errno EACCES" a \
		egress tcp 127.0.0.1:4001
	rules / <<<"egress tcp to 127.0.0.1 port 4001 drop errno ENETDOWN"
	gets ENETDOWN a connect 127.0.0.1 4001
	checmate 0 mode netfilter enforce --cgroup "$a"
	gets EACCES a connect 127.0.0.1 4001
}

@test "a scope that is made anew, and the system enabled anew, have none of the rules from before" {
	rules a <<<"egress policy drop"
	rules / <<<"egress policy drop"
	checmate 0 disable netfilter --cgroup "$a"
	checmate 0 enable netfilter --cgroup "$a"
	checmate 0 disable netfilter --cgroup /sys/fs/cgroup
	gets ECONNREFUSED a connect 127.0.0.1 4001
	checmate 0 enable netfilter
	gets ECONNREFUSED out connect 127.0.0.1 4001
	checmate 0 netfilter list
	equal "the system's rules" "no rules" "$output"
	rules a <<<"egress policy drop"
	rmdir "$a"/b "$a"
	new_cgroup c
	checmate 0 enable netfilter --cgroup /sys/fs/cgroup/c
	gets ECONNREFUSED c connect 127.0.0.1 4001
}

# --- the other kinds

@test "bind and listen are asked by protocol, own address and port" {
	rules a <<-'END'
		bind tcp on 127.0.0.1 port 4000-4009 accept
		bind tcp port 1-65535 drop errno EADDRINUSE
		listen on { 127.0.0.1, ::1 } port 4001 drop errno EACCES
	END
	gets OK a bind 127.0.0.1 4000
	gets OK a bind ::ffff:127.0.0.1 4000
	gets EADDRINUSE a bind 127.0.0.2 4000
	gets EADDRINUSE a bind ::1 4000
	gets EADDRINUSE a bind 0.0.0.0 4010
	gets OK a bind 127.0.0.1 0
	gets EACCES a listen 127.0.0.1 4001
	gets OK a listen 127.0.0.1 4002
	gets OK out listen 127.0.0.1 4001
}

@test "ingress: who is dropped hears nothing, and is reported; others are served" {
	local said=$BATS_TEST_TMPDIR/server
	rules a <<-'END'
		ingress from { 127.0.0.2, ::1 } port 4000 drop
		ingress policy accept
	END
	background in_cgroup a "$programs/net-try" serve 4000 >"$said"
	until_true 20 test -s "$said"
	equal "from 127.0.0.2" silence "$(in_cgroup out "$ways" from 127.0.0.2 127.0.0.1 4000)"
	equal "from 127.0.0.3" OK "$(in_cgroup out "$ways" from 127.0.0.3 127.0.0.1 4000)"
	checmate 0 events -j
	jq -se 'map(select(.action == "socket.accept")) | .[0].verdict == "deny" and
		.[0].subject.cgroup == "/a" and .[0].fields.address == "127.0.0.2" and
		.[0].fields.port == 4000' <<<"$output" >/dev/null || fail "the event" "a denial" "$output"
	checmate 0 netfilter flush --cgroup "$a"
	equal "after flush" OK "$(in_cgroup out "$ways" from 127.0.0.2 127.0.0.1 4000)"
}

@test "create: by family, type and protocol, 0 being what it stands for" {
	rules a <<-'END'
		create family alg drop errno EAFNOSUPPORT
		create family inet type stream protocol tcp drop errno EACCES
		create family netlink protocol 4 drop
	END
	creates EAFNOSUPPORT a 38 5 0
	creates EACCES a 2 1 0
	creates EACCES a 2 1 6
	creates OK a 2 2 0
	creates OK a 10 1 0
	creates OK a 16 3 0
	creates EPERM a 16 3 4
	creates OK out 2 1 0
}

@test "where there is a rule on egress, no socket is made that could go around it, unless a rule says so" {
	rules a <<<"ingress policy accept"
	creates OK a 17 3 0
	creates OK a 2 3 1
	rules a <<<"egress policy accept"
	creates EPERM a 17 3 0
	creates EPERM a 2 3 1
	creates EPERM a 10 3 58
	creates EPERM a 44 3 0
	creates OK a 2 1 0
	creates OK a 2 2 17
	creates OK a 1 1 0
	creates OK out 17 3 0
	answers "denied with EPERM: it would go around the egress rules" a create packet raw
	rules a <<-'END'
		egress policy accept
		create family inet type raw protocol icmp accept
	END
	creates OK a 2 3 1
	creates EPERM a 2 3 17
	creates EPERM a 17 3 0
}

# --- the command

@test "list has the rules as they are written, with a count of each that drops or says count" {
	rules a <<-'END'
		set lan { 10.0.0.0/8,
			fd00::/8 } # two
		egress tcp to 127.0.0.1 port 4000 count accept
		egress policy drop
	END
	gets ECONNREFUSED a connect 127.0.0.1 4000
	gets EPERM a connect 127.0.0.1 4001
	gets EPERM a connect 127.0.0.1 4002
	checmate 0 netfilter list --cgroup "$a"
	equal "list" "LINE  COUNT  RULE
   1      -  set lan { 10.0.0.0/8, fd00::/8 }
   3      1  egress tcp to 127.0.0.1 port 4000 count accept
   4      2  egress policy drop" "$output"
	checmate 0 netfilter list -j --cgroup "$a"
	json '.[2] == { "line": 4, "rule": "egress policy drop", "count": 2 } and .[0].count == null'
}

@test "test says what would be decided, by which rule of which scope, and counts nothing" {
	rules a <<-'END'
		egress tcp to { 10.0.0.0/8, fd00::/8 } port { 443, 8000-8099 } accept
		egress policy drop
		bind udp port 53 drop errno EACCES
	END
	rules a/b <<<"egress tcp to 10.9.9.9 drop errno EHOSTUNREACH"
	answers "accepted by line 1 of /a: egress tcp to { 10.0.0.0/8, fd00::/8 } port { 443, 8000-8099 } accept" \
		a egress tcp 10.1.2.3:443
	answers "denied with EPERM by line 2 of /a: egress policy drop" a/b egress udp '[fd00::1]:443'
	answers "denied with EHOSTUNREACH by line 1 of /a/b: egress tcp to 10.9.9.9 drop errno EHOSTUNREACH" \
		a/b egress tcp 10.9.9.9:443
	answers "denied with EACCES by line 3 of /a: bind udp port 53 drop errno EACCES" a bind udp 0.0.0.0:53
	answers "accepted: no rule says otherwise" out egress tcp 10.1.2.3:444
	checmate 0 netfilter test -j --cgroup "$a" create alg seqpacket
	json '.verdict == "accepted" and .rule == null'
	checmate 0 netfilter list -j --cgroup "$a"
	json '.[1].count == 0'
	refused 2 '*"tcp 10.0.0.0" *' netfilter test egress "tcp 10.0.0.0" 1
}

@test "log reports what a rule accepts" {
	rules a <<<"egress tcp to 127.0.0.1 port 4000 log accept"
	gets ECONNREFUSED a connect 127.0.0.1 4000
	checmate 0 events -j
	json '.verdict == "notice" and .reason == "accepted" and .fields.line == 1'
}

@test "standard input is a file, and a load that fails enables nothing" {
	withdraw netfilter
	refused 1 "checmate: <stdin>:1:8: *" netfilter load - <<<"egress nothing accept"
	[[ ! -e $pins/packs/netfilter ]] || fail "the pack" "not enabled" "enabled"
	checmate 0 netfilter load - <<<"egress tcp port 4001 drop"
	gets EPERM out connect 127.0.0.1 4001
}

@test "another place in the order leaves the rules as they are" {
	rules a <<<"egress policy drop"
	checmate 0 order netfilter --priority 7
	gets EPERM a connect 127.0.0.1 4001
	answers "denied with EPERM by line 1 of /a: egress policy drop" a egress tcp 10.1.2.3:444
	rules a <<<"egress policy accept"
	gets ECONNREFUSED a connect 127.0.0.1 4001
}

# --- the decision

@test "2,000 decisions of the kernel's, of rulesets at random, are what a slow model says" {
	checmate 0 enable netfilter --cgroup "$a"
	"$cases" decide "${CHECMATE_SEED:-$RANDOM$RANDOM}" $((${CHECMATE_SOAK:+180} + 20)) "$a"
}
