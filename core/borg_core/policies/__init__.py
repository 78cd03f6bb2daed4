"""Why something cannot run as written: everything the API server could not refuse, said so that it can be mended."""
