# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Words that the bats files are written in. Loaded by each of them; runs in the guest only.

[[ ${CHECMATE_GUEST:-} ]] || {
	echo "these tests run in a guest: tests/vm/run -- bats FILE" >&2
	exit 1
}

bats_require_minimum_version 1.5.0

top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
programs=$top/build/tests
pins=/sys/fs/bpf/checmate
knob=kernel.yama.ptrace_scope
knob_file=/proc/sys/kernel/yama/ptrace_scope

# checmate STATUS ARG...: runs the command and demands that exit status. Output in $output (standard
# output) and $stderr. A success that prints something on stderr other than a note is a failure.
checmate() {
	local expected=$1
	shift
	run --separate-stderr -"$expected" command checmate "$@"
	[[ $expected -ne 0 || -z ${stderr//checmate: note: */} ]] ||
		fail "checmate $*" "silence on standard error" "$stderr"
	if ((expected != 0)); then # one line that says what is wrong
		[[ $(grep -c '' <<<"$stderr") -eq 1 && $stderr == 'checmate: '* ]] ||
			fail "checmate $*" "one line on standard error" "$stderr"
	fi
}

# fail WHAT EXPECTED ACTUAL
fail() {
	printf '%s\n  expected: %s\n  actual:   %s\n' "$1" "$2" "$3" >&2
	return 1
}

equal() {
	[[ $2 == "$3" ]] || fail "$1" "$2" "$3"
}

# until_true SECONDS COMMAND...: polls; never sleeps longer than needed.
until_true() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || fail "waiting for: $*" "success" "none in time"
		sleep 0.05
	done
}

# as_user COMMAND...: uid 1000 without capabilities
as_user() {
	setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all "$@"
}

# background COMMAND...: started, its pid in $started, ended by end_background.
background() {
	"$@" 3>&- &
	started=$!
	background_pids+=("$started")
}

end_background() {
	local pid
	for pid in "${background_pids[@]:-}"; do
		[[ -z $pid ]] || { kill -9 "$pid" && wait "$pid"; } 2>/dev/null || true
	done
	background_pids=()
}

new_cgroup() {
	mkdir -p "/sys/fs/cgroup/$1"
}

# in_cgroup PATH COMMAND...: "" is the root
in_cgroup() {
	local path=$1
	shift
	# shellcheck disable=SC2016 # the inner shell's
	bash -c 'echo $$ >"/sys/fs/cgroup/$1/cgroup.procs" && shift && exec "$@"' sh "$path" "$@"
}

# Everything that BPF holds in this guest, one line each; empty when nothing is left. Nobody but us
# loads anything there, except bpftool, which looks for owners with an iterator of its own.
leftovers() {
	local kind
	[[ ! -e $pins ]] || find "$pins"
	for kind in prog map link; do
		bpftool -j "$kind" show 2>/dev/null | jq -r --arg kind "$kind" \
			'.[] | select(.type != "tracing" or .name != "dump_task_file")
			 | select((.name // "") | startswith("pid_iter") | not)
			 | "\($kind) \(.id) \(.name // .type)"'
	done
}

nothing_left() {
	[[ -z $(leftovers) ]]
}

# At the end of a file: disable leaves no program, map, link, pin, file or cgroup behind.
assert_nothing_left() {
	until_true 10 nothing_left || fail "what is left" "nothing" "$(leftovers)"
	[[ ! -e ${knob_file%/*} || $(</sys/kernel/security/lsm) == *yama* ]] ||
		fail "${knob_file%/*}" "gone" "still there"
	local left
	left=$(find /sys/fs/cgroup -mindepth 1 -type d)
	equal "cgroups" "" "$left"
}

native_yama() {
	[[ ,$(</sys/kernel/security/lsm), == *,yama,* ]]
}
