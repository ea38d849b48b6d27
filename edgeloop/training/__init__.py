"""Training: starting weights, augmentation, the loop with its schedule, and the step that writes a trained model."""
