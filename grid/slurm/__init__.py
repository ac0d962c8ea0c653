"""The Slurm launcher: what is missing of a study becomes job arrays, and jobs run the stages."""
