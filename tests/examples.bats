#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The examples: what Checmate was shown with in 2016, and the port that seccomp cannot see. The
# cgroup "in" is where they are in force, "out" is where not.

load helpers

net=$programs/net-try

setup() {
	new_cgroup in
	new_cgroup out
}

teardown() {
	local policy
	end_background
	for policy in port_one remap_bind limit_connections filter_receive; do
		[[ ! -e $pins/packs/$policy ]] || command checmate unload "$policy"
	done
	clean
}

teardown_file() {
	assert_nothing_left
}

# example NAME [KNOB=VALUE...]: in force in the cgroup
example() {
	checmate 0 load "$top/build/examples/$1.bpf.o" --cgroup /sys/fs/cgroup/in "${@:2}"
}

# try_net EXPECTED CGROUP ARG...: what net-try says there, its lines joined by a space
try_net() {
	local got
	got=$(in_cgroup "$2" "$net" "${@:3}" | tr '\n' ' ')
	equal "net-try ${*:3} in '$2'" "$1" "${got% }"
}

# started_in CGROUP ARG...: in the background, once it has said something; what it says is in $said
started_in() {
	said=$BATS_TEST_TMPDIR/said.${#background_pids[@]}
	background in_cgroup "$1" "$net" "${@:2}" >"$said"
	until_true 20 test -s "$said"
}

# count_of POLICY HOOK COUNTER WANTED
count_of() {
	equal "$3 of $1 at $2" "$4" "$(command checmate stats -j |
		jq ".[] | select(.pack == \"$1\" and .hook == \"$2\") | .$3")"
}

is_ok() {
	[[ $("$@") == OK ]]
}

event_like() {
	checmate 0 events
	# shellcheck disable=SC2053 # a pattern
	[[ $output == $1 ]] || fail "the event" "$1" "$output"
}

# --- port-one: refuse AF_INET port 1

@test "port-one: a connect to port 1 fails with EPERM in the cgroup and with ECONNREFUSED outside" {
	example port-one
	try_net EPERM in connect 127.0.0.1 1
	try_net ECONNREFUSED out connect 127.0.0.1 1
	try_net ECONNREFUSED in connect 127.0.0.1 2
	event_like '* deny port_one socket.connect pid=* comm="net-try" cgroup=/in address=127.0.0.1 port=1 error=EPERM reason=forbidden-port: *'
	count_of port_one socket_connect denied 1
	count_of port_one socket_connect allowed 1
}

@test "port-one: an IPv6 socket that speaks IPv4 is refused as well, IPv6 itself is not" {
	example port-one
	try_net EPERM in connect ::ffff:127.0.0.1 1
	try_net ECONNREFUSED in connect ::1 1
}

@test "port-one: permissive changes no outcome and counts what would have been refused" {
	example port-one
	checmate 0 mode port_one permissive --cgroup /sys/fs/cgroup/in
	try_net ECONNREFUSED in connect 127.0.0.1 1
	event_like '* would-deny port_one *'
	count_of port_one socket_connect denied 0
	count_of port_one socket_connect would_deny 1
}

@test "port-one: the knob says which port, and 0 none" {
	example port-one port=7
	try_net EPERM in connect 127.0.0.1 7
	try_net ECONNREFUSED in connect 127.0.0.1 1
	checmate 0 set checmate.port_one.port=0 --cgroup /sys/fs/cgroup/in
	try_net ECONNREFUSED in connect 127.0.0.1 7
}

# --- remap-bind: 2016's first sample

@test "2016, remap-bind: a bind to 6789 in the cgroup gets 12345, and outside what it asks for" {
	example remap-bind
	started_in in serve 6789
	try_net OK out connect 127.0.0.1 12345
	try_net ECONNREFUSED out connect 127.0.0.1 6789
	try_net 6789 out bind 6789
	try_net 7000 in bind 7000
	equal "remapped" 1 "$(command checmate stats -j | jq '.[] | select(.counter == "remapped").count')"
}

@test "remap-bind: getsockname shows 6789, also on what it accepts, and 12345 if show_real is 1" {
	example remap-bind
	started_in in serve 6789
	try_net OK out connect 127.0.0.1 12345
	until_true 10 grep -qz '6789.6789' "$said"
	equal "the ports shown" "6789 6789" "$(paste -sd' ' "$said")"
	end_background
	checmate 0 set checmate.remap_bind.show_real=1 --cgroup /sys/fs/cgroup/in
	try_net 12345 in bind 6789
}

@test "remap-bind: permissive remaps nothing and counts it" {
	example remap-bind
	checmate 0 mode remap_bind permissive --cgroup /sys/fs/cgroup/in
	started_in in serve 6789
	try_net OK out connect 127.0.0.1 6789
	equal "would_remap" 1 "$(command checmate stats -j | jq '.[] | select(.counter == "would_remap").count')"
}

# --- limit-connections: 2016's second sample

@test "2016, limit-connections: the eleventh socket connected to one address and port gets EUSERS" {
	example limit-connections
	started_in out serve 5000
	try_net "OK OK OK OK OK OK OK OK OK OK EUSERS" in connect 127.0.0.1 5000 11
	try_net "OK OK OK OK OK OK OK OK OK OK OK" out connect 127.0.0.1 5000 11
	event_like '* deny limit_connections socket.connect * address=127.0.0.1 port=5000 limit=10 error=EUSERS reason=too-many: *'
}

@test "limit-connections: another address or port has places of its own" {
	example limit-connections limit=1
	started_in out serve 5000
	started_in out serve 5001
	started_in in hold 127.0.0.1 5000 2
	until_true 10 grep -q EUSERS "$said"
	try_net OK in connect 127.0.0.1 5001
}

@test "limit-connections: a closed socket frees its place" {
	example limit-connections limit=2
	started_in out serve 5000
	started_in in hold 127.0.0.1 5000 2
	until_true 10 grep -qz 'OK.OK' "$said"
	try_net EUSERS in connect 127.0.0.1 5000
	kill "$started"
	wait "$started" || true
	until_true 10 is_ok in_cgroup in "$net" connect 127.0.0.1 5000
}

@test "limit-connections: a connect that fails gives its place back, at once or later" {
	local i
	example limit-connections limit=1
	for ((i = 0; i < 5; i++)); do
		try_net ECONNREFUSED in connect 127.0.0.1 5009     # nobody listens
		try_net ENETUNREACH in connect 10.1.2.3 5009       # no route
		try_net ECONNREFUSED in nonblocking 127.0.0.1 5009 # after EINPROGRESS
		try_net "ECONNREFUSED ECONNREFUSED" in again 127.0.0.1 5009 127.0.0.1 5009
	done
}

@test "limit-connections: eight processes at once get exactly as many as there are places" {
	local i
	example limit-connections
	started_in out serve 5000
	for ((i = 0; i < 10; i++)); do
		try_net "10 30 0" in crowd 8 5 5000
	done
}

@test "limit-connections: permissive refuses nobody" {
	example limit-connections limit=1
	checmate 0 mode limit_connections permissive --cgroup /sys/fs/cgroup/in
	started_in out serve 5000
	try_net "OK OK OK" in connect 127.0.0.1 5000 3
	count_of limit_connections socket_connect would_deny 2
}

# --- filter-receive: 2016's third sample

datagram() {
	echo "$2" >"/dev/udp/127.0.0.1/$1"
}

@test "2016, filter-receive: packets for a closed port do not reach the sockets of the cgroup" {
	local closed open
	example filter-receive receive_port=4000
	started_in in receive 4000
	closed=$said
	started_in in receive 4001
	open=$said
	datagram 4000 no
	datagram 4001 yes
	until_true 10 grep -q yes "$open"
	equal "what the closed port got" ready "$(<"$closed")"
	event_like '* deny filter_receive socket.receive cgroup=/in port=4000 bytes=* error=EPERM reason=closed-port: a packet led to socket.receive'
	checmate 0 set checmate.filter_receive.receive_port=0 --cgroup /sys/fs/cgroup/in
	datagram 4000 now
	until_true 10 grep -q now "$closed"
}

@test "filter-receive: the same port outside the cgroup receives" {
	example filter-receive receive_port=4000
	started_in out receive 4000
	datagram 4000 yes
	until_true 10 grep -q yes "$said"
}

@test "filter-receive: it is the socket's cgroup that counts, not the sender's" {
	example filter-receive receive_port=4000
	started_in out receive 4000
	in_cgroup in bash -c 'echo yes >/dev/udp/127.0.0.1/4000'
	until_true 10 grep -q yes "$said"
}

@test "filter-receive: a bind to a closed port fails with EACCES in the cgroup only" {
	example filter-receive bind_port=8080
	try_net EACCES in bind 8080
	try_net 8080 out bind 8080
	try_net 8081 in bind 8081
}
