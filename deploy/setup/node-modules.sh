# Step: the npm packages, exactly as package-lock.json has them. Scripts of packages do not run (see .npmrc).
# shellcheck shell=bash

# Inside node_modules, so that it goes when they go. N-API aside, addons belong to one major version of Node.
node_modules_stamp=node_modules/.set-up
node_modules_key() { printf '%s %s %s' "$(sha256sum <package-lock.json | cut -c1-64)" "${node_version%%.*}" "$machine"; }

node_modules_title() { echo 'npm packages'; }

node_modules_ready() { [[ -f $node_modules_stamp && $(<$node_modules_stamp) == "$(node_modules_key)" ]]; }

node_modules_make() {
  local options=(--include=dev --include=optional --no-audit --no-fund --loglevel=error)
  rm -f $node_modules_stamp
  # Without a network npm's cache may hold everything; asking for each package anyway would take minutes.
  if ! network_is_up; then options+=(--offline); fi
  if ! retry 'EUSAGE|EINTEGRITY|ENOSPC|EACCES|EROFS' clean_npm npm ci "${options[@]}"; then
    if grep -qE 'EAI_AGAIN|ENOTFOUND|ENETUNREACH|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|network' "$log"; then
      fail "npm could not fetch the packages:" "$(grep -E 'npm (error|ERR!)' "$log" | head -n 4)" "$(offline_hint)All of its output is in $log"
    fi
    return 1
  fi
  mkdir -p node_modules
  node_modules_key >$node_modules_stamp
}

# Runs a command without the settings that an outer npm hands down (a workspace, a prefix, dry-run …), which would change
# what npm ci and node-gyp do. What tells how to reach the registry stays.
clean_npm() (
  local name
  for name in $(compgen -e); do
    case ${name,,} in
      npm_config_registry | npm_config_cafile | npm_config_ca | npm_config_strict_ssl | npm_config_proxy | npm_config_https_proxy) ;;
      npm_config_noproxy | npm_config_cache | npm_config_userconfig | npm_config_globalconfig | npm_config_*auth*) ;;
      npm_* | init_cwd | node_env) unset "$name" ;;
    esac
  done
  exec "$@"
)
