{{- define "borg-operator.name" -}}
{{- if contains "borg-operator" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-borg-operator" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "borg-operator.serviceAccountName" -}}
{{ .Values.serviceAccount.name | default (include "borg-operator.name" .) }}
{{- end }}

{{- define "borg-operator.apiName" -}}
{{ include "borg-operator.name" . }}-api
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
{{- end }}

{{- define "borg-operator.image" -}}
{{ .image.repository }}:{{ .image.tag | default .chart.AppVersion }}
{{- end }}
