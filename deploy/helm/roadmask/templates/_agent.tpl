{{- define "roadmask.labels" -}}
app.kubernetes.io/name: roadmask
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "roadmask.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* A config map with the settings. Takes: root, name, config, and bundle, which is at /bundle where it is given. */}}
{{- define "roadmask.settings" -}}
{{- $config := deepCopy .config -}}
{{- if or .bundle.hostPath .bundle.image }}{{ $_ := set $config "bundle" "/bundle" }}{{ end -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .name }}
  labels: {{- include "roadmask.labels" .root | nindent 4 }}
data:
  agent.yaml: |
    {{- toYaml $config | nindent 4 }}
{{- end }}

{{/* The pod of an agent. Takes: root, name (of the config map), settings (its text), secret, bundle, selector. */}}
{{- define "roadmask.pod" -}}
{{- $values := .root.Values -}}
metadata:
  labels:
    {{- include "roadmask.labels" .root | nindent 4 }}
    roadmask/agents: {{ .name }}
  annotations:
    roadmask/settings: {{ sha256sum .settings | quote }}
spec:
  hostNetwork: true # cameras by UDP and multicast, and the page on the node's addresses
  dnsPolicy: ClusterFirstWithHostNet
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 5 # an agent ends within a second
  {{- with $values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  nodeSelector: {{- toYaml .selector | nindent 4 }}
  {{- with $values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets: {{- range . }}
    - name: {{ . }}
  {{- end }}
  {{- end }}
  securityContext:
    supplementalGroups: {{- toYaml $values.supplementalGroups | nindent 6 }}
    seccompProfile: { type: RuntimeDefault }
  initContainers:
    - name: state # a folder of the node that is made here belongs to root
      image: {{ include "roadmask.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: [chown, "10001:10001", /var/lib/roadmask]
      securityContext:
        runAsUser: 0
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL], add: [CHOWN] }
      resources: { requests: { cpu: 10m, memory: 16Mi }, limits: { memory: 64Mi } }
      volumeMounts:
        - { name: state, mountPath: /var/lib/roadmask }
    {{- if .bundle.image }}
    - name: bundle
      image: {{ .bundle.image }}
      command: [cp, -r, {{ printf "%s/." (.bundle.path | default "/bundle") | quote }}, /to]
      securityContext:
        runAsUser: 10001
        allowPrivilegeEscalation: false
        capabilities: { drop: [ALL] }
      resources: { requests: { cpu: 10m, memory: 16Mi }, limits: { memory: 256Mi } }
      volumeMounts:
        - { name: bundle, mountPath: /to }
    {{- end }}
  containers:
    - name: agent
      image: {{ include "roadmask.image" .root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: [--config, /etc/roadmask/agent.yaml]
      env:
        - name: ROADMASK_DEVICE
          valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
        - { name: ROADMASK_COMPUTE, value: {{ $values.compute }} }
        - { name: ROADMASK_HTTP_PORT, value: {{ $values.http.port | quote }} }
      ports:
        - { name: http, containerPort: {{ $values.http.port }} }
      # From the kubelet, which shares the network with the agent, so that the agent may listen on the loopback address alone.
      startupProbe: # a first start may compile kernels for minutes
        httpGet: &health { host: 127.0.0.1, path: /healthz, port: http, scheme: {{ $values.http.scheme }} }
        periodSeconds: 5
        failureThreshold: 60
      livenessProbe:
        httpGet: *health
        periodSeconds: 20
        timeoutSeconds: 5
      readinessProbe:
        httpGet: { host: 127.0.0.1, path: /readyz, port: http, scheme: {{ $values.http.scheme }} }
        periodSeconds: 10
        timeoutSeconds: 5
      securityContext:
        runAsUser: 10001
        runAsGroup: 10001
        runAsNonRoot: true
        readOnlyRootFilesystem: true
        {{- if $values.privileged }}
        privileged: true
        {{- else }}
        allowPrivilegeEscalation: false
        capabilities: { drop: [ALL] }
        {{- end }}
      resources:
        requests: {{- toYaml (merge (dict) $values.resources.requests $values.devices) | nindent 10 }}
        limits: {{- toYaml (merge (dict) $values.resources.limits $values.devices) | nindent 10 }}
      volumeMounts:
        - { name: settings, mountPath: /etc/roadmask/agent.yaml, subPath: agent.yaml, readOnly: true }
        - { name: tls, mountPath: /etc/roadmask/tls, readOnly: true }
        - { name: state, mountPath: /var/lib/roadmask }
        - { name: tmp, mountPath: /tmp }
        {{- if or .bundle.hostPath .bundle.image }}
        - { name: bundle, mountPath: /bundle, readOnly: true }
        {{- end }}
        {{- if $values.argus }}
        - { name: argus, mountPath: /tmp/argus_socket }
        {{- end }}
        {{- if $values.privileged }}
        - { name: devices, mountPath: /dev }
        {{- end }}
  volumes:
    - name: settings
      configMap: { name: {{ .name }} }
    - name: tls
      {{- if .secret }}
      secret: { secretName: {{ .secret }}, defaultMode: 0444 }
      {{- else }}
      hostPath: { path: {{ $values.tls.hostPath }}, type: DirectoryOrCreate }
      {{- end }}
    - name: state
      hostPath: { path: {{ $values.stateHostPath }}, type: DirectoryOrCreate }
    - name: tmp
      emptyDir: { medium: Memory, sizeLimit: 256Mi }
    {{- if .bundle.hostPath }}
    - name: bundle
      hostPath: { path: {{ .bundle.hostPath }}, type: Directory }
    {{- else if .bundle.image }}
    - name: bundle
      emptyDir: { sizeLimit: 2Gi }
    {{- end }}
    {{- if $values.argus }}
    - name: argus
      hostPath: { path: /tmp/argus_socket, type: Socket }
    {{- end }}
    {{- if $values.privileged }}
    - name: devices
      hostPath: { path: /dev, type: Directory }
    {{- end }}
{{- end }}
