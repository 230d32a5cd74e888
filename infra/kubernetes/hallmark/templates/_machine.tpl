{{/* With what Ray starts on a machine. Its ports are those that tasks/stages/cluster/cluster_membership.py takes on the runner, so
that the network opens these alone; its object store holds next to nothing. */}}
{{- define "hallmark.ray.start" -}}
node-manager-port: "20000"
object-manager-port: "20001"
metrics-export-port: "20002"
dashboard-agent-grpc-port: "20003"
dashboard-agent-listen-port: "20004"
runtime-env-agent-port: "20005"
min-worker-port: "20006"
max-worker-port: "20999"
object-store-memory: "268435456"
{{- end }}

{{/* The pod of a machine of the Ray cluster: `root`, its `group`, and whether it `isHead`. It reaches no more than a stage does in its
sandbox on one machine (docs/guides/security.md, "The pods of a cluster"). */}}
{{- define "hallmark.ray.machine" -}}
{{- $training := .root.Values.training }}
{{- $part := list .root "training" }}
{{- $isHead := .isHead }}
{{- $notice := .group.noticeSeconds | default 120 }}
metadata:
  labels:
    {{- include "hallmark.labels" $part | nindent 4 }}
    app.kubernetes.io/component: {{ ternary "head" "worker" $isHead }}
spec:
  serviceAccountName: {{ include "hallmark.named" (list .root (ternary "training-head" "training" $isHead)) | quote }}
  {{- include "hallmark.pod" .root | nindent 2 }}
  terminationGracePeriodSeconds: {{ ternary 30 $notice $isHead }}
  {{- include "hallmark.nodes" (merge (dict "priorityClass" $training.priorityClass) .group) | nindent 2 }}
  containers:
    - name: ray
      image: {{ $training.image | default .root.Values.image | quote }}
      workingDir: /tmp
      securityContext: {{- include "hallmark.shut" .root | nindent 8 }}
      env:
        - {name: HOME, value: /tmp}
        - {name: RAY_USAGE_STATS_ENABLED, value: "0"}
        - {name: HALLMARK_TRAINING_CACHE, value: /tmp/hallmark-training}
        {{- if eq $training.sharing "claim" }}
        - {name: HALLMARK_RUN, value: {{ $training.run | quote }}}
        {{- end }}
      {{- if and (eq $training.sharing "storage") $training.storageSecret (not $isHead) }}
      envFrom:
        - secretRef: {name: {{ $training.storageSecret | quote }}}
      {{- end }}
      {{- if not $isHead }}
      lifecycle:
        preStop:  # workers write a checkpoint and end
          exec: {command: [python, -I, -m, hallmark.process, tasks.stages.train.machines.notice, {{ $notice | quote }}]}
      {{- end }}
      readinessProbe:
        httpGet: {path: /api/healthz, port: 20004}
        timeoutSeconds: 5
      livenessProbe:
        httpGet: {path: /api/healthz, port: 20004}
        initialDelaySeconds: 60
        timeoutSeconds: 5
        failureThreshold: 12
      resources: {{- include "hallmark.resources" .group | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: shm, mountPath: /dev/shm}
        {{- if and (eq $training.sharing "claim") (not $isHead) }}
        - name: state  # the base model of this run, to read
          mountPath: /srv/hallmark/.hallmark/runs/{{ $training.run }}/artefacts/base_model
          subPathExpr: {{ include "hallmark.on.claim" (list .root "runs/$(HALLMARK_RUN)/artefacts/base_model") }}
          readOnly: true
        - name: state  # its training rows as tokens, to read
          mountPath: /srv/hallmark/.hallmark/runs/{{ $training.run }}/artefacts/tokenise
          subPathExpr: {{ include "hallmark.on.claim" (list .root "runs/$(HALLMARK_RUN)/artefacts/tokenise") }}
          readOnly: true
        - name: state  # checkpoints and trained weights, which the stage looks through
          mountPath: /srv/hallmark/.hallmark/checkpoints
          subPath: {{ include "hallmark.on.claim" (list .root "checkpoints") | quote }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: {{ .group.disk }}}
    - name: shm
      emptyDir: {medium: Memory, sizeLimit: {{ .group.sharedMemory | default "4Gi" }}}
    {{- if and (eq $training.sharing "claim") (not $isHead) }}
    - name: state
      persistentVolumeClaim: {claimName: {{ include "hallmark.claim" .root | quote }}}
    {{- end }}
    {{- if and $isHead $training.autoscale }}
    - {{- include "hallmark.token.volume" .root | nindent 6 }}
    {{- end }}
{{- end }}
