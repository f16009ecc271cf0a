// What every file of kernels begins with. `Real` is float or double: the compiler is told which.

typedef long long Index;          // signed and 64 bits wide: positions, lengths, counts
typedef unsigned long long Bits;  // 64 bits that wrap around

// The number of this thread. Kernels are launched with one thread for each number they compute, in
// blocks that may reach past the last one: `if (i >= count) return;`
#define THREAD ((Index)blockIdx.x * blockDim.x + threadIdx.x)

