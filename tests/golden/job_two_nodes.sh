#!/bin/bash

# Parameters
#SBATCH --account=lab
#SBATCH --array=0-19%8
#SBATCH --comment='grid 20260131-120000-0a1b pretraining'
#SBATCH --constraint='a100&nvlink'
#SBATCH --cpus-per-task=8
#SBATCH --dependency='afterany:<shards>:1230_0:1230_3'
#SBATCH --exclude='node[7-8]'
#SBATCH --exclusive
#SBATCH --gres=gpu:a100:8
#SBATCH --job-name=curse-pretraining
#SBATCH --licenses=scratch
#SBATCH --mail-type=END,FAIL
#SBATCH --mail-user=someone@lab.example
#SBATCH --mem=240000M
#SBATCH --no-requeue
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --open-mode=append
#SBATCH --output=/scratch/lab/runs/studies/curse/paper/submissions/20260131-120000-0a1b/log/pretraining-%A_%a.out
#SBATCH --partition=gpu
#SBATCH --qos=long
#SBATCH --reservation=paper
#SBATCH --signal=B:USR2@300
#SBATCH --time=2880

# setup
trap '' USR2
module load cuda/12.4
source /scratch/lab/environment/bin/activate
export PYTHONPATH=/scratch/lab/runs/snapshots/0123456789abcdef${PYTHONPATH:+:$PYTHONPATH}
export GRID_REVISION=5f1d0e4b0c7c0b5c2f2c1d6f1a0f1e2d3c4b5a69
cd /scratch/lab/runs/snapshots/0123456789abcdef

# command
export SUBMITIT_EXECUTOR=slurm
exec python -u -m grid.slurm.element /scratch/lab/runs/studies/curse/paper/submissions/20260131-120000-0a1b pretraining
