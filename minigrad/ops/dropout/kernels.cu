// Dropout. One thread for each number: it hashes its position, decides, and scales.

constexpr Bits GOLDEN = 0x9E3779B97F4A7C15;  // as in minigrad.random

// Scramble 64 bits: the finaliser of SplitMix64, as in minigrad.random. Bits wrap around.
__device__ Bits mix(Bits z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

// out = x · scale where the top 24 bits of the hash reach the threshold, else 0, whatever x is.
// The key is read from `place` unless that is null: so that a recorded launch can have a new one.
extern "C" __global__ void dropout_forward(
    Index count, const Real* x, Bits key, const Bits* place, Bits threshold, Sum scale,
    Real* out
) {
    Index i = THREAD;
    if (i >= count) return;
    if (place) key = *place;
    bool kept = mix(key + ((Bits)i + 1) * GOLDEN) >> 40 >= threshold;
    out[i] = kept ? (Sum)x[i] * scale : 0;
}
