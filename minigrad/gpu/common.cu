// What every file of kernels begins with. The compiler is told what `Real` is, the type of the
// numbers in memory: float, double, or one of the two types of 16 bits below. `Sum` is what is
// computed in: float for 16 bits, or else the same as Real.

typedef long long Index;          // signed and 64 bits wide: positions, lengths, counts
typedef unsigned long long Bits;  // 64 bits that wrap around

// The number of this thread. Kernels are launched with one thread for each number they compute, in
// blocks that may reach past the last one: `if (i >= count) return;`
#define THREAD ((Index)blockIdx.x * blockDim.x + threadIdx.x)

// -- finding one's place --------------------------------------------------------------------------

// a / b, neither negative. A GPU has no instruction for it: 64 bits take several times as many
// steps as 32 do, and hardly any array needs them.
__device__ Index divided(Index a, Index b) {
    return (a | b) >> 32 ? a / b : (Index)((unsigned)a / (unsigned)b);
}

// Take the place along the last axis, of this length, off a position: it remains in the others.
__device__ Index peel(Index& rest, Index length) {
    Index before = rest;
    rest = divided(before, length);
    return before - rest * length;
}

// -- 16 bits: floats to store, not to compute with ------------------------------------------------
//
//     Half     1 bit for the sign, 5 for the exponent, 10 for the fraction    6e-5 … 65504
//     BFloat   1, 8, 7: the upper half of a float, as wide and not as fine    1e-38 … 3e38
//
// They become floats where they are read, and where they are written the nearest number of 16 bits
// is taken; of two that are equally near, the one whose last bit is 0. Halves below 6e-5 have fewer
// digits (they are multiples of 2^-24), and need care below. A GPU has an instruction for each way;
// the code beside it says what it does, and is what runs on a CPU.

struct Half {
    unsigned short bits;

    Half() = default;

    __device__ Half(float value) {
#ifdef __CUDA_ARCH__
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
#else
        unsigned u = __float_as_uint(value), sign = u >> 16 & 0x8000;
        u &= 0x7fffffff;
        if (u > 0x7f800000) u = 0x7e00;         // NaN
        else if (u >= 0x47800000) u = 0x7c00;   // 65536 and more: infinity
        else if (u < 0x38800000)                // below 2^-14: beside 0.5, the last bit is 2^-24
            u = __float_as_uint(__uint_as_float(u) + 0.5f) - 0x3f000000;
        else u = (u - 0x38000000 + 0xfff + (u >> 13 & 1)) >> 13;  // 13 bits less, to the nearest
        bits = (unsigned short)(sign | u);
#endif
    }

    __device__ operator float() const {
#ifdef __CUDA_ARCH__
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
        return value;
#else
        unsigned sign = (unsigned)(bits & 0x8000) << 16, u = (unsigned)(bits & 0x7fff) << 13;
        if (u >= 0x0f800000) u += 0x70000000;   // infinity, NaN
        else if (u >= 0x00800000) u += 0x38000000;
        else u = __float_as_uint(__uint_as_float(u + 0x38800000) - __uint_as_float(0x38800000));
        return __uint_as_float(sign | u);
#endif
    }
};

struct BFloat {
    unsigned short bits;

    BFloat() = default;

    __device__ BFloat(float value) {
        unsigned u = __float_as_uint(value);
        if ((u & 0x7fffffff) > 0x7f800000) u |= 0x400000;  // NaN: its fraction must not become 0
        else u += 0x7fff + (u >> 16 & 1);
        bits = (unsigned short)(u >> 16);
    }

    __device__ operator float() const { return __uint_as_float((unsigned)bits << 16); }
};

