#!/bin/bash

# Parameters
#SBATCH --array=0-0
#SBATCH --comment='grid 20260131-120000-0a1b shards'
#SBATCH --cpus-per-task=1
#SBATCH --job-name=curse-shards
#SBATCH --mail-type=END,FAIL
#SBATCH --mail-user=someone@lab.example
#SBATCH --mem=1500M
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/scratch/lab/runs/studies/curse/paper/submissions/20260131-120000-0a1b/log/shards-%A_%a.out
#SBATCH --partition=cpu
#SBATCH --signal=B:USR2@300
#SBATCH --time=30

# setup
trap '' USR2
export PYTHONPATH=/scratch/lab/runs/snapshots/0123456789abcdef${PYTHONPATH:+:$PYTHONPATH}
export GRID_REVISION=5f1d0e4b0c7c0b5c2f2c1d6f1a0f1e2d3c4b5a69
cd /scratch/lab/runs/snapshots/0123456789abcdef

# command
export SUBMITIT_EXECUTOR=slurm
exec python -u -m grid.slurm.element /scratch/lab/runs/studies/curse/paper/submissions/20260131-120000-0a1b shards
