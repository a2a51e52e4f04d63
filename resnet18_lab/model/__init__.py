"""torchvision's ResNet-18 as a torch module: loaded from any known weights, inspected, timed stage by stage."""
