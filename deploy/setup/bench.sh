# Step, for benchmarks only: the peers in Python, in .setup/bench.
# shellcheck shell=bash

bench_title() { echo 'Python peers, for the benchmarks'; }

bench_key() { sha256sum <trainer/bench/requirements.txt | cut -c1-64; }

bench_ready() { [[ -x .setup/bench/bin/python && -f .setup/bench/.complete && $(<.setup/bench/.complete) == "$(bench_key)" ]]; }

bench_make() {
  local interpreter new=.setup/bench.new
  if ! interpreter=$(find_fitting_python); then
    fail "Expected a Python that TensorFlow has a wheel for ($(pins cpu | cut -d' ' -f1 | paste -sd ' ')), found $(python_version python3)."
  fi
  wheels=.setup/wheels/bench # where pip keeps its large temporary files
  need_disk 12000
  # In the Python package index PyTorch for x86-64 depends on CUDA's libraries. Its publisher's index has it without:
  # PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu fetches that one (2.15.0+cpu counts as newer than 2.15.0).
  note 'some 3 GB to fetch with pip, for PyTorch most of it'
  rm -rf $new
  "$interpreter" -m venv $new
  detail 'installing'
  if ! retry 'No space left|ResolutionImpossible' clean_pip $new/bin/python install --quiet --no-compile --requirement trainer/bench/requirements.txt; then
    explain_pip 'the peers of the benchmarks'
  fi
  bench_key >$new/.complete
  rm -rf .setup/bench
  mv -T $new .setup/bench
  rm -rf $wheels
}
