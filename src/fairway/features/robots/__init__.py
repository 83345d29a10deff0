"""Robots: accounts of programs, of one project or of the system level, that hold what they were granted and nothing else."""
