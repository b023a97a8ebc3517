#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2154 # helpers.bash and bats set them
# The pack ratelimit around containers, as crun runs them. By make soak: the tree has crun.

load ../../tests/helpers
load ../hardchroot/workloads

setup() {
	[[ -d $tree ]] || skip "no root tree: tests/vm/tree fetch"
	new_cgroup a
	new_cgroup out
}

teardown() {
	withdraw ratelimit
	clean
}

# box NAME: a container with an archive of 60 files, that unpacks one after the other, each as often as
# it takes. unpack NAME CGROUP: it is run there; $gave_up is how often tar failed, $took the time in ms.
boxes=$(
	cat <<'END'
	box() {
		mkdir -p "/srv/$1/rootfs/"{bin,work}
		cp /bin/busybox "/srv/$1/rootfs/bin/sh"
		cp /bin/busybox "/srv/$1/rootfs/bin/tar"
		mkdir /srv/files
		(cd /srv/files && touch f{1..60} && tar cf "/srv/$1/rootfs/files.tar" .)
		rm -r /srv/files
		echo 'cd work; n=0; for i in $(seq 60); do until tar xf ../files.tar ./f$i 2>/dev/null; do n=$((n+1)); done; done; echo $n' \
			>"/srv/$1/rootfs/unpack"
		cp /bin/busybox "/srv/$1/rootfs/bin/seq"
		(cd "/srv/$1" && crun spec && sed -i -e 's/"terminal": true/"terminal": false/' \
			-e 's/"readonly": true/"readonly": false/' -e 's|"sh"$|"sh", "/unpack"|' \
			config.json)
	}
	unpack() {
		local begin
		echo $BASHPID >"/sys/fs/cgroup/$2/cgroup.procs"
		begin=$(date +%s%3N)
		gave_up=$(cd "/srv/$1" && crun --cgroup-manager=disabled run "$1")
		took=$(($(date +%s%3N) - begin))
		files=$(ls "/srv/$1/rootfs/work" | wc -l)
	}
END
)

@test "a container that unpacks an archive is held to its rate, and its neighbour is not" {
	checmate 0 enable ratelimit --cgroup /sys/fs/cgroup/a file_create=10/s:40
	in_tree <<END
$boxes
	box one
	box two
	(unpack two out; equal "the neighbour" "60 0" "\$files \$gave_up")
	(unpack one a; [[ \$files == 60 && \$gave_up -gt 0 && \$took -ge 2000 ]] ||
		fail "in the scope" "60 files, refusals, 2000 ms or more" "\$files, \$gave_up, \$took")
END
}
