// Concatenation. One thread for each number of one part: it carries it to its place.

// Read as matrices, rows counted by the axes before the one that grows, a row of the part is a run
// of numbers, which goes into the longer row of out from `start` on:
//     out[r, start + i] = part[r, i]
extern "C" __global__ void concat_forward(
    Index count, const Real* part, Index run, Index row, Index start, Real* out
) {
    Index i = THREAD;
    if (i >= count) return;
    Index r = divided(i, run);
    out[r * row + start + (i - r * run)] = part[i];
}
