{{/* Keys of machines that a part signs with, as `keys` of values calls them. The console holds nobody's key. */}}
{{- define "hallmark.keys.table" -}}
watch: [gate, ledger, modelSigning, scheduler]
runner: [gate, ledger, modelSigning, vault, worker]
console: []
{{- end }}

{{/* Whether a part sees other keys than those on the claim: `list ROOT PART`. "yes" or nothing. */}}
{{- define "hallmark.keys.apart" -}}
{{- if or (not (get (include "hallmark.keys.table" . | fromYaml) (index . 1))) (include "hallmark.keys.secrets" (index . 0)) }}yes{{ end }}
{{- end }}

{{/* Whether keys of machines are secrets: "yes" or nothing. */}}
{{- define "hallmark.keys.secrets" -}}
{{- if compact (values .Values.keys) }}yes{{ end }}
{{- end }}

{{/* Whether a part signs with keys out of secrets: `list ROOT PART`. "yes" or nothing. */}}
{{- define "hallmark.keys.signs" -}}
{{- if and (include "hallmark.keys.secrets" (index . 0)) (get (include "hallmark.keys.table" . | fromYaml) (index . 1)) }}yes{{ end }}
{{- end }}

{{/* Sources of a part's private keys: `list ROOT PART`. A secret's key is called as its file in `.hallmark/keys`. */}}
{{- define "hallmark.keys.sources" -}}
{{- $root := index . 0 }}
{{- $sources := list }}
{{- range get (include "hallmark.keys.table" . | fromYaml) (index . 1) }}
{{- $file := kebabcase . }}
{{- with get $root.Values.keys . }}
{{- $sources = append $sources (dict "secret" (dict "name" . "items" (list (dict "key" $file "path" $file)))) }}
{{- end }}
{{- end }}
{{- toJson $sources }}
{{- end }}
