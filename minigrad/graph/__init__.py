"""The recorded graph, to look at: drawn, walked back step by step, and counted.

``draw(loss)`` is the graph as a picture, ``step(loss)`` is backward one node at a time,
``paths(loss)`` says why backward goes by nodes and not by paths, and ``ledger(model, batch)`` is
what every operation costs.
"""

from minigrad.graph.accounts import Account, Ledger, Row
from minigrad.graph.drawing import Drawing, draw
from minigrad.graph.ledger import ledger
from minigrad.graph.modules import Calls, calls
from minigrad.graph.stepping import Frame, Paths, Steps, paths, step

__all__ = [
    "Account",
    "Calls",
    "Drawing",
    "Frame",
    "Ledger",
    "Paths",
    "Row",
    "Steps",
    "calls",
    "draw",
    "ledger",
    "paths",
    "step",
]
