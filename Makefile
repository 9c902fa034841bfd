# SPDX-License-Identifier: GPL-3.0-or-later
# Needs git, make, python3 and root on Debian 12 or 13; fetches the rest itself.

SHELL := /bin/bash
COMMA := ,
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export PREPROVISION_CACHE ?= $(HOME)/.cache/voip-preprovision
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Set in some environments; every start of Ansible would then compile everything
unexport PYTHONDONTWRITEBYTECODE
# molecule colours its output even without a terminal
ifndef MAKE_TERMOUT
export NO_COLOR := 1
endif

MACHINE := tests/machines/machine
COLLECTIONS := .cache/collections/ansible_collections
FROM_WHEEL := ansible/posix community/crypto
SELF := $(COLLECTIONS)/voip/preprovision
SANITY := build/ansible_collections/voip/preprovision
# The home that ansible-test sees: its virtual environments, what it runs first in each (the pip that Python brings along, in
# place of one from its own download site), and the settings of the caller's pip, which it hides from its own
SANITY_HOME := $(PREPROVISION_CACHE)/sanity
# Lanes of parts that run at the same time: each waits for one process most of the time, and none measures anything. Unit tests occupy every
# core, and the scenarios fleet and station have tests that a busy machine would disturb, so these have the machine to themselves
LANES := lint,cores teardown,roles real_bench,sanity
ALONE := unit fleet_test station_test
PARTS := $(subst $(COMMA), ,$(LANES)) $(ALONE)
SCENARIOS := default teardown roles real_bench
READY := .venv/complete .cache/collections/complete
WHEELS := $(PREPROVISION_CACHE)/wheels
WHEEL = $(shell sed -n 's/^ansible==\([^ ]*\).*/ansible-\1/p' requirements/collections.txt)

# The wheel holds a hundred collections; installing it whole takes much longer
define UNPACK
import sys, zipfile
wheel, target, *collections = sys.argv[1:]
wanted = tuple(f"ansible_collections/{name}/" for name in collections)
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(target, [name for name in archive.namelist() if name.startswith(wanted)])
endef
export UNPACK

# pytest's closing line, as two numbers; a run that ends without one has failed
define COUNT
/^[0-9]+ [a-z]+.* in [0-9.]+s/ {
    good = bad = 0
    for (i = 2; i <= NF; i++) if ($$i ~ /^passed/) good = $$(i - 1); else if ($$i ~ /^(failed|error)/) bad += $$(i - 1)
}
END { print good + 0, (good + bad) ? bad + 0 : 1 }
endef
export COUNT

# What ansible, pytest, ansible-test and make say of a failure, with what follows; molecule then destroys the machines and sums up
define REASONS
/^(INFO|ERROR) +(\[|Molecule|Ansible return code)|^PLAY RECAP|^DETAILS/ { left = 0; next }
/^(\[ERROR\]|fatal: |failed: |FAILED |ERROR|E   )/ { left = 20 }
left-- > 0
endef
export REASONS

# A playbook's first play, and the time that it took
define SECONDS_OF
/^PLAY \[/ && !play { play = $$0; sub(/^PLAY \[/, "", play); sub(/\] \**$$/, "", play) }
/^Playbook run took / { printf "%5d s  %s\n", $$4 * 86400 + $$6 * 3600 + $$8 * 60 + $$10, play; play = "" }
endef
export SECONDS_OF

# Documents and releases: their tools, the pages beside docs, the archive's name and the time of what is in it
RELEASE_TOOLS := $(CURDIR)/.cache/release/bin
PAGES := README.md CONTRIBUTING.md SECURITY.md CODE_OF_CONDUCT.md MAINTAINERS.md CHANGELOG.rst
ARCHIVE = voip-preprovision-$(shell sed -n 's/^version: //p' galaxy.yml).tar.gz
SOURCE_SECONDS = $(shell git log -1 --format=%ct)

# The domain packages that the role profile_service installs beside the service
DOMAIN := $(shell sed -n '/^__profile_service_domain:/,/^[^ ]/s/^  - //p' roles/profile_service/vars/main.yml)

# A play of the station scenario on the scenario's machines
PROVE := $(MACHINE) run ansible-playbook --inventory=inventories/demo --inventory=extensions/molecule/station/inventory extensions/molecule/station
FLEET := --inventory=inventories/fleet --inventory=extensions/molecule/fleet/inventory
# What happens to one provisioning server, what happens to all of them, and what the database's cluster meets
SERVER_PLAYS := drain kill cut_off rebuild
FLEET_PLAYS := verify public metrics rows zone commands rolling firewall dead_record
CLUSTER_PLAYS := database
PROOF_ROLES := bench, log_server, time_server, dns_server, web_server, profile_service, tftp_server, service_health, dhcp_server

.PHONY: help tools station fleet test why slowest quick style types build/service $(PARTS) testing molecule proof benchmarks clean readmes galaxy docs changelog release

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools: $(READY) ## Ansible and the collections it needs, in .venv and .cache

station: $(READY) ## set up a station in a container, boot three emulated phones, print their table
	$(MACHINE) prepare
	$(MACHINE) up preprovision-station bookworm
	$(MACHINE) run ansible-playbook -i inventories/demo voip.preprovision.site
	$(MACHINE) run ansible-playbook -i inventories/demo voip.preprovision.check -e "check_phones={{ groups['phones'] }}"

fleet: $(READY) ## set up a station, three provisioning servers and their database in containers; emulated phones at home call them
	$(MACHINE) prepare
	$(MACHINE) run ansible-playbook -i inventories/fleet extensions/molecule/fleet/create.yml
	$(MACHINE) run ansible-playbook -i inventories/fleet voip.preprovision.site
	$(MACHINE) run ansible-playbook -i inventories/fleet voip.preprovision.fleet_check -e fleet_check_client=customer -e fleet_check_name=false

test: $(READY) ## run all tests: lint, unit, cores, sanity, molecule
	@mkdir -p build; rm -f build/*.log build/*.result; \
	at_once() { local text; text=$$(cat); { flock 9; printf '%s\n' "$$text"; } 9>build/printing; }; \
	run_part() { \
	    local start=$$SECONDS result=passed; \
	    { printf '\n== %s\n' $$1; $(MAKE) --no-print-directory $$1 2>&1; } | tee build/$$1.log | $$2 || result=failed; \
	    echo $$result $$((SECONDS - start)) >build/$$1.result; \
	}; \
	for lane in $(LANES); do for part in $${lane//,/ }; do run_part $$part at_once; done & done; \
	wait; \
	for part in $(ALONE); do run_part $$part cat; done; \
	table= passed=0 failed=0; \
	for part in $(PARTS); do \
	    read -r result seconds <build/$$part.result; \
	    printf -v table '%s%-13s%-8s%5d s\n' "$$table" $$part $$result $$seconds; \
	    good=$$([[ $$result = passed ]] && echo 1 || echo 0); bad=$$((1 - good)); \
	    if [[ $$part = unit ]]; then read -r good bad < <(awk "$$COUNT" build/unit.log); fi; \
	    ((passed += good, failed += bad)) || true; \
	done; \
	printf '\n'; \
	$(MAKE) --no-print-directory slowest; \
	[[ $$table != *failed* ]] && ((failed == 0)) || $(MAKE) --no-print-directory why; \
	printf '%sin all %15d s\n%d passed, %d failed\n' "$$table" $$SECONDS $$passed $$failed; \
	[[ $$table != *failed* ]] && ((failed == 0))

why: ## show why the last test run failed
	@for part in $(PARTS); do \
	    if [[ -f build/$$part.log ]]; then \
	        awk "$$REASONS" build/$$part.log | cut --bytes=-1200 | tail --lines=24; \
	    fi; \
	done

slowest: ## show which playbooks of the last test run took longest
	@cat $(wildcard $(PARTS:%=build/%.log)) </dev/null | awk "$$SECONDS_OF" | sort --reverse --numeric-sort | head --lines=16

quick: $(READY) ## style, types, and the unit tests that start no Ansible and need no root; ARGS selects some
	@TIMEFORMAT='make quick: %U s user + %S s system CPU time, %R s elapsed'; \
	time { $(MAKE) --no-print-directory style types; pytest --color=no --quick $(ARGS); }

lint: $(READY) style types galaxy ## style, types, ansible-lint, and what Galaxy checks in an archive
	ansible-lint --strict

style: $(READY) ## ruff, its formatter, yamllint
	ruff check .
	ruff format --check .
	yamllint --strict .

types: $(READY) build/service ## mypy over the domain code and the profile service
	MYPYPATH=.cache/collections mypy $(foreach package,module_utils plugin_utils, \
	    -p ansible_collections.voip.preprovision.plugins.$(package))
	MYPYPATH=build/service mypy -p preprovision_service

build/service:
	@rm -rf $@ && mkdir -p $@
	@cp -r roles/profile_service/files/preprovision_service $@
	@mkdir -p $@/preprovision_service/domain
	@cd plugins/module_utils && cp -r --parents $(DOMAIN) $(CURDIR)/$@/preprovision_service/domain

# Several processes pay for a whole run only
unit: $(READY) ## all unit tests, or ARGS="tests/unit/... -k ..."
	pytest --color=no $(or $(ARGS),-n auto --dist loadfile)

cores: $(READY) ## the callback plugins' tests with the two newest releases of ansible-core; quick tests with newer Pythons
	$(MACHINE) prepare
	tests/cores/run

sanity: $(READY) ## ansible-test sanity on a copy of the tree; SANITY_CORE=2.21 takes that release of ansible-core and a newer Python
ifdef SANITY_CORE
	$(MACHINE) prepare
	tests/cores/sanity $(SANITY_CORE)
else
	@rm -rf $(SANITY)
	@mkdir -p $(SANITY) $(SANITY_HOME)/.ansible/test/cache $(SANITY_HOME)/.config/pip
	@git init --quiet $(SANITY) # else ansible-test asks the repository around it, which ignores build
	@{ git ls-files -z --cached --others --exclude-standard; git ls-files -z --deleted; } | sort -z | uniq -zu \
	    | xargs -0 cp --no-dereference --parents --target-directory=$(SANITY)
	@printf 'import ensurepip\n\nensurepip.bootstrap()\n' > $(SANITY_HOME)/.ansible/test/cache/get_pip_24_2.py
	@{ echo '[global]'; \
	pip config list | sed -n "s/^\(:env:\|global\)\.\([a-z-]*\)='\(.*\)'$$/\2 = \3/p" | sort --stable --unique --field-separator== --key=1,1; \
	} > $(SANITY_HOME)/.config/pip/pip.conf
	cd $(SANITY) && HOME=$(SANITY_HOME) \
	    ansible-test sanity --local --python $$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
endif

molecule: station_test fleet_test $(SCENARIOS) ## converge, test and tear down stations, with emulated phones

station_test fleet_test $(SCENARIOS): $(READY)
	$(MACHINE) prepare
	$(MACHINE) run molecule test --scenario-name $(@:_test=) --no-command-borders

# Not part of test while testing has dnsmasq 2.93, which role tftp_server refuses. A mirror need not have Debian testing
testing: $(READY) ## converge and test a station on Debian testing, if the mirror has it
	$(MACHINE) prepare
	@status=0; $(MACHINE) prepare testing || status=$$?; \
	if ((status == 3)); then \
	    echo 'make: Debian testing was not tested'; \
	elif ((status)); then \
	    exit $$status; \
	else \
	    $(MACHINE) run molecule test --scenario-name testing --no-command-borders; \
	fi

proof: $(READY) ## damage each managed file in every way, let roles die at each step of a repair, hang daemons, run each role alone
	$(MACHINE) prepare
	tests/cores/sanity 2.20
	tests/cores/sanity 2.21
	ROLES_CRYPTO=oldest $(MACHINE) run molecule test --scenario-name roles --no-command-borders
	for release in bookworm trixie; do for core in 2.19 2.21; do \
	    ROLES=all ROLES_RELEASE=$$release ROLES_CORE=$$core $(MACHINE) run molecule test --scenario-name roles --no-command-borders; \
	done; done
	$(MACHINE) run molecule converge --scenario-name station --no-command-borders
	for number in 0 1 2 3; do $(PROVE)/drift.yml -e drift_number=$$number; done
	$(PROVE)/lost_restarts.yml -e '{"lost_restarts_roles": [$(PROOF_ROLES)], "lost_restarts_calls": [1, 2, 3, 4, 5]}'
	$(PROVE)/hang.yml -e hang=full
	$(MACHINE) run molecule destroy --scenario-name station --no-command-borders
	FLEET_HOSTS=all FLEET_PHONES=200 $(MACHINE) run molecule converge --scenario-name fleet --no-command-borders
	for server in home-1 home-2 home-3; do for play in $(SERVER_PLAYS); do \
	    $(MACHINE) run ansible-playbook $(FLEET) extensions/molecule/fleet/$$play.yml -e fleet_server=$$server; \
	done; done
	for play in $(FLEET_PLAYS); do $(MACHINE) run ansible-playbook $(FLEET) extensions/molecule/fleet/$$play.yml; done
	$(MACHINE) run molecule destroy --scenario-name fleet --no-command-borders
	export FLEET_HOSTS=home-1,database-1,database-2,database-3 FLEET_INVENTORY=cluster FLEET_PHONES=200; \
	for CLUSTER_RELEASE in bookworm trixie; do \
	    export CLUSTER_RELEASE; \
	    $(MACHINE) run molecule converge --scenario-name fleet --no-command-borders; \
	    for play in $(CLUSTER_PLAYS); do \
	        $(MACHINE) run ansible-playbook $(FLEET) --inventory=extensions/molecule/fleet/cluster --limit=$$FLEET_HOSTS \
	            extensions/molecule/fleet/$$play.yml; \
	    done; \
	    $(MACHINE) run molecule destroy --scenario-name fleet --no-command-borders; \
	done

benchmarks: $(READY) build/service ## measure and print the speed ratios
	$(MACHINE) prepare
	python tests/benchmarks/profiles.py
	$(MACHINE) run python tests/benchmarks/site.py
	$(MACHINE) run python tests/benchmarks/morning.py
	$(MACHINE) run python tests/benchmarks/home.py
	$(MACHINE) up preprovision-events bookworm
	$(MACHINE) run ansible-playbook -i inventories/demo -e ansible_host=preprovision-events voip.preprovision.site >/dev/null
	$(MACHINE) run python tests/benchmarks/events.py preprovision-events
	$(MACHINE) down preprovision-events
	$(MACHINE) up preprovision-tftp bookworm
	$(MACHINE) run podman exec preprovision-tftp sh -c \
	    'apt-get update -qq && apt-get install -qq -y --no-install-recommends dnsmasq-base tftpd-hpa' >/dev/null
	$(MACHINE) run podman cp tests/benchmarks/tftp_servers.py preprovision-tftp:/root/
	$(MACHINE) run podman exec preprovision-tftp python3 /root/tftp_servers.py
	$(MACHINE) down preprovision-tftp
	$(MACHINE) up preprovision-service bookworm
	$(MACHINE) run podman exec preprovision-service sh -c 'apt-get update -qq && apt-get install -qq -y --no-install-recommends \
	    fcgiwrap gunicorn libdbd-sqlite3-perl nginx perl python3-alembic python3-cryptography python3-flask python3-netaddr \
	    python3-sqlalchemy wrk && systemctl stop nginx && mkdir /root/code' >/dev/null
	$(MACHINE) run podman cp build/service/preprovision_service preprovision-service:/root/code/
	$(MACHINE) run podman cp tests/benchmarks/profile_service.py preprovision-service:/root/
	$(MACHINE) run podman exec preprovision-service python3 /root/profile_service.py /root/code 5 5
	$(MACHINE) run podman cp tests/benchmarks/board.py preprovision-service:/root/
	$(MACHINE) run podman exec --env PYTHONPATH=/root/code preprovision-service python3 /root/board.py
	$(MACHINE) down preprovision-service

clean: ## remove the demo station, the fleet and what make has built here; the cache outside the checkout stays
	if command -v podman >/dev/null; then $(MACHINE) down preprovision-station; fi
	if command -v podman >/dev/null && [[ -d .venv ]]; then \
	    $(MACHINE) run ansible-playbook -i inventories/fleet extensions/molecule/fleet/destroy.yml; \
	fi
	rm -rf .venv .cache build

# ---- documents and releases ----
readmes: $(READY) ## write the README of each role from its specification
	python maintenance/role_readmes.py

# ansible-lint has its own part of lint, with stricter rules
galaxy: $(READY) .cache/release/complete ## check the workflows, the archive as Galaxy does when it is uploaded, and the context of an execution environment
	$(RELEASE_TOOLS)/zizmor --offline --no-progress --quiet .github
	@rm -rf build/galaxy && mkdir -p build/galaxy
	python maintenance/archive.py . build/galaxy --seconds $(SOURCE_SECONDS)
	cd build/galaxy && GALAXY_IMPORTER_RUN_ANSIBLE_LINT=false $(RELEASE_TOOLS)/python -W ignore -m galaxy_importer.main $(ARCHIVE) >importer.log 2>&1 || true
	@! grep -E '^(WARNING|ERROR|CRITICAL)' build/galaxy/importer.log
	@tail -n 1 build/galaxy/importer.log | grep 'completed successfully'
	ansible-galaxy collection install --no-deps --force --collections-path build/galaxy build/galaxy/$(ARCHIVE) >/dev/null
	$(RELEASE_TOOLS)/ansible-builder introspect --write-pip build/galaxy/pip.txt --write-bindep build/galaxy/bindep.txt build/galaxy >/dev/null
	@# Each environment chooses its ansible-core itself, so ansible-builder leaves it out
	@sed 's/ *#.*//' build/galaxy/pip.txt | sort | diff - <(grep --invert-match --extended-regexp '^(#|ansible-core)' meta/ee-requirements.txt | sort)
	@printf '%s\n' '---' 'version: 3' 'dependencies:' '  galaxy:' '    collections:' '      - name: $(ARCHIVE)' '        type: file' \
	    >build/galaxy/execution-environment.yml
	cd build/galaxy && $(RELEASE_TOOLS)/ansible-builder create --context context >/dev/null
	@grep --fixed-strings --quiet '$(ARCHIVE)' build/galaxy/context/_build/requirements.yml
	@grep --quiet '^RUN .*ansible-galaxy collection install' build/galaxy/context/Containerfile

docs: $(READY) .cache/release/complete ## build the documentation site in build/docs/html, and check its links
	@rm -rf build/docs && mkdir -p build/docs/source/collections
	$(RELEASE_TOOLS)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self $(SELF)
	cp -r $(PAGES) docs build/docs/source
	cp docs/docsite/conf.py docs/docsite/index.rst build/docs/source
	ANSIBLE_COLLECTIONS_PATH=.cache/collections $(RELEASE_TOOLS)/antsibull-docs --config-file docs/docsite/antsibull-docs.cfg \
	    collection --use-current --squash-hierarchy --fail-on-error --dest-dir build/docs/source/collections voip.preprovision
	$(RELEASE_TOOLS)/sphinx-build --quiet --fail-on-warning --keep-going --builder html --jobs auto build/docs/source build/docs/html
	python maintenance/check_site.py build/docs/html

# Fragments that come after the first run join the same release in the next one
changelog: $(READY) .cache/release/complete ## write VERSION=1.0.0 and today as the release, and the changelog from its fragments
	@[[ '$(VERSION)' =~ ^[0-9]+[.][0-9]+[.][0-9]+$$ ]] || { echo 'make: name the release, such as VERSION=1.0.0' >&2; exit 2; }
	sed -i 's/^version: .*/version: $(VERSION)/' galaxy.yml
	sed -i "s/^RELEASED = .*/RELEASED = datetime.date($$(date --utc '+%Y, %-m, %-d'))/" plugins/module_utils/common/host_clock.py
	$(RELEASE_TOOLS)/antsibull-changelog release --update-existing

release: $(READY) .cache/release/complete ## build all that is uploaded from the last commit, in build/release: archive, list of components, site, checksums
	@[[ -z $$(git status --porcelain) ]] || { echo 'make: commit or remove these first:' >&2; git status --short >&2; exit 2; }
	@grep -q "^  $$(sed -n 's/^version: //p' galaxy.yml):$$" changelogs/changelog.yaml || \
	    { echo 'make: the changelog lacks the version in galaxy.yml; see make changelog' >&2; exit 2; }
	$(MAKE) --no-print-directory galaxy docs
	@rm -rf build/release && mkdir -p build/release/tree build/release/again
	git archive HEAD | tar --extract --directory build/release/tree
	python maintenance/archive.py build/release/tree build/release --seconds $(SOURCE_SECONDS)
	python maintenance/archive.py . build/release/again --seconds $(SOURCE_SECONDS)
	cmp build/release/$(ARCHIVE) build/release/again/$(ARCHIVE)
	$(RELEASE_TOOLS)/cyclonedx-py environment --output-reproducible --output-file build/release/$(ARCHIVE:.tar.gz=.cdx.json) .venv
	tar --create --gzip --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_SECONDS) \
	    --file build/release/$(ARCHIVE:.tar.gz=-docs.tar.gz) --directory build/docs html
	@rm -r build/release/tree build/release/again
	cd build/release && sha256sum -- * | tee SHA256SUMS
	@! grep --extended-regexp '^repository: https?://example' galaxy.yml || echo 'make: before you upload it, name the home of the project in galaxy.yml'

.cache/release/complete: requirements/release.txt | .venv/complete
	@echo 'make: installing the tools for documents and releases into .cache/release with pip'
	@python3 -m venv --clear .cache/release
	@mkdir -p $(WHEELS)
	@install() { .cache/release/bin/pip install --quiet --no-compile --no-deps --no-index --find-links $(WHEELS) --requirement $<; }; \
	install 2>/dev/null || { .cache/release/bin/pip download --quiet --no-deps --dest $(WHEELS) --requirement $<; install; }
	@touch $@

.venv/complete: requirements/tools.txt
	@if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo 'make: installing python3-venv with apt'; \
	    apt-get update -qq; \
	    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv >/dev/null; \
	fi
	@echo 'make: installing Ansible and the test tools into .venv with pip'
	@python3 -m venv --clear .venv
	@mkdir -p $(WHEELS)
	@install() { .venv/bin/pip install --quiet --no-compile --no-deps --no-index --find-links $(WHEELS) --requirement $<; }; \
	install 2>/dev/null || { .venv/bin/pip download --quiet --no-deps --dest $(WHEELS) --requirement $<; install; }
	@.venv/bin/python -m compileall -q -j 0 .venv
	@touch $@

.cache/collections/complete: requirements/collections.txt | .venv/complete
	@echo 'make: unpacking $(FROM_WHEEL) into .cache/collections'
	@mkdir -p $(WHEELS) $(dir $(SELF))
	@ls $(WHEELS)/$(WHEEL)-*.whl >/dev/null 2>&1 || .venv/bin/pip download --quiet --no-deps --dest $(WHEELS) --requirement $<
	@rm -rf $(addprefix $(COLLECTIONS)/,$(FROM_WHEEL))
	@.venv/bin/python -c "$$UNPACK" $(WHEELS)/$(WHEEL)-*.whl .cache/collections $(FROM_WHEEL)
	@.venv/bin/python -m compileall -q -j 0 $(COLLECTIONS)
	@ln -sfn ../../../.. $(SELF)
	@touch $@
