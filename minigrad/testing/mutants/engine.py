"""Mistakes in the engine itself: the order of the walk back, sharing, adding up, recording."""
# A mistake takes what it breaks, and its docstring tells a story.
# mypy: allow-untyped-defs, no-check-untyped-defs
# ruff: noqa: D401

from minigrad import Tensor, autograd
from minigrad.autograd import Leaf
from minigrad.testing.mutants.mutant import at, instead, mutant

# -- the walk back -------------------------------------------------------------------------------


@mutant("autograd", at(autograd, "backward"))
def autograd_last_use_wins(sound, root, gradient, retain_graph=False):
    """A tensor that is used twice keeps the gradient of one use: assigned, not added."""
    pending = {root: gradient}
    for node in autograd.descendants_first(root):
        part = pending.pop(node)
        if isinstance(node, Leaf):
            node.accumulate(part, False)
        pending.update((p, vjp(part)) for p, vjp in zip(node.parents, node.vjps, strict=True))


@mutant("autograd", at(autograd, "backward"), historical=True)
def autograd_walks_paths(sound, root, gradient, retain_graph=False):
    """An engine's backward walked every path: nine modules of four branches have 4⁹ of them.

    Being recursive, it also overflowed the stack in a chain of some thousand operations.
    """
    if isinstance(root, Leaf):
        root.accumulate(gradient, False)
    for parent, vjp in zip(root.parents, root.vjps, strict=True):
        autograd.backward(parent, vjp(gradient))


@mutant("autograd", at(autograd, "descendants_first"))
def autograd_nearest_first(sound, root):
    """Nodes are visited by their distance from the result.

    Where a short path and a long one meet, the node goes on before the long one has arrived.
    """
    order, place = [root], 0
    while place < len(order):
        order += [p for p in dict.fromkeys(order[place].parents) if p not in order]
        place += 1
    return order


@mutant("autograd", at(autograd, "descendants_first"), historical=True)
def autograd_recursion(sound, root):
    """The order is found by recursion: a chain of 10,000 operations overflows the stack."""
    seen = {}

    def visit(node):
        if node not in seen:
            for parent in node.parents:
                visit(parent)
            seen[node] = None

    visit(root)
    return list(seen)[::-1]


@mutant("autograd", at(autograd, "backward"))
def autograd_graph_kept(sound, root, gradient, retain_graph=False):
    """Nothing is freed: memory grows, and a second backward adds everything once more."""
    sound(root, gradient, True)


@mutant("autograd", at(autograd, "backward"))
def autograd_graph_never_kept(sound, root, gradient, retain_graph=False):
    """retain_graph is taken and forgotten."""
    sound(root, gradient, False)


# -- whose memory it is --------------------------------------------------------------------------


@mutant("autograd", at(autograd, "_is_new"))
def autograd_adds_in_place_to_what_others_hold(sound, part, gradient):
    """Gradients are added up in place, in an array that waits for another node as well."""
    return part.flags.writeable


@mutant("autograd", at(Leaf, "accumulate"))
def autograd_leaves_share_their_gradients(sound, leaf, gradient, fresh):
    """The gradient of a leaf is not copied: clipping that of a changes that of b, in a + b."""
    sound(leaf, gradient, True)


@mutant("autograd", at(Leaf, "accumulate"))
def autograd_grad_replaced(sound, leaf, gradient, fresh):
    """A second backward replaces .grad: batches in two halves learn from the second only."""
    if leaf.tensor() is not None:
        leaf.tensor().grad = None
    sound(leaf, gradient, fresh)


@mutant("autograd", at(Leaf, "accumulate"))
def autograd_grad_kept_in_float64(sound, leaf, gradient, fresh):
    """.grad is a float64 sum whatever the leaf is: optimisers then compute in float64."""
    sound(leaf, gradient.astype(float), fresh)


# -- what is recorded ----------------------------------------------------------------------------


class _Always:
    """A switch that cannot be turned off."""

    def __init__(self, switch):
        self.set, self.reset = switch.set, switch.reset

    def get(self):
        return True


@mutant("autograd", instead(autograd, "_recording"))
def autograd_records_in_no_grad(sound):
    """Operations are recorded inside no_grad too: evaluation fills the memory."""
    return _Always(sound)


@mutant("autograd", at(Tensor, "detach"))
def autograd_detach_does_nothing(sound, x):
    """What was detached still passes gradients on."""
    return x


@mutant("autograd", at(Tensor, "backward"))
def autograd_backward_from_ones(sound, x, gradient=None, retain_graph=False):
    """Backward always starts from ones, whatever gradient it is given."""
    given = None if gradient is None else x.data * 0 + 1
    sound(x, given, retain_graph)
