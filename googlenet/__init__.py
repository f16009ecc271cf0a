"""GoogLeNet / Inception v1, and the Inceptions after it, built and trained on minigrad."""

from googlenet.inception import NETWORKS, InceptionBN, InceptionV3, build
from googlenet.model import GoogLeNet, Outputs

__all__ = ["NETWORKS", "GoogLeNet", "InceptionBN", "InceptionV3", "Outputs", "build"]
