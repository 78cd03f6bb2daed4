{{- /* What the pods of operator and facade have in common: (dict "root" . "component" "api" "values" .Values.api). */}}

{{- define "borg-operator.podMetadata" -}}
labels:
  {{- toYaml (merge (dict) (.values.podLabels | default dict) (include "borg-operator.componentLabels" . | fromYaml)) | nindent 2 }}
{{- with merge (dict) (.values.podAnnotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The restricted Pod Security Standard. The group may read what is mounted. */}}
{{- define "borg-operator.podSecurity" -}}
runAsNonRoot: true
{{- if not .Values.usersFromPlatform }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "borg-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "borg-operator.placement" -}}
{{- include "borg-operator.scheduling" (merge (dict "imagePullSecrets" .root.Values.image.pullSecrets) .values) }}
{{- end }}

{{- /* The pods of `helm test` are as the backup pods beside them, in whose namespace they are. */}}
{{- define "borg-operator.testPlacement" -}}
{{- $secrets := concat (.Values.backupPods.imagePullSecrets | default list) (.Values.image.pullSecrets | default list) | uniq }}
{{- include "borg-operator.scheduling" (merge (dict "imagePullSecrets" $secrets) .Values.backupPods) }}
{{- with .Values.backupPods.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.backupPods.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "borg-operator.scheduling" -}}
{{- with .imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* Of an object of `helm test`: (dict "root" . "name" … "weight" "-1"). */}}
{{- define "borg-operator.testMetadata" -}}
name: {{ .name }}
namespace: {{ include "borg-operator.testNamespace" .root }}
{{ include "borg-operator.metadata" (dict "root" .root "component" "test" "annotations" (dict "helm.sh/hook" "test" "helm.sh/hook-weight" .weight "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded")) }}
{{- end }}

{{- /* (dict "root" . "name" … "weight" …): of a pod of `helm test`, with what the installer puts on backup pods. */}}
{{- define "borg-operator.testPodMetadata" -}}
{{- $ours := include "borg-operator.testMetadata" . | fromYaml }}
{{- $pods := .root.Values.backupPods }}
{{- toYaml (merge $ours (dict "labels" $pods.labels "annotations" $pods.annotations)) }}
{{- end }}

{{- define "borg-operator.testResources" -}}
{{- if .Values.backupPods.resources }}
{{- toYaml .Values.backupPods.resources }}
{{- else -}}
requests: {cpu: 10m, memory: 32Mi, ephemeral-storage: 16Mi}
limits: {memory: 128Mi, ephemeral-storage: 64Mi}
{{- end }}
{{- end }}
