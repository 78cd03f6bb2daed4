"""The archives of a repository as the cluster knows them: which objects there are to be, and when to look anew."""
