#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# What the author of a policy has: kernel/checmate.bpf.h and checmate build. The policies are those of
# tests/bpf; what they judge is a change of priority, by renice.

load helpers

net=$programs/net-try

setup() {
	new_cgroup a/b
	new_cgroup out
}

teardown() {
	local dir
	end_background
	for dir in "$pins"/packs/*; do
		[[ ! -e $dir ]] || command checmate unload "${dir##*/}"
	done
	clean
}

teardown_file() {
	assert_nothing_left
}

# policy NAME [ARG...]: loads that object
policy() {
	checmate 0 load "$top/build/tests/bpf/$1.bpf.o" "${@:2}"
}

in_a() {
	echo --cgroup /sys/fs/cgroup/a
}

# nice EXPECTED CGROUP [PRIORITY]: a process there changes its own priority; OK or the reason
nice() {
	local got
	# shellcheck disable=SC2016 # its own pid
	got=$(in_cgroup "$2" bash -c 'renice -n "$0" -p $$ 2>&1' "${3:-3}" | sed 's/.*: //')
	[[ $got != *"new priority"* ]] || got=OK
	equal "a change of priority in '$2'" "$1" "$got"
}

# own COUNTER [POLICY]: what stats shows of it
own() {
	command checmate stats -j |
		jq ".[] | select(.counter == \"$1\" and .pack == \"${2:-fields}\").count"
}

# hook COUNTER WANTED [POLICY [HOOK]]
hook() {
	equal "$1" "$2" "$(command checmate stats -j |
		jq ".[] | select(.pack == \"${3:-fields}\" and .hook == \"${4:-task_setnice}\").$1")"
}

# event FILTER: the next event satisfies it
event() {
	checmate 0 events -j
	jq -e "$1" <<<"$output" >/dev/null || fail "the event" "$1" "$output"
}

# --- in force

@test "a policy without a knob is in force where it is loaded and nowhere else" {
	policy fields --cgroup /sys/fs/cgroup/a
	nice "Permission denied" a
	nice OK out
	hook denied 1
	hook allowed 0
	event '.error == "EACCES" and .subject.cgroup == "/a" and .object == null'
}

@test "2016: a sub-cgroup cannot opt out, the ancestor's verdict binds" {
	policy fields --cgroup /sys/fs/cgroup/a
	nice "Permission denied" a/b
	checmate 0 enable fields --cgroup /sys/fs/cgroup/a/b
	checmate 0 mode fields permissive --cgroup /sys/fs/cgroup/a/b
	nice "Permission denied" a/b
	checmate 0 disable fields --cgroup /sys/fs/cgroup/a/b
	nice "Permission denied" a/b
	hook denied 3
}

@test "enforced below a permissive ancestor is enforced, and permissive elsewhere in it" {
	policy fields --cgroup /sys/fs/cgroup/a --cgroup /sys/fs/cgroup/a/b
	checmate 0 mode fields permissive --cgroup /sys/fs/cgroup/a
	nice "Permission denied" a/b
	nice OK a
	hook denied 1
	hook would_deny 1
}

@test "system-wide means every task, permissive changes no outcome, disabled asks nobody" {
	policy fields
	nice "Permission denied" out
	checmate 0 mode fields permissive
	nice OK out
	checmate 0 enable fields --cgroup /sys/fs/cgroup/a
	checmate 0 disable fields --cgroup /sys/fs/cgroup
	nice OK out
	nice "Permission denied" a
	hook denied 2
	hook would_deny 1
}

@test "a cgroup that is removed takes its scope along" {
	policy fields --cgroup /sys/fs/cgroup/a/b --cgroup /sys/fs/cgroup/out
	nice "Permission denied" a/b
	rmdir /sys/fs/cgroup/a/b
	mkdir /sys/fs/cgroup/a/b
	nice OK a/b
	nice "Permission denied" out
}

# --- the scopes on a path one by one

# limit_in CGROUP LIMIT: `limit` of the policy levels there
limit_in() {
	checmate 0 enable levels --cgroup "/sys/fs/cgroup/$1" "limit=$2"
}

again="Resource temporarily unavailable"

@test "each scope on the path, and the system, keeps an account of its own; what one refuses counts at none" {
	policy levels limit=7
	limit_in a 4
	limit_in a/b 2
	nice OK a/b
	nice OK a/b
	nice "$again" a/b
	nice "$again" a/b
	event '.fields == { level: 0, levels: 1 } and .reason == "limit" and .error == "EAGAIN"'
	nice OK a
	nice OK a
	nice "$again" a
	nice "$again" a/b
	nice OK out
	nice OK out
	nice OK out
	nice "$again" out
	hook denied 5 levels
	hook allowed 7 levels
}

@test "a scope of the path that is permissive reports what it would refuse, the others refuse" {
	policy levels --cgroup /sys/fs/cgroup/a limit=2
	limit_in a/b 3
	checmate 0 mode levels permissive --cgroup /sys/fs/cgroup/a
	nice OK a/b
	nice OK a/b
	nice OK a/b
	nice "$again" a/b
	hook would_deny 1 levels
	hook denied 1 levels
}

@test "a scope that is put between two others counts from then on, and no more when it is taken away" {
	policy levels limit=9
	limit_in a/b 5
	nice OK a/b
	limit_in a 1
	nice OK a/b
	nice "$again" a/b
	event '.fields == { level: 1, levels: 2 }'
	checmate 0 disable levels --cgroup /sys/fs/cgroup/a
	nice OK a/b
	nice OK a/b
	nice OK a/b
	nice "$again" a/b
}

@test "a scope begins with an empty account, whoever had its place before; a replaced policy goes on with it" {
	policy levels limit=9
	limit_in a 2
	nice OK a
	nice OK a
	nice "$again" a
	checmate 0 replace levels "$top/build/tests/bpf/levels.bpf.o"
	nice "$again" a
	checmate 0 disable levels --cgroup /sys/fs/cgroup/a
	limit_in out 2
	nice OK out
	nice OK out
	nice "$again" out
	limit_in a 1
	nice OK a
	nice "$again" a
}

@test "of two limits the smaller one is the stricter, and 0 is none" {
	policy levels --cgroup /sys/fs/cgroup/a limit=0
	limit_in a/b 5
	checmate 0 get -n kernel.levels.limit --cgroup /sys/fs/cgroup/a/b
	equal "below no limit" 5 "$output"
	checmate 0 set kernel.levels.limit=3 --cgroup /sys/fs/cgroup/a
	checmate 0 get -n kernel.levels.limit --cgroup /sys/fs/cgroup/a/b
	equal "below a smaller one" 3 "$output"
	checmate 0 set kernel.levels.limit=0 --cgroup /sys/fs/cgroup/a/b
	checmate 0 get -n kernel.levels.limit --cgroup /sys/fs/cgroup/a/b
	equal "none below one" 3 "$output"
	checmate 0 set kernel.levels.limit=7 --cgroup /sys/fs/cgroup/a
	checmate 0 set kernel.levels.limit=6 --cgroup /sys/fs/cgroup/a/b
	checmate 0 get -n kernel.levels.limit --cgroup /sys/fs/cgroup/a/b
	equal "a smaller one below" 6 "$output"
}

# --- events and counters of the author's own

@test "an event shows the policy's own fields, one of each kind, as text and as JSON" {
	policy fields --cgroup /sys/fs/cgroup/a
	nice "Permission denied" a 3
	checmate 0 events
	[[ $output == *' cgroup=/a nice=-3 flags=0xfeedf00dbeef port=443 address=192.0.2.1 gateway=2001:db8::1 task="bash" error=EACCES '* ]] ||
		fail "the line" "six fields" "$output"
	nice "Permission denied" a 3
	event '.fields == {"nice": -3, "flags": "0xfeedf00dbeef", "port": 443,
		"address": "192.0.2.1", "gateway": "2001:db8::1", "task": "bash"}'
	nice "Operation not permitted" a -3
	event '.fields == {} and .reason == "negative" and .message == "\"renice\"[\(.subject.pid)] attempted task.setnice"'
}

@test "a notice is an event without an error, in either mode, where the policy is in force; no denial is counted" {
	policy notice --cgroup /sys/fs/cgroup/a
	nice OK out
	nice OK a 3
	checmate 0 mode notice permissive --cgroup /sys/fs/cgroup/a
	nice OK a 1
	nice OK a 4
	checmate 0 events
	[[ ${lines[0]} == *' notice notice task.setnice pid='*' cgroup=/a nice=3 reason=seen: "renice"['*']: task.setnice' &&
		${lines[1]} == *' notice notice task.setnice pid='*' cgroup=/a reason=plain: '* &&
		${#lines[@]} -eq 2 && $output != *error=* ]] || fail "the lines" "two notices" "$output"
	local counter
	for counter in denied would_deny allowed lost errors; do
		hook "$counter" 0 notice
	done
	hook suppressed 1 notice
	checmate 0 unload notice
	policy notice
	nice OK out 3
	event '.verdict == "notice" and .error == null and .fields == { nice: 3 } and .suppressed == 0'
}

@test "counters that a policy declares stand beside the built-in ones, and last over a replacement" {
	policy fields --cgroup /sys/fs/cgroup/a
	nice OK out 2
	nice OK a 7
	nice "Permission denied" a 4
	hook allowed 1
	equal "asked" 3 "$(own asked)"
	equal "lowered" 11 "$(own lowered)"
	checmate 0 stats
	[[ $output == *$'\nPACK    COUNTER  COUNT\nfields  asked        3\nfields  lowered     11' ]] ||
		fail "the table" "both counters" "$output"
	checmate 0 replace fields "$top/build/tests/bpf/fields.bpf.o"
	equal "asked" 3 "$(own asked)"
}

# --- maps shared by name

@test "2016: two policies share a map by its name: one notes, the other acts on it" {
	policy offence-note --cgroup /sys/fs/cgroup/a
	policy offence-deny
	try() {
		equal "a socket in $2" "$1" "$(in_cgroup "$2" "$net" bind 5555)"
	}
	try 5555 a
	nice OK a
	try EACCES a
	try 5555 out
	event '.reason == "offender" and .subject.cgroup == "/a" and .fields.family == 2'
}

@test "a shared map lasts as long as a policy that shares it, and is gone with the last one" {
	policy offence-note
	policy offence-deny
	nice OK a
	checmate 0 unload offence_note
	[[ -e $pins/shared/offenders ]] || fail "$pins/shared/offenders" there gone
	equal "entries" 1 "$(bpftool -j map dump pinned "$pins/shared/offenders" | jq length)"
	checmate 0 replace offence_deny "$top/build/tests/bpf/offence-deny.bpf.o"
	equal "entries" 1 "$(bpftool -j map dump pinned "$pins/shared/offenders" | jq length)"
	checmate 0 unload offence_deny
	leaves_nothing
}

@test "a shared map that another policy defines otherwise is refused, and nothing is left of it" {
	policy offence-note
	remember
	refused 1 "checmate: offence_other: the shared map offenders is there with value size 8, here it has 4" \
		load "$top/build/tests/bpf/offence-other.bpf.o"
	unchanged
}

# --- jumps

# Four policies on one hook: jump, between, target, after. The last three are the same object.
chain() {
	policy jump --priority 10
	policy fields --name between --priority 20
	policy fields --name target --priority 30
	policy fields --name after --priority 40
}

# asked "BETWEEN TARGET AFTER"
asked() {
	equal "asked: between, target, after" "$1" \
		"$(own asked between) $(own asked target) $(own asked after)"
}

@test "2016: a jump (tail call) leads to the named policy past those in between, and the chain goes on behind it" {
	chain
	nice OK out 7 # jumps
	asked "0 1 1"
	nice "Permission denied" out 3 # does not
	asked "1 1 1"
}

@test "a jump goes on at the next policy where the named one is not loaded or stands before" {
	policy jump --priority 10
	policy fields --name between --priority 20
	nice OK out 7
	equal "asked" 1 "$(own asked between)"
	policy fields --name target --priority 5
	nice OK out 7
	equal "asked" 2 "$(own asked between)"
	equal "asked" 1 "$(own asked target)"
}

@test "a jump follows the named policy when it is replaced, unloaded and loaded again" {
	chain
	checmate 0 replace target "$top/build/tests/bpf/fields.bpf.o"
	nice OK out 7
	asked "0 1 1"
	checmate 0 replace jump "$top/build/tests/bpf/jump.bpf.o"
	nice OK out 7
	asked "0 2 2"
	checmate 0 unload target
	nice OK out 7
	equal "asked" "1 3" "$(own asked between) $(own asked after)"
	policy fields --name target --priority 30
	nice OK out 7
	asked "1 1 4"
}

# --- what 2016's Checmate had

@test "2016: each of its hooks is asked, with the kernel's own arguments" {
	local each
	policy hooks-2016 --cgroup /sys/fs/cgroup/a
	equal "net-try every" OK "$(in_cgroup a "$net" every)"
	equal "a process" "" "$(in_cgroup a bash -c ': </dev/null; (true)')"
	for each in file_open task_alloc task_free unix_stream_connect unix_may_send socket_create \
		socket_bind socket_connect socket_listen socket_accept socket_sendmsg socket_recvmsg \
		socket_shutdown socket_sock_rcv_skb sk_free_security; do
		asked_at() {
			(($(command checmate stats -j |
				jq ".[] | select(.hook == \"$each\").allowed") > 0))
		}
		until_true 10 asked_at || fail "asked at $each" "at least once" never
	done
}

@test "2016: map and current-task helpers, and an exemption of what is under a cgroup" {
	local id key
	policy helpers-2016
	nice "Operation not permitted" a/b
	event '.fields.pid == .subject.pid and .fields.tgid == .subject.pid and .fields.uid == 0 and
		.fields.comm == "renice"'
	equal "tries" 1 "$(bpftool -j map dump pinned "$pins/packs/helpers_2016/map_tries" | jq length)"
	id=$(stat -c %i /sys/fs/cgroup/a)
	key=$(printf '%016x' "$id" | sed 's/../& /g' | tr ' ' '\n' | tac | tr '\n' ' ')
	# shellcheck disable=SC2086 # byte by byte
	bpftool map update pinned "$pins/packs/helpers_2016/map_exempt" key hex $key \
		value 1 0 0 0 0 0 0 0
	nice OK a/b
	nice "Operation not permitted" out
}

# --- void hooks, auxiliary programs

@test "2016: void hooks count what is freed: tasks and sockets" {
	local i
	policy exits
	for ((i = 0; i < 5; i++)); do
		"$net" bind 0 >/dev/null
	done
	gone() {
		(($(own tasks exits) >= 5 && $(own sockets exits) >= 5))
	}
	until_true 10 gone
}

@test "a rule on socket addresses refuses with its own errno, in scope, or only counts" {
	policy sockaddr --cgroup /sys/fs/cgroup/a refused=5555
	equal "bind in a" EXFULL "$(in_cgroup a "$net" bind 5555)"
	event '.action == "socket.bind4" and .fields.port == 5555 and .subject.cgroup == "/a"'
	equal "bind outside" 5555 "$(in_cgroup out "$net" bind 5555)"
	hook denied 1 sockaddr bind4
	checmate 0 mode sockaddr permissive --cgroup /sys/fs/cgroup/a
	equal "bind in a" 5555 "$(in_cgroup a "$net" bind 5555)"
	hook would_deny 1 sockaddr bind4
}

@test "2016: a rule on socket addresses sends a connection elsewhere" {
	policy sockaddr --cgroup /sys/fs/cgroup/a instead=5556
	said=$BATS_TEST_TMPDIR/said
	background "$net" serve 5556 >"$said"
	until_true 20 test -s "$said"
	equal "connect in a" OK "$(in_cgroup a "$net" connect 127.0.0.1 1)"
	equal "connect outside" ECONNREFUSED "$(in_cgroup out "$net" connect 127.0.0.1 1)"
}

@test "what runs beside the hooks is gone with the policy" {
	policy sockaddr
	[[ $(bpftool cgroup show /sys/fs/cgroup) == *cm_bind4* ]]
	checmate 0 unload sockaddr
	leaves_nothing
}

# --- checmate build; what no kernel decides of it is in build.bats

@test "build gives a source that wants them all types of the running kernel" {
	cd "$BATS_TEST_TMPDIR"
	cat >typed.bpf.c <<-'END'
		#include "vmlinux.h"
		#include "checmate.bpf.h"

		CM_PACK("typed", .question = "May this file be opened?");

		CM_HOOK(file_open, struct file *file)
		{
			if (file->f_inode->i_sb->s_magic != 0x64626720) /* debugfs */
				return CM_ALLOW;
			return cm_deny(EROFS, "file.open", "debugfs",
				       cm_text("name", file->f_path.dentry->d_name.name));
		}

		CM_HOOK(socket_connect, struct socket *sock, struct sockaddr *address, int length)
		{
			struct cm_ipv4_address to;
			struct sock *sk = sock->sk;

			if (!sk || sk->sk_protocol != IPPROTO_TCP || !cm_read_ipv4(address, length, &to))
				return CM_ALLOW;
			return cm_sock_deny(sk, EPERM, "socket.connect", "tcp");
		}
	END
	checmate 0 build typed.bpf.c
	[[ -z $(find /tmp -maxdepth 1 -name 'checmate-build-*') ]]
	checmate 0 load typed.bpf.o --cgroup /sys/fs/cgroup/a
	equal "connect in a" EPERM "$(in_cgroup a "$net" connect 127.0.0.1 5)"
	run in_cgroup a cat /sys/kernel/debug/sched/features
	[[ $output == *"Read-only file system"* ]] || fail "cat" EROFS "$output"
	checmate 0 events
	[[ $output == *' name="features" error=EROFS '* ]] || fail "the event" 'name="features"' "$output"
}
