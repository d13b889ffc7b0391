"""Figures of the papers, each one file that draws committed tables and nothing else."""
