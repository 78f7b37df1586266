# Two commands are enough on a fresh machine with Python 3.11, a C compiler and Node 20: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
PAGE := clients/browser
PACKAGE := clients/javascript
BENCH := clients/browser-bench
PAGE_SOURCES := $(shell find $(PACKAGE)/src $(PAGE)/src $(PAGE)/public $(PAGE)/index.html $(PAGE)/*.json $(PAGE)/*.ts $(PACKAGE)/copy-files.js model/weights LICENSE MODEL_CARD.md PROTOCOL.md -type f 2>/dev/null)

help: ## prints this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: help demo full test check bench sanitize format page browser vectors lock clean

NPM := $(shell command -v npm)

demo: .venv/demo.stamp ## starts the service, streams six photographs and serves the page; ONCE=1 stops after the table
	@$(if $(NPM),$(MAKE) -s --no-print-directory $(PAGE)/dist/index.html || echo "The page could not be built; the demo goes on in the terminal.",echo "There is no npm, so no page is built; the demo goes on in the terminal.")
	@$(BIN)/rascanet demo $(if $(ONCE),--once)

# $(call shown,WORDS,COMMAND): runs a command that says little, with a dot a second; all that it said if it fails.
shown = @printf '%s ' "$(1)"; log=$$(mktemp); ($(2)) >$$log 2>&1 & pid=$$!; \
	while kill -0 $$pid 2>/dev/null; do sleep 1; printf .; done; \
	if wait $$pid; then echo " done"; rm -f $$log; else echo; cat $$log; rm -f $$log; exit 1; fi

full: .venv/dev.stamp ## installs what all tests need: torch, PyAV, matplotlib and the tools

# A file's tests stay together, and share the services and browsers that they start.
PYTEST := $(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

test: .venv/dev.stamp page-test site browser boards broker cameras fleet-programs ## runs every test
	$(PYTEST)

check: lint types test ## runs lint, types and test; they must pass before a change is done

.PHONY: lint types unit
lint: .venv/dev.stamp $(PACKAGE)/node_modules/.package-lock.json $(PAGE)/node_modules/.package-lock.json $(BENCH)/node_modules/.package-lock.json ## checks format, style and import contracts, Python and TypeScript
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	cd $(PACKAGE) && npm run --silent lint
	cd $(PAGE) && npm run --silent lint
	cd $(BENCH) && npm run --silent lint

types: .venv/dev.stamp $(PACKAGE)/node_modules/.package-lock.json $(PAGE)/node_modules/.package-lock.json $(BENCH)/node_modules/.package-lock.json ## checks types of Python and TypeScript
	@echo 'mypy: about a minute the first time'
	$(BIN)/mypy
	cd $(PACKAGE) && npm run --silent types
	cd $(PAGE) && npm run --silent types
	cd $(BENCH) && npm run --silent types

unit: .venv/dev.stamp ## runs the tests that start no process and train nothing: less than a minute
	$(PYTEST) -m "not long"

format: .venv/dev.stamp ## formats all Python files
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

page: wasm ## builds the demo page
	@$(MAKE) -s --no-print-directory $(PAGE)/dist/index.html

.PHONY: page-test
page-test: page $(PACKAGE)/dist/index.js browser-bench
	cd $(PACKAGE) && npm test --silent
	cd $(PAGE) && npm test --silent

.PHONY: site
SITE := build/site
site: .venv/dev.stamp wasm $(PAGE)/node_modules/.package-lock.json ## builds the page as static files, without a service, for any host: build/site
	rm -rf build/samples $(SITE)
	$(BIN)/python -m tests.page.site build/samples
	cd $(PAGE) && SITE_SAMPLES=$(CURDIR)/build/samples npm run --silent site -- --outDir $(CURDIR)/$(SITE)
	@echo "The page lies in $(SITE). To see it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE)"

browser: ## installs Debian's chromium, for the page's tests
	@command -v chromium >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
		else \
			echo "chromium is not installed; the page's tests will be skipped (apt-get install chromium)"; \
		fi; }

.PHONY: cameras
VIDEO_PROGRAMS := ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base
cameras: ## installs Debian's programs that send raw frames, for the cameras' tests
	@command -v ffmpeg >/dev/null && command -v gst-launch-1.0 >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(VIDEO_PROGRAMS) >/dev/null; } || \
		echo "$(VIDEO_PROGRAMS): not installed; their tests will be skipped (apt-get install $(VIDEO_PROGRAMS))"

.PHONY: broker
broker: ## installs Debian's mosquitto, for the tests of MQTT
	@command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto >/dev/null; } || \
		echo "mosquitto: not installed; the tests of MQTT will be skipped (apt-get install mosquitto)"

.PHONY: boards firmware
BOARDS := gcc-arm-none-eabi qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
boards: ## installs Debian's compilers for Cortex-M and 64-bit ARM, and QEMU, for the firmware's tests
	@command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null && command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(BOARDS) >/dev/null; } || \
		echo "$(BOARDS): not installed; the firmware's tests will be skipped (apt-get install $(BOARDS))"

firmware: .venv/dev.stamp boards ## runs the network on three boards in QEMU and compares every bit: FRAMES=4 of each network; continues after an interruption; writes tables and sizes of docs/integer.md
	$(BIN)/python -m tests.clients.firmware.measure --frames $(or $(FRAMES),4)

.PHONY: wasm wasm-evidence clang browser-bench site-bench
CLANG := clang-19
CLANG_PACKAGES := clang-19 lld-19
clang: ## installs Debian's compiler for WebAssembly
	@command -v $(CLANG) >/dev/null && command -v wasm-ld-19 >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(CLANG_PACKAGES) >/dev/null; } || \
		echo "$(CLANG_PACKAGES): not installed; no network runs in the page (apt-get install $(CLANG_PACKAGES))"

wasm: clang ## builds the kernel in WebAssembly, for browsers and Node: clients/javascript/wasm
	@! command -v $(CLANG) >/dev/null || $(MAKE) -s --no-print-directory $(WASM)

browser-bench: wasm ## builds a page that compares the kernel with onnxruntime-web in any browser: clients/browser-bench/dist
	@if [ -f $(PACKAGE)/wasm/int8-simd128.wasm ]; then $(MAKE) -s --no-print-directory $(BENCH)/dist/index.html; fi

site-bench: site browser-bench ## builds the site with that page in build/site/bench (with onnxruntime-web, 15 MB more)
	cp -r $(BENCH)/dist $(SITE)/bench
	mkdir -p $(SITE)/bench/onnx
	$(foreach variant,$(VARIANTS),$(foreach form,conv gemm,$(BIN)/rascanet export onnx --variant $(variant) --form $(form) --out $(SITE)/bench/onnx/$(variant)-$(form).onnx &&)) true

wasm-evidence: .venv/dev.stamp wasm $(PACKAGE)/dist/index.js browser ## compares the kernel in Node and Chromium with the definition: FRAMES=200 of each network
	$(BIN)/python -m tests.clients.javascript.evidence --frames $(or $(FRAMES),200)

.PHONY: fleet-programs scale
FLEET_PROGRAMS := haproxy caddy prometheus
NO_SERVICES := /usr/sbin/policy-rc.d
fleet-programs: ## installs Debian's proxies and Prometheus, for the tests of a fleet; starts none as a service of the machine
	@PATH="$$PATH:/usr/sbin"; for program in $(FLEET_PROGRAMS); do command -v $$program >/dev/null || missing=1; done; \
	[ -z "$$missing" ] || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && { \
			[ -e $(NO_SERVICES) ] || { trap 'rm -f $(NO_SERVICES)' EXIT; printf '#!/bin/sh\nexit 101\n' >$(NO_SERVICES); chmod +x $(NO_SERVICES); }; \
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(FLEET_PROGRAMS) >/dev/null; }; } || \
		echo "$(FLEET_PROGRAMS): not installed; the tests of a fleet will be skipped (apt-get install $(FLEET_PROGRAMS))"

scale: .venv/dev.stamp fleet-programs ## streams 100 sensors through HAProxy and Caddy, while replicas are added, killed, drained and replaced; four minutes
	$(BIN)/python -m tests.scale.run --page docs/scaling.md

.PHONY: scale-pictures
scale-pictures: .venv/dev.stamp ## classifies COUNT=20000 generated pictures with the local command and on Ray, while the driver is killed and a node is lost; minutes
	$(BIN)/python -m tests.scale.pictures --count $(or $(COUNT),20000) --rounds $(or $(ROUNDS),3) --page docs/scaling.md

.PHONY: screenshots page-soak cold-load
screenshots: .venv/dev.stamp $(PAGE)/dist/index.html site browser ## writes pictures of the page to runs/screenshots
	$(BIN)/python -m tests.page.screenshots

cold-load: .venv/dev.stamp site browser ## measures the time from an empty cache to the site's first decision
	$(BIN)/python -m tests.page.cold_load

page-soak: .venv/dev.stamp $(PAGE)/dist/index.html browser ## sends a minute of webcam through the large network
	$(BIN)/python -m tests.page.soak

vectors: .venv/dev.stamp ## writes the test vectors, tables and documents that are made from the code
	$(BIN)/python -m tests.vectors.make_wire
	$(BIN)/python -m tests.vectors.make_asyncapi
	$(BIN)/python -m tests.vectors.make_refusals
	$(BIN)/python -m tests.vectors.make_network
	$(BIN)/python -m tests.vectors.make_resize
	$(BIN)/python -m tests.vectors.make_window
	$(BIN)/python -m tests.vectors.make_presence
	$(BIN)/python -m tests.vectors.make_exit_lines
	$(BIN)/python -m tests.vectors.make_scans
	$(BIN)/python -m tests.vectors.make_raw_rows
	$(BIN)/python -m tests.vectors.make_facts
	$(BIN)/python -m tests.vectors.make_protocol
	$(BIN)/python -m tests.vectors.make_weight_files

.PHONY: fuzz
fuzz: .venv/dev.stamp ## sends damaged bytes to every place where bytes come in, 10,000 random conversations, 30,000 random requests
	$(BIN)/python -m tests.fuzz.run

.PHONY: schemathesis
SERVICE ?= http://127.0.0.1:8000
schemathesis: .venv/dev.stamp ## sends five minutes of requests made from the OpenAPI document to the service at SERVICE
	SCHEMATHESIS_HOOKS=tests/fuzz/openapi_hooks.py $(BIN)/schemathesis run $(SERVICE)/openapi.json --phases examples,coverage,fuzzing --max-time 300

.PHONY: camera-soak
camera-soak: MINUTES := 10
camera-soak: .venv/dev.stamp ## streams a camera for MINUTES, while the camera is killed, frozen and restarted, and the service killed once
	$(BIN)/python -m tests.soak.cameras --minutes $(MINUTES)

.PHONY: soak overload
MINUTES ?= 30
soak: .venv/dev.stamp ## streams for MINUTES, with cuts, kills and drains; then with hostile neighbours
	$(BIN)/python -m tests.soak.run --minutes $(MINUTES)
	$(BIN)/python -m tests.soak.neighbours

overload: .venv/dev.stamp ## offers twice as many streams as the service admits
	$(BIN)/python -m tests.soak.overload

bench: .venv/dev.stamp browser browser-bench ## measures every figure of docs/performance.md; 20 minutes on a quiet machine
	$(BIN)/rascanet bench --page docs/figures/performance.md --brief docs/performance.md

.PHONY: monitor-laws
monitor-laws: .venv/dev.stamp ## simulates 10,000 runs of 10,000 audits; seconds
	$(BIN)/python -m tests.model.monitor_laws

sanitize: .venv/dev.stamp ## runs the kernel with hostile sizes and bytes under ASan and UBSan
	RASCANET_FUZZ_INPUTS=$(or $(INPUTS),20000) RASCANET_FUZZ_SEED=$(or $(SEED),7) $(BIN)/python -m pytest -q tests/model/kernel/test_sanitized.py

.PHONY: model-card
model-card: .venv/dev.stamp ## prints every figure of the model card: PHOTOS=folder; HELD_OUT=1 evaluates new weights on held-out pictures, once
	$(BIN)/rascanet model-card --photos $(PHOTOS) --card docs/figures/model-card.md $(if $(HELD_OUT),--held-out)

.PHONY: weights-docs
VARIANTS := 105x120 210x240
STEPS_105x120 := 1000
STEPS_210x240 := 500
SHIPPED := $(foreach variant,$(VARIANTS),--weights model/weights/rascanet_$(variant).safetensors)
weights-docs: .venv/dev.stamp ## writes most of what depends on new weights (integers too): PHOTOS=folder; HELD_OUT=1 uses held-out pictures, once
	$(foreach variant,$(VARIANTS),$(BIN)/rascanet quantize model/weights/rascanet_$(variant).safetensors --photos $(PHOTOS) --finetune $(STEPS_$(variant)) --overwrite &&) true
	$(foreach file,$(wildcard model/weights/*.safetensors),$(BIN)/rascanet calibrate --photos $(PHOTOS) --weights $(file) --risk 0.05 --overwrite &&) true
	$(MAKE) screenshots
	$(BIN)/python -m clients.commands.bench.exit_times --photos $(PHOTOS)
	$(BIN)/rascanet model-card --photos $(PHOTOS) --card docs/figures/model-card.md
	$(BIN)/rascanet evaluate --photos $(PHOTOS) $(SHIPPED) --degrade --page docs/figures/model-card.md
	$(foreach variant,$(VARIANTS),$(BIN)/rascanet exits --photos $(PHOTOS) --variant $(variant) --page docs/figures/early-exit.md --plot docs/early-exit/$(variant).svg --overwrite &&) true
	$(foreach variant,$(VARIANTS),$(BIN)/rascanet training-curves docs/training/logs/$(variant)*.csv --plot docs/training/$(variant).svg --overwrite &&) true
	$(BIN)/rascanet sensor-sheet --page docs/sensor.md --photos $(PHOTOS)
	$(if $(HELD_OUT),$(BIN)/rascanet model-card --photos $(PHOTOS) --card docs/figures/model-card.md --held-out)
	$(if $(HELD_OUT),$(foreach variant,$(VARIANTS),$(BIN)/rascanet exits --photos $(PHOTOS) --variant $(variant) --split test --source coco --page docs/figures/early-exit.md &&) true)
	$(foreach scheme,light dark,cp runs/screenshots/stopped-$(scheme)-screen.png docs/page/stopped-$(scheme).png &&) true
	$(MAKE) vectors

.PHONY: docs
DOCS := docs/site
docs: .venv/docs.stamp $(DOCS)/node_modules/.package-lock.json $(PACKAGE)/node_modules/.package-lock.json site ## builds the documentation site, with the page as its demo, in build/docs
	PYTHONPATH=. $(BIN)/python $(DOCS)/pages.py build/docs-pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q -f $(DOCS)/mkdocs.yml
	@echo "$(CURDIR)/build/docs: the site; look at it with python3 -m http.server -d build/docs"

.PHONY: sensor-sheet
sensor-sheet: .venv/dev.stamp ## writes pictures and tables of docs/sensor.md; with PHOTOS=folder, also the accuracy in each light
	$(BIN)/rascanet sensor-sheet --page docs/sensor.md $(if $(PHOTOS),--photos $(PHOTOS))

lock: .venv/dev.stamp ## records the versions installed
	$(BIN)/pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean: ## deletes what was built
	rm -rf .venv build *.egg-info $(PACKAGE)/wasm $(foreach folder,$(PAGE) $(PACKAGE) $(BENCH) $(DOCS),$(folder)/node_modules $(folder)/dist)

.venv/pip.stamp:
	@echo "Making a Python environment in .venv"
	@$(PYTHON) -m venv .venv
	@touch $@

KERNEL := $(wildcard model/kernel/*.c model/kernel/*.h model/kernel/*.inc) model/kernel/build.py server/stream/_frames.c setup.py

.venv/demo.stamp: .venv/pip.stamp pyproject.toml constraints.txt $(KERNEL)
	$(call shown,Installing the light set of Python packages,$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[samples]')
	@touch $@

.venv/docs.stamp: .venv/dev.stamp
	$(call shown,Installing what builds the documentation site,$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[docs]')
	@touch $@

.venv/dev.stamp: .venv/pip.stamp pyproject.toml constraints.txt $(KERNEL)
	$(call shown,Installing the Python packages of all tests (torch is large),$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]')
	@touch $@ .venv/demo.stamp

WASM := $(addprefix $(PACKAGE)/wasm/,float32-relaxed.wasm float32-simd128.wasm float32-scalar.wasm int8-simd128.wasm int8-scalar.wasm)
# Clang would reorder a tile's sums for a machine that never spills; in the source's order they fit into an engine's registers.
WASM_FLAGS := --target=wasm32 -std=gnu11 -O3 -mbulk-memory -ffreestanding -nostdlib -ffp-contract=off -Wall -Wextra -Werror \
	-mllvm -pre-RA-sched=source -Wl,--no-entry,--strip-all,--stack-first,-z,stack-size=65536,--export=__heap_base
FORM_simd128 := -msimd128
FORM_relaxed := -msimd128 -mrelaxed-simd

$(PACKAGE)/wasm/%.wasm: $(KERNEL)
	@mkdir -p $(@D)
	$(CLANG) $(WASM_FLAGS) $(FORM_$(word 2,$(subst -, ,$*))) -o $@ model/kernel/wasm_$(if $(filter int8-%,$*),integer,float).c

$(BENCH)/dist/index.html: $(wildcard $(PACKAGE)/wasm/*.wasm) $(BENCH)/node_modules/.package-lock.json $(PACKAGE)/node_modules/.package-lock.json $(shell find $(BENCH)/src $(BENCH)/index.html $(BENCH)/*.json $(BENCH)/*.ts $(PACKAGE)/src -type f 2>/dev/null)
	$(call shown,Building the bench page,cd $(BENCH) && npm run --silent build)
	@touch $@

$(PACKAGE)/dist/index.js: $(PACKAGE)/node_modules/.package-lock.json $(wildcard $(PACKAGE)/src/*.ts)
	cd $(PACKAGE) && npm run --silent build
	@touch $@

%/node_modules/.package-lock.json: %/package-lock.json
	$(call shown,Installing the packages of $*,cd $* && npm ci --silent --no-audit --no-fund)
	@touch $@

$(PAGE)/dist/index.html: $(PAGE)/node_modules/.package-lock.json $(PAGE_SOURCES) $(wildcard $(PACKAGE)/wasm/*.wasm) | $(if $(shell command -v $(CLANG)),wasm)
	$(call shown,Building the page,cd $(PAGE) && npm run --silent build)
	@touch $@
