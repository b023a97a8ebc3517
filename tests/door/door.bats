#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# The procfs door (kernel/module), without any policy: door-driver plays the loader.
# Runs in a guest:  tests/vm/run -k 6.1 -- bats tests/door/door.bats
# CHECMATE_DOOR_SECONDS: how long the racing test runs (5; 20 for a thorough run).

bats_require_minimum_version 1.5.0

setup_file() {
	DOOR_TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	DOOR_KO=$DOOR_TOP/build/module/${CHECMATE_KERNEL:-}/checmate.ko
	DOOR_DRIVER=$DOOR_TOP/build/tests/door-driver
	DOOR_PINS=/sys/fs/bpf/door-test
	DOOR_SKIP=
	if [[ ${CHECMATE_GUEST:-} != 1 ]]; then
		DOOR_SKIP="not in a guest: this would load a module into the running kernel"
	elif [[ ! -e $DOOR_KO ]]; then
		DOOR_SKIP="no ${DOOR_KO#"$DOOR_TOP/"}: make module-guests"
	fi
	export DOOR_KO DOOR_DRIVER DOOR_PINS DOOR_SKIP
	[[ -z $DOOR_SKIP ]] || return 0
	mkdir -p "$DOOR_PINS"
	load_door
}

teardown_file() {
	[[ -z $DOOR_SKIP ]] || return 0
	unload_door
	rmdir "$DOOR_PINS"
}

setup() {
	[[ -z $DOOR_SKIP ]] || skip "$DOOR_SKIP"
	# What is in the kernel's log before this line is somebody else's.
	DOOR_MARK="door-test $BATS_TEST_NUMBER $RANDOM"
	echo "$DOOR_MARK" >/dev/kmsg
	BACKGROUND=()
}

# Whatever files a test left behind go with the module; the next test gets a fresh one.
teardown() {
	[[ -z $DOOR_SKIP ]] || return 0
	local pid
	for pid in "${BACKGROUND[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -f "$DOOR_PINS"/*
	unload_door
	[[ ! -e /proc/sys/checmate ]]
	load_door
	kernel_is_quiet
}

unload_door() {
	if grep -q '^checmate ' /proc/modules; then
		rmmod checmate
	fi
}

load_door() {
	insmod "$DOOR_KO"
	local i
	for ((i = 0; i < 100; i++)); do
		[[ ! -c /dev/checmate ]] || return 0
		sleep 0.05
	done
	echo "no /dev/checmate" >&2
	return 1
}

# No complaint of the kernel since the test began; a refused duplicate must not print a stack either.
kernel_is_quiet() {
	local since
	since=$(dmesg | sed "1,/$DOOR_MARK/d")
	if grep -E 'WARNING|BUG|Oops|Call Trace|sysctl (duplicate|could not|table check)|lockdep|hung' <<<"$since"; then
		return 1
	fi
}

driver() {
	"$DOOR_DRIVER" "$@"
}

# expect WORDS COMMAND...: the driver's command prints exactly WORDS.
expect() {
	local want=$1 got
	shift
	got=$(driver "$@")
	if [[ $got != "$want" ]]; then
		echo "door-driver $*: '$got', expected '$want'" >&2
		return 1
	fi
}

# Adds a knob whose map lives as long as a background process; its pid is left in HOLDER.
add_held() {
	"$DOOR_DRIVER" add -H "$@" >"$BATS_TEST_TMPDIR/held" 3>&- &
	HOLDER=$!
	BACKGROUND+=("$HOLDER")
	local i
	for ((i = 0; i < 200; i++)); do
		[[ ! -s $BATS_TEST_TMPDIR/held ]] || break
		sleep 0.05
	done
	[[ $(<"$BATS_TEST_TMPDIR/held") == OK ]]
}

# As root without one capability.
without() {
	setpriv --bounding-set "-$1" --inh-caps "-$1" -- "${@:2}"
}

knob=/proc/sys/checmate/test/knob

@test "door: the device is root's alone and tells its version" {
	[[ $(stat -c '%a %u %g' /dev/checmate) == "600 0 0" ]]
	expect "OK 3" version
}

@test "door: an unknown ioctl is ENOTTY" {
	expect ENOTTY ioctl 0xcb63
	expect ENOTTY ioctl 0
}

@test "door: a file appears with ADD, is root's with mode 0644, and disappears with REMOVE" {
	expect OK add -p "$DOOR_PINS/k" checmate/test/knob
	[[ $(stat -c '%a %u %g %s %F' "$knob") == "644 0 0 0 regular empty file" ]]
	[[ $(stat -c '%a' /proc/sys/checmate/test) == 555 ]]
	expect OK remove checmate/test/knob
	[[ ! -e /proc/sys/checmate ]]
	expect ENOENT remove checmate/test/knob
}

@test "door: file and map are one integer, both ways" {
	expect OK add -p "$DOOR_PINS/k" -i 2 checmate/test/knob
	[[ $(<"$knob") == 2 ]]
	echo 1 >"$knob"
	expect 1 get "$DOOR_PINS/k"
	expect OK set "$DOOR_PINS/k" 3
	[[ $(<"$knob") == 3 ]]
	[[ $(sysctl -n checmate.test.knob) == 3 ]]
	sysctl -qw checmate.test.knob=0
	expect 0 get "$DOOR_PINS/k"
}

@test "door: the value outlives the file, REMOVE and unload never touch it" {
	expect OK add -p "$DOOR_PINS/k" checmate/test/knob
	echo 2 >"$knob"
	expect OK remove checmate/test/knob
	expect 2 get "$DOOR_PINS/k"
	expect OK add -u "$DOOR_PINS/k" checmate/test/knob
	[[ $(<"$knob") == 2 ]]
	rmmod checmate
	expect 2 get "$DOOR_PINS/k"
}

@test "door: two knobs in different directories, and two in one, are independent" {
	expect OK add -p "$DOOR_PINS/a" checmate/test/knob
	expect OK add -p "$DOOR_PINS/b" kernel/checmate-test/knob
	expect OK add -p "$DOOR_PINS/c" checmate/test/other.knob_2
	echo 1 >"$knob"
	echo 2 >/proc/sys/kernel/checmate-test/knob
	echo 3 >/proc/sys/checmate/test/other.knob_2
	expect 1 get "$DOOR_PINS/a"
	expect 2 get "$DOOR_PINS/b"
	expect 3 get "$DOOR_PINS/c"
	expect OK remove checmate/test/knob
	[[ ! -e $knob && $(</proc/sys/checmate/test/other.knob_2) == 3 ]]
	expect OK remove kernel/checmate-test/knob
	[[ ! -e /proc/sys/kernel/checmate-test ]]
}

@test "door: two knobs live at two offsets of one map's value" {
	expect OK add -p "$DOOR_PINS/k" -v 10 -e 4 -o 0 checmate/test/knob
	expect OK add -u "$DOOR_PINS/k" -o 4 checmate/test/second
	echo 1 >"$knob"
	echo 2 >/proc/sys/checmate/test/second
	expect 1 get "$DOOR_PINS/k" 0
	expect 2 get "$DOOR_PINS/k" 4
}

@test "door: values outside the bounds are EINVAL and change nothing" {
	expect OK add -p "$DOOR_PINS/k" -b -5:5 -i 4 checmate/test/knob
	expect EINVAL write "$knob" 6
	expect EINVAL write "$knob" -6
	expect EINVAL write "$knob" x
	expect 4 get "$DOOR_PINS/k"
	expect "OK 2" write "$knob" -5
	expect "OK -5" read "$knob"
}

@test "door: the full range of an int may be a knob's" {
	expect OK add -p "$DOOR_PINS/k" -b -2147483648:2147483647 checmate/test/knob
	expect "OK 11" write "$knob" -2147483648
	expect "OK 10" write "$knob" 2147483647
	expect EINVAL write "$knob" 2147483648
	expect 2147483647 get "$DOOR_PINS/k"
}

@test "door: a latched value can be written again but not left" {
	expect OK add -p "$DOOR_PINS/k" -l 3 checmate/test/knob
	expect "OK 1" write "$knob" 2
	expect "OK 1" write "$knob" 1
	expect "OK 1" write "$knob" 3
	local value
	for value in 0 1 2 4 "" x; do
		[[ -z $value ]] || expect EINVAL write "$knob" "$value"
	done
	expect "OK 0" write "$knob" ""
	expect "OK 2" write "$knob" $'3\n'
	expect 3 get "$DOOR_PINS/k"
}

@test "door: a latch need not be the highest value" {
	expect OK add -p "$DOOR_PINS/k" -l 1 -i 2 checmate/test/knob
	expect "OK 1" write "$knob" 3
	expect "OK 1" write "$knob" 1
	expect EINVAL write "$knob" 3
	expect EINVAL write "$knob" 0
	expect "OK 1" write "$knob" 1
}

# bats test_tags=parallel
@test "door: of two writers at once none takes the value off its latch" {
	expect OK add -p "$DOOR_PINS/k" -l 3 checmate/test/knob
	expect "lowered 0 times" latch-race "$DOOR_PINS/k" "$knob" 3 2000
}

@test "door: with a capability demanded, root without it is refused before parsing" {
	expect OK add -p "$DOOR_PINS/k" -c 19 checmate/test/knob
	[[ $(without sys_ptrace "$DOOR_DRIVER" write "$knob" 1) == EPERM ]]
	[[ $(without sys_ptrace "$DOOR_DRIVER" write "$knob" zz) == EPERM ]]
	[[ $(without sys_ptrace "$DOOR_DRIVER" write "$knob" "") == EPERM ]]
	[[ $(without sys_ptrace "$DOOR_DRIVER" read "$knob") == "OK 0" ]]
	[[ $(without sys_admin "$DOOR_DRIVER" write "$knob" 1) == "OK 1" ]]
	expect 1 get "$DOOR_PINS/k"
}

@test "door: the root of another user namespace lacks that capability" {
	expect OK add -p "$DOOR_PINS/k" -c 19 checmate/test/knob
	[[ $(unshare -U --map-root-user "$DOOR_DRIVER" write "$knob" 1) == EPERM ]]
	expect 0 get "$DOOR_PINS/k"
}

@test "door: without a capability demanded, file permissions decide" {
	expect OK add -p "$DOOR_PINS/k" checmate/test/knob
	[[ $(without sys_ptrace,-sys_admin "$DOOR_DRIVER" write "$knob" 1) == "OK 1" ]]
	[[ $(setpriv --reuid 1000 --clear-groups cat "$knob") == 1 ]]
	run setpriv --reuid 1000 --clear-groups bash -c "echo 2 >$knob"
	[[ $status -ne 0 && $output == *"Permission denied"* ]]
}

@test "door: ADD and REMOVE need CAP_SYS_ADMIN in the initial user namespace" {
	expect OK add -p "$DOOR_PINS/k" checmate/test/knob
	[[ $(without sys_admin "$DOOR_DRIVER" remove checmate/test/knob) == EPERM ]]
	[[ $(without sys_admin "$DOOR_DRIVER" version) == "OK 3" ]]
	[[ $(unshare -U --map-root-user "$DOOR_DRIVER" remove checmate/test/knob) == EPERM ]]
	[[ -e $knob ]]
}

@test "door: ADD refuses a struct that is too short or has fields it does not know" {
	expect EINVAL add -s 0 checmate/test/knob
	expect EINVAL add -s 159 checmate/test/knob
	expect E2BIG add -S 200 checmate/test/knob
	expect E2BIG add -s 5000 checmate/test/knob
	expect OK add -s 200 -p "$DOOR_PINS/k" checmate/test/knob
	expect OK add -s 160 checmate/test/first
}

@test "door: ADD refuses unknown flags, a bad capability and impossible bounds" {
	expect EINVAL add -f 0x40 checmate/test/knob
	expect EINVAL add -f 0x80000000 checmate/test/knob
	expect EINVAL add -c -2 checmate/test/knob
	expect EINVAL add -c 64 checmate/test/knob
	expect EINVAL add -b 3:2 checmate/test/knob
	expect EINVAL add -l 4 checmate/test/knob
	expect EINVAL add -l -1 checmate/test/knob
}

@test "door: ADD refuses a path that is not plain lower-case components under a directory" {
	local path
	for path in "" knob /knob checmate/ /checmate/knob checmate//knob checmate/../kernel/knob \
		checmate/./knob checmate/.knob checmate/a..b checmate/Knob "checmate/a b" \
		checmate/$'a\n' checmate/é ../kernel/knob "checmate/a;b"; do
		expect EINVAL add "$path" || { echo "path: '$path'"; return 1; }
	done
	expect EINVAL add "checmate/$(printf 'x%.0s' {1..119})"
	expect OK add -p "$DOOR_PINS/k" "checmate/$(printf 'x%.0s' {1..118})"
	[[ -e /proc/sys/checmate/$(printf 'x%.0s' {1..118}) ]]
	expect EINVAL remove knob
	expect EINVAL remove "checmate/$(printf 'x%.0s' {1..119})"
}

@test "door: ADD refuses what is no plain array" {
	expect EINVAL add -t hash checmate/test/knob
	expect EINVAL add -t percpu_array checmate/test/knob
	expect EINVAL add -t lock checmate/test/knob
	expect EBADF add -d 999 checmate/test/knob
	expect EINVAL add -d 1 checmate/test/knob
}

@test "door: ADD takes a memory-mappable array" {
	expect OK add -m 0x400 -p "$DOOR_PINS/k" checmate/test/knob
	echo 2 >"$knob"
	expect 2 get "$DOOR_PINS/k"
}

@test "door: ADD refuses an integer that is not inside the value" {
	expect EINVAL add -v 2 checmate/test/knob
	expect EINVAL add -o 4 checmate/test/knob
	expect EINVAL add -v 16 -o 2 checmate/test/knob
	expect EINVAL add -v 10 -o 8 checmate/test/knob
	expect EINVAL add -v 16 -e 2 -o 16 checmate/test/knob
	expect EINVAL add -v 16 -o 0xfffffffc checmate/test/knob
	expect OK add -v 16 -o 12 -p "$DOOR_PINS/k" checmate/test/knob
}

@test "door: ADD refuses a descriptor that gives no write access" {
	expect OK add -p "$DOOR_PINS/k" checmate/test/other
	expect EPERM add -u "$DOOR_PINS/k" -r checmate/test/knob
	expect EPERM add -m 0x8 checmate/test/knob
}

@test "door: a frozen map gets no file, and one frozen later is read-only" {
	expect EPERM add -z checmate/test/knob
	expect OK add -p "$DOOR_PINS/k" -i 2 checmate/test/knob
	expect OK freeze "$DOOR_PINS/k"
	expect EPERM write "$knob" 1
	expect "OK 2" read "$knob"
}

@test "door: once the map is frozen, a value becomes larger, smaller, a lower limit or gains bits, as was said, or stays" {
	expect OK add -p "$DOOR_PINS/up" -b 0:9 -i 2 -f 2 checmate/test/up
	expect OK add -p "$DOOR_PINS/down" -b 0:9 -i 5 -f 4 checmate/test/down
	expect OK add -p "$DOOR_PINS/bits" -b 0:9 -i 1 -f 8 checmate/test/bits
	expect OK add -p "$DOOR_PINS/limit" -b 0:9 -i 0 -f 32 checmate/test/limit
	expect "OK 1" write "${knob%knob}up" 1
	expect OK freeze "$DOOR_PINS/up"
	expect OK freeze "$DOOR_PINS/down"
	expect OK freeze "$DOOR_PINS/bits"
	expect OK freeze "$DOOR_PINS/limit"
	expect EPERM write "${knob%knob}up" 0
	expect "OK 1" write "${knob%knob}up" 1
	expect "OK 1" write "${knob%knob}up" 3
	expect EINVAL write "${knob%knob}up" 10
	expect EINVAL write "${knob%knob}up" x
	expect "OK 3" read "${knob%knob}up"
	expect EPERM write "${knob%knob}down" 6
	expect "OK 1" write "${knob%knob}down" 4
	expect "OK 4" read "${knob%knob}down"
	expect EPERM write "${knob%knob}bits" 2
	expect "OK 1" write "${knob%knob}bits" 9
	expect "OK 9" read "${knob%knob}bits"
	expect "OK 1" write "${knob%knob}limit" 5
	expect EPERM write "${knob%knob}limit" 6
	expect EPERM write "${knob%knob}limit" 0
	expect "OK 1" write "${knob%knob}limit" 5
	expect "OK 1" write "${knob%knob}limit" 1
	expect "OK 1" read "${knob%knob}limit"
}

@test "door: a latched value stays after its map is frozen, and two directions are one too many" {
	expect OK add -p "$DOOR_PINS/k" -b 0:9 -i 3 -l 3 -f 3 checmate/test/knob
	expect OK freeze "$DOOR_PINS/k"
	expect EINVAL write "$knob" 4
	expect "OK 1" write "$knob" 3
	expect EINVAL add -f 6 checmate/test/other
}

@test "door: sealed by an integer of another map, a value only goes in its direction, until it is another" {
	expect OK add -p "$DOOR_PINS/seal" -v 8 -o 4 checmate/test/seal
	expect OK add -p "$DOOR_PINS/up" -b 0:9 -i 2 -f 2 -k "$DOOR_PINS/seal:4:1" checmate/test/up
	expect OK add -p "$DOOR_PINS/down" -b 0:9 -i 5 -f 4 -k "$DOOR_PINS/seal:4:1" checmate/test/down
	expect OK add -p "$DOOR_PINS/bits" -b 0:9 -i 1 -f 8 -k "$DOOR_PINS/seal:4:1" checmate/test/bits
	expect "OK 1" write "${knob%knob}up" 1
	expect "OK 1" write "${knob%knob}seal" 2
	expect "OK 1" write "${knob%knob}up" 0
	expect "OK 1" write "${knob%knob}up" 2
	expect "OK 1" write "${knob%knob}seal" 1
	expect EACCES write "${knob%knob}up" 1
	expect "OK 1" write "${knob%knob}up" 2
	expect "OK 0" write "${knob%knob}up" ""
	expect "OK 1" write "${knob%knob}up" 3
	expect EINVAL write "${knob%knob}up" 10
	expect EINVAL write "${knob%knob}up" x
	expect "OK 3" read "${knob%knob}up"
	expect EACCES write "${knob%knob}down" 6
	expect "OK 1" write "${knob%knob}down" 4
	expect EACCES write "${knob%knob}bits" 2
	expect "OK 1" write "${knob%knob}bits" 9
	expect OK freeze "$DOOR_PINS/up"
	expect EPERM write "${knob%knob}up" 1
	# The map of a seal stays as long as the file, whoever else is gone.
	rm "$DOOR_PINS/seal"
	expect OK remove checmate/test/seal
	expect EACCES write "${knob%knob}down" 5
}

@test "door: sealed by an integer of its own map; a seal needs a direction, and a place in an array" {
	expect OK add -p "$DOOR_PINS/k" -v 8 -o 4 checmate/test/seal
	expect OK add -u "$DOOR_PINS/k" -f 2 -k "$DOOR_PINS/k:4:1" checmate/test/knob
	expect "OK 1" write "$knob" 2
	expect "OK 1" write "$knob" 1
	expect "OK 1" write "${knob%knob}seal" 1
	expect EACCES write "$knob" 0
	expect "OK 1" write "$knob" 2
	expect EINVAL add -k "$DOOR_PINS/k:4:1" checmate/test/other
	expect EINVAL add -f 2 -k "$DOOR_PINS/k:8:1" checmate/test/other
	expect EINVAL add -f 2 -k "$DOOR_PINS/k:2:1" checmate/test/other
	expect EINVAL add -f 0x12 checmate/test/other
	[[ ! -e ${knob%knob}other ]]
}

@test "door: a second ADD of a path is EEXIST and leaves the first alone" {
	expect OK add -p "$DOOR_PINS/k" -i 1 checmate/test/knob
	expect EEXIST add -i 2 checmate/test/knob
	expect EEXIST add -u "$DOOR_PINS/k" checmate/test/knob
	expect "OK 1" read "$knob"
}

@test "door: a native name is EEXIST, a path through a file ENOTDIR" {
	expect EEXIST add kernel/ostype
	expect EEXIST add kernel/random
	expect ENOTDIR add kernel/ostype/knob
	[[ $(</proc/sys/kernel/ostype) == Linux ]]
	expect ENOENT remove kernel/ostype
	expect OK add -p "$DOOR_PINS/k" checmate/test/knob
	expect EEXIST add checmate/test
	expect ENOTDIR add checmate/test/knob/knob
}

@test "door: when the map's last descriptor goes, the file answers ENODEV" {
	add_held checmate/test/knob
	expect "OK 0" read "$knob"
	expect "OK 1" write "$knob" 1
	kill "$HOLDER"
	wait "$HOLDER" || true
	expect ENODEV read "$knob"
	expect ENODEV write "$knob" 1
	expect OK remove checmate/test/knob
}

@test "door: a pin alone keeps the file alive, and its removal ends it" {
	expect OK add -p "$DOOR_PINS/k" -c 19 checmate/test/knob
	expect "OK 0" read "$knob"
	rm "$DOOR_PINS/k"
	expect ENODEV read "$knob"
	expect ENODEV write "$knob" 1
	[[ $(without sys_ptrace "$DOOR_DRIVER" write "$knob" 1) == EPERM ]]
}

@test "door: ADD replaces a file whose policy is gone" {
	expect OK add -i 1 checmate/test/knob
	expect ENODEV read "$knob"
	expect OK add -p "$DOOR_PINS/k" -i 2 checmate/test/knob
	expect "OK 2" read "$knob"
	expect EEXIST add checmate/test/knob
}

@test "door: more than 1024 files are ENOSPC" {
	expect "1024 then ENOSPC" fill checmate/test/knob
	[[ ! -e /proc/sys/checmate ]]
}

@test "door: the module goes while files are there" {
	expect OK add -p "$DOOR_PINS/a" checmate/test/knob
	expect OK add checmate/test/dead
	expect OK add -p "$DOOR_PINS/b" kernel/checmate-test
	rmmod checmate
	[[ ! -e /proc/sys/checmate && ! -e /proc/sys/kernel/checmate-test ]]
}

@test "door: the module goes while a reader holds a file open, and the reader gets ENOENT" {
	expect OK add -p "$DOOR_PINS/k" checmate/test/knob
	coproc READER { exec "$DOOR_DRIVER" hold-open "$knob" 3>&-; }
	BACKGROUND+=("$READER_PID")
	local line
	read -r line <&"${READER[0]}"
	[[ $line == OK ]]
	echo >&"${READER[1]}"
	read -r line <&"${READER[0]}"
	[[ $line == OK ]]
	rmmod checmate
	echo >&"${READER[1]}"
	read -r line <&"${READER[0]}"
	[[ $line == ENOENT ]]
	# A new file of that name is another file.
	load_door
	expect OK add -u "$DOOR_PINS/k" checmate/test/knob
	echo >&"${READER[1]}"
	read -r line <&"${READER[0]}"
	[[ $line == ENOENT ]]
}

@test "door: the module does not go while its device is open" {
	exec 4</dev/checmate
	run rmmod checmate
	exec 4<&-
	[[ $status -ne 0 && $output == *"in use"* ]]
}

# bats test_tags=parallel
@test "door: add and remove race with readers and writers" {
	run -0 driver churn "${CHECMATE_DOOR_SECONDS:-5}" checmate/churn
	echo "# $output" >&3
}
