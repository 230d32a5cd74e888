{{/* Name of the secret with the token of /metrics. */}}
{{- define "hallmark.metrics.secret" -}}
{{- include "hallmark.named" (list . "metrics" .Values.metrics.secret) }}
{{- end }}

{{/* The container that gives the console the token by which Prometheus reads /metrics. */}}
{{- define "hallmark.metrics.init" -}}
{{- if .Values.metrics.enabled }}
- name: metrics
  image: {{ .Values.image | quote }}
  command: [sh, -euc, "umask 077; mkdir -p console; cp /srv/metrics/token console/token.new; mv console/token.new console/metrics-token"]
  workingDir: /srv/hallmark/.hallmark
  {{- include "hallmark.small" . | nindent 2 }}
  volumeMounts:
    - {{ include "hallmark.state.mount" . }}
    {{- include "hallmark.console.mount" . | nindent 4 }}
    - {name: metrics, mountPath: /srv/metrics, readOnly: true}
{{- end }}
{{- end }}

{{/* The console's own database, if it has a claim of its own. */}}
{{- define "hallmark.console.mount" -}}
{{- if .Values.console.claim }}
- {name: console, mountPath: /srv/hallmark/.hallmark/console}
{{- end }}
{{- end }}
