# Steps: the two addons, built against what is on this machine. Each is tried before it counts as built.
# shellcheck shell=bash

tfjs=node_modules/@tensorflow/tfjs-node-gpu
gstreamer=node_modules/gstreamer-superficial

tensorflow_addon_title() { echo 'TensorFlow addon'; }

# Stamps lie inside the packages, so that they go with them.
tensorflow_addon_ready() {
  [[ -f $tfjs/lib/napi-v8/tensorflow.node && -f $tfjs/lib/napi-v8/.built && $(<$tfjs/lib/napi-v8/.built) == "$(tensorflow_addon_key)" && $tfjs/deps -ef $tensorflow_dir ]]
}

tensorflow_addon_key() { printf '%s\n%s\n%s' "${node_version%%.*}" "$tensorflow_dir" "$tensorflow_key"; }

# The addon finds its library as ../../deps/lib. In front of it stands a small one that keeps the library's start-up
# messages off standard error (see quiet-binding.c).
tensorflow_addon_make() { build_tensorflow_addon; }

build_tensorflow_addon() {
  rm -f $tfjs/lib/napi-v8/.built
  open_build $tfjs
  ln -s "$tensorflow_dir" "$build/addon/deps"
  node_gyp --module_name=tfjs_binding --module_path="$build/addon/lib" --napi_build_version=8
  cc -O2 -shared -fPIC -Wall -DNAPI_VERSION=8 -I"$build/node/include/node" -o "$build/quiet.node" deploy/setup/quiet-binding.c -ldl
  mkdir -p $tfjs/lib/napi-v8
  link_library
  place "$build/addon/build/Release/tfjs_binding.node" $tfjs/lib/napi-v8/tensorflow.node
  place "$build/quiet.node" $tfjs/lib/napi-v8/tfjs_binding.node
  detail 'trying it'
  node -e 'const { TF_Version } = require(process.argv[1]); if (!TF_Version) process.exit(1)' "$root/$tfjs/lib/napi-v8/tfjs_binding.node"
  tensorflow_addon_key >$tfjs/lib/napi-v8/.built
  rm -rf "$build"
}

# Relative inside the checkout, so that the checkout can be moved.
link_library() {
  rm -rf "$tfjs/deps.new"
  case $tensorflow_dir in
    "$root"/*) ln -s "../../../${tensorflow_dir#"$root"/}" $tfjs/deps.new ;;
    *) ln -s "$tensorflow_dir" $tfjs/deps.new ;;
  esac
  mv -T $tfjs/deps.new $tfjs/deps
}

gstreamer_addon_title() { echo 'GStreamer addon'; }

gstreamer_addon_ready() {
  [[ -f $gstreamer/build/Release/gstreamer-superficial.node && -f $gstreamer/build/Release/.built &&
    $(<$gstreamer/build/Release/.built) == "${node_version%%.*}" ]]
}

gstreamer_addon_make() {
  rm -f $gstreamer/build/Release/.built
  open_build $gstreamer
  mkdir "$build/addon/node_modules"
  cp -r node_modules/nan "$build/addon/node_modules/nan"
  node_gyp
  mkdir -p $gstreamer/build/Release
  place "$build/addon/build/Release/gstreamer-superficial.node" $gstreamer/build/Release/gstreamer-superficial.node
  detail 'trying it'
  node -e 'new (require(process.argv[1]).Pipeline)("fakesrc ! fakesink")' "$root/$gstreamer"
  printf '%s' "${node_version%%.*}" >$gstreamer/build/Release/.built
  rm -rf "$build"
}

# A folder outside the checkout to build a copy of the package $1 in: gyp cannot do with spaces or quotes in a path, be it
# the addon's, that of Node's headers or its own.
open_build() {
  local temporary=${TMPDIR:-/tmp} headers
  headers=$(node_headers)
  if [[ $temporary =~ [^A-Za-z0-9_./-] ]]; then temporary=/tmp; fi
  build=$(mktemp -d "$temporary/roadmask-build.XXXXXX")
  echo "$build" >"$work/build"
  cp -r --no-dereference "$1" "$build/addon"
  rm -rf "$build"/addon/{build,lib,deps}
  ln -s "$headers" "$build/node"
  mkdir "$build/node_modules"
  ln -s "$root"/node_modules/* "$build/node_modules/"
  rm "$build/node_modules/node-gyp"
  cp -r node_modules/node-gyp "$build/node_modules/"
}

node_gyp() {
  detail 'compiling'
  (cd "$build/addon" && clean_npm node --preserve-symlinks --preserve-symlinks-main "$build/node_modules/node-gyp/bin/node-gyp.js" \
    rebuild --jobs=max --nodedir="$build/node" --loglevel=warn "$@")
}

# A prefix with include/node of the running Node. It comes with nodejs.org's archives, nvm and NodeSource's packages;
# where it does not, the headers are fetched.
node_headers() {
  local prefix fetched=.setup/node-gyp/${node_version#v}
  prefix=$(node -p 'require("node:path").resolve(process.execPath, "../..")')
  if [[ -f $prefix/include/node/node_version.h ]] && [[ $(headers_version "$prefix") == "$node_version" ]]; then
    echo "$prefix"
    return
  fi
  if [[ ! -f $fetched/include/node/node_version.h ]]; then
    detail "fetching Node's headers"
    if ! retry 'No space left' clean_npm node node_modules/node-gyp/bin/node-gyp.js install --ensure --devdir="$root/.setup/node-gyp" >&2; then
      fail "Node's headers could not be fetched, and this Node came without them (expected $prefix/include/node)." \
        "$(offline_hint)A Node from https://nodejs.org/en/download or from nvm brings them along."
    fi
  fi
  echo "$root/$fetched"
}

headers_version() {
  awk '$2 == "NODE_MAJOR_VERSION" { a = $3 } $2 == "NODE_MINOR_VERSION" { b = $3 } $2 == "NODE_PATCH_VERSION" { c = $3 }
    END { print "v" a "." b "." c }' "$1/include/node/node_version.h"
}

# Puts a file in place at one stroke: a program that has the old one open keeps it.
place() { cp "$1" "$2.new" && mv -T "$2.new" "$2"; }
