#!/usr/bin/env bash
# Makes an environment with another TensorFlow than set-up's in .setup/compat/<version>: its library (set-up's, where that
# is of this version), tfjs-node built against it and, where a Python of this machine fits, TensorFlow for Python.
# What is there already is kept. The last line of its output is the version.
#
#   deploy/setup/compat.sh 2.12.1     that version
#   deploy/setup/compat.sh newest     the newest that pip offers for this machine's Python
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$root"
machine=$(uname -m)
node_version=$(node --version)
work=.setup/work.$$

# shellcheck source-path=SCRIPTDIR/../..
. deploy/setup/progress.sh
. deploy/setup/node-modules.sh
. deploy/setup/tensorflow.sh
. deploy/setup/addons.sh
. deploy/setup/python.sh

main() {
  local steps=(library tensorflow_addon other_python) step number
  mkdir -p .setup/log
  exec 9>.setup/lock
  flock 9
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  mkdir -p "$work"
  package=$(pins cpu | awk '{ sub("==.*", "", $2); print $2; exit }')
  version=$1
  if [[ $version == newest ]]; then version=$(newest_version); fi
  home=.setup/compat/$version
  tensorflow_dir=$root/.tensorflow/cpu-$version
  if [[ ! -f $tensorflow_dir/.complete ]]; then tensorflow_dir=$root/$home/tensorflow; fi
  tensorflow_key=$version
  tensorflow_kind=cpu
  tfjs=$home/node_modules/@tensorflow/tfjs-node-gpu
  wheels=.setup/wheels/compat-$version
  mkdir -p "$home"
  for number in "${!steps[@]}"; do
    step=${steps[number]}
    if "${step}_ready"; then continue; fi
    run_step "$step" $((number + 1)) ${#steps[@]}
    if ((step_status != 0)); then exit 1; fi
  done
  rm -rf "$wheels"
  echo "$version"
}

newest_version() {
  local listed
  wheels=$work
  listed=$(clean_pip "$(type -P python3)" index versions "$package" 2>/dev/null) ||
    die "pip could not tell which versions of $package there are."
  head -n 1 <<<"$listed" | sed 's/.*(\(.*\)).*/\1/'
}

library_title() { echo "TensorFlow $version"; }

library_ready() { [[ -f $tensorflow_dir/.complete ]]; }

library_make() {
  local new=$home/tensorflow.new
  fetch_wheel
  rm -rf "$new"
  mkdir -p "$new"
  detail 'unpacking'
  unpack_library "$new"
  : >"$new/.complete"
  mv -T "$new" "$tensorflow_dir"
}

# Fetches the wheel for a Python of this machine if there is one, else any: its library is the same.
fetch_wheel() {
  local candidate python
  if [[ -f $home/interpreter ]] && compgen -G "$wheels/*.whl" >/dev/null; then return; fi
  for candidate in python3 python3.13 python3.12 python3.11 python3.10 none; do
    python=$(python_version "$candidate")
    if [[ $python == none && $candidate != none ]]; then continue; fi
    if [[ $candidate == none ]]; then python=3.11; fi
    expect_download 300
    need_disk 3500
    if download_wheels 'No matching distribution|No space left' "$python" "$package==$version"; then
      if [[ $candidate == none ]]; then candidate=''; fi
      printf '%s' "$candidate" >"$home/interpreter"
      : >"$work/fetching"
      return
    fi
  done
  explain_pip "$package==$version"
}

# A copy of the package, since the one in node_modules is built against set-up's library.
tensorflow_addon_title() { echo "TensorFlow addon for $version"; }

tensorflow_addon_make() {
  rm -rf "$tfjs"
  mkdir -p "$(dirname "$tfjs")"
  cp -r --no-dereference node_modules/@tensorflow/tfjs-node-gpu "$tfjs"
  rm -rf "${tfjs:?}"/{build,lib,deps}
  build_tensorflow_addon
}

link_library() { ln -s --relative "$tensorflow_dir" "$tfjs/deps"; }

other_python_title() { echo "TensorFlow $version for Python"; }

other_python_ready() { [[ -f $home/python/.complete ]] || [[ -f $home/interpreter && -z $(<"$home/interpreter") ]]; }

other_python_make() {
  local new=$home/python.new interpreter
  fetch_wheel
  interpreter=$(<"$home/interpreter")
  if [[ -z $interpreter ]]; then
    note "skipped: no Python of this machine has a wheel of TensorFlow $version"
    return
  fi
  rm -rf "$new" "$home/python"
  "$interpreter" -m venv "$new"
  detail 'installing'
  if ! retry 'No space left|ResolutionImpossible' clean_pip "$new/bin/python" install --quiet --no-compile "$(echo "$wheels"/*.whl)"; then
    explain_pip "what TensorFlow $version for Python needs"
  fi
  : >"$new/.complete"
  mv -T "$new" "$home/python"
}

clean_up() {
  local build
  build=$(cat "$work/build" 2>/dev/null || true)
  if [[ $build == */roadmask-build.* ]]; then rm -rf "$build"; fi
  rm -rf "$work"
}

main "$@"
