"""Training: the DeepSpeed engine, schedule, checkpoints, and the pretraining stage."""
