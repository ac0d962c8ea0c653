"""What a stage computes: text, tokenizers, the encoder, training and evaluation.

Pure functions of (configuration, inputs, output folder). Nothing here imports `grid`.
"""
