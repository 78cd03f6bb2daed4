"""The reconcile loop: gather what is observed, let core plan, apply the plan; one object at a time per worker."""
