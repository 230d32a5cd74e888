{{/* Name of the secret with the token of /metrics. */}}
{{- define "hallmark.metrics.secret" -}}
{{- include "hallmark.named" (list . "metrics" .Values.metrics.secret) }}
{{- end }}

{{/* The container that gives the console the token by which Prometheus reads /metrics. */}}
{{- define "hallmark.metrics.init" -}}
{{- if .Values.metrics.enabled }}
- name: metrics
  image: {{ .Values.image }}
  command: [sh, -euc, "umask 077; mkdir -p console; cp /srv/metrics/token console/token.new; mv console/token.new console/metrics-token"]
  workingDir: /srv/hallmark/.hallmark
  securityContext: {{- include "hallmark.shut" . | nindent 4 }}
  resources: {{- include "hallmark.resources" (dict "cpu" "100m" "memory" "64Mi" "disk" "64Mi") | nindent 4 }}
  volumeMounts:
    - {name: state, mountPath: /srv/hallmark/.hallmark}
    - {name: metrics, mountPath: /srv/metrics, readOnly: true}
{{- end }}
{{- end }}
