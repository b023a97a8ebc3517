#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack netfilter exchanges ports: a program binds to 80 and gets 30080.

load ../../tests/helpers
load words

try=$programs/remap-try

# tries OUTCOME CGROUP WORD...: what remap-try says there, line by line
tries() {
	equal "${*:3} in '$2'" "$1" "$(in_cgroup "$2" "$try" "${@:3}" | paste -sd ' ')"
}

# serves SHOWN CGROUP TYPE ADDRESS PORT TEXT: in the background; $said is what it is shown
serves() {
	said=$BATS_TEST_TMPDIR/$6
	background in_cgroup "$2" "$try" serve "${@:3}" >"$said"
	until_true 20 test -s "$said"
	equal "what $6 is shown" "$1" "$(<"$said")"
}

# attached: where programs for cgroups are at the root
attached() {
	bpftool -j cgroup show /sys/fs/cgroup | jq -r '.[].attach_type' | sort -u | paste -sd ' '
}

untraced tries serves attached

# --- bind

@test "only where rules exchange ports there are programs at bind and at what is shown" {
	local before
	rules a <<<"bind tcp port 80 drop"
	before=$(attached)
	[[ $before != *bind* && $before != *name* ]] || fail "programs" "none for remaps" "$before"
	rules a <<<"bind tcp port 80 remap 30080"
	equal "further programs" \
		"cgroup_inet4_bind cgroup_inet4_getpeername cgroup_inet4_getsockname cgroup_inet6_bind cgroup_inet6_getpeername cgroup_inet6_getsockname" \
		"$(comm -13 <(tr ' ' '\n' <<<"$before") <(attached | tr ' ' '\n') | paste -sd ' ')"
}

@test "two scopes bind port 80 of one address; each is reached by its own port, from inside by 80" {
	new_cgroup c
	rules a <<<"bind tcp port 80 remap 30080"
	rules c <<<"bind tcp port 80 remap 30081"
	serves 80 a tcp 127.0.0.1 80 one
	serves 80 c tcp 127.0.0.1 80 two
	tries "one 30080" out reach tcp 127.0.0.1 30080
	tries "two 30081" out reach tcp 127.0.0.1 30081
	tries "one 80" a/b reach tcp 127.0.0.1 80
	tries "two 80" c reach tcp 127.0.0.1 80
	tries ECONNREFUSED out reach tcp 127.0.0.1 80
}

@test "getsockname shows the port that was asked for, of what is accepted as well; with show real the real one" {
	rules a <<-'END'
		bind tcp port 80 remap 30080
		bind tcp port 81 remap 30081 show real
	END
	serves 80 a tcp 127.0.0.1 80 hidden
	tries "hidden 30080" out reach tcp 127.0.0.1 30080
	equal "the ports shown" "80 80" "$(paste -sd ' ' "$said")"
	serves 30081 a tcp 127.0.0.1 81 real
	tries "real 30081" a reach tcp 127.0.0.1 81
	equal "the ports shown" "30081 30081" "$(paste -sd ' ' "$said")"
}

@test "of a range each port has its own, the first and the last as well" {
	rules a <<<"bind tcp port 80-89 remap 30080"
	serves 80 a tcp 127.0.0.1 80 first
	serves 89 a tcp 127.0.0.1 89 last
	tries "first 30080" out reach tcp 127.0.0.1 30080
	tries "last 30089" out reach tcp 127.0.0.1 30089
	tries "last 89" a reach tcp 127.0.0.1 89
	tries "90" a bind tcp 127.0.0.1 90
}

@test "IPv6, v4-mapped and UDP are exchanged alike, by connect and by sendto" {
	local at
	rules a <<-'END'
		bind tcp port 80 remap 30080
		bind udp port 53 remap 30053
	END
	serves 80 a tcp ::1 80 six
	tries "six 30080" out reach tcp ::1 30080
	tries "six 80" a reach tcp ::1 80
	serves 80 a tcp ::ffff:127.0.0.1 80 mapped
	tries "mapped 80" a reach tcp 127.0.0.1 80
	tries "mapped 80" a reach tcp ::ffff:127.0.0.1 80
	for at in 127.0.0.1 ::1; do
		serves 53 a udp $at 53 "udp$at"
		tries "udp$at 30053" out reach udp $at 30053
		tries "udp$at 53" a reach udp $at 53
		tries "udp$at 30053" a sendto $at 53
	done
}

@test "MPTCP is exchanged as TCP is, and shown the real port" {
	rules a <<<"bind tcp port 80 remap 30080"
	serves 30080 a mptcp 127.0.0.1 80 multipath
	tries "multipath 80" a reach tcp 127.0.0.1 80
}

@test "a rule with an address is for that address; the first rule that matches decides" {
	rules a <<-'END'
		bind tcp on 127.0.0.2 port 80 accept
		bind tcp on { 127.0.0.1, 127.0.0.2 } port 80 remap 30080
		bind udp on ::1 port 80 remap 30080
	END
	serves 80 a tcp 127.0.0.1 80 one
	serves 80 a tcp 127.0.0.2 80 two
	tries "one 30080" out reach tcp 127.0.0.1 30080
	tries "two 80" out reach tcp 127.0.0.2 80
	tries "two 80" a reach tcp 127.0.0.2 80
	serves 80 a tcp 127.0.0.3 80 three
	tries "three 80" a reach tcp 127.0.0.3 80
}

@test "a task without capabilities binds to 80 what it gets above 1023" {
	rules a <<<"bind tcp port 80 remap 30080"
	equal "bind as uid 1000" 80 "$(in_cgroup a as_user "$try" bind tcp 127.0.0.1 80)"
	equal "bind as uid 1000 to 81" EACCES "$(in_cgroup a as_user "$try" bind tcp 127.0.0.1 81)"
}

@test "a bind that fails or is repeated leaves nothing behind that is shown" {
	rules a <<<"bind tcp port 80 remap 30080"
	serves 80 a tcp 127.0.0.1 80 one
	tries "EADDRINUSE 30080 30080" a bind tcp 127.0.0.1 80 127.0.0.2 30080
	end_background
	tries "80 EINVAL 80" a bind tcp 127.0.0.1 80 127.0.0.1 4999
}

# errors HOOK: so many has it had
errors() {
	command checmate stats -j | jq --arg hook "$1" \
		'map(select(.pack == "netfilter" and .hook == $hook)) | .[0].errors'
}

@test "where there is no memory for what is shown it is the real port, and an error of the hook's" {
	local enough
	rules a <<<"bind tcp port 80 remap 30080"
	enough=$(</proc/sys/net/core/optmem_max)
	echo 1 >/proc/sys/net/core/optmem_max
	serves 30080 a tcp 127.0.0.1 80 one
	tries "one 30080" a reach tcp 127.0.0.1 80
	echo "$enough" >/proc/sys/net/core/optmem_max
	equal "errors at bind and connect" "1 1" "$(errors bind4) $(errors connect4)"
	tries "one 80" a reach tcp 127.0.0.1 80
	equal "the ports shown" "30080 30080 30080" "$(paste -sd ' ' "$said")"
}

# --- scopes

@test "the nearest scope that exchanges a port does; those above are asked for what it makes of it" {
	rules a/b <<<"bind tcp port 80 remap 30080"
	rules a <<-'END'
		bind tcp port 80 drop errno EACCES
		bind tcp port 30080 remap 30090
		bind tcp port 81 remap 30081
	END
	serves 80 a/b tcp 127.0.0.1 80 inner
	tries "inner 30080" out reach tcp 127.0.0.1 30080
	serves 81 a/b tcp 127.0.0.1 81 outer
	tries "outer 81" a/b reach tcp 127.0.0.1 81
	tries "outer 30081" out reach tcp 127.0.0.1 30081
	answers "accepted as port 30080 by line 1 of /a/b: bind tcp port 80 remap 30080" \
		a/b bind tcp 127.0.0.1:80
	answers "denied with EACCES by line 1 of /a: bind tcp port 80 drop errno EACCES" a bind tcp 127.0.0.1:80
	rules a <<<"bind tcp port 30080 drop errno EADDRINUSE"
	tries EADDRINUSE a/b bind tcp 127.0.0.1 80
	answers "denied as port 30080 with EADDRINUSE by line 1 of /a: bind tcp port 30080 drop errno EADDRINUSE" \
		a/b bind tcp 127.0.0.1:80
}

@test "the system's rules exchange ports of all; a process elsewhere keeps its own" {
	rules / <<<"bind tcp port 80 remap 30080"
	rules a <<<"bind tcp port 80 remap 30081"
	serves 80 out tcp 127.0.0.1 80 system
	serves 80 a tcp 127.0.0.1 80 scope
	tries "system 80" out reach tcp 127.0.0.1 80
	tries "scope 80" a/b reach tcp 127.0.0.1 80
	checmate 0 disable netfilter --cgroup /sys/fs/cgroup
	tries "ECONNREFUSED" out reach tcp 127.0.0.1 80
	tries "80" out bind tcp 127.0.0.1 80
}

@test "a permissive scope exchanges nothing" {
	rules a --permissive <<<"bind tcp port 80 remap 30080"
	serves 80 a tcp 127.0.0.1 80 one
	tries "one 80" out reach tcp 127.0.0.1 80
	tries "one 80" a reach tcp 127.0.0.1 80
	answers "accepted by line 1 of /a: bind tcp port 80 remap 30080" a bind tcp 127.0.0.1:80
	checmate 0 mode netfilter enforce --cgroup "$a"
	answers "accepted as port 30080 by line 1 of /a: bind tcp port 80 remap 30080" a bind tcp 127.0.0.1:80
}

# --- connect

@test "loopback and the addresses of the rule are the scope's own; another host's port stays" {
	ip address replace 10.99.0.1/32 dev lo
	ip address replace 10.99.0.2/32 dev lo
	rules a <<-'END'
		bind tcp on 10.99.0.1 port 80 remap 30080
		bind tcp on 10.99.0.0/24 port 81 remap 30081
		bind tcp on { 0.0.0.0, 10.99.0.1 } port 82 remap 30082
		bind tcp port 83 remap 30083
	END
	answers "accepted as port 30080: no rule says otherwise" a egress tcp 10.99.0.1:80
	answers "accepted: no rule says otherwise" a egress tcp 10.99.0.2:80
	answers "accepted: no rule says otherwise" a egress tcp 10.99.0.1:81
	answers "accepted: no rule says otherwise" a egress tcp 10.99.0.1:83
	answers "accepted as port 30083: no rule says otherwise" a egress tcp 127.9.9.9:83
	answers "accepted: no rule says otherwise" a egress tcp '[fd00::1]:83'
	answers "accepted: no rule says otherwise" out egress tcp 127.0.0.1:83
	serves 80 a tcp 10.99.0.1 80 own
	tries "own 80" a reach tcp 10.99.0.1 80
	serves 80 out tcp 10.99.0.2 80 other
	tries "other 80" a reach tcp 10.99.0.2 80
	serves 82 a tcp 0.0.0.0 82 all
	tries "all 82" a reach tcp 10.99.0.1 82
	tries "all 82" a reach tcp 127.0.0.1 82
	tries "all 82" a reach tcp 0.0.0.0 82
	serves 83 a tcp ::1 83 six
	tries "six 83" a reach tcp :: 83
	ip address del 10.99.0.1/32 dev lo
	ip address del 10.99.0.2/32 dev lo
}

@test "egress is asked for the port that is reached" {
	rules a <<-'END'
		bind tcp port 80 remap 30080
		egress tcp port 30080 drop errno EHOSTDOWN
		egress tcp port 80 drop errno EACCES
	END
	tries EHOSTDOWN a reach tcp 127.0.0.1 80
	tries EACCES a reach tcp 10.0.0.1 80
	answers "denied as port 30080 with EHOSTDOWN by line 2 of /a: egress tcp port 30080 drop errno EHOSTDOWN" \
		a egress tcp 127.0.0.1:80
}

@test "a UDP socket that connects elsewhere is shown where" {
	rules a <<<"bind udp port 53 remap 30053"
	tries "53 30053" a again 127.0.0.1 53 30053
}

# --- rules that change

@test "other rules change nothing for a socket that is bound; flush leaves it, and exchanges no more" {
	rules a <<<"bind tcp port 80 remap 30080"
	serves 80 a tcp 127.0.0.1 80 one
	rules a <<<"bind tcp port 80 remap 30081"
	tries "one 30080" out reach tcp 127.0.0.1 30080
	tries ECONNREFUSED a reach tcp 127.0.0.1 80
	checmate 0 netfilter flush --cgroup "$a"
	tries "one 30080" a reach tcp 127.0.0.1 30080
	equal "the ports shown" "80 80 80" "$(paste -sd ' ' "$said")"
	tries 80 a bind tcp 127.0.0.1 80
	tries ECONNREFUSED out reach tcp 127.0.0.1 80
}

@test "another place in the order keeps rules and programs" {
	rules a <<<"bind tcp port 80 remap 30080"
	serves 80 a tcp 127.0.0.1 80 one
	checmate 0 order netfilter --priority 7
	tries "one 80" a reach tcp 127.0.0.1 80
	equal "the ports shown" "80 80" "$(paste -sd ' ' "$said")"
	end_background
	serves 80 a tcp 127.0.0.1 80 two
	tries "two 30080" out reach tcp 127.0.0.1 30080
}

@test "in the place of an object of the pack comes another: ports are exchanged as before" {
	local other=/run/netfilter.bpf.o
	rules a <<<"bind tcp port 80 remap 30080"
	serves 80 a tcp 127.0.0.1 80 one
	install -m 644 "$top/build/netfilter.bpf.o" $other
	checmate 0 replace netfilter $other
	rm $other
	tries "one 80" a reach tcp 127.0.0.1 80
	end_background
	serves 80 a tcp 127.0.0.1 80 two
	tries "two 30080" out reach tcp 127.0.0.1 30080
}

@test "list has a count of the binds, and what log says names the port" {
	rules a <<-'END'
		bind tcp port 80 remap 30080
		bind tcp port 81 log remap 30081
	END
	tries 80 a bind tcp 127.0.0.1 80
	tries "ECONNREFUSED" a reach tcp 127.0.0.1 80
	checmate 0 netfilter list --cgroup "$a"
	equal "list" "LINE  COUNT  RULE
   1      1  bind tcp port 80 remap 30080
   2      0  bind tcp port 81 log remap 30081" "$output"
	command checmate events >/dev/null
	tries 81 a bind tcp 127.0.0.1 81
	checmate 0 events -j
	json '.verdict == "notice" and .action == "socket.bind" and .fields.port == 81 and .fields.line == 2'
	checmate 0 netfilter test -j --cgroup "$a" bind tcp 127.0.0.1:80
	json '.verdict == "accepted" and .port == 30080 and .line == 1'
}

@test "a program of someone else's for bind stays, and is asked as well" {
	local other=/sys/fs/bpf/stranger
	bpftool prog load "$programs/bpf/stranger.bpf.o" $other
	bpftool cgroup attach "$a" cgroup_inet4_bind pinned $other multi
	rules a <<<"bind tcp port 80 remap 30080"
	tries EPERM a bind tcp 127.0.0.1 4998
	tries 80 a bind tcp 127.0.0.1 80
	checmate 0 disable netfilter
	tries EPERM a bind tcp 127.0.0.1 4998
	tries 80 a bind tcp 127.0.0.1 80
	bpftool cgroup detach "$a" cgroup_inet4_bind pinned $other
	rm $other
}

# --- programs of the world

@test "busybox httpd in two scopes, both at port 80" {
	local cgroup
	new_cgroup c
	rules a <<<"bind tcp port 80 remap 30080"
	rules c <<<"bind tcp port 80 remap 30081"
	for cgroup in a c; do
		mkdir "$BATS_TEST_TMPDIR/$cgroup"
		echo "this is $cgroup" >"$BATS_TEST_TMPDIR/$cgroup/index.html"
		background in_cgroup $cgroup busybox httpd -f -p 80 -h "$BATS_TEST_TMPDIR/$cgroup"
		until_true 20 in_cgroup $cgroup busybox wget -qO "$BATS_TEST_TMPDIR/got" http://127.0.0.1/
		equal "from inside" "this is $cgroup" "$(<"$BATS_TEST_TMPDIR/got")"
	done
	equal "from outside" "this is a" "$(in_cgroup out busybox wget -qO - http://127.0.0.1:30080/)"
	equal "from outside" "this is c" "$(in_cgroup out busybox wget -qO - http://127.0.0.1:30081/)"
}

@test "python's http.server in two scopes, both at port 80" {
	local cgroup
	[[ ${CHECMATE_SOAK:-} ]] || skip "long: CHECMATE_SOAK=1"
	command -v python3 >/dev/null || skip "there is no python3"
	new_cgroup c
	rules a <<<"bind tcp port 80 remap 30080"
	rules c <<<"bind tcp port 80 remap 30081"
	for cgroup in a c; do
		mkdir "$BATS_TEST_TMPDIR/$cgroup"
		echo "this is $cgroup" >"$BATS_TEST_TMPDIR/$cgroup/index.html"
		background in_cgroup $cgroup python3 -um http.server -d "$BATS_TEST_TMPDIR/$cgroup" 80 \
			>"$BATS_TEST_TMPDIR/said.$cgroup" 2>&1
		until_true 120 in_cgroup $cgroup busybox wget -qO "$BATS_TEST_TMPDIR/got" http://127.0.0.1:80/
		equal "from inside" "this is $cgroup" "$(<"$BATS_TEST_TMPDIR/got")"
		[[ $(<"$BATS_TEST_TMPDIR/said.$cgroup") == *" port 80 "* ]] ||
			fail "what it says" "port 80" "$(<"$BATS_TEST_TMPDIR/said.$cgroup")"
	done
	equal "from outside" "this is a" "$(in_cgroup out busybox wget -qO - http://127.0.0.1:30080/)"
	equal "from outside" "this is c" "$(in_cgroup out busybox wget -qO - http://127.0.0.1:30081/)"
}
