-- Health of a BorgSchedule for Argo CD. Base functions and tables only: Argo CD gives its checks no other library.
local function condition(wanted)
  for _, item in ipairs((obj.status or {}).conditions or {}) do
    if item.type == wanted then return item end
  end
  return {}
end

local status = obj.status or {}
local ready, stalled = condition("Ready"), condition("Stalled")
local suspended, last = condition("Suspended"), condition("LastRunSucceeded")

if status.observedGeneration ~= obj.metadata.generation or ready.status == nil then
  return {status = "Progressing", message = "Waiting for the operator to look at it"}
end
if stalled.status == "True" then
  return {status = "Degraded", message = stalled.message}
end
if ready.status ~= "True" then
  return {status = "Progressing", message = ready.message}
end
if suspended.status == "True" then
  return {status = "Suspended", message = suspended.message}
end
if last.status == "False" then
  return {status = "Degraded", message = last.message}
end
return {status = "Healthy", message = last.message or ready.message}
