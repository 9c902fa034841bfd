# SPDX-License-Identifier: GPL-3.0-or-later
# Needs git, make, python3 and root on Debian 12 or 13; fetches the rest itself.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

export PREPROVISION_CACHE ?= $(HOME)/.cache/voip-preprovision
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Set in some environments; every start of Ansible would then compile everything
unexport PYTHONDONTWRITEBYTECODE
# molecule colours its output even where nobody sees it
ifndef MAKE_TERMOUT
export NO_COLOR := 1
endif

MACHINE := tests/machines/machine
COLLECTIONS := .cache/collections/ansible_collections
FROM_WHEEL := community/crypto
SELF := $(COLLECTIONS)/voip/preprovision
SANITY := build/ansible_collections/voip/preprovision
# The home that ansible-test sees: its virtual environments, what it runs first in each (the pip that Python brings along, in
# place of one from its own download site), and the settings of the caller's pip, which it hides from its own
SANITY_HOME := $(PREPROVISION_CACHE)/sanity
PARTS := lint unit sanity molecule
READY := .venv/complete .cache/collections/complete
WHEELS := $(PREPROVISION_CACHE)/wheels
WHEEL = $(shell sed -n 's/^ansible==/ansible-/p' requirements-collections.txt)

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
END {
    for (i = 2; i <= NF; i++) if ($$i ~ /^passed/) good = $$(i - 1); else if ($$i ~ /^(failed|error)/) bad += $$(i - 1)
    print good + 0, (good + bad) ? bad + 0 : 1
}
endef
export COUNT

# What ansible, pytest, ansible-test and make say of a failure, with what follows
define REASONS
/^(\[ERROR\]|fatal: |failed: |FAILED |ERROR|E   )/ { left = 20 }
left-- > 0
endef
export REASONS

.PHONY: help tools station test why $(PARTS) benchmarks clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tools: $(READY) ## Ansible and the collections it needs, in .venv and .cache

station: $(READY) ## run the main job: a station in a container, three emulated phones, their table
	$(MACHINE) prepare
	$(MACHINE) up preprovision-station bookworm
	$(MACHINE) run ansible-playbook -i inventories/demo voip.preprovision.site
	$(MACHINE) run ansible-playbook -i inventories/demo voip.preprovision.check -e "check_phones={{ groups['phones'] }}"

test: $(READY) ## pass all tests: lint, unit, sanity, molecule
	@mkdir -p build; rm -f build/*.log; \
	table= passed=0 failed=0; \
	for part in $(PARTS); do \
	    printf '\n== %s\n' $$part; \
	    start=$$SECONDS good=1 bad=0; \
	    $(MAKE) --no-print-directory $$part 2>&1 | tee build/$$part.log || good=0 bad=1; \
	    printf -v table '%s%-10s%-8s%5d s\n' "$$table" $$part $$( ((bad)) && echo failed || echo passed) $$((SECONDS - start)); \
	    if [[ $$part = unit ]]; then read -r good bad < <(awk "$$COUNT" build/unit.log); fi; \
	    ((passed += good, failed += bad)) || true; \
	done; \
	printf '\n'; \
	((failed == 0)) || $(MAKE) --no-print-directory why; \
	printf '%s%d passed, %d failed\n' "$$table" $$passed $$failed; \
	[[ $$table != *failed* ]]

why: ## show the last lines that say why the last test failed
	@for part in $(PARTS); do \
	    if [[ -f build/$$part.log ]]; then \
	        awk "$$REASONS" build/$$part.log | cut --bytes=-400 | tail --lines=24; \
	    fi; \
	done

lint: $(READY) ## ansible-lint, yamllint, ruff, mypy
	ruff check .
	yamllint --strict .
	MYPYPATH=.cache/collections mypy $(foreach package,module_utils plugin_utils, \
	    -p ansible_collections.voip.preprovision.plugins.$(package))
	@rm -rf build/service && mkdir -p build/service
	@cp -r roles/profile_service/files/preprovision_service build/service/
	@cp -r plugins/module_utils build/service/preprovision_service/domain
	MYPYPATH=build/service mypy -p preprovision_service
	ansible-lint --strict

unit: $(READY) ## pytest over tests/unit
	pytest --color=no

sanity: $(READY) ## ansible-test sanity on a copy of the tree
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

molecule: $(READY) ## converge, judge and tear down Debian 12 and 13 with the emulated phones
	$(MACHINE) prepare
	$(MACHINE) run molecule test --scenario-name station --no-command-borders
	$(MACHINE) run molecule test --scenario-name teardown --no-command-borders

benchmarks: $(READY) ## print the speed ratios
	$(MACHINE) prepare
	python tests/benchmarks/profiles.py
	$(MACHINE) run python tests/benchmarks/site.py
	$(MACHINE) run python tests/benchmarks/morning.py
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
	$(MACHINE) run podman cp roles/profile_service/files/preprovision_service preprovision-service:/root/code/
	$(MACHINE) run podman cp plugins/module_utils preprovision-service:/root/code/preprovision_service/domain
	$(MACHINE) run podman cp tests/benchmarks/profile_service.py preprovision-service:/root/
	$(MACHINE) run podman exec preprovision-service python3 /root/profile_service.py /root/code 5 5
	$(MACHINE) run podman cp tests/benchmarks/board.py preprovision-service:/root/
	$(MACHINE) run podman exec --env PYTHONPATH=/root/code preprovision-service python3 /root/board.py
	$(MACHINE) down preprovision-service

clean: ## remove the demo station and what make has built here; the cache outside the checkout stays
	if command -v podman >/dev/null; then $(MACHINE) down preprovision-station; fi
	rm -rf .venv .cache build

.venv/complete: requirements.txt
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

.cache/collections/complete: requirements-collections.txt | .venv/complete
	@echo 'make: unpacking $(FROM_WHEEL) into .cache/collections'
	@mkdir -p $(WHEELS) $(dir $(SELF))
	@ls $(WHEELS)/$(WHEEL)-*.whl >/dev/null 2>&1 || .venv/bin/pip download --quiet --no-deps --dest $(WHEELS) --requirement $<
	@rm -rf $(addprefix $(COLLECTIONS)/,$(FROM_WHEEL))
	@.venv/bin/python -c "$$UNPACK" $(WHEELS)/$(WHEEL)-*.whl .cache/collections $(FROM_WHEEL)
	@.venv/bin/python -m compileall -q -j 0 $(COLLECTIONS)
	@ln -sfn ../../../.. $(SELF)
	@touch $@
