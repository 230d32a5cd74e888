{{/* The ingress of a part: `list ROOT PART HOST`, or nothing if its values ask for none. */}}
{{- define "hallmark.ingress" -}}
{{- $root := index . 0 }}
{{- $part := index . 1 }}
{{- $host := index . 2 | splitList ":" | first }}
{{- with (get $root.Values $part).ingress }}
{{- if .enabled }}
{{- if not (and $host $root.Values.network.pages) }}
{{- fail (printf "%s.ingress: expected the name of the pages (%s) and the controller's pods (network.pages)" $part (get (dict "mlflow" "mlflow.hosts") $part | default (printf "%s.origin" $part))) }}
{{- end }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "hallmark.metadata" (list $root $part) | nindent 2 }}
  {{- with .annotations }}
  annotations: {{ toJson . }}
  {{- end }}
spec:
  {{- with .className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  tls: [{hosts: [{{ $host | quote }}]{{ with .tlsSecret }}, secretName: {{ . | quote }}{{ end }}}]
  rules:
    - host: {{ $host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ include "hallmark.named" (list $root $part) | quote }}
                port: {name: {{ ternary "https" "http" (eq $part "console") }}}
{{- end }}
{{- end }}
{{- end }}
