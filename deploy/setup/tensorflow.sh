# Step: libtensorflow. Out of TensorFlow's Python wheel (see tensorflow.pins), out of NVIDIA's wheel for a Jetson, or a
# folder that is there already. Ends as a folder with include/ and lib/, whole or not at all.
# shellcheck shell=bash

# The lines of tensorflow.pins for this kind and machine: python, requirement, MB, sha256.
pins() { awk -v kind="$1" -v machine="$machine" '$1 == kind && $2 == machine { print $3, $4, $5, $6 }' deploy/tensorflow.pins; }

pinned_version() { awk '$4 ~ /^tensorflow/ { sub(".*==", "", $4); print $4; exit }' deploy/tensorflow.pins; }

# Sets tensorflow_kind, tensorflow_dir, tensorflow_key (what the stamp must say) and tensorflow_stamp, from
# ROADMASK_TENSORFLOW or else from the hardware that answers. Starts neither Python nor Node.
choose_tensorflow() {
  local wanted=${ROADMASK_TENSORFLOW:-} name
  if [[ -z $wanted ]]; then
    if [[ -n ${ROADMASK_TENSORFLOW_WHEEL:-} ]]; then wanted=jetson; else wanted=$(answering_hardware); fi
  fi
  tensorflow_kind=$wanted
  case $wanted in
    cpu | cuda)
      tensorflow_key=$(pins "$wanted")
      if [[ -z $tensorflow_key ]]; then
        die "ROADMASK_TENSORFLOW=$wanted: there is no such TensorFlow for $machine (see deploy/tensorflow.pins)." \
          "Set it to cpu, or to a folder with include/ and lib/ of a libtensorflow for $machine."
      fi
      tensorflow_version=$(pinned_version)
      tensorflow_dir=$root/.tensorflow/$wanted-$tensorflow_version
      ;;
    jetson)
      tensorflow_key=${ROADMASK_TENSORFLOW_WHEEL:-}
      if [[ -z $tensorflow_key ]]; then
        die "This is a Jetson (or ROADMASK_TENSORFLOW=jetson is set): expected NVIDIA's TensorFlow wheel for its JetPack in" \
          "ROADMASK_TENSORFLOW_WHEEL, a file or a URL (with #sha256=… its hash is checked), found nothing there. NVIDIA lists the wheels under" \
          "https://docs.nvidia.com/deeplearning/frameworks/install-tf-jetson-platform/" \
          "Or compute on the CPU: ROADMASK_TENSORFLOW=cpu"
      fi
      if [[ $tensorflow_key != *://* && $tensorflow_key != /* ]]; then tensorflow_key=${INIT_CWD:-$PWD}/$tensorflow_key; fi
      name=${tensorflow_key%%[#?]*}
      name=${name##*/}
      tensorflow_dir=$root/.tensorflow/jetson-${name%.whl}
      ;;
    *)
      tensorflow_kind=folder
      tensorflow_dir=$(cd "${INIT_CWD:-$PWD}" && cd "$wanted" 2>/dev/null && pwd -P) ||
        die "ROADMASK_TENSORFLOW=$wanted: expected cpu, cuda, jetson or a folder with include/ and lib/, and there is no such folder."
      tensorflow_key="$tensorflow_dir $(stat -Lc '%s %Y' "$tensorflow_dir"/lib/libtensorflow.so 2>/dev/null || true)"
      tensorflow_stamp=.setup/tensorflow-folder
      return
      ;;
  esac
  tensorflow_stamp=$tensorflow_dir/.complete
}

answering_hardware() {
  if [[ -e /etc/nv_tegra_release ]] || grep -qis tegra /proc/device-tree/compatible; then
    echo jetson
  elif [[ $machine == x86_64 ]] && gpu_answers; then
    echo cuda
  else
    echo cpu
  fi
}

# Asking a GPU may take seconds, so the answer is kept for as long as the same driver is loaded.
gpu_answers() {
  local driver kept=.setup/gpu answer=no
  command -v nvidia-smi >/dev/null || return 1
  driver=$(cat /proc/driver/nvidia/version 2>/dev/null || uname -r)
  if [[ ! -f $kept || $(tail -n +2 $kept) != "$driver" ]]; then
    if timeout 20 nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then answer=yes; fi
    mkdir -p .setup
    printf '%s\n%s\n' $answer "$driver" >$kept.new && mv $kept.new $kept
  fi
  [[ $(head -n 1 $kept) == yes ]]
}

tensorflow_title() {
  case $tensorflow_kind in
    cpu) echo "TensorFlow $tensorflow_version for the CPU" ;;
    cuda) echo "TensorFlow $tensorflow_version for CUDA, with its NVIDIA libraries" ;;
    jetson) echo "TensorFlow out of ${tensorflow_dir##*/jetson-}.whl" ;;
    folder) echo "TensorFlow in $tensorflow_dir" ;;
  esac
}

tensorflow_ready() { [[ -f $tensorflow_stamp && $(<"$tensorflow_stamp") == "$tensorflow_key" ]]; }

tensorflow_make() {
  local new=.tensorflow/new.$$ python
  if [[ $tensorflow_kind == folder ]]; then
    check_library "$tensorflow_dir"
    printf '%s' "$tensorflow_key" >"$tensorflow_stamp"
    return
  fi
  mkdir -p "$new"
  wheels=.setup/wheels/${tensorflow_dir##*/}
  if [[ $tensorflow_kind == jetson ]]; then
    fetch_named_wheel "$tensorflow_key"
  else
    # The wheel of this machine's own Python, so that the tests can install the same file; any other does as well.
    python=$(find_fitting_python || true)
    fetch_pinned_wheels "$tensorflow_kind" "$(if [[ $python ]]; then python_version "$python"; else echo 3.11; fi)" all
  fi
  detail 'unpacking'
  unpack_library "$new"
  detail 'trying it'
  check_library "$new"
  printf '%s' "$tensorflow_key" >"$new/.complete"
  sync -f "$new/.complete" # all of it is on the disk before it gets its name
  if [[ -e $tensorflow_dir ]]; then mv -T "$tensorflow_dir" "$new.old"; fi
  mv -T "$new" "$tensorflow_dir"
  rm -rf "$new.old"
  # The tests install the same wheel for Python; without them it has served.
  if ! $with_tests; then rm -rf .setup/wheels; fi
}

# A Python with pip: Debian's own, which the package python3-pip belongs to, else the first on the path.
find_python() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      type -P "$python"
      return
    fi
  done
  fail "Expected a python3 with pip, found none. On Debian and Ubuntu: sudo apt-get install -y python3-pip"
}

# The first Python that tensorflow.pins has a wheel for: the system's, else the newest of the others on the path.
find_fitting_python() {
  local candidate
  for candidate in /usr/bin/python3 python3 python3.13 python3.12 python3.11 python3.10; do
    if pins cpu | grep -q "^$(python_version "$candidate") "; then
      type -P "$candidate"
      return
    fi
  done
  return 1
}

python_version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none; }

# Fetches what tensorflow.pins has for the kind $1 and the Python version $2 into the folder $wheels, with the companions for
# any Python where $3 is `all`. pip checks the hashes.
fetch_pinned_wheels() {
  local megabytes=0 requirements="" tag requirement size hash
  while read -r tag requirement size hash; do
    [[ $tag == "$2" || ($tag == any && $3 == all) ]] || continue
    requirements+="$requirement --hash=sha256:$hash"$'\n'
    megabytes=$((megabytes + size))
  done < <(pins "$1")
  need_disk $((megabytes * 3 + 900))
  printf '%s' "$requirements" >"$work/requirements"
  expect_download "$megabytes"
  note "$megabytes MB to fetch with pip"
  if ! download_wheels 'DO NOT MATCH THE HASHES|No space left' "$2" --require-hashes --requirement "$work/requirements"; then
    explain_pip "$(awk '{ print $1 }' "$work/requirements" | paste -sd ' ')"
  fi
  : >"$work/fetching"
}

# pip downloads what the arguments from the third on ask for, for the Python version $2, into $wheels. Where its output
# matches $1 there is no point in trying again.
download_wheels() {
  local python platforms=() glibc
  python=$(find_python)
  for glibc in {5..35}; do platforms+=(--platform "manylinux_2_${glibc}_$machine"); done
  platforms+=(--platform "manylinux2014_$machine" --platform "manylinux2010_$machine" --platform "manylinux1_$machine")
  retry "$1" clean_pip "$python" download --no-deps --only-binary=:all: --implementation cp --python-version "$2" "${platforms[@]}" \
    --dest "$wheels" "${@:3}"
}

# A wheel named by a file or a URL.
fetch_named_wheel() {
  local name=${1%%[#?]*} python tags
  name=${name##*/}
  need_disk 3000
  [[ $name == *.whl ]] || fail "ROADMASK_TENSORFLOW_WHEEL=$1: expected the file or the URL of a .whl"
  expect_download 500
  if [[ $1 != *://* ]]; then
    [[ -f $1 ]] || fail "ROADMASK_TENSORFLOW_WHEEL=$1: there is no such file"
    ln -sf "$1" "$wheels/"
    return
  fi
  python=$(find_python)
  IFS=- read -r -a tags <<<"${name%.whl}" # name, version, (build,) python, abi, platform
  if ! retry 'DO NOT MATCH THE HASHES|No space left|HTTP error 404' clean_pip "$python" download --no-deps --only-binary=:all: --implementation cp \
    --python-version "${tags[-3]#cp}" --abi "${tags[-2]}" --platform "${tags[-1]%%.*}" --dest "$wheels" "$1"; then
    explain_pip "$1"
  fi
  : >"$work/fetching"
}

expect_download() {
  rm -rf "$wheels/temporary" # whole wheels of an earlier attempt stay: pip checks their hashes again
  mkdir -p "$wheels"
  printf '%s\n%s\n' "$1" "$wheels" >"$work/fetching"
  detail 'fetching'
}

need_disk() {
  local free
  free=$(df --output=avail --block-size=1000000 . | tail -n 1)
  if ((free < $1)); then fail "Expected $1 MB of free disk in $root for this step, found $((free))."; fi
}

# pip without what a person's environment may add (a target, a virtual environment that must be there …). What tells how
# to reach the package index stays. Large temporary files go beside the checkout: /tmp may be small and in memory.
clean_pip() (
  local name
  for name in $(compgen -e); do
    case $name in
      PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_FIND_LINKS | PIP_NO_INDEX | PIP_CERT | PIP_CLIENT_CERT | PIP_TRUSTED_HOST) ;;
      PIP_PROXY | PIP_CACHE_DIR | PIP_NO_CACHE_DIR | PIP_DEFAULT_TIMEOUT | PIP_CONFIG_FILE | PIP_KEYRING_PROVIDER) ;;
      PIP_* | PYTHONPATH | PYTHONHOME) unset "$name" ;;
    esac
  done
  mkdir -p "$wheels/temporary"
  export TMPDIR=$root/$wheels/temporary PIP_REQUIRE_VIRTUALENV=0
  exec "$1" -m pip --disable-pip-version-check --no-input "${@:2}"
)

explain_pip() {
  if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
    fail "A wheel does not have the hash that $(if [[ $tensorflow_kind == jetson ]]; then echo ROADMASK_TENSORFLOW_WHEEL; else echo "${pinned_in:-deploy/tensorflow.pins}"; fi) gives:" \
      "$(grep -E 'Expected sha256|Got  ' "$log" | head -n 4 | sed 's/^ */  /')" \
      "Nothing was installed. Compare the file with its publisher's, if a private package index or PIP_FIND_LINKS serves it."
  fi
  fail "pip could not fetch $1:" "$(grep -E '^ERROR' "$log" | tail -n 3)" "$(offline_hint)All of its output is in $log"
}

# Unpacks from the wheels into the new folder $1: include/ with the C API, lib/, and beside them what lib/ looks for
# relative to itself (nvidia/*/lib, tensorflow.libs/), with the names that tell NVIDIA's versions.
unpack_library() {
  local new=$1 wheel status
  for wheel in "$wheels"/*.whl; do
    status=0
    unzip -q -o "$wheel" 'tensorflow/libtensorflow*.so*' 'tensorflow/include/tensorflow/*' 'tensorflow/include/tsl/*' \
      'tensorflow/include/xla/tsl/*' 'tensorflow.libs/*' 'nvidia/*' 'nvidia_*/METADATA' -x 'nvidia/*/include/*' '*.py' -d "$new/wheel" || status=$?
    # 11: a pattern without a match.
    if ((status != 0 && status != 11)); then
      rm -f "$wheel"
      fail "$wheel could not be unpacked (unzip says $status); run this again."
    fi
  done
  if [[ ! -f $new/wheel/tensorflow/libtensorflow_cc.so.2 ]]; then
    fail "Expected tensorflow/libtensorflow_cc.so.2 in the wheel, found none: $(cd "$wheels" && echo ./*.whl)." \
      "That is not a TensorFlow wheel of 2.12 to 2.21 for Linux."
  fi
  mkdir "$new/lib"
  mv "$new/wheel/tensorflow/include" "$new/include"
  mv "$new"/wheel/tensorflow/libtensorflow*.so* "$new/lib/"
  rmdir "$new/wheel/tensorflow"
  find "$new/wheel" -mindepth 1 -maxdepth 1 -exec mv -t "$new" {} +
  rmdir "$new/wheel"
  # libtensorflow_cc holds the C API, so it stands in for the libtensorflow that the addon links against.
  ln -s libtensorflow_cc.so.2 "$new/lib/libtensorflow.so"
  ln -s libtensorflow_cc.so.2 "$new/lib/libtensorflow.so.2"
  ln -s libtensorflow_framework.so.2 "$new/lib/libtensorflow_framework.so"
}

# Refuses a folder that is not a fit libtensorflow: files, that it loads here, the C API, the version.
check_library() {
  local file python status=0
  for file in include/tensorflow/c/c_api.h include/tensorflow/c/eager/c_api.h lib/libtensorflow.so lib/libtensorflow_framework.so; do
    if [[ ! -e $1/$file ]]; then
      fail "Expected a libtensorflow with its C API in $1, but there is no $file in it." \
        "ROADMASK_TENSORFLOW takes a folder like the one of TensorFlow's C library: include/ and lib/."
    fi
  done
  python=$(find_python)
  "$python" -I deploy/setup/check-library.py "$1/lib/libtensorflow.so" 2>"$work/library" || status=$?
  if ((status != 0)); then
    cat "$work/library"
    fail "$(grep -v -E '^(WARNING|I0000)' "$work/library" | tail -n 6)" \
      "$(if ((status > 128)); then echo "Loading $1/lib/libtensorflow.so ended with signal $((status - 128)): this processor may lack what it was built for (AVX)."; fi)" \
      "Nothing was installed. ROADMASK_TENSORFLOW=cpu takes the one that is known to fit."
  fi
}
