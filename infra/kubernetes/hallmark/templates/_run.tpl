{{/* The job of one flow run, as in files/run.yaml, with what values say: nodes, size, sandbox, keys and names. */}}
{{- define "hallmark.run.job" -}}
{{- $part := list . "runner" }}
{{- $runs := .Values.runs }}
apiVersion: batch/v1
kind: Job
metadata:
  generateName: {{ include "hallmark.named" (list . "run") }}-
  namespace: {{ .Release.Namespace | quote }}
  labels: {{- include "hallmark.labels" $part | nindent 4 }}
  annotations: {hallmark/job-from: chart}  # `hallmark deploy` then refuses a pool with an image
spec:
  backoffLimit: 0
  ttlSecondsAfterFinished: 3600
  parallelism: 1
  completions: 1
  template:
    metadata:
      labels: {{- include "hallmark.labels" $part | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ include "hallmark.name" . | quote }}
      {{- mergeOverwrite (include "hallmark.pod" . | fromYaml) (include "hallmark.run.sandbox" . | fromYaml) | toYaml | nindent 6 }}
      {{- include "hallmark.nodes" $runs | nindent 6 }}
      initContainers:
        {{- include "hallmark.state.init" $part | nindent 8 }}
      containers:
        - name: prefect-job
          image: {{ .Values.image | quote }}
          command: {{ include "hallmark.run.command" . }}
          workingDir: /srv/hallmark/.hallmark/prefect
          securityContext:
            {{- include "hallmark.shut" . | nindent 12 }}
            {{- with $runs.sandbox.procMount }}
            procMount: {{ . }}
            {{- end }}
          env:
            - {name: HALLMARK_ROOT, value: /srv/hallmark}
            - {name: HOME, value: /tmp}
            {{- include "hallmark.run.required" . | nindent 12 }}
          envFrom:
            - secretRef: {name: {{ include "hallmark.run.secret" . | quote }}}
          resources: {{- include "hallmark.resources" $runs | nindent 12 }}
          volumeMounts:
            {{- include "hallmark.state.mounts" $part | nindent 12 }}
            {{- if $runs.sharedMemory }}
            - {name: shm, mountPath: /dev/shm}
            {{- end }}
      volumes:
        {{- include "hallmark.state.volumes" (append $part $runs.disk) | nindent 8 }}
        {{- with $runs.sharedMemory }}
        - name: shm
          emptyDir: {medium: Memory, sizeLimit: {{ . }}}
        {{- end }}
{{- end }}

{{/* The command of files/run.yaml: a pod takes none from Prefect. */}}
{{- define "hallmark.run.command" -}}
{{- (.Files.Get "files/run.yaml" | fromYaml).spec.template.spec.containers | first | dig "command" list | toJson }}
{{- end }}

{{/* What a pod needs so that bubblewrap makes user namespaces in it. */}}
{{- define "hallmark.run.sandbox" -}}
{{- with .Values.runs.sandbox }}
{{- if kindIs "bool" .hostUsers }}
hostUsers: {{ .hostUsers }}
{{- end }}
securityContext:
  seccompProfile: {{ .seccompProfile | default (dict "type" "RuntimeDefault") | toJson }}
  {{- with .appArmorProfile }}
  appArmorProfile: {{ toJson . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Prefect's base job template with that job, as infra/prefect/pools.py makes it. It has no variables. */}}
{{- define "hallmark.run.template" -}}
{{- $job := include "hallmark.run.job" . | fromYaml }}
{{- $command := include "hallmark.run.command" . | fromJsonArray | join " " }}
{{- $all := dict "namespace" .Release.Namespace "command" $command "env" dict "job_manifest" $job }}
{{- dict "job_configuration" $all "variables" (dict "type" "object" "properties" dict) | toPrettyJson }}
{{- end }}
