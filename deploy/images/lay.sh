#!/usr/bin/env bash
# Lays into the folder $2, as seen from /, what an image's last stage needs of this checkout, which is set up.
#   lay.sh libraries DIR   Node itself, npm packages without those for development, TensorFlow's library without headers, and
#                          on a base of NVIDIA's for Jetson the CUDA libraries that TensorFlow opens (the driver's own are
#                          mounted by NVIDIA's runtime)
#   lay.sh programs DIR    the compiled programs, and what else of the checkout they read
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
top=$2
home=$top/opt/roadmask
mkdir -p "$home" "$top/usr/local/bin"

# What TensorFlow links with, and by their names what it opens when it needs it.
cuda=(libcudart libcublas libcublasLt libcufft libcurand libcusolver libcusparse libcupti libnvrtc libnvrtc-builtins libnvJitLink libcudnn)

# Links in the place of copies, so that the stage's layer does not hold everything twice.
libraries() {
  cp "$(node -p process.execPath)" "$top/usr/local/bin/node"
  cp -al node_modules .tensorflow "$home"
  rm -rf "$home"/.tensorflow/*/include
  find "$home" -type f -name '*.ts' -delete
  node - "$home" <<'JS'
const { readFileSync, rmSync } = require('node:fs')
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
for (const [path, { dev }] of Object.entries(packages)) if (dev) rmSync(`${process.argv[2]}/${path}`, { recursive: true, force: true })
JS
  if [[ -d /usr/local/cuda/lib64 ]]; then cuda_libraries; fi
}

cuda_libraries() {
  local name folder linked
  mkdir -p "$top/usr/local/lib/cuda" "$top/etc/ld.so.conf.d"
  for name in "${cuda[@]}"; do
    for folder in /usr/local/cuda/lib64 /usr/local/cuda/extras/CUPTI/lib64 /usr/lib/aarch64-linux-gnu; do
      if [[ -d $folder ]]; then find "$folder/" -maxdepth 1 -name "$name*.so.*" -exec cp -a -t "$top/usr/local/lib/cuda" {} +; fi
    done
  done
  while read -r linked; do
    cp -n -L -t "$top/usr/local/lib/cuda" "$linked"
  done < <(ldd .tensorflow/*/lib/libtensorflow*.so.* | awk '$2 == "=>" && $3 ~ /\/lib(cu|nv)/ && $3 !~ /\/(nvidia|tegra)\// { print $3 }' | sort -u)
  # The second and third hold the driver's libraries that the runtime mounts.
  printf '%s\n' /usr/local/lib/cuda /usr/lib/aarch64-linux-gnu/nvidia /usr/lib/aarch64-linux-gnu/tegra >"$top/etc/ld.so.conf.d/roadmask.conf"
}

programs() {
  cp deploy/images/roadmask "$top/usr/local/bin/roadmask"
  cp -al build dashboard deploy edge-agent trainer package.json package-lock.json LICENSE "$home"
  rm -rf "$home/build/test"
  find "$home" -type f -name '*.ts' -delete
}

"$1"
