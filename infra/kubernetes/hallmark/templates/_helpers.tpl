{{/* Labels of a part's objects and pods, by its name. */}}
{{- define "hallmark.labels" -}}
app.kubernetes.io/name: hallmark-{{ . }}
app.kubernetes.io/part-of: hallmark
{{- end }}

{{/* What holds of every pod: it is not root, and nobody to Kubernetes. */}}
{{- define "hallmark.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false  # no addresses of other services in the environment
{{- with .Values.pullSecret }}
imagePullSecrets: [{name: {{ . }}}]
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What holds of every container. */}}
{{- define "hallmark.shut" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
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

{{/* Mounts and volumes of a part that works in the checkout: `.hallmark/`, and git with the commits of all runs. */}}
{{- define "hallmark.state.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: state, mountPath: /srv/hallmark/.hallmark}
- {name: state, mountPath: /srv/hallmark/.git, subPath: git}
{{- end }}
{{- define "hallmark.state.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
- name: state
  persistentVolumeClaim: {claimName: hallmark-state}
{{- end }}

{{/* The container that puts the image's clone on the claim, once: as in files/run.yaml. */}}
{{- define "hallmark.state.init" -}}
- {{ (.Files.Get "files/run.yaml" | fromYaml).spec.template.spec.initContainers | first | merge (dict "image" .Values.image) | toJson }}
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
