"""A page that shows a training while it goes on, and afterwards.

``googlenet train --live`` serves it to browsers on the same machine: the curves of all heads,
pictures a second, what the network says of a few test pictures, and how strong the gradient is that
reaches each stage, with the auxiliary heads and without. The same page, with what it showed last,
is kept in the run folder as ``report.html``: one file, which opens from the disk.

- `story`: what is told: a plain dict, built beside the training;
- `samples`: a few test pictures, and the network's answers;
- `server`: hands both to browsers, from threads of its own;
- `page`: puts the files of ``page/`` together.

A training is never waited for, and never ends because of its page. What it costs is measured while
it goes on, and stays below 1 % of the time: the more an answer takes, the rarer it is asked for.
"""

from googlenet.live.server import Server
from googlenet.live.story import Live

__all__ = ["Live", "Server"]
