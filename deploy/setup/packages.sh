# Step: the system's packages. The names are the same on Debian 12 and on Ubuntu 22.04 and 24.04.
# shellcheck shell=bash

# What the compiled programs run with: GStreamer, and a font for plots.
run_packages=(
  ca-certificates gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-libav fonts-dejavu-core
)
# A compiler and what node-gyp needs; pip and unzip for TensorFlow's wheel; GStreamer's headers.
build_packages=(
  build-essential pkg-config python3 python3-pip unzip libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
)
# A broker, promtool, a GPS daemon, an RTSP server and its Python binding, a clock to set, a place for TensorFlow for Python, a
# linter for set-up itself, and systemd's own tools, which a container lacks.
test_packages=(mosquitto mosquitto-clients prometheus gpsd gir1.2-gst-rtsp-server-1.0 python3-gi python3-venv shellcheck systemd libfaketime)

# PyGObject, for the agent in Python that ours is measured beside.
bench_packages=(python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 python3-venv)

# The browser that the tests use, or nothing.
find_browser() {
  if [[ -n ${CHROME_BIN:-} ]]; then
    printf '%s\n' "$CHROME_BIN"
  else
    # Ubuntu's chromium is a snap: it does not see a test's temporary folders.
    type -P chromium google-chrome-stable google-chrome | grep -v '^/snap/' | head -n 1 || true
  fi
}

wanted_packages() {
  printf '%s\n' "${run_packages[@]}"
  if $only_run; then return 0; fi
  printf '%s\n' "${build_packages[@]}"
  if [[ ${bench_room:-trainer} == edge-agent ]]; then printf '%s\n' "${bench_packages[@]}"; fi
  $with_tests || return 0
  printf '%s\n' "${test_packages[@]}"
  if grep -q '^ID=debian' /etc/os-release && [[ -z $(find_browser) ]]; then echo chromium; fi
}

# What is wanted and not installed, one a line.
missing_packages() {
  local wanted
  mapfile -t wanted < <(wanted_packages)
  # shellcheck disable=SC2016 # dpkg's own placeholders
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

packages_title() { echo 'system packages'; }

packages_ready() {
  [[ -n ${ROADMASK_SKIP_PACKAGES:-} ]] && return 0
  command -v dpkg-query >/dev/null && [[ -z $(missing_packages) ]]
}

packages_make() {
  local missing as_root=()
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    fail "Expected Debian 12 or Ubuntu 22.04 / 24.04 with apt-get, found $(sed -n 's/^PRETTY_NAME=//p' /etc/os-release)." \
      "Install what these packages hold and run again with ROADMASK_SKIP_PACKAGES=1:" "  $(wanted_packages | paste -sd ' ')"
  fi
  mapfile -t missing < <(missing_packages)
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      fail "${#missing[@]} packages are missing and only root can install them. Run this, then the same command again:" \
        "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}"
    fi
  fi
  note "installing ${#missing[@]} with apt-get: ${missing[*]}"
  detail 'reading the package lists'
  # Old lists may do, so only the installation decides. A machine that has just started may still hold the locks.
  retry '' apt_get update || true
  detail ''
  if ! retry 'Unable to locate package|unmet dependencies|held broken' apt_get install -y --no-install-recommends "${missing[@]}"; then
    fail "apt-get could not install: ${missing[*]}" "$(grep -E '^E:|^Err' "$log" | tail -n 3)" \
      "$(offline_hint)All of its output is in $log"
  fi
}

# The lock (descriptor 9) stays here: a service that starts with its package would hold it for ever. apt-get tells how far
# it is through descriptor 8, which sudo would close.
apt_get() {
  local options=(-o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
  if ((${#as_root[@]} == 0)); then options+=(-o APT::Status-Fd=8); fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get "${options[@]}" "$@" 8>"$work/apt" 9>&-
}

# "installing, 43 %", from the last line of what apt-get tells: phase:package:percent:text.
installed() {
  tail -n 1 "$work/apt" | awk -F: '$1 == "dlstatus" { printf "fetching, %d %%", $3 } $1 == "pmstatus" { printf "installing, %d %%", $3 }'
}
