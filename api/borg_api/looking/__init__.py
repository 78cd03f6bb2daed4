"""Looking into archives: requests to the pods of sessions, signed by the facade."""
