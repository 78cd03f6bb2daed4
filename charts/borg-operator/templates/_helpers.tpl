{{- define "borg-operator.name" -}}
{{- $name := .Values.fullnameOverride | default (contains "borg-operator" .Release.Name | ternary .Release.Name (printf "%s-borg-operator" .Release.Name)) -}}
{{ $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "borg-operator.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "borg-operator.name" .) }}
{{- end }}

{{- define "borg-operator.apiName" -}}
{{ include "borg-operator.name" . }}-api
{{- end }}

{{- define "borg-operator.apiServiceAccountName" -}}
{{ .Values.api.serviceAccount.name | default (include "borg-operator.apiName" .) }}
{{- end }}

{{- /* The Secret with the facade's key. */}}
{{- define "borg-operator.keyName" -}}
{{ .Values.api.existingKeySecret | default (printf "%s-key" (include "borg-operator.apiName" .)) }}
{{- end }}

{{- /* HTTP or HTTPS, as the facade speaks it. */}}
{{- define "borg-operator.apiScheme" -}}
{{ empty .Values.api.tls.secretName | ternary "HTTP" "HTTPS" }}
{{- end }}

{{- /* A schedule's name has 52 characters at most. */}}
{{- define "borg-operator.testName" -}}
{{ include "borg-operator.name" . | trunc 47 | trimSuffix "-" }}-test
{{- end }}

{{- define "borg-operator.testNamespace" -}}
{{ .Values.test.namespace | default (first (append (.Values.operator.namespaces | default list) .Release.Namespace)) }}
{{- end }}

{{- /* Of a component, "operator" or "api": (dict "root" . "component" "api"). */}}
{{- define "borg-operator.selectorLabels" -}}
app.kubernetes.io/name: borg-operator
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "borg-operator.componentLabels" -}}
app.kubernetes.io/component: {{ .component }}
{{ include "borg-operator.labels" .root }}
{{- end }}

{{- define "borg-operator.labels" -}}
app.kubernetes.io/name: borg-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Labels and annotations of an object: (dict "root" . "component" "api" "annotations" {…}), the last two as needed. */}}
{{- define "borg-operator.metadata" -}}
labels:
  {{- if .component }}
  {{- include "borg-operator.componentLabels" . | nindent 2 }}
  {{- else }}
  {{- include "borg-operator.labels" .root | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* (dict "image" .Values.image.api "chart" .Chart) */}}
{{- define "borg-operator.image" -}}
{{ .image.repository }}:{{ .image.tag | default .chart.AppVersion }}{{ with .image.digest }}@{{ . }}{{ end }}
{{- end }}
