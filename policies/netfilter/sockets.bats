#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack netfilter, UDP sockets that were connected before the rules that refuse it. The pack is
# enabled in the cgroup a throughout.

load ../../tests/helpers

packets=$programs/net-packets
a=/sys/fs/cgroup/a
ended="recv ECONNABORTED, send EDESTADDRREQ"
untouched="recv EAGAIN, send OK"

setup_file() {
	new_cgroup a/b
	new_cgroup out
	checmate 0 enable netfilter --cgroup "$a"
}

teardown() {
	end_background
	checmate 0 netfilter flush --cgroup "$a"
	checmate 0 mode netfilter enforce --cgroup "$a"
}

teardown_file() {
	withdraw netfilter
	clean
	assert_nothing_left
}

# holds NAME CGROUP COMMAND...: sockets that it has connected there
holds() {
	local said=$BATS_TEST_TMPDIR/$1
	background in_cgroup "$2" "${@:3}" >"$said"
	until_true 20 test -s "$said"
}

# connected NAME CGROUP WORD...: the same by net-packets
connected() {
	holds "$1" "$2" "$packets" hold "$BATS_TEST_TMPDIR/now" "${@:3}"
}

# is NAME OUTCOME: what they say in the end, each that
is() {
	: >"$BATS_TEST_TMPDIR/now"
	until_true 20 grep -q send "$BATS_TEST_TMPDIR/$1"
	equal "the sockets '$1'" "$2" "$(tail -n +2 "$BATS_TEST_TMPDIR/$1" | sort -u)"
}

# ends NUMBER CGROUP [OPTION...]: load of rules from standard input there says so
ends() {
	local where=(--cgroup "/sys/fs/cgroup/$2") note=
	[[ $2 != / ]] || where=()
	case $1 in
	0) ;;
	1) note="checmate: note: 1 UDP socket that was connected to what is refused now is ended" ;;
	*) note="checmate: note: $1 UDP sockets that were connected to what is refused now are ended" ;;
	esac
	checmate 0 netfilter load "${where[@]}" "${@:3}" -
	equal "said by load" "$note" "$stderr"
}

@test "where the kernel cannot be asked for sockets, load says so and the rules are in force" {
	! grep -q ^udp_diag /proc/modules || rmmod udp_diag
	echo "install udp_diag /bin/false" >/etc/modprobe.d/no-udp-diag.conf
	checmate 0 netfilter load --cgroup "$a" - <<<"egress policy drop"
	rm /etc/modprobe.d/no-udp-diag.conf
	equal "said by load" "checmate: note: UDP sockets that are connected may go on sending, end their programs: cannot look for all of them: No such file or directory" "$stderr"
	equal "sendto" EPERM "$(in_cgroup a "$programs/net-ways" sendto 127.0.0.1 4001)"
}

@test "a UDP socket that is connected to what new rules refuse is ended; others go on" {
	local at
	for at in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
		connected "refused-$at" a $at 4001
	done
	connected accepted a ::1 4002
	connected below a/b 127.0.0.1 4001
	connected outside out 127.0.0.1 4001
	ends 4 a <<-'END'
		egress udp to { 127.0.0.1, ::1 } port 4001 drop errno EACCES
		egress tcp port 4002 drop
	END
	for at in 127.0.0.1 ::1 ::ffff:127.0.0.1; do
		is "refused-$at" "$ended"
	done
	is accepted "$untouched"
	is below "$ended"
	is outside "$untouched"
}

@test "each of several with the same addresses is ended" {
	connected several a 5 ::1 4001
	ends 5 a <<<"egress policy drop"
	is several "$ended"
}

@test "sockets of other network namespaces are ended as well" {
	holds elsewhere a unshare -n bash -c "ip link set lo up && exec $packets hold $BATS_TEST_TMPDIR/now 127.0.0.1 4001"
	ends 1 a <<<"egress policy drop"
	is elsewhere "$ended"
}

@test "a permissive scope's rules end those sockets when they are enforced, and not before" {
	checmate 0 mode netfilter permissive --cgroup "$a"
	connected refused a 127.0.0.1 4001
	connected accepted a 127.0.0.1 4002
	ends 0 a <<<"egress udp port 4001 drop"
	checmate 0 mode netfilter enforce --cgroup "$a"
	equal "said by mode" "checmate: note: 1 UDP socket that was connected to what is refused now is ended" "$stderr"
	is refused "$ended"
	is accepted "$untouched"
	checmate 0 mode netfilter enforce --cgroup "$a"
	equal "said by mode, where it is so already" "" "$stderr"
}

@test "a configuration ends them when all of it is in force; one that is undone ends none" {
	local file=$BATS_TEST_TMPDIR/state.conf rules='rules { egress udp port 4001 drop }'
	chmod -R go-w "$BATS_RUN_TMPDIR"
	cp "$top/build/tests/bpf/config-bad.bpf.o" "$BATS_TEST_TMPDIR/"
	connected refused a 127.0.0.1 4001
	connected accepted a 127.0.0.1 4002
	echo "policy netfilter { scope /a { $rules } }
		policy config_bad { file = $BATS_TEST_TMPDIR/config-bad.bpf.o scope / { } }" >"$file"
	command checmate -f "$file" && fail "-f" 1 0
	echo "policy netfilter { scope /a { mode = permissive $rules } }" >"$file"
	checmate 0 -f "$file"
	equal "said of permissive rules" "" "$stderr"
	echo "policy netfilter { scope /a { $rules } }" >"$file"
	checmate 0 -f "$file"
	equal "said by -f" "checmate: note: 1 UDP socket that was connected to what is refused now is ended" "$stderr"
	is refused "$ended"
	is accepted "$untouched"
}

@test "a permissive scope ends none; the system's rules end those of every cgroup" {
	checmate 0 mode netfilter permissive --cgroup "$a"
	connected inside a 127.0.0.1 4001
	connected outside out 127.0.0.1 4002
	ends 0 a <<<"egress policy drop"
	ends 1 / <<<"egress udp port 4002 drop"
	checmate 0 disable netfilter --cgroup /sys/fs/cgroup
	is inside "$untouched"
	is outside "$ended"
}
