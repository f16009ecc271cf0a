"""GoogLeNet / Inception v1, built and trained on minigrad."""

from googlenet.model import GoogLeNet, Outputs

__all__ = ["GoogLeNet", "Outputs"]
