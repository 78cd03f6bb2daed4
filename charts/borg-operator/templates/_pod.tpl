{{- /* What the pods of operator and facade have in common: (dict "root" . "component" "api" "values" .Values.api). */}}

{{- define "borg-operator.podMetadata" -}}
labels:
  {{- include "borg-operator.componentLabels" . | nindent 2 }}
  {{- with .values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with merge (dict) .values.podAnnotations .root.Values.commonAnnotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The restricted Pod Security Standard. The group may read what is mounted. */}}
{{- define "borg-operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "borg-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "borg-operator.placement" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* Of an object of `helm test`: (dict "root" . "name" … "weight" "-1"). */}}
{{- define "borg-operator.testMetadata" -}}
name: {{ .name }}
namespace: {{ include "borg-operator.testNamespace" .root }}
{{ include "borg-operator.metadata" (dict "root" .root "component" "test" "annotations" (dict "helm.sh/hook" "test" "helm.sh/hook-weight" .weight "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded")) }}
{{- end }}

{{- define "borg-operator.testResources" -}}
requests: {cpu: 10m, memory: 32Mi, ephemeral-storage: 16Mi}
limits: {memory: 128Mi, ephemeral-storage: 64Mi}
{{- end }}
