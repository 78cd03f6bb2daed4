"""Why a schedule cannot run as written: everything the API server could not refuse."""
