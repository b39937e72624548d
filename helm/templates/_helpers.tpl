{{/* Pieces that the templates share. */}}

{{- define "quartermaster.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Takes a dict of root and component: labels that never change, so that a Deployment may select by them. */}}
{{- define "quartermaster.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Takes a dict of root and component. */}}
{{- define "quartermaster.labels" -}}
{{ include "quartermaster.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "quartermaster.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "quartermaster.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* The start of every pod's spec. Takes the root. */}}
{{- define "quartermaster.pod" -}}
automountServiceAccountToken: false
# Quartermaster refuses QM_ variables that it does not know, and a Service whose name begins with "qm-" would add some.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ int64 .Values.runAsUser }}
  runAsGroup: {{ int64 .Values.runAsUser }}
  fsGroup: {{ int64 .Values.runAsUser }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
# State lies in PostgreSQL; this folder is only there because the rest cannot be written to.
volumes:
  - name: data
    emptyDir: {}
{{- end -}}

{{/* Replicas keep apart where they can. Takes a dict of root and component. */}}
{{- define "quartermaster.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "quartermaster.selectorLabels" . | nindent 8 }}
{{- end -}}

{{/* What the container of every role has. Takes the root. */}}
{{- define "quartermaster.container" -}}
image: {{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | default "IfNotPresent" }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: data
    mountPath: /data
env:
  - name: QM_DATABASE_URL
    valueFrom:
      secretKeyRef:
        name: {{ .Values.existingSecret.name | quote }}
        key: {{ .Values.existingSecret.keys.databaseUrl | quote }}
  - name: QM_DATA_DIR
    value: /data
  - name: QM_LOG_FORMAT
    value: json
  - name: QM_LOG_FILTER
    value: {{ .Values.config.logFilter | quote }}
  - name: QM_DATABASE_POOL_SIZE
    value: {{ int64 .Values.config.databasePoolSize | quote }}
{{- end -}}

{{/* What the roles need that migrations do not, to follow quartermaster.container. Takes the root. */}}
{{- define "quartermaster.serviceEnv" -}}
- name: QM_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.existingSecret.name | quote }}
      key: {{ .Values.existingSecret.keys.redisUrl | quote }}
- name: QM_MASTER_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.existingSecret.name | quote }}
      key: {{ .Values.existingSecret.keys.masterKey | quote }}
- name: QM_LISTEN
  value: "0.0.0.0:8080"
- name: QM_PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
- name: QM_SANDBOX
  value: {{ .Values.config.sandbox | quote }}
- name: QM_REDIS_PREFIX
  value: {{ .Values.config.redisPrefix | quote }}
- name: QM_SANDBOX_RECEIPT_MS
  value: {{ int64 .Values.config.sandboxReceiptMs | quote }}
- name: QM_ALLOW_PRIVATE_TARGETS
  value: {{ .Values.config.allowPrivateTargets | quote }}
- name: QM_BODY_LIMIT_BYTES
  value: {{ int64 .Values.config.bodyLimitBytes | quote }}
- name: QM_REQUEST_TIMEOUT_MS
  value: {{ int64 .Values.config.requestTimeoutMs | quote }}
- name: QM_UPLOAD_TIMEOUT_MS
  value: {{ int64 .Values.config.uploadTimeoutMs | quote }}
- name: QM_IDLE_TIMEOUT_MS
  value: {{ int64 .Values.config.idleTimeoutMs | quote }}
- name: QM_FILE_RETENTION_DAYS
  value: {{ int64 .Values.config.fileRetentionDays | quote }}
{{- with .Values.config.mailFrom }}
- name: QM_MAIL_FROM
  value: {{ . | quote }}
- name: QM_SMTP_URL
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.existingSecret.name | quote }}
      key: {{ $.Values.existingSecret.keys.smtpUrl | quote }}
{{- end }}
{{- with .Values.config.s3Bucket }}
- name: QM_S3_BUCKET
  value: {{ . | quote }}
- name: QM_S3_REGION
  value: {{ $.Values.config.s3Region | quote }}
{{- with $.Values.config.s3Endpoint }}
- name: QM_S3_ENDPOINT
  value: {{ . | quote }}
{{- end }}
- name: QM_S3_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.existingSecret.name | quote }}
      key: {{ $.Values.existingSecret.keys.s3AccessKeyId | quote }}
      optional: true
- name: QM_S3_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.existingSecret.name | quote }}
      key: {{ $.Values.existingSecret.keys.s3SecretAccessKey | quote }}
      optional: true
{{- end }}
- name: QM_SHUTDOWN_GRACE_MS
  value: {{ int64 .Values.config.shutdownGraceMs | quote }}
{{- end -}}

{{/* The configured grace, rounded up, and time to close what is open after it, in seconds. Takes the root. */}}
{{- define "quartermaster.stopSeconds" -}}
{{- add (div (add (int64 .Values.config.shutdownGraceMs) 999) 1000) 10 -}}
{{- end -}}
