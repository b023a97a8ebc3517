#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# Hardchroot: the catalogue of ways out runs here, without the pack, with it, and with hardchroot_lookup
# as well; contract.bats has a claim for each of its rows. The tests here are of all else: each knob by
# itself, permissive, a cgroup, events, names, profiles, the lock.

load ../../tests/helpers
load table

cases=$programs/hardchroot-cases
jail=/run/hardchroot-jail

# catalogue MODE: all lines of it
catalogue() {
	"$cases" run >"$lines_of/$1"
}

# since STATS: how much more than those the stats -j on standard input have
since() {
	jq --argjson before "$1" 'map(select(.hook) | . as $now |
		($before[] | select(.pack == $now.pack and .hook == $now.hook)) as $then |
		.denied -= $then.denied | .would_deny -= $then.would_deny)'
}

# hooks_with COUNTER: that are not 0, of stats -j
hooks_with() {
	jq -r ".[] | select(.$1 > 0) | \"\(.pack) \(.hook)\"" | sort
}

# each_knob: what the rows say where that one alone is set
each_knob() {
	local knob
	read_table
	command checmate enable hardchroot "${knobs[@]/%/=0}"
	for knob in "${knobs[@]}"; do
		command checmate set "kernel.hardchroot.$knob=1"
		rows_for "$knob" | xargs "$cases" run >"$lines_of/$knob"
		command checmate set "kernel.hardchroot.$knob=0"
	done
}

# To load hardchroot and to unload it takes longer than all else here: it stays, in a scope of nobody's.
keep() {
	new_cgroup keep
	checmate 0 enable --cgroup /sys/fs/cgroup/keep hardchroot
}

# in_force PACK: for the whole system
in_force() {
	command checmate status -j |
		jq -e --arg pack "$1" 'any(.[]; .name == $pack and any(.scopes[]; .cgroup == "/"))' >/dev/null
}

# nowhere: neither pack is in force any more, but where it is kept
nowhere() {
	withdraw hardchroot_lookup
	! in_force hardchroot || checmate 0 disable --cgroup /sys/fs/cgroup hardchroot
}

setup_file() {
	mkdir -p "$lines_of"
	catalogue off
	command checmate enable hardchroot
	catalogue object
	command checmate enable hardchroot_lookup
	catalogue full
	command checmate stats -j | hooks_with denied >"$BATS_FILE_TMPDIR/refusing"
	keep
	nowhere
	each_knob
}

teardown_file() {
	clean
	withdraw hardchroot_lookup hardchroot
	assert_nothing_left
}

# only ID...: those of the lines
only() {
	local IFS="|"
	grep -E "^($*) "
}

# with VALUE...: in force for the whole system, object mode, with these values and else the defaults
with() {
	local setting state=$BATS_TEST_TMPDIR/state
	declare -A values=()
	for setting in "${knobs[@]/%/=1}" caps_scope=0 mknod_allow=0 undo=0 execlog=0 "$@"; do
		values[${setting%=*}]=${setting#*=}
	done
	echo 'policy hardchroot { scope "/keep" {} scope "/" { knobs {' >"$state"
	for setting in "${!values[@]}"; do
		echo "kernel.hardchroot.$setting = ${values[$setting]}" >>"$state"
	done
	echo '} } }' >>"$state"
	checmate 0 -f "$state"
}

@test "permissive: all is as without the packs, and what would be denied is counted" {
	local before
	nowhere
	checmate 0 enable --permissive hardchroot
	checmate 0 enable --permissive hardchroot_lookup
	before=$(command checmate stats -j)
	catalogue permissive
	equal "the catalogue" "$(<"$lines_of/off")" "$(<"$lines_of/permissive")"
	output=$(command checmate stats -j | since "$before")
	equal "denied" 0 "$(jq '[.[].denied] | add' <<<"$output")"
	# More than refuse where they do: a call that is refused gets to no further hook.
	equal "hooks that refuse and would not have" "" \
		"$(hooks_with would_deny <<<"$output" | comm -23 "$BATS_FILE_TMPDIR/refusing" -)"
}

@test "in a cgroup: who is in there is refused, and nobody else" {
	nowhere
	local some=(E04 E31 E40 E47 E50 E58 E61)
	new_cgroup jails
	checmate 0 enable --cgroup /sys/fs/cgroup/jails hardchroot
	equal "there" "$(only "${some[@]}" <"$lines_of/object")" \
		"$(in_cgroup jails "$cases" run "${some[@]}")"
	equal "elsewhere" "$(only "${some[@]}" <"$lines_of/off")" "$("$cases" run "${some[@]}")"
	rmdir /sys/fs/cgroup/jails
}

@test "enforce_chdir at 2 refuses a chroot that leaves the working directory outside, and no other" {
	mkdir -p "$jail"
	cp "$cases" "$jail/program"
	with enforce_chdir=2
	equal "from outside" "E04 setup-chroot=EPERM" "$("$cases" run E04)"
	cd "$jail"
	equal "from inside" "$("$cases" list)" "$(chroot . /program list)"
}

@test "mknod_allow lets devices through that do no harm, and no other" {
	with mknod_allow=1
	equal "E47" "$(only E47 <"$lines_of/object" | sed 's/null=EPERM/null=ok/')" \
		"$("$cases" run E47)"
}

@test "caps_scope at 1: capabilities count as absent in a user namespace from before as well" {
	with deny_mount=0
	equal "at 0" "E46 mount=ok" "$("$cases" run E46)"
	checmate 0 set kernel.hardchroot.caps_scope=1
	equal "at 1" "E46 mount=EPERM" "$("$cases" run E46)"
}

# is_told COMMAND [ARG...]: is what is refused to it an event?
is_told() {
	"$@" 2>/dev/null || true
	command checmate events -j | grep -q findtask
}

@test "a refusal is an event that names the knob, the call, the jail, and the path or the process" {
	with
	mkdir -p "$jail"
	cp /bin/busybox "$jail/busybox"
	# The tests before may have used up what is told in five seconds.
	until_true 10 is_told chroot "$jail" /busybox kill -0 1
	checmate 0 events
	chroot "$jail" /busybox mknod /dev c 1 1 2>/dev/null || true
	chroot "$jail" /busybox kill -0 1 2>/dev/null || true
	checmate 0 events -j
	equal "mknod" "deny deny_mknod $jail $jail dev 0x101" "$(jq -r 'select(.action == "path.mknod") |
		"\(.verdict) \(.reason) \(.fields.root) \(.fields.path) \(.fields.name) \(.fields.device)"' <<<"$output")"
	equal "kill" "deny findtask $jail 1" "$(jq -r 'select(.action == "task.kill") |
		"\(.verdict) \(.reason) \(.fields.root) \(.fields.pid)"' <<<"$output")"
}

@test "execlog: a program that is run in a jail is an event, one outside is not" {
	with execlog=1
	mkdir -p "$jail"
	cp "$cases" "$jail/program"
	checmate 0 events
	"$cases" list >/dev/null
	chroot "$jail" /program list >/dev/null
	checmate 0 events -j
	equal "the events" "notice exec $jail $jail/program" \
		"$(jq -r '"\(.verdict) \(.action) \(.fields.root) \(.fields.path)"' <<<"$output")"
}

@test "grsecurity's names are the same knobs" {
	with
	checmate 0 set kernel.grsecurity.chroot_caps=0
	checmate 0 get -n kernel.hardchroot.caps
	equal "the value" 0 "$output"
	[[ $CHECMATE_KERNEL == 7 ]] || {
		echo 1 >/proc/sys/kernel/grsecurity/chroot_caps
		equal "by the file" 1 "$(</proc/sys/kernel/hardchroot/caps)"
	}
}

@test "undo: who locked itself in goes back by chroot(.), in both modes, and its child does not" {
	with undo=1
	equal "object" $'U01 secret=ok\nU02 chroot=EPERM' "$("$cases" run U01 U02)"
	checmate 0 enable hardchroot_lookup
	equal "full" $'U01 secret=ok\nU02 chroot=EACCES' "$("$cases" run U01 U02)"
	equal "no other row differs" "$(only E01 E02 E03 E08 E10 <"$lines_of/full")" \
		"$("$cases" run E01 E02 E03 E08 E10)"
}

@test "profiles build and desktop: what they are for is let through, and escapes are not" {
	nowhere
	checmate 0 enable hardchroot --profile build
	equal "build" $'E04 secret=EACCES\nE40 tmpfs=ok bind=ok over=ok remount=ok umount=ok' \
		"$("$cases" run E04 E40)"
	nowhere
	checmate 0 enable hardchroot --profile desktop
	equal "desktop" $'E04 secret=EACCES\nE55 outside=ok greedy=ok nicer=ok' "$("$cases" run E04 E55)"
}

@test "profile service and lock: all is in force, and until reboot nothing is loosened, by either name" {
	nowhere
	checmate 0 enable hardchroot --profile service
	equal "E28" "$(only E28 <"$lines_of/full")" "$("$cases" run E28)"
	checmate 0 set kernel.grsecurity.grsec_lock=1
	refused 1 "*kernel.hardchroot.lock=1 holds until reboot*" set kernel.hardchroot.caps_scope=0
	refused 1 "*kernel.hardchroot.lock=1 holds until reboot*" set kernel.hardchroot.lookup_mode=0
	refused 1 "*kernel.hardchroot.lock=1 holds until reboot*" disable hardchroot
	refused 1 "*kernel.hardchroot.lock=1 holds until reboot*" mode hardchroot_lookup permissive
	rm -rf "$pins" # as root would end it: it is there against mistakes
	! grep -q '^checmate ' /proc/modules || rmmod checmate
}
