-- Health of a BorgRepository for Argo CD: how the newest run fared in it. One that no run has used yet is no reason to wait.
local status = obj.status or {}
local ready = {}
for _, item in ipairs(status.conditions or {}) do
  if item.type == "Ready" then ready = item end
end

if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "Waiting for the operator to look at it"}
end
if ready.status == "False" then
  return {status = "Degraded", message = ready.message}
end
return {status = "Healthy", message = ready.message or "No run has used it yet"}
