"""From which numbers on the doctor calls something trouble, and why from there on.

Where a number was set by what runs showed, these are runs of ``googlenet train`` on the embedded
pictures: as it is by default (healthy), with a learning rate ten times as high, and with heads that
never learned. What `googlenet.health` says of a run while it goes on has its numbers there.
"""

# -- the learning rate ----------------------------------------------------------------------------

# One step should move a weight by about a thousandth of its size (the notes of Stanford's course
# CS231n, "Ratio of weights:updates"). At its largest, in the median over stages, it is 0.003 in the
# default run; with ten times the rate, at which most ReLUs of the deep stages die, 0.011.
UPDATE_HIGH = 0.007
UPDATE_LOW = 1e-4  # at its largest; no trouble if the loss fell all the same

SPIKE = 0.25  # of guessing's loss: so far above its lowest so far, a window of the curve is a spike
SPIKES = 2  # windows; a single one happens to healthy runs

# -- learning at all ------------------------------------------------------------------------------

LEARNED = 0.15  # of guessing's loss: who has not got rid of so much has hardly learned
FALLING = 0.05  # of guessing's loss: so much lost over the last quarter, it is still falling
GAINED = 1.0  # half-widths of the test accuracy's interval, gained over the last quarter: likewise

# -- overfitting ----------------------------------------------------------------------------------

# The default run ends 8 points better on the pictures it has seen, while its test loss still falls:
# it overfits a little, which costs nothing yet, and is remarked.
RISEN = 0.02  # of its lowest: so far risen, the test loss is worth a remark
RISEN_FAR = 0.15  # and from here on it is trouble
GAP = 0.05  # training accuracy above test accuracy: remarked
GAP_FAR = 0.25  # trouble: with 1,000 test pictures, ten times what chance could make of it

# -- the test -------------------------------------------------------------------------------------

WIDE = 0.05  # half of the 95 % interval: two runs must differ by 10 points to be told apart
JUMPS = 4.0  # standard errors of an accuracy: so far it moves from epoch to epoch only by itself

# -- signals inside the network -------------------------------------------------------------------

# Behind the first weights of He et al. about half of the numbers are zero, and some channels are at
# all places: up to 28 % of a stage's, in the default run from its start to its end.
DEAD = 0.5  # of a stage's channels, zero for all pictures
DEAD_FAR = 0.9  # hardly anything goes through any more

# He's weights keep activations at about 1 through all stages, and the norm of gradients within a
# factor of 10 between the last stage and the first.
ACTIVATION = 100.0  # times larger or smaller than the first stage's
GRADIENT = 1000.0  # times stronger or weaker at any stage than at the last
GONE = 1e6  # times weaker: the digits of a float32 end there

# The heads' loss counts 0.3 each: of the gradient that reaches the first stages of the default run
# about a third is theirs.
HELP = 0.05  # of the gradient before the heads: less is no help
BETTER = 0.1  # of guessing's loss: so far below the main head's, an auxiliary head does better
