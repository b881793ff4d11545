# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # variables are for the tests
#
# What the guest tests share: TAP, the lab, and volumes set up by hand with
# holdfast-setup.  A test is an executable that sources this file, says how
# many nodes it needs, checks, and calls finish.  Exit status as kselftest has
# it: 0 passed, 1 failed, 4 skipped.
#
# The lab of $HOLDFAST_LAB is used if it is up; otherwise one is brought up for
# this test alone.  Every wait is bounded, and so is the whole test.
#
#   HOLDFAST_KERNEL=6.1|6.12|debug  HOLDFAST_SMP=N   for a lab that is brought up here
#   HOLDFAST_SEED=N           where something is random
#   HOLDFAST_FIRST_FAILURE=1  the first failure ends the test
#   HOLDFAST_TIME_SCALE=PCT   times of the module (emulated machines are slow)
#   HOLDFAST_PATIENCE=N       every limit of the tests is N times as long

set -u
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOLDFAST_LAB=${HOLDFAST_LAB:-guest-$$}
scale=${HOLDFAST_TIME_SCALE:-200}
patience=${HOLDFAST_PATIENCE:-1}
seed=${HOLDFAST_SEED:-1}
SKIP=4

# The volume that all tests use unless they say otherwise.
vol=web size_mib=64 port=7341
disk=/dev/vd1 data=/dev/lab/data1 meta=/dev/lab/meta1

test_nr=0 failures=0 own_lab="" work=$(mktemp -d)

# ---------------------------------------------------------------------- TAP

say() { printf '# %s\n' "$*"; }

ok() {
	test_nr=$((test_nr + 1))
	printf 'ok %d - %s\n' "$test_nr" "$*"
}

not_ok() {
	test_nr=$((test_nr + 1)) failures=$((failures + 1))
	printf 'not ok %d - %s\n' "$test_nr" "$*"
	if [ -n "${HOLDFAST_FIRST_FAILURE:-}" ]; then
		printf '1..%d\n' "$test_nr"
		exit 1
	fi
}

# check WHAT CMD…: the command succeeds
check() {
	local what=$1
	shift
	if "$@" >"$work/out" 2>&1; then
		ok "$what"
	else
		not_ok "$what"
		say "failed: $*"
		sed 's/^/#   /' "$work/out"
		return 1
	fi
}

# check_refused WHAT SENTENCE CMD…: fails with 1 and a line that matches SENTENCE
check_refused() {
	local what=$1 sentence=$2 status
	shift 2
	"$@" >"$work/out" 2>&1
	status=$?
	if [ "$status" = 1 ] && grep -qE -- "$sentence" "$work/out"; then
		ok "$what"
	else
		not_ok "$what"
		say "wanted status 1 and a line like: $sentence"
		say "status $status of: $*"
		sed 's/^/#   /' "$work/out"
		return 1
	fi
}

# check_equal WHAT A B
check_equal() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		say "one side: $(printf '%s' "$2" | head -c 300)"
		say "other:    $(printf '%s' "$3" | head -c 300)"
		return 1
	fi
}

# need WHAT CMD…: a step that the rest of the test stands on
need() {
	check "$@" && return
	show_nodes
	finish
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$*"
	exit $SKIP
}

show_nodes() {
	local node
	for node in ${nodes:-}; do
		say "$node:"
		lab exec -t 10 "$node" 'holdfast-setup show 2>&1; dmesg | tail -n 25' 2>&1 |
			sed 's/^/#   /'
	done
}

finish() {
	check "no trouble in any kernel log" no_splat
	[ -z "${HOLDFAST_LEAKS:-}" ] || check "no memory of the module is lost" no_leak
	printf '1..%d\n' "$test_nr"
	[ "$failures" = 0 ]
	exit
}

# ---------------------------------------------------------------------- lab

lab() { "$top/scripts/lab" "$@"; }

# on NODE CMD…: one argument is a line for the guest's shell
on() {
	local node=$1
	shift
	lab exec -t $((${limit_s:-60} * patience)) "$node" "$@"
}

hs() {
	local node=$1
	shift
	lab exec -t $((${limit_s:-60} * patience)) "$node" holdfast-setup "$@"
}

# What was in the kernel logs before this test does not count against it.
no_splat() {
	lab splat >"$work/splat" 2>&1 && return 0
	grep -vxFf "$work/splat.before" "$work/splat" | grep -q . || return 0
	cat "$work/splat"
	return 1
}

# A debug kernel's kmemleak, with the module still there (its names resolve) and
# after it went (nothing that it allocated may be left). What is new is told
# at the second look, and nothing that is younger than five seconds.
no_leak() {
	local node bad=0
	for node in $nodes; do
		settle "$node" >/dev/null 2>&1
		is_on "$node" || continue
		limit_s=120 on "$node" '[ -e /sys/kernel/debug/kmemleak ] || exit 0
			look() {
				echo scan >/sys/kernel/debug/kmemleak
				sleep 6
				echo scan >/sys/kernel/debug/kmemleak
				cat /sys/kernel/debug/kmemleak | head -c 20000
				echo clear >/sys/kernel/debug/kmemleak
			}
			grep "debug_locks: *0" /proc/lockdep_stats
			grep "^holdfast " /proc/modules | grep . >/tmp/module
			look; '"$unload_line"'; look' >"$work/leaks" 2>&1
		if grep -q . "$work/leaks" || is_loaded "$node"; then
			echo "$node:"
			cat "$work/leaks"
			on "$node" cat /tmp/module
			bad=1
		fi
	done
	return $bad
}

cleanup() {
	trap - EXIT INT TERM
	local pid
	for pid in $(jobs -p); do
		pkill -P "$pid" 2>/dev/null
		kill "$pid" 2>/dev/null
	done
	[ -z "$own_lab" ] || lab down >/dev/null 2>&1
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 124' INT TERM

# begin DEADLINE_S NODES: first call of every test
begin() {
	local limit=$1 count=$2 i
	if [ -z "${HOLDFAST_IN_TIME:-}" ]; then
		rm -rf "$work"
		HOLDFAST_IN_TIME=1 exec timeout --kill-after=30 $((limit * patience)) "$0"
	fi
	limit_all=$limit nodes=""
	for i in $(seq "$count"); do
		nodes="$nodes v$i"
	done
	if ! lab status >"$work/status" 2>&1; then
		if ! lab up -n "$count" --kernel "${HOLDFAST_KERNEL:-6.1}" \
			--smp "${HOLDFAST_SMP:-1}" --owner $$ >"$work/up" 2>&1; then
			skip_all "no lab: $(tail -n 1 "$work/up")"
		fi
		own_lab=1
	elif [ "$(grep -cE '^v[0-9]+ ' "$work/status")" -lt "$count" ]; then
		skip_all "this needs a lab of $count nodes"
	fi
	lab heal >/dev/null 2>&1
	for i in $nodes; do
		fresh "$i" || { echo "Bail out! $i cannot be made fresh"; exit 1; }
	done
	lab splat >"$work/splat.before" 2>&1
}

# An emulated machine that is short of time may fail in its firmware or timers.
power_on() { lab on "$1" || lab on "$1"; }

is_on() { lab status | grep -qE "^$1 +on"; }

# What a test did to the node's machine is undone, and nobody is at its disk.
settle() {
	local node=$1
	lab resume "$node" >/dev/null 2>&1
	lab disk "$node" data1 ok >/dev/null 2>&1
	lab disk "$node" meta1 ok >/dev/null 2>&1
	is_on "$node" || return 0
	on "$node" 'for p in holdfast-setup hfio fio hfgarbage; do killall -q -9 $p; done
		# what a dd to a disk that was not there left
		for f in /dev/vd[0-9]*; do [ -f "$f" ] && rm "$f"; done; true'
}

# A node with nothing of an earlier test: module not loaded, disks as they are.
fresh() {
	local node=$1
	settle "$node"
	if ! is_on "$node"; then
		power_on "$node" >/dev/null || return 1
	fi
	if limit_s=30 unload "$node" >/dev/null 2>&1; then
		on "$node" 'DM_DISABLE_UDEV=1 dmsetup remove_all >/dev/null 2>&1; true'
		return 0
	fi
	say "$node is booted again: its module would not go"
	lab cut "$node" >/dev/null && power_on "$node" >/dev/null
}

unload_line='if [ -d /sys/module/holdfast ]; then
	for v in $(holdfast-setup show --json | grep -o "\"volume\": \"[^\"]*\"" | cut -d\" -f4); do
		holdfast-setup del $v --force
	done
	rmmod holdfast
fi'
unload() { on "$1" "$unload_line"; }

is_loaded() { on "$1" '[ -d /sys/module/holdfast ]'; }

# tool NODE NAME: one of the programs of selftests/tools into the guest
tool() {
	[ -x "$top/build/$2" ] || make -s -C "$top/selftests/tools" "../../build/$2" || return 1
	lab put "$1" "$top/build/$2" "/usr/bin/$2"
}

load() { on "$1" "modprobe holdfast time_scale_pct=$scale"; }

node_id() { echo "${1#v}"; }

# ------------------------------------------------------------------ volumes

declare -A incarnations=()			# of slots that were made anew
incarnation() { echo "${incarnations[$1]:-$((0x1000 + $1))}"; }	# of slot N

# make_slot NODE SLOT [OPTION…]: an empty slot on the node's first pair
make_slot() {
	local node=$1 slot=$2
	shift 2
	hs "$node" format $vol $data $meta --slot "$slot" --node-id "$(node_id "$node")" \
		--size ${size_mib}M --incarnation "$(incarnation "$slot")" "$@"
}

attach_slot() {
	hs "$1" attach-slot $vol "$2" "$(incarnation "$2")" $data $meta
}

get() { hs "$1" get $vol "$2"; }		# get NODE PATH

wait_for() {					# wait_for NODE CONDITION…
	local node=$1
	shift
	hs "$node" wait $vol "$@" --timeout $((${wait_s:-30} * patience))
}

declare -A places=()				# of slots that are not on their own node
place() { echo "${places[$1]:-v$(($1 + 1))}"; }	# node of slot N

# copies N…: the --copy words of slots; with lives when $lives is set
copies() {
	local slot node life
	for slot in "$@"; do
		life="" node=$(place "$slot")
		[ -z "${lives:-}" ] || life=:$(get "$node" slot.life)
		printf -- '--copy %d=%d:%s%s ' "$slot" "$(node_id "$node")" \
			"$(incarnation "$slot")" "$life"
	done
}

# create SLOT…: format, first configuration, attach, on node v(SLOT+1) each;
# $others: slots N=NODE:INCARNATION of nodes that are not here
create() {
	local slot node list words one
	list=$(echo "$@" | tr ' ' ,) words=$(copies "$@")
	for one in ${others:-}; do
		words="$words --copy $one" list=$list,${one%%=*}
	done
	for slot in "$@"; do
		node=v$((slot + 1))
		load "$node" && make_slot "$node" "$slot" &&
			hs "$node" conf $vol --new --node-id $((slot + 1)) --size ${size_mib}M \
				$words --in-sync "$list" &&
			attach_slot "$node" "$slot" || return 1
	done
}

# conf_on "NODES" OPTION…: the same next configuration on each
conf_on() {
	local node list=$1
	shift
	for node in $list; do
		hs "$node" conf $vol "$@" || return 1
	done
}

# name PRIMARY "NODES" SLOT…: prepare there and commit R4's first step, which
# cites the lives of SLOT… (all on living nodes)
name_primary() {
	local primary=$1 list=$2 instance term lives=1 words
	shift 2
	instance=$(hs "$primary" prepare $vol) || return 1
	term=$(($(get "$primary" conf.term) + 1))
	words=$(copies "$@") || return 1
	# shellcheck disable=SC2086 # words are meant
	conf_on "$list" --term $term --primary "$(node_id "$primary"):$instance" $words
}

# activate "NODES" IN_SYNC SLOT…: R4's second step
activate() {
	local list=$1 in_sync=$2
	shift 2
	# shellcheck disable=SC2046
	conf_on "$list" --activated now --in-sync "$in_sync" $(copies "$@")
}

# link PRIMARY SLOT: both connections between their nodes
link() {
	local primary=$1 slot=$2 replica term
	replica=$(place "$slot")
	term=$(get "$primary" conf.term) || return 1
	hs "$replica" listen $vol --slot "$slot" --term "$term" --port $port --timeout $((20 * patience)) \
		--background >/dev/null &&
		hs "$primary" connect $vol --slot "$slot" --term "$term" --timeout $((10 * patience)) \
			--to "10.77.0.$(node_id "$replica"):$port" >/dev/null
}

# mirror: a volume of two copies on v1 (primary) and v2, in service
mirror() {
	create 0 1 && name_primary v1 "v1 v2" 0 1 && link v1 1 &&
		wait_for v1 link 1 ready reconciled 1 && activate "v1 v2" 0,1 0 1 &&
		wait_for v1 disk active && wait_for v1 link 1 ready
}

# single: a volume of one copy on v1, in service
single() {
	create 0 && name_primary v1 v1 0 && activate v1 0 0 && wait_for v1 disk active
}

# readmit PRIMARY SLOT IN_SYNC: after a rebuild
readmit() {
	wait_s=120 wait_for "$1" admissible "$2" && conf_on "$1" --in-sync "$3" &&
		wait_for "$1" adopted "$2" "$(get "$1" conf.epoch)"
}

# add_slot "NODES" SLOT: to the configuration, outside of the set, as a new copy
add_slot() {
	# shellcheck disable=SC2046
	conf_on "$1" $(copies "$2")
}

remove_slot() { conf_on "$1" --copy "$2=none"; }	# remove_slot "NODES" SLOT

# bring SLOT PRIMARY [OPTION…]: made anew on its node, which may know nothing,
# and attached under the configuration that PRIMARY has, which has it already
bring() {
	local node slot=$1 primary=$2
	node=$(place "$slot")
	shift 2
	load "$node" 2>/dev/null
	make_slot "$node" "$slot" --no-zero "$@" && follow "$node" "$primary" &&
		attach_slot "$node" "$slot"
}

# follow NODE OTHER: NODE adopts what OTHER has adopted
follow() {
	hs "$1" conf $vol --bytes "$(get "$2" conf.bytes)" --node-id "$(node_id "$1")"
}

# marked NODE SLOT: bytes that NODE's copy has marked for SLOT, 0 for none
marked() { get "$1" "out_of_sync.$2" 2>/dev/null || echo 0; }

# bits_on NODE SLOT: the same, as NODE's metadata device has them
bits_on() { on "$1" "holdfast-setup dump-meta $meta" | sed -n "s/^bitmap $2 dirty_bytes=//p"; }

# sums NODE [DEVICE]: checksums of each MiB
sums() {
	on "$1" hfio sums --device "${2:-$data}" --bytes $((size_mib << 20))
}

# zeros_on NODE DEVICE KIB_FROM KIB: past the page cache, which knows nothing of ours
zeros_on() {
	on "$1" "dd if=$2 bs=4096 skip=$(($3 / 4)) count=$(($4 / 4)) iflag=direct 2>/dev/null | cmp -n $(($4 << 10)) - /dev/zero"
}

# copies_equal NODE…: their data devices hold the same, block for block
copies_equal() {
	local node first="" this
	wait_for "${primary_node:-v1}" stable || return 1
	for node in "$@"; do
		this=$(sums "$node") || return 1
		[ -n "$this" ] || return 1
		[ -z "$first" ] && first=$this && continue
		[ "$this" = "$first" ] && continue
		echo "$1 and $node differ:"
		diff <(echo "$first") <(echo "$this") | head -n 6
		return 1
	done
}

# fails_on NODE CMD…: it fails in the guest
fails_on() { ! on "$@"; }

# background NODE NAME CMD: stdout to $work/NAME, status to $work/NAME.status
background() {
	local node=$1 name=$2
	shift 2
	(
		limit_s=$limit_all on "$node" "$@" >"$work/$name" 2>"$work/$name.err"
		echo $? >"$work/$name.status"
	) &
}

# wait_until SECONDS CMD…: polls what has no event on this side
wait_until() {
	local end=$((SECONDS + $1 * patience))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

lines_in() { [ "$(wc -l <"$work/$1")" -ge "$2" ]; }
ended() { [ -e "$work/$1.status" ]; }
