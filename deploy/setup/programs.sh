# Step: the programs, compiled into build/ when a source is newer than the last time.
# shellcheck shell=bash

programs_title() { echo 'programs'; }

programs_ready() {
  [[ -f build/.compiled && -f build/.tsbuildinfo ]] || return 1
  # A folder is newer when a file came or went.
  [[ -z $(find edge-agent trainer dashboard deploy test tsconfig.json vitest.config.ts $node_modules_stamp \
    \( -name node_modules -prune \) -o \( -type d -o -name '*.ts' -o -name '*.json' -o -path $node_modules_stamp \) \
    -newer build/.compiled -print -quit) ]]
}

programs_make() {
  mkdir -p build
  : >build/.compiling # taken before the sources are read, so that one saved meanwhile counts as newer
  node_modules/.bin/tsc --pretty false
  mv build/.compiling build/.compiled
}
