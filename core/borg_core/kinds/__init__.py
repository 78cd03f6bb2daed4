"""The custom resources as frozen models: parsed once at the edge, so that raw dicts never travel inward."""
