"""The recorded graph, to look at: drawn, walked back step by step, and counted.

``draw(loss)`` is the graph as a picture, ``step(loss)`` is backward one node at a time,
``paths(loss)`` says why backward goes by nodes and not by paths, and ``ledger(model, batch)`` is
what every operation costs.
"""

from minigrad.graph.drawing import Drawing, draw
from minigrad.graph.modules import Calls, calls

__all__ = ["Calls", "Drawing", "calls", "draw"]
