# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What the tests with ordered faults share; after selftests/lib.sh. Faults are
# ordered by the kernel's own means, and meet calls of the module alone: the
# filter looks for its text in the stack of whoever asks for memory.

inject=/sys/kernel/debug

# on NODE: is this a kernel that takes orders?
takes_orders() { on "$1" "[ -e $inject/failslab/require-start ] && [ -e $inject/fail_make_request ]"; }

# filter NODE: whoever asks for memory must have the module's text in its stack. The
# addresses are more than the guest's shell can count.
filter() {
	local name bytes rest start
	read -r name bytes rest < <(on "$1" grep '^holdfast ' /proc/modules) || return 1
	start=$(grep -o '0x[0-9a-f]*' <<<"$rest") || return 1
	on "$1" "for what in failslab fail_page_alloc; do
			cd $inject/\$what && echo 0 >probability && echo 0 >interval && echo 0 >verbose &&
			echo 32 >stacktrace-depth && echo $start >require-start &&
			echo $(printf '0x%x' $((start + bytes))) >require-end && echo N >ignore-gfp-wait || exit 1
		done
		echo 0 >$inject/fail_page_alloc/min-order && echo N >$inject/fail_page_alloc/ignore-gfp-highmem"
}

# memory_fails NODE PERCENT
memory_fails() {
	on "$1" "for what in failslab fail_page_alloc; do
			cd $inject/\$what && echo -1 >times && echo $2 >probability || exit 1
		done"
}

memory_is_fine() { on "$1" "echo 0 >$inject/failslab/probability; echo 0 >$inject/fail_page_alloc/probability"; }

# device_fails NODE DISK PERCENT TIMES: I/O of that device of the lab
device_fails() {
	on "$1" "cd $inject/fail_make_request && echo 0 >verbose && echo $3 >probability && echo $4 >times &&
		echo 1 >/sys/block/\$(basename \$(readlink -f /dev/lab/$2))/make-it-fail"
}

devices_are_fine() {
	on "$1" "echo 0 >$inject/fail_make_request/probability
		for f in /sys/block/*/make-it-fail; do echo 0 >\$f; done"
}

all_is_fine() {
	local node
	for node in $nodes; do
		is_on "$node" || continue
		memory_is_fine "$node" && devices_are_fine "$node" || return 1
	done
}
