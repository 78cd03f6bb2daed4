{{- /* What values.schema.json cannot say. */}}
{{- define "borg-operator.validate" -}}
{{- $name := include "borg-operator.name" . }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) }}
{{- fail (printf "no Service can be called %q, which must begin with a letter and have no dot: set fullnameOverride" $name) }}
{{- end }}
{{- $namespaces := .Values.operator.namespaces }}
{{- if and .Values.rbac.userRoles .Values.rbac.aggregateToDefaultRoles (not $namespaces) (eq .Values.rbac.rolePrefix (printf "%s-" $name)) }}
{{- fail (printf "rbac.rolePrefix is %q: then two ClusterRoles would be called %sadmin; choose another, or set rbac.aggregateToDefaultRoles to false" .Values.rbac.rolePrefix .Values.rbac.rolePrefix) }}
{{- end }}
{{- if $namespaces }}
{{- range $path, $namespace := dict "api.defaultNamespace" .Values.api.defaultNamespace "test.namespace" .Values.test.namespace }}
{{- if and $namespace (not (has $namespace $namespaces)) }}
{{- fail (printf "%s is %q: it must be one of operator.namespaces, %s" $path $namespace (join ", " $namespaces)) }}
{{- end }}
{{- end }}
{{- if not .Values.operator.clusterName }}
{{- /* In the words of the operator's configuration.py, which are for those without Helm. */}}
{{- fail "operator.namespaces needs operator.clusterName: a name that no other cluster has, such as production-1. Archives say it, as clusters with a repository in common would prune each other's otherwise" }}
{{- end }}
{{- end }}
{{- if and .Values.api.ingress.enabled (not .Values.api.ingress.hosts) }}
{{- fail "api.ingress.enabled needs api.ingress.hosts: without a host name it would take over every host of the controller" }}
{{- end }}
{{- if and .Values.api.httpRoute.enabled (not .Values.api.httpRoute.parentRefs) }}
{{- fail "api.httpRoute.enabled needs api.httpRoute.parentRefs: the Gateways that it is for" }}
{{- end }}
{{- end }}
