#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154,SC2016 # helpers.bash and bats set them; scripts in '' are for inner shells
# Servers that chroot themselves, package tools and containers work while the pack is in force, in the
# profile that is meant for each. They run in the tree that tests/vm/tree makes.

load ../../tests/helpers
load workloads

setup_file() {
	[[ $tree ]] || fail "the tree" "made" "missing: run tests/vm/tree fetch before"
	running >"$BATS_FILE_TMPDIR/running"
}

teardown() {
	show_refusals
	clean
}

teardown_file() {
	withdraw hardchroot_lookup hardchroot
	assert_nothing_left
	equal "what runs and is mounted" "$(<"$BATS_FILE_TMPDIR/running")" "$(running)"
}

@test "the tree is a system of its own, where nothing is a chroot" {
	in_tree <<'END'
	equal "process 1" bash "$(</proc/1/comm)"
	equal "the machine below" "" "$(ls /machine)"
	unshare --mount --user true # EPERM in a chroot, in every kernel
	equal "both layers" "bookworm bookworm" \
		"$(. /etc/os-release; echo "$VERSION_CODENAME" "$(chroot /jail sh -c '. /etc/os-release; echo $VERSION_CODENAME')")"
END
}

@test "sshd confines sftp to ChrootDirectory, and put, get, ls and rename work" {
	with_profile service
	in_tree <<'END'
	start_sshd 'ChrootDirectory /srv/sftp/%u' 'ForceCommand internal-sftp'
	mkdir -p /srv/sftp/guest/files/sub
	chown -R guest: /srv/sftp/guest/files
	echo hello >/root/sent
	printf '%s\n' 'cd files' 'put /root/sent' 'rename sent sub/moved' 'cd sub' 'get moved /root/got' 'cd ../..' \
		'mkdir files/new' 'ls -1' >/root/batch
	listed=$(sftp "${options[@]}" -P 2222 -b /root/batch guest@127.0.0.1) || log_of sshd
	equal "what is listed at the top" files "$(tail -n 1 <<<"$listed")"
	equal "what came back" hello "$(</root/got)"
	equal "its owner" guest "$(stat -c %U /srv/sftp/guest/files/sub/moved)"
	[[ -d /srv/sftp/guest/files/new ]]
END
}

@test "sshd gives a shell in ChrootDirectory, whose files and pipes work" {
	with_profile service
	in_tree <<'END'
	start_sshd 'ChrootDirectory /jail'
	got=$(ssh "${options[@]}" -p 2222 guest@127.0.0.1 'cd /tmp && echo a b | tr " " "\n" | sort -r >f &&
		cd /usr/bin && cat ../../tmp/f') || log_of sshd
	equal "from the shell" $'b\na' "$got"
	equal "the file in the jail" $'b\na' "$(</jail/tmp/f)"
END
}

@test "rsyncd with use chroot = yes takes and gives files" {
	with_profile service
	in_tree <<'END'
	mkdir -p /srv/data /root/from/deep/er
	seq 1000 >/root/from/deep/er/file
	ln -s file /root/from/deep/er/link
	printf '%s\n' 'port = 8730' 'address = 127.0.0.1' 'use chroot = yes' 'log file = /root/rsyncd.log' 'uid = root' \
		'[data]' 'path = /srv/data' 'read only = no' >/root/rsyncd.conf
	rsync --daemon --no-detach --config=/root/rsyncd.conf &
	listening() { rsync rsync://127.0.0.1:8730/ >/dev/null 2>&1; }
	until_true 60 listening
	rsync -a /root/from/ rsync://127.0.0.1:8730/data/ || log_of rsyncd
	rsync -a rsync://127.0.0.1:8730/data/deep /root/to/ || log_of rsyncd
	diff -r /root/from/deep /root/to/deep
	echo more >>/root/from/deep/er/file
	rm /root/from/deep/er/link
	rsync -a --delete /root/from/ rsync://127.0.0.1:8730/data/ || log_of rsyncd
	diff -r /root/from /srv/data
END
}

@test "vsftpd gives and takes files of a local user in chroot_local_user, and of anonymous" {
	with_profile service
	in_tree <<'END'
	mkdir -p /var/run/vsftpd/empty /srv/ftp/pub /home/guest/files
	useradd --home-dir /home/guest --shell /bin/sh guest
	echo guest:secret | chpasswd
	chown guest /home/guest/files
	echo public >/srv/ftp/pub/file
	printf '%s\n' listen=YES listen_ipv6=NO listen_address=127.0.0.1 listen_port=2121 background=NO \
		anonymous_enable=YES no_anon_password=YES anon_root=/srv/ftp local_enable=YES write_enable=YES \
		chroot_local_user=YES secure_chroot_dir=/var/run/vsftpd/empty pam_service_name=vsftpd \
		vsftpd_log_file=/root/vsftpd.log log_ftp_protocol=YES xferlog_enable=YES >/root/vsftpd.conf
	vsftpd /root/vsftpd.conf &
	fetched() { busybox ftpget -P 2121 127.0.0.1 /root/public pub/file 2>/dev/null; }
	until_true 60 fetched || log_of vsftpd
	equal "from anonymous" public "$(</root/public)"
	echo mine >/root/sent
	as_guest=(-u guest -p secret -P 2121 127.0.0.1)
	busybox ftpput "${as_guest[@]}" files/sent /root/sent || log_of vsftpd
	busybox ftpget "${as_guest[@]}" /root/got /files/sent || log_of vsftpd
	equal "from the user" mine "$(</root/got)"
	equal "the file" "guest mine" "$(stat -c %U /home/guest/files/sent) $(</home/guest/files/sent)"
END
}

@test "named -t answers, and writes its journal in the chroot" {
	with_profile service
	in_tree <<'END'
	mkdir -p /srv/named/{etc,run,zones,dev}
	printf '%s\n' 'options { directory "/zones"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; };' \
		'pid-file "/run/named.pid"; session-keyfile "/run/session.key"; recursion no; dnssec-validation no; };' \
		'controls { };' 'zone "test" { type primary; file "zone"; allow-update { 127.0.0.1; }; };' \
		>/srv/named/etc/named.conf
	printf '%s\n' '$TTL 60' '@ SOA ns admin 1 60 60 60 60' '@ NS ns' 'ns A 127.0.0.1' 'host A 192.0.2.7' \
		>/srv/named/zones/zone
	chown -R bind /srv/named/{run,zones}
	named -g -n 2 -u bind -t /srv/named -c /etc/named.conf >/root/named.log 2>&1 &
	answer() { dig +short +tries=1 -p 5300 @127.0.0.1 "$1" A; }
	answers() { [[ $(answer "$1") == "$2" ]]; }
	until_true 60 answers host.test 192.0.2.7 || log_of named
	printf '%s\n' 'server 127.0.0.1 5300' 'update add new.test 60 A 192.0.2.8' send | nsupdate || log_of named
	equal "the name just added" 192.0.2.8 "$(answer new.test)"
	[[ -e /srv/named/zones/zone.jnl && -e /srv/named/run/named.pid ]]
END
}

@test "apt-get installs a setuid program in a chroot, which works there" {
	with_profile build
	in_tree <<'END'
	chroot /jail apt-get -qq update
	DEBIAN_FRONTEND=noninteractive chroot /jail apt-get -qq install --no-install-recommends sudo \
		>/root/apt.log 2>&1 || log_of apt
	equal "the setuid program" 4755 "$(stat -c %a /jail/usr/bin/sudo)"
	equal "by sudo" "root nobody" "$(chroot /jail sh -c 'echo $(sudo id -un) $(sudo -u nobody id -un)')"
END
}

@test "dpkg --root installs into another system, whose maintainer scripts run there" {
	with_profile build
	in_tree <<'END'
	file=/jail/usr/share/debianutils/shells.d/dash
	rm $file
	mkdir /root/package
	dpkg-deb -R /srv/repository/pool/dash_*.deb /root/package
	printf '%s\n' '#!/bin/bash' 'cd /usr && echo "$1 in $(cat ../etc/where)" >scripts' 'mknod -m 666 ../run/null c 1 3' \
		>/root/package/DEBIAN/preinst
	chmod 755 /root/package/DEBIAN/preinst
	echo jail >/jail/etc/where
	dpkg-deb -Znone --build /root/package /root/dash.deb >/dev/null
	dpkg --root=/jail --install /root/dash.deb >/root/dpkg.log 2>&1 || log_of dpkg
	equal "the state" "ii " "$(dpkg-query --root=/jail -W -f '${db:Status-Abbrev}' dash)"
	equal "by the maintainer script" "upgrade in jail, character special file" \
		"$(</jail/usr/scripts), $(stat -c %F /jail/run/null)"
	equal "the file that was missing" /bin/dash "$(<$file)"
	equal "by dash" / "$(chroot /jail dash -c 'cd /usr/bin && cd ../.. && pwd')"
END
}

@test "debootstrap makes a small system" {
	[[ ${CHECMATE_SOAK:-} ]] || skip "long: CHECMATE_SOAK=1"
	with_profile build
	in_tree <<'END'
	debootstrap --no-check-gpg --variant=minbase --exclude=apt bookworm /tmp/new file:///srv/repository \
		>/root/debootstrap.log 2>&1 || {
		tail -n 30 /tmp/new/debootstrap/debootstrap.log >&2
		log_of debootstrap
	}
	equal "warnings" "" "$(grep '^[WE]:' /root/debootstrap.log || true)"
	equal "what is not installed" "" "$(dpkg --root=/tmp/new --audit)"
	equal "a program of the new system" bookworm "$(chroot /tmp/new bash -c '. /etc/os-release
		echo $VERSION_CODENAME')"
END
}

@test "schroot sets up a directory chroot, with its mounts, and takes them away" {
	with_profile build
	in_tree <<'END'
	printf '%s\n' '[jj]' type=directory directory=/jail users=root root-users=root profile=default \
		>/etc/schroot/chroot.d/jj
	echo jailed >/jail/etc/where
	echo home >/home/file
	before=$(sort /proc/mounts)
	session=$(schroot --begin-session --chroot jj)
	in_session() { schroot --run-session --chroot "$session" --directory "$1" -- sh -c "$2"; }
	equal "inside" "jailed version" "$(in_session / 'echo $(cat etc/where) $(cd /proc/self/.. && ls version)')"
	equal "a bind mount of it" home "$(in_session /home 'cat ../home/file')"
	schroot --end-session --chroot "$session"
	equal "mounts that are left" "$before" "$(sort /proc/mounts)"
END
}

@test "schroot sets up a union-overlay chroot that leaves the directory as it was" {
	with_profile build
	in_tree <<'END'
	mount -t tmpfs tmpfs /srv # a layer on a layer is as deep as overlays go
	mount -t tmpfs tmpfs /var/lib/schroot/union
	mkdir -p /var/lib/schroot/union/{overlay,underlay} /srv/small/{bin,etc,proc,sys,dev,tmp,home,run}
	cp /bin/busybox /srv/small/bin/sh
	echo lower >/srv/small/etc/where
	printf '%s\n' '[union]' type=directory directory=/srv/small union-type=overlay users=root root-users=root \
		profile=minimal setup.nssdatabases= >/etc/schroot/chroot.d/union
	equal "inside" "lower upper" "$(schroot --chroot union --directory / -- sh -c '
		cd etc; read a <where; echo upper >where; read b <../etc/where; echo $a $b')"
	equal "the directory" lower "$(</srv/small/etc/where)"
END
}

@test "crun runs a container: files, processes and mounts inside work" {
	with_profile service
	in_tree <<'END'
	mkdir -p /srv/box/rootfs/bin
	cp /bin/busybox /srv/box/rootfs/bin/sh
	cd /srv/box
	crun spec
	sed -i -e 's/"terminal": true/"terminal": false/' -e 's/"readonly": true/"readonly": false/' \
		-e 's|"sh"$|"sh", "-c", "cd /proc/self/..; read a </proc/self/comm; cd ..; echo $a $$ >file; echo made"|' config.json
	equal "from the container" made "$(crun run box)"
	equal "the file that it made" "sh 1" "$(<rootfs/file)"
	equal "containers that are left" "" "$(crun list -q)"
END
}

@test "bubblewrap makes sandboxes, for root and for an ordinary user, and a chroot works in root's" {
	with_profile desktop
	in_tree <<'END'
	box=(bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all --die-with-parent)
	script='cd /proc/self/.. && cd /tmp && mkdir -p a/b && cd a/b && echo x >../f && cat ../../a/f'
	equal "root's" x "$("${box[@]}" sh -c "$script")"
	equal "a user's" x "$(setpriv --reuid 1000 --regid 1000 --clear-groups "${box[@]}" sh -c "$script")"
	equal "a chroot in root's" bookworm "$("${box[@]}" --cap-add CAP_SYS_CHROOT \
		chroot /jail sh -c '. etc/os-release; echo $VERSION_CODENAME')"
END
}
