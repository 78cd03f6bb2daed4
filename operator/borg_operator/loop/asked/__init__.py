"""What no watch brings: asked of the API server when planning one object needs it, and kept for a moment."""
