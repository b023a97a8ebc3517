# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Words that the bats files are written in. Loaded by each of them; runs in the guest only.

[[ ${CHECMATE_GUEST:-} ]] || {
	echo "these tests run in a guest: tests/vm/run -- bats FILE" >&2
	exit 1
}

bats_require_minimum_version 1.5.0

# bats loads this anew for each test. The words below are made ready once a run: to read that takes a
# tenth of making it.
words=$BATS_RUN_TMPDIR/words
if [[ -e $words ]]; then
	# shellcheck source=/dev/null
	. "$words"
else
	top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
fi
programs=$top/build/tests
# What checmate build compiles with: this tree's SDK, not an installed one.
export CHECMATE_SDK=$top/kernel
pins=/sys/fs/bpf/checmate
# shellcheck disable=SC2034 # for the files that load this
knob=kernel.yama.ptrace_scope
knob_file=/proc/sys/kernel/yama/ptrace_scope
try=$programs/lifecycle-try
# Which third this kernel has of what is dealt out to the three.
# shellcheck disable=SC2034 # for the files that load this
case $CHECMATE_KERNEL in
6.1) third=0 ;;
6.12) third=1 ;;
*) third=2 ;;
esac
[[ ! -e $words ]] || return 0
others=$(compgen -A function)

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
		if ((SECONDS > deadline)); then
			fail "waiting for: $*" "success" "none in time"
			return 1
		fi
		sleep 0.05
	done
}

# --- the command

# checmate STATUS ARG...: runs the command and demands that exit status. Output in $output (standard
# output), $lines and $stderr. A success that prints something on stderr other than a note is a
# failure, and so is a failure that says why in more or less than one line.
checmate() {
	local expected=$1 said=$BATS_TEST_TMPDIR/stderr
	shift
	output=$(command checmate "$@" 2>"$said") && status=0 || status=$?
	stderr=$(<"$said")
	# shellcheck disable=SC2034 # for the files that load this
	mapfile -t lines <<<"$output"
	equal "exit status of checmate $* ($stderr)" "$expected" "$status"
	[[ $expected -ne 0 || -z ${stderr//checmate: note: */} ]] ||
		fail "checmate $*" "silence on standard error" "$stderr"
	[[ $expected -eq 0 || ($stderr == 'checmate: '* && $stderr != *$'\n'*) ]] ||
		fail "checmate $*" "one line on standard error" "$stderr"
}

# refused STATUS PATTERN ARG...: that exit status, no output, and one line that matches.
refused() {
	local expected=$1 pattern=$2
	shift 2
	checmate "$expected" "$@"
	# shellcheck disable=SC2053 # a pattern
	[[ $stderr == $pattern ]] || fail "checmate $*" "$pattern" "$stderr"
	equal "output of checmate $*" "" "$output"
}

# json FILTER: holds for $output
json() {
	jq -e "$1" <<<"$output" >/dev/null || fail "the JSON output" "$1" "$output"
}

# value WANTED [CGROUP]: of the knob, as get shows it
value() {
	local got
	got=$(command checmate get -n "$knob" ${2:+--cgroup "/sys/fs/cgroup/$2"})
	equal "the value in '/${2:-}'" "$1" "$got"
}

# scopes WANTED: the scopes that are in force, "/" the system, "" nothing at all
scopes() {
	local row got=
	while read -ra row; do
		[[ ${row[0]} == PACK || ${row[-1]} == enabled ]] || got+="${got:+ }${row[-1]}"
	done < <(command checmate status)
	equal "the scopes" "$1" "$got"
}

# count COUNTER [HOOK]: of the stats
count() {
	local heading=${1//_/-} row i column=
	while read -ra row; do
		for i in "${!row[@]}"; do
			[[ ${row[$i]} != "${heading^^}" ]] || column=$i
		done
		[[ ${row[1]} != "${2:-ptrace_access_check}" ]] || echo "${row[$column]}"
	done < <(command checmate stats)
}

# counts: of refusals, "DENIED WOULD-DENY" of access checks and then of traceme
counts() {
	local row got=
	while read -ra row; do
		[[ ${row[1]} != ptrace_* ]] || got+="${got:+ }${row[3]} ${row[4]}"
	done < <(command checmate stats)
	echo "$got"
}

# counted "DENIED WOULD-DENY DENIED WOULD-DENY": so many more than when `system` was last called
counted() {
	local now i got=
	read -ra now < <(counts)
	for i in "${!now[@]}"; do
		got+="${got:+ }$((now[i] - marked[i]))"
	done
	equal "denied and would-deny of access checks, then of traceme" "$1" "$got"
}

# system VALUE: in force system-wide with that value, enabled if it is not
system() {
	if [[ -e $pins/packs/yama ]]; then
		checmate 0 set "$knob=$1"
	else
		checmate 0 enable yama "ptrace_scope=$1"
	fi
	read -ra marked < <(counts)
}

# --- processes

# In a subshell that was made for one command, the command takes its place and keeps its pid.
launch() {
	if [[ ${own_shell:-} && $(type -t "$1") == file ]]; then
		exec "$@"
	fi
	"$@"
}

# as_user COMMAND...: uid 1000 without capabilities
as_user() {
	launch "$programs/as-user" "$@"
}

# background COMMAND...: started, its pid in $started, ended by end_background. COMMAND may be one of
# the words here: the pid is that of the program in the end.
# shellcheck disable=SC2030 # only that subshell is one to give away
background() {
	{
		own_shell=1
		launch "$@"
	} 3>&- &
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
# shellcheck disable=SC2031
in_cgroup() {
	if [[ ! ${own_shell:-} ]]; then
		(own_shell=1 && in_cgroup "$@")
		return
	fi
	echo "$BASHPID" >"/sys/fs/cgroup/$1/cgroup.procs" || return
	launch "${@:2}"
}

# --- what is left, and what must not change

# Everything that BPF holds in this guest, one line each; empty when nothing is left. Nobody but us
# loads anything there.
leftovers() {
	[[ ! -e $pins ]] || find "$pins"
	"$programs/bpf-objects" || echo "and what bpf-objects could not tell"
}

nothing_left() {
	[[ -z $(leftovers) ]]
}

# The kernel releases what is not used any more a moment later.
leaves_nothing() {
	until_true 10 nothing_left 2>/dev/null || fail "what is left" "nothing" "$(leftovers)"
}

# At the end of a file: disable leaves no program, map, link, pin, file or cgroup behind.
assert_nothing_left() {
	leaves_nothing
	[[ ! -e ${knob_file%/*} ]] || native_yama || fail "${knob_file%/*}" "gone" "still there"
	local left
	left=$(find /sys/fs/cgroup -mindepth 1 -type d)
	equal "cgroups" "" "$left"
}

# All that a call could have changed: what is reported, and every object of the kernel by its id.
state() {
	command checmate status -j
	leftovers
}

# The kernel releases what is not used any more a moment later: what was just unloaded, and the program
# by which `load` and `enable` try BPF LSM, with its maps.
is_settled() {
	local before=$remembered
	sleep 0.2
	remembered=$(state)
	[[ $remembered == "$before" && $remembered != *" cm_probe "* ]]
}

# remember, any number of calls that are refused, unchanged
remember() {
	remembered=
	until_true 10 is_settled
}

is_unchanged() {
	[[ $(state) == "$remembered" ]]
}

unchanged() {
	until_true 5 is_unchanged 2>/dev/null ||
		equal "the state after what was refused" "$remembered" "$(state)"
}

# No process and no cgroup of a test, nor the scopes that these had; the system's scope stays.
clean() {
	end_background
	until_true 10 find /sys/fs/cgroup -mindepth 1 -depth -type d -delete 2>/dev/null
}

# withdraw PACK...: those of them that are enabled
withdraw() {
	local pack
	for pack; do
		[[ ! -e $pins/packs/$pack ]] || command checmate disable "$pack"
	done
}

# Back to nothing, whatever a test has done, short of a value that holds until reboot.
reset() {
	end_background
	[[ ! -e $pins ]] || command checmate disable yama >/dev/null 2>&1 || true
	clean
	# A value that holds in a cgroup went with it.
	[[ ! -e $pins ]] || command checmate disable yama >/dev/null 2>&1 || true
	[[ -e $pins ]] || leaves_nothing # the next test starts from nothing
}

native_yama() {
	[[ ,$(</sys/kernel/security/lsm), == *,yama,* ]]
}

# --- attempts that Yama judges

# target [CGROUP [ARG...]]: a process of uid 1000 that waits, its pid in $target. ARG: "any" or a pid,
# for PR_SET_PTRACER.
target() {
	local cgroup=${1:-} said=$BATS_TEST_TMPDIR/target
	shift || true
	: >"$said"
	background in_cgroup "$cgroup" as_user "$try" pause "$@" >"$said"
	target=$started
	until_true 20 test -s "$said"
	equal "PR_SET_PTRACER of the target" OK "$(<"$said")"
}

# attempt EXPECTED CGROUP ACTION [PID]: by a stranger, of uid 1000, in that cgroup, on $target
attempt() {
	local expected=$1 cgroup=$2 got
	shift 2
	[[ $# -ge 2 || $1 == child || $1 == traceme ]] || set -- "$@" "$target"
	got=$(in_cgroup "$cgroup" as_user "$try" "$@")
	equal "$* from '/$cgroup'" "$expected" "$got"
}

# --- speed

# untraced WORD...: bats notes the place before each command of a test, by a trap that takes longer
# than most of the commands here. Within these words it does not: a failure is where they are used.
untraced() {
	# shellcheck disable=SC2016 # expanded when it is called
	local word text wrapper='() {
		if [[ $- == *T* ]]; then
			set +T
			"raw_$FUNCNAME" "$@"
			set -- $?
			set -T
			return $1
		fi
		"raw_$FUNCNAME" "$@"
	}
'
	# By a file, and all at once: a fork for each would cost a test half a second.
	declare -f "$@" >"$BATS_RUN_TMPDIR/words.$$"
	IFS= read -rd '' text <"$BATS_RUN_TMPDIR/words.$$" || true
	text=$'\n'$text
	for word; do
		text=${text/$'\n'"$word ()"/$'\n'"raw_$word ()"}
		text+=$word$wrapper
	done
	eval "$text"
}

untraced fail equal until_true checmate refused value scopes count counts counted system \
	as_user background end_background in_cgroup clean reset target attempt \
	leftovers nothing_left leaves_nothing assert_nothing_left state is_settled remember is_unchanged unchanged

mapfile -t words_here < <(compgen -A function | grep -vxF "$others")
{
	printf 'top=%q\n' "$top"
	declare -f "${words_here[@]}"
} >"$words.new"
mv "$words.new" "$words"
