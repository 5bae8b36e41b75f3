# Step, for tests only, in .setup/python: TensorFlow for Python, which reads what the trainer writes, and moto, which plays
# the part of AWS.
# shellcheck shell=bash

python_title() { echo 'TensorFlow for Python and moto, for the tests'; }

# What moto's server needs for S3, SageMaker and CloudWatch; its own list of all services is three times as long.
moto=(moto flask flask-cors py-partiql-parser pyyaml)
# What an example subscribes with.
paho=(paho-mqtt)

python_key() { cat deploy/setup/python-tests.txt deploy/tensorflow.pins | sha256sum | cut -c1-64; }

# .setup/python-skipped holds the same key where no Python of this machine fits.
python_ready() {
  local key
  key=$(python_key)
  [[ -x .setup/python/bin/python && -f .setup/python/.complete && $(<.setup/python/.complete) == "$key" ]] ||
    [[ -f .setup/python-skipped && $(head -n 1 .setup/python-skipped) == "$key" ]]
}

python_make() {
  local kind=cpu interpreter version wheel new=.setup/python.new
  if [[ $tensorflow_kind == cuda ]]; then kind=cuda; fi
  if ! interpreter=$(find_fitting_python); then
    note "skipped: expected a Python that TensorFlow has a wheel for ($(pins cpu | cut -d' ' -f1 | paste -sd ' ')), found $(python_version python3)"
    note 'tests that read a model with TensorFlow for Python are skipped too'
    python_key >.setup/python-skipped
    return
  fi
  version=$(python_version "$interpreter")
  wheels=.setup/wheels/$kind-$(pinned_version)
  wheel=$(find_wheel "$version")
  if [[ -z $wheel ]]; then
    fetch_pinned_wheels $kind "$version" one
    wheel=$(find_wheel "$version")
  fi
  need_disk 2500
  rm -rf $new
  "$interpreter" -m venv $new
  detail 'installing'
  if ! retry 'No space left|ResolutionImpossible' clean_pip $new/bin/python install --quiet --no-compile --constraint deploy/setup/python-tests.txt "$wheel" "${moto[@]}" "${paho[@]}"; then
    explain_pip 'what TensorFlow for Python and moto need'
  fi
  python_key >$new/.complete
  rm -rf .setup/python .setup/python-skipped
  mv -T $new .setup/python
  rm -rf .setup/wheels
}

find_wheel() { find "$wheels" -maxdepth 1 -name "tensorflow*-$(pinned_version)-cp${1/./}-*.whl" 2>/dev/null | head -n 1 || true; }
