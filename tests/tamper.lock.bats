#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# checmate lock: the tamper matrix. Each way is tried as root with all capabilities, and is refused with
# the errno that is named, or does no harm: what was forbidden before is forbidden afterwards. The file
# has a guest of its own, which stays locked.

load helpers

yama=$pins/packs/yama
attempts=$programs/lock-try

# tampering EXPECTED ARG...: of lock-try
tampering() {
	equal "lock-try ${*:2}" "$1" "$("$attempts" "${@:2}")"
}

# fails MESSAGE COMMAND...: with that in what it says
fails() {
	local message=$1 said
	shift
	if said=$("$@" 2>&1); then
		fail "$*" "a failure" "success"
	fi
	[[ $said == *"$message"* ]] || fail "$*" "$message" "$said"
}

# attempt_bind EXPECTED CGROUP PORT
attempt_bind() {
	equal "bind to port $3 in '/$2'" "$1" "$(in_cgroup "$2" "$attempts" bind "$3")"
}

# What the policies forbid is still forbidden, with the errno it had.
holds() {
	target
	attempt EPERM "" attach
	attempt EPERM a attach
	attempt_bind EACCES a 1000
	attempt_bind EACCES a/b 1000
	attempt_bind OK "" 1000
	attempt_bind OK a 1101
	end_background
}

btf_id() {
	sed -nE "s/^\[([0-9]+)\] FUNC '$1' .*/\1/p" "$BATS_FILE_TMPDIR/btf"
}

# killed_after "KIND COUNT": lock, which did not come to its end
killed_after() {
	local stopped
	# shellcheck disable=SC2086 # two words
	stopped=$("$programs/lifecycle-kill" $1 "$top/build/checmate" lock)
	[[ $stopped != end ]] || fail "lock killed after $1" "killed" "ended"
}

setup_file() {
	bpftool btf dump file /sys/kernel/btf/vmlinux | grep -E \
		"FUNC '(bpf_lsm_(ptrace_access_check|task_getpgid|bpf|inode_unlink)|security_ptrace_access_check|bpf_iter_bpf_map_elem)'" \
		>"$BATS_FILE_TMPDIR/btf"
	new_cgroup a/b
	checmate 0 enable yama ptrace_scope=1
	checmate 0 enable yama --cgroup /sys/fs/cgroup/a ptrace_scope=2
	checmate 0 load build/tests/bpf/lock.bpf.o --cgroup /sys/fs/cgroup/a low=1000
	checmate 0 enable lock_test --cgroup /sys/fs/cgroup/a/b
}

teardown() {
	end_background
}

# --- until it is locked

@test "nothing is locked while nothing is in force" {
	[[ ! -e $pins/lock ]]
}

@test "a BPF program that is there already and could undo a policy keeps lock from being done: it is named" {
	background "$attempts" hold 29 27 "$(btf_id bpf_lsm_ptrace_access_check)"
	remember
	refused 1 "*BPF program * (stranger) could undo the policies*" lock
	unchanged
	[[ ! -e $pins/lock && ! -e $pins/locking ]]
}

@test "a policy with a map that cannot be frozen keeps lock from being done: the map is named" {
	checmate 0 load build/tests/bpf/unfreezable.bpf.o
	refused 1 "*packs/unfreezable/map_boxes cannot be frozen*" lock
	[[ ! -e $pins/lock && ! -e $pins/locking ]]
	checmate 0 unload unfreezable
}

@test "lock from another mount namespace is refused and changes nothing" {
	remember
	fails "another mount namespace" unshare -m "$top/build/checmate" lock
	unchanged
}

@test "a lock that is killed has not happened, or is completed by the next call, and loosens nothing" {
	local step last
	# One guest sees one kill after the point of no return, the rename: in each of them another.
	case $CHECMATE_KERNEL in
	6.1) last="rename 1" ;;
	6.12) last="bpf-map-freeze 6" ;;
	*) last="bpf-map-freeze 30" ;;
	esac
	remember
	for step in "mkdir 1" "bpf-prog-load 9" "bpf-pin 1" "bpf-attach 1" "bpf-pin 9" \
		"bpf-map-update 1" "bpf-map-update 40" "bpf-attach 13"; do
		killed_after "$step"
		checmate 0 status -j
		[[ ! -e $pins/lock && ! -e $pins/locking ]] || fail "after $step" "no traces" "traces"
		unchanged
		holds
	done
	killed_after "$last"
	[[ -e $pins/lock ]]
	holds
	checmate 0 status
	[[ $output == *"locked until reboot"* ]] || fail "status after $last" "locked" "$output"
	holds
}

# --- a. the command

@test "a second lock says so: one line" {
	refused 1 "checmate: already locked: that holds until reboot" lock
}

@test "status and doctor show that it is locked" {
	checmate 0 status -j
	jq -e 'all(.[]; .locked)' <<<"$output"
	checmate 0 doctor
	[[ $output == *"locked until reboot"* ]]
}

@test "disable, unload, replace, load, enable and permissive are refused, for each scope" {
	remember
	local a=/sys/fs/cgroup/a
	refused 1 "*locked until reboot" disable yama
	refused 1 "*locked until reboot" disable yama --cgroup $a
	refused 1 "*locked until reboot" unload lock_test
	refused 1 "*locked until reboot" replace lock_test build/tests/bpf/lock.bpf.o
	refused 1 "*locked until reboot" order lock_test --priority 7
	refused 1 "*locked until reboot" load build/examples/port-one.bpf.o
	refused 1 "*locked until reboot" enable yama --cgroup $a ptrace_scope=0
	refused 1 "*locked until reboot" mode yama permissive
	refused 1 "*locked until reboot" mode yama permissive --cgroup $a
	unchanged
	holds
}

@test "a configuration is refused if it would change something" {
	command checmate save >/run/state.conf
	checmate 0 -f /run/state.conf
	sed 's/mode = enforce/mode = permissive/' /run/state.conf >/run/changed.conf
	remember
	refused 1 "checmate: cannot apply a configuration: locked until reboot" -f /run/changed.conf
	unchanged
}

@test "set below the value is refused, for the system and a cgroup" {
	remember
	checmate 1 set "$knob=0"
	checmate 1 set "$knob=1" --cgroup /sys/fs/cgroup/a
	unchanged
	holds
}

@test "a stricter value can be set, for the system, a cgroup and what lies in it, by each rule of strictness" {
	local prefix=checmate.lock_test a=/sys/fs/cgroup/a
	checmate 0 set "$prefix.low=1100" --cgroup $a
	attempt_bind EACCES a/b 1100
	attempt_bind OK a/b 1101
	refused 1 "*is 1100 in $a: locked, it can only become stricter" set "$prefix.low=1099" --cgroup $a
	checmate 0 set "$prefix.high=2000" --cgroup $a
	attempt_bind EACCES a 2000
	attempt_bind EACCES a/b 2000
	attempt_bind OK a 1999
	refused 1 "*can only become stricter" set "$prefix.high=2001" --cgroup $a
	checmate 0 set "$prefix.bits=1" --cgroup $a/b
	attempt_bind OK a 1999
	attempt_bind EACCES a/b 1999
	attempt_bind OK a/b 1998
	refused 1 "*can only become stricter" set "$prefix.bits=2" --cgroup $a/b
	checmate 0 set "$prefix.bits=3" --cgroup $a/b
	checmate 0 set "$prefix.bits=3" --cgroup $a/b
	attempt_bind EACCES a/b 1998
	refused 1 "*out of range*" set "$prefix.bits=65536" --cgroup $a/b
	checmate 0 set "$prefix.most=1800" --cgroup $a
	attempt_bind EACCES a 1802
	attempt_bind OK a 1800
	refused 1 "*can only become stricter" set "$prefix.most=1801" --cgroup $a
	refused 1 "*can only become stricter" set "$prefix.most=0" --cgroup $a
	checmate 0 set "$prefix.most=1798" --cgroup $a
	attempt_bind EACCES a 1800
	checmate 0 set "$prefix.low=1050"
	attempt_bind OK "" 1051
	checmate 0 status -j
	jq -e '[.[].scopes[].knobs[].effective] | index(1100)' <<<"$output"
	holds
}

# --- b. names of the pins

@test "rm, mv, ln, touch, mkdir, ln -s of and among the pins: EPERM" {
	remember
	local denied="Operation not permitted"
	fails "$denied" rm -r "$pins"
	fails "$denied" rm "$yama/state"
	fails "$denied" rmdir "$yama"
	fails "$denied" mv "$pins" /sys/fs/bpf/elsewhere
	fails "$denied" mv "$yama/rows" /sys/fs/bpf/rows
	fails "$denied" mv "$pins/lock" "$pins/locking"
	fails "$denied" ln "$yama/rows" /sys/fs/bpf/rows
	fails "$denied" ln -s /tmp "$pins/building"
	fails "$denied" mkdir "$pins/building"
	fails "$denied" bpftool map create "$pins/packs/x" type array key 4 value 4 entries 1 name x
	unchanged
}

@test "names beside them are as free as before" {
	bpftool map create /sys/fs/bpf/x type array key 4 value 4 entries 1 name x
	mv /sys/fs/bpf/x /sys/fs/bpf/y
	mkdir /sys/fs/bpf/z
	rmdir /sys/fs/bpf/z
	rm /sys/fs/bpf/y
}

# --- c. the mount

@test "umount, also -l and -f, of the bpf file system or of what it is mounted on: EPERM" {
	local place
	for place in /sys/fs/bpf /sys /; do
		tampering EPERM umount $place 0
		tampering EPERM umount $place 1
		tampering EPERM umount $place 2
	done
	holds
}

@test "umount in another namespace, which spreads: EPERM; where it does not spread it works" {
	mount --make-rshared /
	fails "" unshare -m --propagation shared umount -l /sys/fs/bpf
	fails "" unshare -m --propagation shared umount -l /sys
	unshare -m --propagation slave umount -l /sys/fs/bpf
	unshare -m --propagation private umount -l /sys
	mount --make-rprivate /
	[[ -e $yama/state ]]
	holds
}

@test "overmount, bind and remount on it: refused" {
	fails "permission denied" mount -t tmpfs none /sys/fs/bpf
	fails "permission denied" mount -t tmpfs none "$pins"
	fails "permission denied" mount --bind /tmp "$yama"
	fails "" mount -o remount,ro /sys/fs/bpf
	tampering EPERM move-mount /tmp "$pins"
	tampering EPERM move-mount /tmp /sys/fs/bpf
	[[ -e $yama/state ]]
}

@test "moving the mount away ends nothing, and it cannot be unmounted there either" {
	mkdir -p /tmp/elsewhere
	if mount --move /sys/fs/bpf /tmp/elsewhere; then
		tampering EPERM umount /tmp/elsewhere 2
		holds
		mount --move /tmp/elsewhere /sys/fs/bpf
	fi
	checmate 0 status
	holds
}

@test "other mounts come and go as before" {
	mount -t tmpfs none /mnt
	mkdir /mnt/x
	umount /mnt
	tampering OK move-mount /tmp /mnt
	umount /mnt
}

# --- d. bpf(2)

@test "update, batch, delete, mmap for writing of maps, by pin and by id: EPERM" {
	local map id
	for map in state rows scopes cache counters map_relations; do
		id=$(bpftool -j map show pinned "$yama/$map" | jq .id)
		tampering EPERM update "$yama/$map"
		tampering EPERM update "id:$id"
		tampering EPERM batch "$yama/$map"
		tampering EPERM delete "$yama/$map"
		tampering EPERM take "$yama/$map"
	done
	for map in state cache counters; do
		tampering EPERM mmap "$yama/$map"
	done
	for map in ours shapes state; do
		tampering EPERM update "$pins/lock/$map"
		tampering EPERM delete "$pins/lock/$map"
	done
	holds
}

@test "a change of the chains: EPERM" {
	tampering EPERM chain "$pins/hooks/ptrace_access_check/root"
	tampering EPERM delete "$pins/hooks/ptrace_access_check/root"
	tampering EPERM chain "$yama/next_ptrace_access_check"
	tampering EPERM delete "$yama/next_ptrace_access_check"
	holds
}

@test "detach and update of links: EPERM, or the kernel knows no such thing for them" {
	tampering EPERM detach "$pins/lock/link_cm_guard_sysctl"
	tampering EPERM change "$pins/lock/link_cm_guard_sysctl"
	tampering EPERM change-shared "$pins/lock/link_cm_guard_sysctl"
	tampering EPERM detach "$pins/packs/lock_test/link_cm_bind4"
	tampering EPERM change "$pins/packs/lock_test/link_cm_bind4"
	tampering EOPNOTSUPP detach "$pins/hooks/ptrace_access_check/link"
	tampering EINVAL change "$pins/hooks/ptrace_access_check/link"
	holds
}

@test "a new program that has one of the maps, or a map of maps into which one fits: EPERM" {
	tampering EPERM uses "$yama/rows"
	tampering EPERM uses "$yama/state"
	tampering EPERM uses-inner "$yama/rows"
	tampering EPERM uses-inner "$yama/scopes"
	tampering EPERM uses "$pins/lock/state"
	bpftool map create /sys/fs/bpf/x type array key 4 value 3000 entries 1 name x
	tampering OK uses /sys/fs/bpf/x
	tampering OK uses-inner /sys/fs/bpf/x
	rm /sys/fs/bpf/x
}

# --- e. the module

@test "the file under /proc/sys cannot be written lower; it can be written higher, and stays there" {
	[[ -e $knob_file ]] || skip "no module for this kernel"
	remember
	fails "Operation not permitted" tee "$knob_file" <<<0
	unchanged
	holds
	value 1
	echo 2 >"$knob_file"
	value 2
	fails "Operation not permitted" tee "$knob_file" <<<1
	refused 1 "*can only become stricter" set "$knob=1"
	value 2
}

@test "unloading the module does no harm: the value stays" {
	[[ -e $knob_file ]] || skip "no module for this kernel"
	rmmod checmate || true
	value 2
	holds
	[[ -e $knob_file ]] || modprobe checmate
}

# --- g. cgroups

# moving EXPECTED PID CGROUP: by the file that is named
moving() {
	local said=OK
	said=$( (echo "$2" >"/sys/fs/cgroup/$3") 2>&1 && echo OK) || true
	[[ $said == *"$1"* ]] || fail "process of $(cat "/proc/$2/cgroup") to $3" "$1" "$said"
}

@test "no task leaves a scope, whoever moves it: EPERM; inside, and from outside into one, it may be moved" {
	local inside outside denied="Operation not permitted"
	new_cgroup c
	new_cgroup a/d
	background in_cgroup a sleep 1000
	inside=$started
	moving "$denied" "$inside" cgroup.procs
	moving "$denied" "$inside" c/cgroup.procs
	moving "$denied" "$inside" c/cgroup.threads
	moving OK "$inside" a/d/cgroup.procs
	moving "$denied" "$inside" c/cgroup.procs
	moving OK "$inside" a/cgroup.procs
	moving OK "$inside" a/b/cgroup.procs
	moving "$denied" "$inside" a/cgroup.procs
	background sleep 1000
	outside=$started
	moving OK "$outside" c/cgroup.procs
	moving OK "$outside" cgroup.procs
	moving OK "$outside" a/d/cgroup.procs
	moving "$denied" "$outside" cgroup.procs
}

@test "no task makes a child outside its scope (CLONE_INTO_CGROUP): EPERM; inside it may" {
	local c=/sys/fs/cgroup/c a=/sys/fs/cgroup/a
	new_cgroup c
	new_cgroup a/d
	equal "clone from a into c" EPERM "$(in_cgroup a "$attempts" clone $c)"
	equal "clone from a/d into c" EPERM "$(in_cgroup a/d "$attempts" clone $c)"
	equal "clone from a/d into a" OK "$(in_cgroup a/d "$attempts" clone $a)"
	equal "clone from a into a/d" OK "$(in_cgroup a "$attempts" clone $a/d)"
	equal "clone from c into a" OK "$(in_cgroup c "$attempts" clone $a)"
	equal "clone from a/b into a" EPERM "$(in_cgroup a/b "$attempts" clone $a)"
}

@test "removing a cgroup does not take its scope away" {
	rmdir /sys/fs/cgroup/a/b
	checmate 0 status -j
	jq -e '.[] | select(.name == "lock_test").scopes | map(.cgroup) | index("(removed)")' <<<"$output"
	new_cgroup a/b
	attempt_bind EACCES a/b 1000
	holds
}

# --- h. in front

@test "a new LSM program on a hook of a policy or of the guard: EPERM; on another it may be" {
	local hook
	for hook in bpf_lsm_ptrace_access_check bpf_lsm_bpf bpf_lsm_inode_unlink; do
		tampering EPERM load 29 27 "$(btf_id "$hook")"
		tampering EPERM front "$(btf_id "$hook")"
		tampering EPERM load 29 43 "$(btf_id "$hook")"
	done
	tampering OK load 29 27 "$(btf_id bpf_lsm_task_getpgid)"
	holds
}

@test "fmod_ret on a security_ function, and an iterator over a map's elements: EPERM" {
	tampering EPERM load 26 26 "$(btf_id security_ptrace_access_check)"
	tampering EPERM load 26 28 "$(btf_id bpf_iter_bpf_map_elem)"
	holds
}

@test "another program on socket addresses where a policy has one: EPERM; elsewhere it may be" {
	tampering EPERM sockaddr /sys/fs/cgroup 8 legacy
	tampering EPERM sockaddr /sys/fs/cgroup/a 8 link
	tampering OK sockaddr /sys/fs/cgroup/a 10 link
	holds
}

@test "switching ftrace off, on which BPF programs hang: refused" {
	fails "Operation not" tee /proc/sys/kernel/ftrace_enabled <<<0
	equal ftrace_enabled 1 "$(</proc/sys/kernel/ftrace_enabled)"
	holds
}

# --- i. processes

@test "no process of ours is there that could be killed" {
	equal "processes" "" "$(pgrep -x checmate || true)"
	holds
}
