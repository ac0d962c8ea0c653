"""RoBERTa's encoder in plain PyTorch: layers, heads, loss, and its files."""
