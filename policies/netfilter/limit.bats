#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# How many connections there may be at once: `limit connections` in the rules of netfilter, which the
# pack netfilter_limit keeps. At port 5000 and 5001 somebody listens, at 5009 nobody does. Who is asked for by
# 10.78.0.0/24 hears nothing.

load ../../tests/helpers
load words

sockets=$programs/net-sockets

# To load the packs takes longer than all else here: they stay, in a scope of nobody's.
setup_file() {
	new_cgroup keep
	ip link add quiet0 type dummy
	ip addr add 10.78.0.1/24 dev quiet0
	ip link set quiet0 up
	echo 9 >/proc/sys/net/ipv4/tcp_synack_retries # the kernel waits much longer than we do
	checmate 0 netfilter load --cgroup /sys/fs/cgroup/keep - <<<"limit connections 1 per source"
	stays "" 5000 "serve l 127.0.0.1 5000" "serve m ::1 5000"
	stays "" 5001 "serve l 127.0.0.1 5001" "serve m ::1 5001"
	stays keep 5003 "listen l 10.78.0.1 5003"
	# What has become of it in 64 seconds is asked at the end.
	"$sockets" "syn s 10.78.0.1 5003 10.78.0.2" >/dev/null
	comes_to keep "0 1"
	cut -d ' ' -f 1 /proc/uptime >"$BATS_FILE_TMPDIR/since"
}

# stays CGROUP NAME STEP...: a process there with sockets, for all of this file
stays() {
	background in_cgroup "$1" "$sockets" "${@:3}" wait >"$BATS_FILE_TMPDIR/$2"
	echo "$started" >>"$BATS_FILE_TMPDIR/pids"
	until_true 20 grep -q ready "$BATS_FILE_TMPDIR/$2"
}

setup() {
	new_cgroup a/b
	new_cgroup out
}

# All cgroups but the one that keeps the packs.
teardown() {
	end_background
	echo 1 >/proc/sys/net/ipv4/tcp_syncookies
	local dir
	while read -r dir; do
		until_true 10 rmdir "$dir" 2>/dev/null
	done < <(find /sys/fs/cgroup -mindepth 1 -depth -type d ! -name keep)
}

teardown_file() {
	local pid
	while read -r pid; do
		kill "$pid"
	done <"$BATS_FILE_TMPDIR/pids"
	withdraw netfilter_limit netfilter
	ip link del quiet0
	echo 5 >/proc/sys/net/ipv4/tcp_synack_retries
	clean
	assert_nothing_left
}

# gets "OUTCOME..." CGROUP STEP...: of one process with sockets
gets() {
	local got
	got=$(in_cgroup "$2" "$sockets" "${@:3}" | tr '\n' ' ')
	equal "in '$2': ${*:3}" "$1" "${got% }"
}

# holds CGROUP STEP...: the same, all OK, and the sockets stay until end_background
holds() {
	said=$BATS_TEST_TMPDIR/said.${#background_pids[@]}
	background in_cgroup "$1" "$sockets" "${@:2}" wait >"$said"
	until_true 20 grep -q ready "$said"
	equal "in '$1': ${*:2}" "" "$(grep -vxE 'OK|ready' "$said" || true)"
}

# listed CGROUP: "REFUSED NOW" of each limit there
listed() {
	command checmate netfilter list -j --cgroup "/sys/fs/cgroup/$1" |
		jq -r '[.[] | select(.now != null) | "\(.count) \(.now)"] | join(", ")'
}

is_listed() {
	[[ $(listed "$1") == "$2" ]]
}

# comes_to CGROUP "REFUSED NOW, ...": what the other side has to say first is waited for
comes_to() {
	until_true 20 is_listed "$@" 2>/dev/null || equal "the limits of '$1'" "$2" "$(listed "$1")"
}

untraced stays gets holds listed is_listed comes_to

# --- how many

@test "per destination: so many to one address and port, one more gets EUSERS, and others have their own" {
	rules a <<<"limit connections 2 per destination"
	gets "OK OK EUSERS OK OK OK" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000" \
		"connect c 127.0.0.1 5000" "connect c 127.0.0.1 5001" "connect d ::1 5000" "connect e ::1 5000"
	gets "OK OK OK" out "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000" "connect c 127.0.0.1 5000"
	checmate 0 events -j
	json 'select(.pack == "netfilter_limit") | .action == "socket.connect" and .reason == "limit" and
		.error == "EUSERS" and .verdict == "deny" and .subject.cgroup == "/a" and
		.fields.address == "127.0.0.1" and .fields.port == 5000 and .fields.limit == 2 and
		.fields.per == "destination"'
}

@test "an IPv4 address is the same as v4-mapped, and no address is the machine itself" {
	rules a <<<"limit connections 1 per destination"
	holds a "connect a 127.0.0.1 5000" "connect b ::1 5000"
	gets "EUSERS EUSERS EUSERS OK" a "connect a ::ffff:127.0.0.1 5000" "connect b 0.0.0.0 5000" \
		"connect c :: 5000" "connect d ::1 5001"
}

@test "per scope: so many that go out, wherever to, of all processes in it and below" {
	rules a <<<"limit connections 3 per scope"
	holds a "connect a 127.0.0.1 5000" "connect b ::1 5001"
	gets "OK EUSERS" a/b "connect a 127.0.0.1 5001" "connect b ::1 5000"
	comes_to a "1 2"
	gets "OK EUSERS" a "connect a 127.0.0.1 5001" "connect b ::1 5000"
}

@test "per source: so many from one address to who listens in the scope, others are not answered" {
	rules a <<<"limit connections 2 per source"
	holds a "listen l 127.0.0.1 5002" "listen m ::1 5002"
	gets "OK OK silence OK" out "from a 127.0.0.1 5002 127.0.0.2" "from b 127.0.0.1 5002 127.0.0.2" \
		"from c 127.0.0.1 5002 127.0.0.2" "from d 127.0.0.1 5002 127.0.0.3"
	holds out "from a ::1 5002 ::1" "from b ::1 5002 ::1"
	gets silence out "from a ::1 5002 ::1"
	checmate 0 events -j
	jq -se 'map(select(.action == "socket.accept")) | .[0].verdict == "deny" and .[0].reason == "limit" and
		.[0].subject.cgroup == "/a" and .[0].fields.address == "127.0.0.2" and
		.[0].fields.port == 5002 and .[0].fields.per == "source"' <<<"$output" >/dev/null ||
		fail "the event" "a denial" "$output"
}

@test "MPTCP and TCP Fast Open count, and UDP does not" {
	rules a <<<"limit connections 1 per destination"
	gets "OK EUSERS OK EUSERS" a "mptcp a 127.0.0.1 5000" "connect b 127.0.0.1 5000" \
		"mptcp c 127.0.0.1 5001" "mptcp d 127.0.0.1 5001"
	comes_to a "2 0"
	holds a "connect a 127.0.0.1 5000"
	gets EUSERS a "fastopen a 127.0.0.1 5000"
	equal "UDP" OK "$(in_cgroup a "$programs/net-ways" udp 127.0.0.1 5000)"
}

# bats test_tags=parallel
@test "eight processes at once get exactly as many as there are places, every time" {
	local _ refused
	rules a <<-'END'
		limit connections 11 per destination
		limit connections 10 per scope
	END
	for _ in {1..10}; do
		equal "OK, EUSERS, others" "10 30 0" "$(in_cgroup a "$programs/net-try" crowd 8 5 5000)"
	done
	refused=$(listed a) # by the first of the two: it may be asked while the other is about to refuse
	rules a <<<"limit connections 7 per destination"
	for _ in {1..10}; do
		equal "OK, EUSERS, others" "7 33 0" "$(in_cgroup a "$programs/net-try" crowd 8 5 5000)"
	done
	comes_to a "$((${refused%% *} + 330)) 0"
}

has_none_now() {
	[[ $(listed "$1") == *" 0" ]]
}

# bats test_tags=parallel
@test "while many connect and close all the time there are never too many, and no place is lost" {
	rules a <<<"limit connections 3 per destination"
	equal "at most 3 at once" OK "$(in_cgroup a "$programs/net-rush" 3 8 200 5000)"
	until_true 20 has_none_now a
	equal "OK, EUSERS, others" "3 37 0" "$(in_cgroup a "$programs/net-try" crowd 8 5 5000)"
}

# bats test_tags=parallel
@test "threads that count two million times, up and down, in places side by side, are counted exactly" {
	local limit
	for limit in 1 3; do
		equal "at most $limit of each key" exact "$("$programs/count-race" 4 500000 $limit)"
	done
}

# --- when a place is free again

@test "a closed socket frees its place, and so does the end of its process, whatever the end" {
	local _
	rules a <<<"limit connections 1 per destination"
	gets "OK EUSERS OK OK" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000" "reset a" \
		"connect b 127.0.0.1 5000"
	for _ in 1 2; do
		comes_to a "1 0"
		holds a "connect a 127.0.0.1 5000"
		end_background
	done
	comes_to a "1 0"
}

@test "a connect that fails frees its place: at once, later, without a route" {
	rules a <<-'END'
		limit connections 1 per destination
		limit connections 1 per scope
	END
	gets "ECONNREFUSED ECONNREFUSED ENETUNREACH ENETUNREACH" a "connect a 127.0.0.1 5009" \
		"connect b 127.0.0.1 5009" "connect c 10.1.2.3 5009" "connect d 10.1.2.3 5009"
	gets "EINPROGRESS ECONNREFUSED EINPROGRESS ECONNREFUSED OK" a "start a 127.0.0.1 5009" "outcome a" \
		"start b 127.0.0.1 5009" "outcome b" "connect c 127.0.0.1 5000"
	comes_to a "0 0, 0 0"
	gets "ECONNREFUSED ENETUNREACH OK" a "mptcp a 127.0.0.1 5009" "mptcp b 10.1.2.3 5009" \
		"connect c 127.0.0.1 5000"
	comes_to a "0 0, 0 0"
}

@test "a place is held while the socket is connecting, and its owner's patience ends that" {
	rules a <<<"limit connections 1 per destination"
	ip link add silent0 type dummy
	ip addr add 10.77.0.1/24 dev silent0
	ip link set silent0 up
	gets "EINPROGRESS EUSERS OK EINPROGRESS" a "start a 10.77.0.2 5000" "start b 10.77.0.2 5000" "close a" \
		"start b 10.77.0.2 5000"
	ip link del silent0
	comes_to a "1 0"
}

@test "where a rule refuses the connection, no place is taken and no limit asked" {
	rules a <<-'END'
		egress tcp port 5009 drop errno EACCES
		limit connections 1 per scope
	END
	gets "EACCES EACCES OK EACCES EUSERS" a "connect a 127.0.0.1 5009" "connect b 127.0.0.1 5009" \
		"connect c 127.0.0.1 5000" "connect d 127.0.0.1 5009" "connect e 127.0.0.1 5000"
	equal "the limit of 'a'" 1 "$(listed a | cut -d ' ' -f 1)"
}

@test "a socket counts once, where it is connected now" {
	rules a <<<"limit connections 1 per destination"
	gets "OK EISCONN OK OK OK EUSERS EUSERS" a "connect a 127.0.0.1 5000" "connect a 127.0.0.1 5000" "end a" \
		"connect b 127.0.0.1 5000" "connect a 127.0.0.1 5001" "connect c 127.0.0.1 5001" \
		"connect c 127.0.0.1 5000"
}

@test "a descriptor that is copied or passed on does not count, and the socket does until the last is closed" {
	rules a <<<"limit connections 2 per destination"
	gets "OK OK OK EUSERS" a "connect a 127.0.0.1 5000" "copy a" "connect b 127.0.0.1 5000" \
		"connect c 127.0.0.1 5000"
	comes_to a "1 0"
	holds a "connect a 127.0.0.1 5000" "give a"
	equal "the limit of 'a'" "1 1" "$(listed a)"
	end_background
	comes_to a "1 0"
}

@test "who hangs up frees the place of a source" {
	rules a <<<"limit connections 1 per source"
	holds a "listen l 127.0.0.1 5002"
	gets "OK silence OK OK" out "from a 127.0.0.1 5002 127.0.0.2" "from b 127.0.0.1 5002 127.0.0.2" \
		"close b" "reset a" # in this order, or b may be the next one: the kernel goes on asking for it
	# the listener is told of it in its own time, and who comes before that is not answered for a second
	until_true 20 has_none_now a
	gets OK out "from a 127.0.0.1 5002 127.0.0.2"
}

# asked_by SOURCE: a request to the listening socket in 'a' that nobody goes on with
asked_by() {
	gets OK out "syn s 10.78.0.1 5002 $1"
}

@test "a request that nobody goes on with holds the place of its source, and no other's" {
	rules a <<<"limit connections 1 per source"
	holds a "listen l 10.78.0.1 5002"
	asked_by 10.78.0.2
	comes_to a "0 1"
	asked_by 10.78.0.2
	comes_to a "1 1"
	asked_by 10.78.0.3
	comes_to a "1 2"
}

cookies_received() {
	nstat -asz TcpExtSyncookiesRecv | awk '$1 == "TcpExtSyncookiesRecv" { print $2 }'
}

@test "a SYN that is answered by a cookie holds no place, and who comes back with it is asked for one" {
	local before
	rules a <<-'END'
		ingress tcp from 127.0.0.4 drop
		ingress tcp port 5004 drop
		limit connections 1 per source
	END
	holds a "listen l 0.0.0.0 5002" "listen m ::1 5002" "listen n ::1 5004"
	echo 2 >/proc/sys/net/ipv4/tcp_syncookies
	before=$(cookies_received)
	asked_by 10.78.0.2
	gets silence out "from a ::1 5004 ::1"
	equal "the limit of 'a'" "0 0" "$(listed a)"
	holds out "from a 127.0.0.1 5002 127.0.0.2" "from b ::1 5002 ::1"
	comes_to a "0 2"
	equal "cookies that came back" 2 $(($(cookies_received) - before))
	gets "silence OK silence" out "from a 127.0.0.1 5002 127.0.0.2" "from b 127.0.0.1 5002 127.0.0.3" \
		"from c 127.0.0.1 5002 127.0.0.4"
	gets silence out "from a ::1 5002 ::1"
	end_background
	until_true 20 has_none_now a
}

# --- where there is no room

# no_room: so often that was what refused a connection
no_room() {
	command checmate stats -j | jq '.[] | select(.counter == "no_room") | .count'
}

@test "a connection is counted in 8 limits, and refused where a ninth would count it" {
	local dir before
	before=$(no_room)
	new_cgroup a/b/c/d/e
	for dir in a a/b a/b/c a/b/c/d; do
		rules $dir <<-'END'
			limit connections 5 per destination
			limit connections 5 per scope
		END
	done
	gets OK a/b/c/d "connect a 127.0.0.1 5000"
	rules a/b/c/d/e <<<"limit connections 5 per scope"
	command checmate events >/dev/null
	gets EUSERS a/b/c/d/e "connect a 127.0.0.1 5000"
	equal "no-room" 1 $(($(no_room) - before))
	checmate 0 events -j
	json '.action == "socket.connect" and .reason == "no-room" and .error == "EUSERS" and .verdict == "deny"'
	comes_to a "0 0, 1 0"
	comes_to a/b/c/d/e "0 0"
	checmate 0 mode netfilter_limit permissive --cgroup "$a"
	gets OK a/b/c/d/e "connect a 127.0.0.1 5000"
	checmate 0 events -j
	json '.reason == "no-room" and .verdict == "would-deny" and .fields.per == "scope"'
}

@test "where the memory for what is counted is full a connection is refused, and each that ends makes room" {
	[[ ${CHECMATE_SOAK:-} ]] || skip "long: CHECMATE_SOAK=1"
	local before
	before=$(no_room)
	rules a <<<"limit connections 1000 per destination"
	ip link add silent0 type dummy
	ip addr add 10.77.0.1/16 dev silent0
	ip link set silent0 up
	ip route add 10.64.0.0/10 via 10.77.0.2
	# 16 that are for one bucket come before these are as many as there is room for.
	equal "the last of 131,072" EUSERS "$(in_cgroup a "$programs/net-try" fill 10.80.0.0 5000 131072)"
	equal "no-room" 1 $(($(no_room) - before))
	ip link del silent0
	comes_to a "1 0"
	gets OK a "connect a 127.0.0.1 5000"
}

# --- scopes

@test "each scope on the path has its own limits, and who refuses leaves no place taken in another" {
	rules a <<<"limit connections 2 per scope"
	rules a/b <<<"limit connections 1 per destination"
	holds a/b "connect a 127.0.0.1 5000"
	gets EUSERS a/b "connect a 127.0.0.1 5000"
	equal "a" "0 1" "$(listed a)"
	gets "OK EUSERS" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	comes_to a "1 1"
	holds a "connect a 127.0.0.1 5001"
	gets EUSERS a/b "connect a 127.0.0.1 5001"
	equal "a/b" "1 1" "$(listed a/b)"
}

@test "the system has limits as well" {
	rules / <<<"limit connections 1 per destination"
	holds out "connect a 127.0.0.1 5000"
	gets "EUSERS OK" a/b "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5001"
	checmate 0 netfilter flush
	gets OK a/b "connect a 127.0.0.1 5000"
	checmate 0 disable netfilter --cgroup /sys/fs/cgroup
}

@test "permissive refuses nobody, reports, and counts on: enforced, the limit knows them all" {
	rules a --permissive <<<"limit connections 1 per destination"
	holds a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	checmate 0 events -j
	json 'select(.pack == "netfilter_limit") | .verdict == "would-deny" and .error == "EUSERS"'
	equal "a" "1 2" "$(listed a)"
	checmate 0 mode netfilter_limit enforce --cgroup "$a"
	gets EUSERS a "connect a 127.0.0.1 5000"
}

# --- the command

@test "rules that are exchanged keep the count of a limit that stays; flush, and rules without, forget it" {
	rules a <<<"limit connections 1 per destination"
	holds a "connect a 127.0.0.1 5000"
	rules a <<-'END'
		egress tcp port 5009 drop
		limit connections 2 per destination
	END
	gets "OK EUSERS" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	rules a <<<"egress policy accept"
	gets "OK OK" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	rules a <<<"limit connections 1 per destination"
	gets "OK EUSERS" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	checmate 0 netfilter flush --cgroup "$a"
	gets "OK OK" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	checmate 0 status -j
	json 'all(.[] | select(.name == "netfilter_limit") | .scopes[]; .cgroup != "/a")'
}

@test "a scope that is made anew does not know the connections of the one before" {
	rules a <<<"limit connections 1 per scope"
	holds a "connect a 127.0.0.1 5000"
	checmate 0 disable netfilter_limit --cgroup "$a"
	rules a <<<"limit connections 1 per scope"
	gets "OK EUSERS" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
	end_background
	comes_to a "1 0"
	gets "OK EUSERS" a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5000"
}

@test "list has a limit with what it has refused and what it counts now" {
	rules a <<-'END'
		limit connections 1 per destination
		limit connections 1000000 per scope # as good as none
	END
	holds a "connect a 127.0.0.1 5000" "connect b 127.0.0.1 5001"
	gets EUSERS a "connect a 127.0.0.1 5000"
	checmate 0 netfilter list --cgroup "$a"
	equal "list" "LINE  COUNT  RULE
   1      1  limit connections 1 per destination: 2 now
   2      0  limit connections 1000000 per scope: 2 now" "$output"
}

is_over() {
	awk -v since="$(<"$BATS_FILE_TMPDIR/since")" '{ exit $1 - since < 65 }' /proc/uptime
}

@test "a request that nobody has gone on with gives its place back after 64 seconds" {
	until_true 70 is_over
	gets "OK OK" out "syn s 10.78.0.1 5003 10.78.0.2" "syn s 10.78.0.1 5003 10.78.0.3"
	comes_to keep "0 2"
	gets OK out "syn s 10.78.0.1 5003 10.78.0.2"
	comes_to keep "1 2"
}

@test "where no rule has a limit, the pack that counts is not there" {
	checmate 0 netfilter load --cgroup /sys/fs/cgroup/keep - <<<"egress policy accept"
	[[ ! -e $pins/packs/netfilter_limit ]] || fail "netfilter_limit" "not enabled" "enabled"
}
