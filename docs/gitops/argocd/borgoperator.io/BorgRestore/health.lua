-- Health of a BorgRestore for Argo CD. One that was previewed waits for somebody to approve it, as a suspended rollout does.
local status = obj.status or {}
local phase = status.phase or "Pending"
local message = status.message
if message == nil or message == "" then message = phase end

if phase == "Pending" or phase == "Running" then
  return {status = "Progressing", message = message}
end
if phase == "Previewed" then
  return {status = "Suspended", message = message}
end
if phase == "Completed" or phase == "CompletedWithWarnings" then
  return {status = "Healthy", message = message}
end
return {status = "Degraded", message = message}
