"""The small Fashion-MNIST that ships with minigrad; `draw` tells how it was made."""
