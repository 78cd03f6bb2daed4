"""The cluster as the facade sees it: fed by watches and by the answers to its own writes, read by everybody else."""
