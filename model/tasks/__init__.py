"""What a trained encoder is measured by: likelihood and downstream tasks, readers and metrics."""
