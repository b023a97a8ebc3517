# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2154 # helpers.bash and bats set them
# Words for the files here that try what must go on working. Loaded after tests/helpers.

here=$top/policies/hardchroot
work=$programs/chroot-work
tree=$("$top/tests/vm/tree" path 2>/dev/null) || tree=

# with_profile NAME: the pack is in force, for the whole guest. CHECMATE_HARDCHROOT=off leaves it out,
# to see whether a workload works at all; "permissive" shows what all its rules would refuse. It stays
# so for the next test: loading it takes an emulated CPU longer than most tests.
with_profile() {
	[[ $(cat "$BATS_FILE_TMPDIR/profile" 2>/dev/null) != "$1" ]] || return 0
	withdraw hardchroot_lookup hardchroot
	enable_profile "$1"
	echo "$1" >"$BATS_FILE_TMPDIR/profile"
}

enable_profile() {
	case ${CHECMATE_HARDCHROOT:-} in
	off) return ;;
	permissive)
		checmate 0 enable hardchroot --permissive
		checmate 0 enable hardchroot_lookup --permissive
		return
		;;
	esac
	checmate 0 enable hardchroot --profile "$1"
}

# A workload that failed shows what was refused.
show_refusals() {
	[[ -e $pins/packs/hardchroot ]] || return 0
	command checmate events >"$BATS_TEST_TMPDIR/events"
	[[ ${BATS_TEST_COMPLETED:-} ]] || cat "$BATS_TEST_TMPDIR/events"
	[[ ${CHECMATE_HARDCHROOT:-} != permissive ]] || {
		echo "# $BATS_TEST_DESCRIPTION"
		sed 's/^/# /' "$BATS_TEST_TMPDIR/events"
	} >&3
}

# What runs and what is mounted, without the shells of the test itself.
running() {
	# shellcheck disable=SC2009 # pgrep does not count
	ps -e -o comm= | grep -vE '^(bats|bash|ps|sort|grep|uniq|kworker.*)$' | sort | uniq -c
	sort /proc/self/mounts
}

# new_jail DIR: a root directory with a static shell and its tools
new_jail() {
	local applet
	mkdir -p "$1"/{bin,dev,etc,proc,tmp,mnt,root,run,var}
	cp /bin/busybox "$work" "$1/bin/"
	for applet in sh cat ls mkdir mv rm mount umount echo sleep pwd chroot id grep touch hostname test; do
		ln "$1/bin/busybox" "$1/bin/$applet"
	done
	echo root:x:0:0::/root:/bin/sh >"$1/etc/passwd"
	echo inside >"$1/etc/where"
}

# log_of NAME: what went wrong is in its log, and the script is over
log_of() {
	cat "/root/$1.log" >&2
	exit 1
}

# start_sshd LINE...: with these lines for the user "guest", who is let in with a key
start_sshd() {
	ssh-keygen -q -t ed25519 -N '' -f /root/host
	ssh-keygen -q -t ed25519 -N '' -f /root/key
	cp /root/key.pub /etc/ssh/allowed
	useradd --no-create-home --home-dir / --shell /bin/sh --password '*' guest
	printf '%s\n' 'Port 2222' 'ListenAddress 127.0.0.1' 'HostKey /root/host' 'PidFile none' 'UsePAM yes' \
		'AuthorizedKeysFile /etc/ssh/allowed' 'Subsystem sftp internal-sftp' 'Match User guest' "$@" \
		>/root/sshd_config
	/usr/sbin/sshd -D -E /root/sshd.log -f /root/sshd_config &
	until_true 60 grep -q listening /root/sshd.log
	# shellcheck disable=SC2034 # for the scripts
	options=(-q -i /root/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null)
}

# in_tree <SCRIPT: the script runs in the tree as in a system of its own, and may use the words above
# and those of helpers.bash for comparing and waiting
in_tree() {
	local script
	script=$(declare -f raw_fail fail raw_equal equal raw_until_true until_true log_of start_sshd && cat)
	"$here/in-tree" "$tree" bash -euo pipefail -c "$script" </dev/null
}
