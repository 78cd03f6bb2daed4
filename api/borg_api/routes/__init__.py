"""The endpoints: each translates and delegates."""
