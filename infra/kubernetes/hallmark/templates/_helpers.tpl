{{/* Beginning of the names of all objects, so that two releases fit into one namespace: `name`, or else the release's. */}}
{{- define "hallmark.name" -}}
{{- $name := .Values.name | default .Release.Name }}
{{- if gt (len $name) 40 }}
{{- fail (printf "name: expected at most 40 characters, since Kubernetes lets a service have 63, got %s (%d)" $name (len $name)) }}
{{- end }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) }}
{{- fail (printf "name: expected lower-case letters, digits and - in a name that begins with a letter, got %q; give another one as `name`" $name) }}
{{- end }}
{{- $name }}
{{- end }}

{{/* Name of an object: `list ROOT PART`, or `list ROOT PART GIVEN`, where GIVEN is a value that counts unless it is empty. */}}
{{- define "hallmark.named" -}}
{{- $given := "" }}
{{- if gt (len .) 2 }}{{ $given = index . 2 }}{{ end }}
{{- $given | default (printf "%s-%s" (include "hallmark.name" (index . 0)) (index . 1)) }}
{{- end }}

{{/* The namespace of trainings. */}}
{{- define "hallmark.training.namespace" -}}
{{- include "hallmark.named" (list . "training" .Values.training.namespace) }}
{{- end }}

{{/* Labels by which a part's pods are selected: `list ROOT PART`. */}}
{{- define "hallmark.selector" -}}
app.kubernetes.io/name: {{ include "hallmark.named" . | quote }}
{{- end }}

{{/* Labels of a part's objects and pods: `list ROOT PART`. */}}
{{- define "hallmark.labels" -}}
{{ include "hallmark.selector" . }}
app.kubernetes.io/part-of: hallmark
{{- end }}

{{/* Name, namespace and labels of an object of a part: `list ROOT PART`. */}}
{{- define "hallmark.metadata" -}}
name: {{ include "hallmark.named" . | quote }}
namespace: {{ (index . 0).Release.Namespace | quote }}
labels: {{- include "hallmark.labels" . | nindent 2 }}
{{- end }}

{{/* What holds of every pod: it is not root, and nobody to Kubernetes. */}}
{{- define "hallmark.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false  # no addresses of other services in the environment
{{- with .Values.pullSecret }}
imagePullSecrets: [{name: {{ . | quote }}}]
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch  # else each pod opens private keys on the claim to the group
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The nodes on which a pod may be, from values with `nodeSelector`, `tolerations` and `priorityClass`. */}}
{{- define "hallmark.nodes" -}}
{{- with .priorityClass }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end }}

{{/* What holds of every container. */}}
{{- define "hallmark.shut" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What holds of a container that copies a few files before the others start. */}}
{{- define "hallmark.small" -}}
securityContext: {{- include "hallmark.shut" . | nindent 2 }}
resources: {{- include "hallmark.resources" (dict "cpu" "100m" "memory" "64Mi" "disk" "64Mi") | nindent 2 }}
{{- end }}

{{/* Requests that are limits too, of `cpu`, `memory`, `disk` and, where there are any, `gpus`. */}}
{{- define "hallmark.resources" -}}
{{- $all := dict "cpu" .cpu "memory" .memory "ephemeral-storage" .disk }}
{{- if .gpus }}
{{- $_ := set $all (.gpuResource | default "nvidia.com/gpu") .gpus }}
{{- end }}
requests: {{ toJson $all }}
limits: {{ toJson $all }}
{{- end }}

{{/* The token of the pod's account, for the one container that mounts it. */}}
{{- define "hallmark.token.mount" -}}
name: kubernetes-token
mountPath: /var/run/secrets/kubernetes.io/serviceaccount
readOnly: true
{{- end }}
{{- define "hallmark.token.volume" -}}
name: kubernetes-token
projected:
  sources:
    - serviceAccountToken: {path: token, expirationSeconds: 3600}
    - configMap: {name: kube-root-ca.crt, items: [{key: ca.crt, path: ca.crt}]}
    - downwardAPI: {items: [{path: namespace, fieldRef: {fieldPath: metadata.namespace}}]}
{{- end }}

{{/* Whether `network.outside` leads `part` anywhere: "yes" or nothing. */}}
{{- define "hallmark.leads" -}}
{{- range .root.Values.network.outside }}{{ if has $.part .for }}yes{{ end }}{{ end }}
{{- end }}

{{/* Ways out of a part: to the name service, and to what `network.outside` lists for it. */}}
{{- define "hallmark.outside" -}}
- to: [{{ toJson .values.network.dns }}]
  ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- range .values.network.outside }}
{{- if has $.part .for }}
- to: [{{ toJson .to }}]
  ports: [{protocol: TCP, port: {{ .port }}}]  # {{ .name }}
{{- end }}
{{- end }}
{{- end }}
