# Step, for benchmarks only: the peers in Python, in .setup/bench, or that of the agent, in .setup/bench-agent/python.
# shellcheck shell=bash

bench_room=trainer
bench_folder() { if [[ $bench_room == trainer ]]; then echo .setup/bench; else echo .setup/bench-agent/python; fi; }

bench_title() { echo 'Python peers, for the benchmarks'; }

bench_key() { sha256sum <$bench_room/bench/requirements.txt | cut -c1-64; }

bench_ready() {
  local made
  made=$(bench_folder)
  [[ -x $made/bin/python && -f $made/.complete && $(<"$made/.complete") == "$(bench_key)" ]]
}

bench_make() {
  local interpreter made new
  made=$(bench_folder)
  new=$made.new
  if ! interpreter=$(find_fitting_python); then
    fail "Expected a Python that TensorFlow has a wheel for ($(pins cpu | cut -d' ' -f1 | paste -sd ' ')), found $(python_version python3)."
  fi
  wheels=.setup/wheels/bench # where pip keeps its large temporary files
  if [[ $bench_room == trainer ]]; then need_disk 12000; else need_disk 4000; fi
  # In the Python package index PyTorch for x86-64 depends on CUDA's libraries. Its publisher's index has it without:
  # PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu fetches that one (2.15.0+cpu counts as newer than 2.15.0).
  if [[ $bench_room == trainer ]]; then note 'some 3 GB to fetch with pip, for PyTorch most of it'; fi
  rm -rf "$new"
  mkdir -p "$(dirname "$made")"
  "$interpreter" -m venv "$new"
  detail 'installing'
  if ! retry 'No space left|ResolutionImpossible' clean_pip "$new/bin/python" install --quiet --no-compile --requirement $bench_room/bench/requirements.txt; then
    explain_pip 'the peers of the benchmarks'
  fi
  bench_key >"$new/.complete"
  rm -rf "$made"
  mv -T "$new" "$made"
  rm -rf $wheels
}
