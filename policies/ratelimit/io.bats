#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# I/O refused for what it is: the pack ratelimit.

load ../../tests/helpers

io=$BATS_FILE_TMPDIR/io-try # not on the guest's root, which is an overlay
a=/sys/fs/cgroup/a
disk=$BATS_FILE_TMPDIR/ext4
disk2=$BATS_FILE_TMPDIR/ext2

# A file system with O_DIRECT, and one by the same driver and with the same magic number.
setup_file() {
	local type
	cp "$programs/io-try" "$io"
	modprobe loop
	for type in ext4 ext2; do
		truncate -s 32M "$BATS_FILE_TMPDIR/$type.image"
		"mkfs.$type" -q "$BATS_FILE_TMPDIR/$type.image"
		mkdir "$BATS_FILE_TMPDIR/$type"
		mount -o loop -t "$type" "$BATS_FILE_TMPDIR/$type.image" "$BATS_FILE_TMPDIR/$type"
	done
}

setup() {
	chmod 755 "$BATS_RUN_TMPDIR" # for the user
	new_cgroup a/b
	new_cgroup out
	new_cgroup keep # to load the pack takes longer than all else
	checmate 0 enable ratelimit --cgroup /sys/fs/cgroup/keep
	command checmate events >/dev/null
	file=$BATS_TEST_TMPDIR/file
	truncate -s 1M "$file.source"
	: >"$disk/file"
	: >"$disk2/file"
}

# The scopes of cgroups go with them.
teardown() {
	command checmate disable ratelimit --cgroup /sys/fs/cgroup 2>/dev/null || :
	clean
}

teardown_file() {
	command checmate disable ratelimit
	umount "$disk" "$disk2"
	assert_nothing_left
}

# rule CGROUP KNOB=VALUE...: in force in that cgroup anew, "" the system
rule() {
	command checmate disable ratelimit --cgroup "/sys/fs/cgroup/$1" 2>/dev/null || :
	checmate 0 enable ratelimit ${1:+--cgroup "/sys/fs/cgroup/$1"} "${@:2}"
}

# does EXPECTED CGROUP ACT...: what io-try says there
does() {
	equal "${*:3} in '$2'" "$1" "$(in_cgroup "$2" "$io" "${@:3}")"
}

# only EXPECTED ACT...: in the cgroup a and below, and nowhere else
only() {
	does "$1" a "${@:2}"
	does "$1" a/b "${@:2}"
	does OK out "${@:2}"
}

# everywhere ACT...: is let through
everywhere() {
	does OK a "$@"
	does OK out "$@"
}

# fresh SIZE: the file has that size
fresh() {
	rm -f "$file"
	truncate -s "$1" "$file"
}

# runnable OWNER MODE: the file is a copy of the test's program
runnable() {
	rm -f "$file"
	cp "$io" "$file"
	chown "$1" "$file"
	chmod "$2" "$file"
}

untraced rule does only everywhere fresh runnable

# --- flags

@test "deny_direct: opening with O_DIRECT gets EINVAL, opening without it is let through" {
	rule a deny_direct=1
	only EINVAL open "$disk/file" read direct
	only EINVAL open "$disk/file" write direct append
	everywhere open "$disk/file" read
	everywhere open "$disk/file" write sync append nonblock
}

@test "deny_direct: fcntl(2) cannot set O_DIRECT either, other flags and on a pipe it can" {
	rule a deny_direct=1
	only EINVAL setfl "$disk/file" direct
	everywhere setfl "$disk/file" append
	everywhere setfl "$disk/file" nonblock
	everywhere pipe-direct 1
}

@test "deny_sync: opening with O_SYNC or O_DSYNC gets EPERM, and so does a write that asks for it" {
	rule a deny_sync=1
	only EPERM open "$disk/file" write sync
	only EPERM open "$disk/file" write dsync
	only EPERM v2-sync "$disk/file" 0 4096
	only EPERM v2-dsync "$disk/file" 0 4096
	everywhere open "$disk/file" write
	everywhere open "$disk/file" write direct
	everywhere v2 "$disk/file" 0 4096
	everywhere v2-append "$disk/file" 0 4096
}

# --- types of file systems

@test "deny_fs: nothing is opened on the types that it names, others are not concerned" {
	rule a deny_fs=ext4
	only EPERM open "$disk/file" read
	only EPERM open "$disk/new" write create
	only EPERM open "$disk" read
	everywhere open "$file" write create
	everywhere open /proc/self/status read
	# No more than its name is got hold of, by which nothing is read.
	everywhere open "$disk/file" path
}

@test "deny_fs: types are told apart by name where their magic number is the same" {
	rule a deny_fs=ext2
	only EPERM open "$disk2/file" read
	everywhere open "$disk/file" read
}

@test "deny_fs: 'other' is every type that has no word" {
	mkdir "$BATS_TEST_TMPDIR/other"
	mount -t pstore none "$BATS_TEST_TMPDIR/other"
	rule a deny_fs=other
	only EPERM open "$BATS_TEST_TMPDIR/other" read
	everywhere open "$disk/file" read
	everywhere open "$file" write create
	umount "$BATS_TEST_TMPDIR/other"
}

@test "deny_fs: an overlay is one of its own, whatever its layers are on" {
	mkdir "$disk"/{lower,upper,work,merged}
	: >"$disk/lower/file"
	mount -t overlay -o "lowerdir=$disk/lower,upperdir=$disk/upper,workdir=$disk/work" none "$disk/merged"
	rule a deny_fs=ext4
	only EPERM open "$disk/lower/file" read
	everywhere open "$disk/merged/file" write
	rule a deny_fs=overlay
	only EPERM open "$disk/merged/file" read
	everywhere open "$disk/upper/file" read
	umount "$disk/merged"
}

# --- sizes

@test "max_file_size: each call that writes ends at the limit or gets EFBIG" {
	local call
	rule a max_file_size=64
	for call in write pwrite writev pwritev v2 fallocate; do
		fresh 0
		does OK a "$call" "$file" 61440 4096
		does EFBIG a "$call" "$file" 61440 4100
		does EFBIG a/b "$call" "$file" 1000000 4
		equal "size after $call" 65536 "$(stat -c %s "$file")"
		does OK out "$call" "$file" 61440 4100
	done
}

@test "max_file_size: what appends begins where the file ends" {
	local call
	rule a max_file_size=64
	for call in append v2-append; do
		fresh 61440
		does OK a "$call" "$file" 0 4096
		does EFBIG a "$call" "$file" 0 4
		does OK out "$call" "$file" 0 4
	done
}

@test "max_file_size: what moves data gets EINVAL where it asks for more, and is let through below" {
	local call
	rule a max_file_size=64
	for call in sendfile splice copy; do
		fresh 0
		does OK a "$call" "$file" 61440 4096
		does EINVAL a "$call" "$file" 61440 8192
		does OK out "$call" "$file" 61440 8192
	done
}

@test "max_file_size: truncating upwards beyond it gets EFBIG, up to it and downwards is let through" {
	local call
	rule a max_file_size=64
	for call in truncate ftruncate; do
		fresh 0
		does OK a "$call" "$file" 65536
		does EFBIG a "$call" "$file" 65537
		does OK out "$call" "$file" 200000
		does EFBIG a "$call" "$file" 200001
		does OK a "$call" "$file" 100000
	done
	everywhere open "$file" write create
}

@test "max_file_size: room that is inserted counts, a hole does not, nor what is no file of data" {
	rule a max_file_size=64
	truncate -s 61440 "$disk/file"
	does EFBIG a insert "$disk/file" 0 8192
	does OK a insert "$disk/file" 0 4096
	fresh 200000
	everywhere punch "$file" 100000 8192
	everywhere memory
	everywhere pipe 65536
	everywhere open "$file" write
}

@test "max_file_size: on an overlay it is the file's size that counts, as elsewhere" {
	local dir=$BATS_TEST_TMPDIR
	mkdir "$dir"/{lower,upper,work,merged}
	mount -t overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" none "$dir/merged"
	rule a max_file_size=64
	does OK a pwrite "$dir/merged/file" 61440 4096
	does EFBIG a pwrite "$dir/merged/file" 61440 4100
	does EFBIG a append "$dir/merged/file" 0 4
	does EFBIG a truncate "$dir/merged/file" 65537
	umount "$dir/merged"
}

@test "max_write: a call that writes more gets EPERM, what moves data EINVAL, room is no writing" {
	local call
	rule a max_write=8192
	for call in write append pwrite writev pwritev v2 v2-append; do
		does OK a "$call" "$file" 0 8192
		only EPERM "$call" "$file" 0 8196
	done
	for call in sendfile copy; do
		does OK a "$call" "$file" 0 8192
		only EINVAL "$call" "$file" 0 8193
	done
	does OK a splice "$file" 0 8192
	does EINVAL a splice "$file" 0 12288
	does OK a pipe 8192
	only EPERM pipe 8193
	everywhere fallocate "$file" 0 100000
}

@test "where a limit is in force a call whose length is not known gets EOPNOTSUPP" {
	local knob call
	for knob in max_write=8192 max_file_size=64; do
		rule a "$knob"
		for call in aio uring uring-worker write32; do
			fresh 0
			only EOPNOTSUPP "$call" "$file" 0 4
		done
	done
	rule a deny_direct=1 deny_sync=1
	for call in aio uring uring-worker write32; do
		does OK a "$call" "$file" 0 4
	done
}

@test "a write that io_uring does at the end of another call is not taken for that one" {
	rule a max_write=8192
	only EOPNOTSUPP pipe-after 16384
}

# --- code

@test "deny_exec_writable=1: no code from a file that is open for writing or has no name" {
	local act
	rule a deny_exec_writable=1
	for act in map mprotect; do
		runnable root 755
		only EPERM "$act" writing "$file"
		only EPERM "$act" memfd "$file"
		does EPERM a "$act" gone "$file"
		runnable root 755
		does OK out "$act" gone "$file"
		runnable root 777
		everywhere "$act" clean "$file"
		everywhere "$act" read "$file"
		everywhere "$act" anonymous "$file"
	done
}

@test "deny_exec_writable=1: nor is such a file run" {
	rule a deny_exec_writable=1
	runnable root 777
	everywhere run clean "$file"
	only EPERM run memfd "$file"
	does EPERM a run gone "$file"
	runnable root 777
	does OK out run gone "$file"
}

@test "deny_exec_writable=2: nor from a file that its mode lets the user write" {
	local owner mode expected
	rule a deny_exec_writable=2
	while read -r owner mode expected; do
		runnable "$owner" "$mode"
		equal "$owner $mode mapped" "$expected" "$(in_cgroup a as_user "$io" map clean "$file")"
		equal "$owner $mode run" "$expected" "$(in_cgroup a as_user "$io" run clean "$file")"
		equal "$owner $mode outside" OK "$(in_cgroup out as_user "$io" run clean "$file")"
	done <<-END
		root 755 OK
		1000 555 OK
		1000 755 EPERM
		root 775 EPERM
		root 757 EPERM
	END
}

@test "deny_exec_writable=2: of root not what it owns, but what others may write" {
	rule a deny_exec_writable=2
	runnable root 755
	everywhere run clean "$file"
	everywhere map clean "$file"
	runnable root 757
	only EPERM map clean "$file"
	only EPERM run clean "$file"
	runnable 1000 755
	everywhere map clean "$file"
}

@test "deny_memfd_exec: memory is not run (EACCES); files are, those without a name too" {
	rule a deny_memfd_exec=1
	runnable root 755
	only EACCES run memfd "$file"
	everywhere run clean "$file"
	everywhere map memfd "$file"
	does OK a run gone "$file"
}

# --- scopes and modes

@test "nothing is refused where no knob is set" {
	local act
	rule ""
	runnable root 755
	for act in "open $disk/file read direct" "open $disk/file write sync" "setfl $disk/file direct" \
		"map writing $file" "map memfd x" "run memfd x" "write $disk/file 1000000 4194304" \
		"truncate $disk/file 10000000" "uring $disk/file 0 4" "aio $disk/file 0 4" "write32 $disk/file 0 4"; do
		# shellcheck disable=SC2086 # words
		does OK a $act
	done
}

@test "a permissive scope lets all of it through and counts what it would have refused" {
	local hook before
	withdraw ratelimit # and its counters
	rule a deny_direct=1 deny_sync=1 deny_fs=ext4 max_file_size=64 max_write=8192 deny_exec_writable=1 \
		deny_memfd_exec=1
	checmate 0 mode ratelimit permissive --cgroup $a
	runnable root 755
	while read -r hook act; do
		before=$(count would_deny "$hook")
		# shellcheck disable=SC2086 # words
		does OK a $act
		(($(count would_deny "$hook") > before)) || fail "$act" "counted" "not"
		equal "denied by $hook" 0 "$(count denied "$hook")"
	done <<-END
		file_open open $disk/file read direct
		file_open open $file write sync
		file_fcntl setfl $disk/file direct
		file_permission write $file 0 8196
		file_permission write $file 65536 4
		file_permission uring $file 0 4
		inode_setattr truncate $file 70000000
		mmap_file map writing $file
		file_mprotect mprotect writing $file
		bprm_check_security run memfd $file
	END
	checmate 0 mode ratelimit enforce --cgroup $a
	does EINVAL a open "$disk/file" read direct
}

@test "system-wide it holds for everybody" {
	local cgroup
	rule "" deny_direct=1 deny_sync=1 deny_fs=ext2 max_file_size=1024 max_write=1048576 \
		deny_exec_writable=1 deny_memfd_exec=1
	runnable root 755
	for cgroup in a out; do
		does EINVAL $cgroup open "$disk/file" read direct
		does EINVAL $cgroup setfl "$disk/file" direct
		does EPERM $cgroup open "$disk/file" write sync
		does EPERM $cgroup v2-sync "$disk/file" 0 4096
		does EPERM $cgroup open "$disk2/file" read
		does EFBIG $cgroup write "$file" 1048576 4
		does EPERM $cgroup write "$file" 0 1048580
		does EFBIG $cgroup truncate "$file" 1048577000
		does EPERM $cgroup map writing "$file"
		does EPERM $cgroup mprotect writing "$file"
		does EACCES $cgroup run memfd "$file"
		does OK $cgroup write "$disk/file" 0 4096
		does OK $cgroup map clean "$file"
	done
}

@test "of the scopes on a path the strictest decides, and all their types of file systems" {
	rule a max_file_size=64 deny_fs=ext4
	rule a/b max_file_size=32 deny_fs=ext2
	does OK a pwrite "$file" 32768 4
	does EFBIG a/b pwrite "$file" 32768 4
	does OK a/b pwrite "$file" 32764 4
	does EPERM a/b open "$disk/file" read
	does EPERM a/b open "$disk2/file" read
	does OK a open "$disk2/file" read
	checmate 0 set kernel.ratelimit.max_file_size=1000000 --cgroup $a/b
	does EFBIG a/b pwrite "$file" 65536 4
}

@test "threads of the kernel are not limited: what is written to a loop device arrives" {
	withdraw ratelimit # and its counters
	rule "" max_file_size=64 max_write=4096 deny_sync=1
	does OK out pwrite "$disk/file" 0 4096
	sync -f "$disk/file"
	equal "denied" 0 "$(count denied file_permission)"
}

# --- events

@test "an event says which knob refused, what, and with which errno" {
	rule a deny_fs=ext4 max_write=8192
	does EPERM a open "$disk/file" read
	does EOPNOTSUPP a aio "$file" 0 4
	checmate 0 events -j
	jq -se --arg path "${disk##*/}/file" 'length == 2 and .[0].error == "EPERM" and .[0].reason == "deny_fs" and
		.[0].subject.cgroup == "/a" and .[0].fields.type == "ext4" and
		(.[0].fields.path | endswith($path)) and .[1].error == "EOPNOTSUPP" and
		.[1].reason == "max_write.unknown"' <<<"$output" >/dev/null || fail "the events" "two" "$output"
}
