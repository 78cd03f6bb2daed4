-- Health of a BorgRun for Argo CD, so that one can be a hook: before a sync, for example.
local status = obj.status or {}
local phase = status.phase or "Pending"
local message = status.message
if message == nil or message == "" then message = phase end

if phase == "Pending" or phase == "Running" then
  return {status = "Progressing", message = message}
end
if phase == "Completed" or phase == "CompletedWithWarnings" or status.reason == "CoveredByRun" then
  return {status = "Healthy", message = message}
end
return {status = "Degraded", message = message}
