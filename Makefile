# SPDX-License-Identifier: GPL-2.0-or-later
#
# For people.  The kernel's build system reads Kbuild; the agent has its own
# agent/Makefile.  `make help` lists the targets.

SHELL		:= /bin/bash
SETUP		:= scripts/setup

.PHONY: help setup module agent all deb check check-long check-debug demo demo-quick model kunit torture fuzz style clean

help:
	@echo 'make demo    four Debian machines with databases: one loses its power, one is rebooted'
	@echo '             DKMS=v4 (it builds the module itself)'
	@echo 'make demo-quick   three small machines, one lost under load'
	@echo '             VICTIM=v1|v2 FAULT=cut|pause SABOTAGE=early-ack|no-activity-log|no-marks|no-fence'
	@echo 'make deb     Debian packages, in build/debs/'
	@echo 'make model   the protocol model, every scenario and mutation'
	@echo 'make kunit   the pure cores as KUnit suites in user-mode Linux'
	@echo 'make torture SECONDS=n SEED=s   random faults against a running cluster'
	@echo 'make fuzz SECONDS=n             every parser, n seconds each'
	@echo 'make check-debug                guest tests on a kernel with KASAN, lockdep …, and with'
	@echo '                                ordered faults; hours, the kernel is built once'
	@echo 'make style   checkpatch, sparse, shellcheck, spelling'

setup:
	@$(SETUP) all

module:
	@scripts/build-module $(if $(SABOTAGE),--sabotage $(SABOTAGE))

agent:
	@$(MAKE) --no-print-directory -C agent

all: setup module agent

deb:
	@$(SETUP) build deb
	@scripts/build-deb

check: setup
	@selftests/check $(SUITES)

check-long: setup
	@selftests/check --long $(SUITES)

check-debug: setup
	@$(SETUP) debug
	@selftests/check --debug

demo: setup
	@$(SETUP) deb
	@scripts/demo $(if $(DKMS),--dkms $(DKMS)) $(if $(SEED),--seed $(SEED))

demo-quick: setup
	@scripts/demo-quick $(if $(VICTIM),--victim $(VICTIM)) $(if $(FAULT),--fault $(FAULT)) \
		$(if $(SABOTAGE),--sabotage $(SABOTAGE)) $(if $(SEED),--seed $(SEED))

model: setup
	@selftests/model/run

kunit: setup
	@scripts/kunit

torture: setup
	@selftests/torture/run --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

fuzz: setup
	@selftests/fuzz/run $(if $(SECONDS),--seconds $(SECONDS))

style: setup
	@scripts/style

clean:
	@rm -rf build
	@$(MAKE) --no-print-directory -C agent clean
