#!/usr/bin/env bash
# Sets this checkout up: system packages, npm packages, libtensorflow, the two addons, the compiled programs.
#
#   deploy/setup.sh            what the agent and the trainer need
#   deploy/setup.sh --tests    and what the tests need: a broker, a browser, an RTSP server, TensorFlow for Python, moto
#   deploy/setup.sh --bench    and what the benchmarks compare with: Keras, ONNX Runtime, OpenVINO, PyTorch; with
#                              `agent` behind it what that of the agent compares with: an agent in Python
#   deploy/setup.sh --libraries  all but the programs: what an image keeps when a source changes
#   deploy/setup.sh --run      only the system packages that programs compiled elsewhere run with (an image's last stage)
#
# Every npm script, the container image and CI call it. It does what is missing, in order, and nothing (in a fraction of a
# second, without a word) when all is there; it can be interrupted at any moment and goes on from there the next time.
#
#   ROADMASK_TENSORFLOW         cpu, cuda, jetson, or a folder with include/ and lib/; by default what the hardware answers
#   ROADMASK_TENSORFLOW_WHEEL   for jetson: NVIDIA's wheel, a file or a URL (with #sha256=… its hash is checked)
#   ROADMASK_SKIP_PACKAGES=1    leaves the system packages to you
#   CHROME_BIN                  the browser for the tests, where it is not on the path
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
machine=$(uname -m)
with_tests=false
only_run=false
steps=(packages node_modules tensorflow tensorflow_addon gstreamer_addon programs)
work=.setup/work.$$

# shellcheck source-path=SCRIPTDIR/..
. deploy/setup/progress.sh
. deploy/setup/packages.sh
. deploy/setup/node-modules.sh
. deploy/setup/tensorflow.sh
. deploy/setup/addons.sh
. deploy/setup/programs.sh
. deploy/setup/python.sh
. deploy/setup/bench.sh

main() {
  case ${1:-} in
    '') ;;
    --tests)
      with_tests=true
      steps+=(python)
      ;;
    --libraries) unset 'steps[-1]' ;;
    --run)
      only_run=true
      steps=(packages)
      ;;
    --bench)
      steps+=(bench)
      if [[ ${2:-} == agent ]]; then bench_room=edge-agent; fi
      ;;
    *)
      say "$(sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}")"
      if [[ $1 == --help ]]; then exit 0; fi
      die "" "Expected nothing, --tests, --bench, --libraries, --run or --help, found $1."
      ;;
  esac
  check_machine
  if ! $only_run; then
    check_node
    choose_tensorflow
  fi
  if all_ready; then return; fi

  mkdir -p .setup/log
  take_lock
  if all_ready; then return; fi # the other one has done it
  trap clean_up EXIT
  trap 'say "" "Interrupted. Nothing is half done: run it again and it goes on from here."; exit 130' INT TERM HUP
  rm -rf .setup/work.* .tensorflow/new.* # left by one that was killed
  mkdir -p "$work"
  make_what_is_missing
}

check_machine() {
  if [[ $(uname -s) != Linux || ($machine != x86_64 && $machine != aarch64) ]]; then
    die "Expected Linux on x86-64 or arm64, found $(uname -s) on $machine."
  fi
}

check_node() {
  node_version=$(node --version 2>/dev/null) || die "Expected Node 20 (from 20.19) or 22 (from 22.12) on the path, found none." "Get it from https://nodejs.org/en/download or with nvm: nvm install 22"
  local major minor
  IFS=. read -r major minor _ <<<"${node_version#v}"
  if ! ((major == 20 && minor >= 19 || major == 22 && minor >= 12)); then
    die "Expected Node 20 (from 20.19) or 22 (from 22.12), found $node_version: tfjs-node does not work on 23 and later." \
      "Get Node 22 from https://nodejs.org/en/download or with nvm: nvm install 22"
  fi
}

all_ready() {
  local step
  for step in "${steps[@]}"; do
    "${step}_ready" || return 1
  done
}

# One set-up at a time in a checkout; the lock goes with the process.
take_lock() {
  exec 9>.setup/lock
  if ! flock -n 9; then
    say 'Another set-up is running in this checkout; waiting for it.'
    flock 9
  fi
}

make_what_is_missing() {
  local number started=$SECONDS step rest=()
  say "Setting up Roadmask in $root"
  for number in "${!steps[@]}"; do
    step=${steps[number]}
    if "${step}_ready"; then continue; fi
    run_step "$step" $((number + 1)) ${#steps[@]}
    if ((step_status != 0)); then
      for step in "${steps[@]:number}"; do
        "${step}_ready" || rest+=("$("${step}_title")")
      done
      say '' "Still missing: $(printf '%s; ' "${rest[@]}" | sed 's/; $//')." \
        'What was done is kept: run the same command again and it goes on from here.'
      exit 1
    fi
  done
  if $with_tests && [[ -z $(find_browser) ]]; then
    say 'There is no browser for the tests of the page: they are skipped. Install Google Chrome or set CHROME_BIN.'
  fi
  say "Ready after $(seconds $((SECONDS - started)))."
}

clean_up() {
  local build
  build=$(cat "$work/build" 2>/dev/null || true)
  if [[ $build == */roadmask-build.* ]]; then rm -rf "$build"; fi
  rm -rf "$work" .tensorflow/new.$$
}

main "$@"
