{{/* What the parts share that work in the checkout: watch, console and the runs of a pool. */}}

{{/* Name of the claim. */}}
{{- define "hallmark.claim" -}}
{{- include "hallmark.named" (list . "state" .Values.state.claim) }}
{{- end }}

{{/* Path on the claim: `list ROOT PATH`. It lies in the folder that is given, if one is. */}}
{{- define "hallmark.on.claim" -}}
{{- trimPrefix "/" (printf "%s/%s" (index . 0).Values.state.folder (index . 1)) | trimSuffix "/" }}
{{- end }}

{{/* Name of the secret with the environment of watch, worker and runs. */}}
{{- define "hallmark.run.secret" -}}
{{- include "hallmark.named" (list . "run" .Values.runs.secret) }}
{{- end }}

{{/* Mounts of a part: `list ROOT PART`. HEAD and index are the pod's own, of the commit that its image holds; all else of git
is shared, so that runs outlive their pods. */}}
{{- define "hallmark.state.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {{ include "hallmark.state.mount" (index . 0) }}
- {name: state, mountPath: /srv/hallmark/.git, subPath: {{ include "hallmark.on.claim" (list (index . 0) "git") | quote }}}
- {name: checkout, mountPath: /srv/hallmark/.git/HEAD, subPath: HEAD}
- {name: checkout, mountPath: /srv/hallmark/.git/index, subPath: index}
{{- if include "hallmark.keys.apart" . }}
- {name: keys, mountPath: /srv/hallmark/.hallmark/keys, readOnly: true}
{{- end }}
{{- end }}

{{/* The mount of `.hallmark/`. */}}
{{- define "hallmark.state.mount" -}}
{name: state, mountPath: /srv/hallmark/.hallmark{{ with .Values.state.folder }}, subPath: {{ . | quote }}{{ end }}}
{{- end }}

{{/* Volumes of a part: `list ROOT PART SIZE`, with the size of /tmp. */}}
{{- define "hallmark.state.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ index . 2 }}}
- name: state
  persistentVolumeClaim: {claimName: {{ include "hallmark.claim" (index . 0) | quote }}}
- name: checkout
  emptyDir: {sizeLimit: 64Mi}
{{- if include "hallmark.keys.apart" . }}
- name: keys
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
{{- end }}
{{- if include "hallmark.keys.signs" . }}
- name: private-keys
  projected: {sources: {{ include "hallmark.keys.sources" . }}}
{{- end }}
{{- end }}

{{/* Containers that come first: `list ROOT PART`. One makes the folder on the claim, which is then the pod's own, and not
root's. One brings the image's commit there, as in files/run.yaml. One brings the keys. */}}
{{- define "hallmark.state.init" -}}
{{- $root := index . 0 }}
{{- with $root.Values.state.folder }}
- name: folder
  image: {{ $root.Values.image | quote }}
  command: [mkdir, -p, -m, "0700", /srv/claim/{{ . }}]
  {{- include "hallmark.small" $root | nindent 2 }}
  volumeMounts: [{name: state, mountPath: /srv/claim}]
{{- end }}
{{- $mounts := list (include "hallmark.state.mount" $root | fromYaml) (dict "name" "checkout" "mountPath" "/srv/checkout") }}
- {{ ($root.Files.Get "files/run.yaml" | fromYaml).spec.template.spec.initContainers | first | merge (dict "image" $root.Values.image "volumeMounts" $mounts) | toJson }}
{{- if include "hallmark.keys.apart" . }}
- name: keys
  image: {{ $root.Values.image | quote }}
  {{- if include "hallmark.keys.signs" . }}
  # Kubernetes lets the group read a secret's file, and Hallmark takes a private key that its owner alone can read.
  command: [sh, -c, "umask 077; cp /srv/private-keys/* /srv/keys/"]
  {{- else }}
  # The claim's private keys are hidden from this part. Of a key it sees the public half.
  command: [sh, -c, "umask 077; find /srv/hallmark/.hallmark/keys -name '*.pub' -exec cp {} /srv/keys/ ';'"]
  {{- end }}
  {{- include "hallmark.small" $root | nindent 2 }}
  volumeMounts:
    - {name: keys, mountPath: /srv/keys}
    {{- if include "hallmark.keys.signs" . }}
    - {name: private-keys, mountPath: /srv/private-keys, readOnly: true}
    {{- else }}
    - {{ include "hallmark.state.mount" $root }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Variables without which a pod does not start: `list SECRET NAME…`. */}}
{{- define "hallmark.required" -}}
{{- $secret := first . }}
{{- range rest . }}
- {name: {{ . }}, valueFrom: {secretKeyRef: {name: {{ $secret | quote }}, key: {{ . }}}}}
{{- end }}
{{- end }}

{{/* Required variables of watch and runs. Without one of them a file of SQLite on the claim would take its place. */}}
{{- define "hallmark.run.required" -}}
{{- $names := list "MLFLOW_TRACKING_URI" }}
{{- if ne .Values.databases.ledger "sqlite" }}{{ $names = append $names "HALLMARK_LEDGER_URL" }}{{ end }}
{{- if ne .Values.databases.vault "sqlite" }}{{ $names = append $names "HALLMARK_VAULT_URL" }}{{ end }}
{{- include "hallmark.required" (prepend $names (include "hallmark.run.secret" .)) }}
{{- end }}
