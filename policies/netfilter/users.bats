#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Who may talk to whom: the match `uid` of the pack netfilter. as_user is uid 1000, without it 0.
# Nobody listens at the ports unless a test says so: what is accepted gets ECONNREFUSED then.

load ../../tests/helpers
load words

ways=$programs/net-ways

# gets OUTCOME UID WAY WORD...: what the user gets in a
gets() {
	local who=()
	[[ $2 == 0 ]] || who=("$programs/as-user")
	equal "${*:3} of uid $2" "$1" "$(in_cgroup a "${who[@]}" "$ways" "${@:3}")"
}

untraced gets

@test "uid: a rule is for its users alone, on each way to an address; for others the next one decides" {
	local way at
	rules a <<-'END'
		set staff { 1000, 100000-199999 }
		egress tcp to { 127.0.0.1, ::1 } port 4000 uid @staff accept
		egress to { 127.0.0.1, ::1 } port 4001 uid { 1-999, root } drop errno EACCES
		egress port 4002 accept
		egress policy drop errno EHOSTUNREACH
	END
	for at in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
		gets ECONNREFUSED 1000 connect $at 4000
		gets EHOSTUNREACH 0 connect $at 4000
		gets EACCES 0 sendto $at 4001
		gets EHOSTUNREACH 1000 sendto $at 4001
	done
	for way in fastopen uring sendmmsg; do
		gets EACCES 0 $way 127.0.0.1 4001
		gets EHOSTUNREACH 1000 $way 127.0.0.1 4001
	done
	gets ECONNREFUSED 1000 connect ::1 4002
	gets ECONNREFUSED 0 connect 127.0.0.1 4002
}

@test "uid: bind and create ask for it as well, and it is the effective one that counts" {
	rules a <<-'END'
		bind tcp port 4000 uid 1000 drop errno EACCES
		create family inet type dgram uid 0 drop
	END
	gets EACCES 1000 bind 127.0.0.1 4000
	gets OK 0 bind 127.0.0.1 4000
	gets EPERM 0 create 2 2 0
	gets OK 1000 create 2 2 0
	equal "bind with the real uid 1000" OK \
		"$(in_cgroup a setpriv --ruid 1000 "$ways" bind 127.0.0.1 4000)"
	equal "bind with the effective uid 1000" EACCES \
		"$(in_cgroup a setpriv --euid 1000 "$ways" bind 127.0.0.1 4000)"
}

@test "uid: of ingress it is that of the listening socket" {
	local said=$BATS_TEST_TMPDIR/server
	rules a <<<"ingress tcp port 4000 uid 1000 drop"
	background in_cgroup a "$programs/net-try" serve 4000 >"$said"
	until_true 20 test -s "$said"
	equal "root's" OK "$(in_cgroup out as_user "$ways" from 127.0.0.2 127.0.0.1 4000)"
	rules a <<<"ingress tcp port 4000 uid 0 drop"
	equal "root's, dropped" silence "$(in_cgroup out as_user "$ways" from 127.0.0.2 127.0.0.1 4000)"
}

@test "uid: test asks for a user, list shows the rule as written, and its count" {
	rules a <<-'END'
		egress tcp port 4000 uid { 1000-1999, 3000 } count accept
		create family alg uid 1000 drop
		egress policy drop
	END
	answers "accepted by line 1 of /a: egress tcp port 4000 uid { 1000-1999, 3000 } count accept" a \
		egress tcp 127.0.0.1:4000 uid 3000
	answers "denied with EPERM by line 3 of /a: egress policy drop" a \
		egress tcp 127.0.0.1:4000 uid 2000
	answers "denied with EPERM by line 3 of /a: egress policy drop" a egress tcp 127.0.0.1:4000
	answers "denied with EPERM by line 2 of /a: create family alg uid 1000 drop" a \
		create alg seqpacket uid 1000
	gets ECONNREFUSED 1000 connect 127.0.0.1 4000
	checmate 0 netfilter list --cgroup "$a"
	grep -Eq '^ *1 .*egress tcp port 4000 uid \{ 1000-1999, 3000 \} count accept$' <<<"$output" ||
		fail "list" "the rule, counted once" "$output"
	checmate 2 netfilter test --cgroup "$a" egress tcp 127.0.0.1:4000 uid root
	checmate 2 netfilter test --cgroup "$a" egress tcp 127.0.0.1:4000 uid
}
