#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack netfilter around containers, as crun runs them, all on one address and in one network
# namespace. By make soak: the tree has crun, and the programs that people use.

load ../../tests/helpers
load ../hardchroot/workloads
load words

setup() {
	[[ -d $tree ]] || skip "no root tree: tests/vm/tree fetch"
	new_cgroup web
	new_cgroup one
	new_cgroup two
	new_cgroup free
}

teardown() {
	withdraw netfilter
	clean
}

teardown_file() {
	assert_nothing_left
}

@test "containers on one address: what a rule accepts works, the rest gets EPERM at the call, and a neighbour all" {
	rules web <<-'END'
		bind tcp port 8080 accept
		bind policy drop
		ingress from 127.0.0.2 drop
		egress policy drop
	END
	rules one <<-'END'
		egress tcp to 127.0.0.1 port { 8080, 2222 } accept
		egress udp to 127.0.0.1 port 5300 accept
		# By a connect there ping finds out its own address.
		egress udp to 127.0.0.1 port 1025 accept
		egress policy drop
		create family inet type dgram protocol icmp accept
	END
	rules two <<-'END'
		egress tcp to 127.0.0.1 port 8081 accept
		egress policy drop
		listen policy drop
	END
	in_tree <<'END'
	# box CGROUP: a container with this system's files, its rules those of the cgroup
	box() {
		mkdir -p "/srv/$1/rootfs"
		mount --bind / "/srv/$1/rootfs"
		cd "/srv/$1"
		crun spec
		sed -i -e 's/"terminal": true/"terminal": false/' -e "s|\"sh\"\$|\"sh\", \"/srv/tries\", \"$1\"|" \
			-e 's|"type": "network"|&, "path": "/proc/self/ns/net"|' config.json
		echo $BASHPID >"/sys/fs/cgroup/$1/cgroup.procs"
		exec crun --cgroup-manager=disabled run "$1"
	}
	got() {
		equal "in the container $1" "$2" "$(box "$1" </dev/null)"
	}

	# It says of each program whether it did its work, or what it was told.
	cat >/srv/tries <<'TRIES'
	try() {
		name=$1
		shift
		said=$("$@" 2>&1 </dev/null) && said=OK
		case $said in
		*"Operation not permitted"* | *"permission denied"*) said=EPERM ;;
		*"timed out"*) said=silence ;;
		esac
		echo "$name $said"
	}
	if [ "$1" = web ]; then
		try other busybox httpd -f -p 8081
		exec busybox httpd -f -p 8080 -h /srv/www
	fi
	try curl curl -sSv http://127.0.0.1:8080/page
	try other curl -sSv http://127.0.0.1:8081/page
	try from curl -sSv -m 5 --interface 127.0.0.2 http://127.0.0.1:8080/page
	try nc nc -zv 127.0.0.1 8080
	try ssh ssh -i /root/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 2222 guest@127.0.0.1 true
	try dig dig +tries=1 +timeout=60 -p 5300 @127.0.0.1 host.test A
	try ping ping -4 -c 1 -W 60 127.0.0.1
	try listen timeout 2 nc -l 127.0.0.1 8082
TRIES

	mkdir -p /srv/www /srv/named
	echo page >/srv/www/page
	start_sshd
	printf '%s\n' 'options { directory "/srv/named"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; };' \
		'pid-file none; session-keyfile none; recursion no; dnssec-validation no; };' \
		'controls { }; zone "test" { type primary; file "zone"; };' >/srv/named/named.conf
	printf '%s\n' '$TTL 60' '@ SOA ns admin 1 60 60 60 60' '@ NS ns' 'ns A 127.0.0.1' 'host A 192.0.2.7' \
		>/srv/named/zone
	named -g -n 1 -c /srv/named/named.conf >/root/named.log 2>&1 &
	answers() { [[ $(dig +short +tries=1 -p 5300 @127.0.0.1 host.test A) == 192.0.2.7 ]]; }
	until_true 120 answers || log_of named
	busybox httpd -p 8081 -h /srv/www
	echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range

	box web >/root/web.log 2>&1 </dev/null &
	until_true 120 curl -s -o /dev/null http://127.0.0.1:8080/page || log_of web
	equal "in the container web" "other EPERM" "$(cat /root/web.log)"
	got free $'curl OK\nother OK\nfrom silence\nnc OK\nssh OK\ndig OK\nping OK\nlisten '
	got one $'curl OK\nother EPERM\nfrom silence\nnc OK\nssh OK\ndig OK\nping OK\nlisten '
	got two $'curl EPERM\nother OK\nfrom EPERM\nnc EPERM\nssh EPERM\ndig EPERM\nping EPERM\nlisten EPERM'
END
}
