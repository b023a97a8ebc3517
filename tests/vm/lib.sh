# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What tests/vm/run and tests/vm/kernel share. Sourced, never run.

# shellcheck disable=SC2034 # used by those who source this
cache=${CHECMATE_CACHE:-/var/cache/checmate}

note() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# fail STATUS TEXT...: one line on stderr, then exit.
fail() {
	local status=$1
	shift
	note "$*"
	exit "$status"
}

# need STATUS TOOL:PACKAGE...: every tool must be there; one line names all that are not.
need() {
	local status=$1 pair tools=() packages=()
	shift
	for pair in "$@"; do
		command -v "${pair%%:*}" >/dev/null 2>&1 && continue
		tools+=("${pair%%:*}")
		packages+=("${pair#*:}")
	done
	if ((${#tools[@]})); then
		fail "$status" "missing: ${tools[*]}; get it with: apt-get install ${packages[*]}"
	fi
}

is_kernel() {
	[[ $1 == 6.1 || $1 == 6.12 || $1 == 7 ]]
}
