// What we call of cuBLAS, for arrays on the host: the same names, arguments and numbers, as in
// cublas_api.h, and none of its speed. Matrices lie column by column. common.cu comes before it.

#include <stddef.h>
#include <vector>

enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };
enum { IN_FLOAT = 68, IN_TF32 = 77, IN_DOUBLE = 70 };
enum { FINE = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };

struct Handle { void* stream; void* workspace; };

// The call before: what was computed in, and how many products there were.
extern "C" { int last_compute = 0, last_count = 0, calls = 0; }

extern "C" int cublasCreate_v2(Handle** handle) {
    *handle = new Handle{nullptr, nullptr};
    return FINE;
}

extern "C" int cublasSetStream_v2(Handle* handle, void* stream) {
    *handle = Handle{stream, nullptr};  // as documented: back to the workspace it had at first
    return FINE;
}

extern "C" int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t) {
    handle->workspace = workspace;
    return FINE;
}

static double get(const void* x, int kind, long long i) {
    switch (kind) {
        case R_32F: return ((const float*)x)[i];
        case R_64F: return ((const double*)x)[i];
        case R_16F: return (float)((const Half*)x)[i];
        default: return (float)((const BFloat*)x)[i];
    }
}

static void put(void* x, int kind, long long i, double value) {
    switch (kind) {
        case R_32F: ((float*)x)[i] = (float)value; break;
        case R_64F: ((double*)x)[i] = value; break;
        case R_16F: ((Half*)x)[i] = Half((float)value); break;
        default: ((BFloat*)x)[i] = BFloat((float)value);
    }
}

extern "C" int cublasGemmStridedBatchedEx(
    Handle* handle, int turn_a, int turn_b, int m, int n, int k, const void* alpha,
    const void* a, int kind_a, int lead_a, long long step_a,
    const void* b, int kind_b, int lead_b, long long step_b, const void* beta,
    void* c, int kind_c, int lead_c, long long step_c, int count, int compute, int algorithm
) {
    if (!handle || !handle->workspace) return NOT_INITIALIZED;
    if (m < 0 || n < 0 || k < 0 || count < 0 || turn_a < 0 || turn_a > 1 || turn_b < 0 || turn_b > 1)
        return INVALID_VALUE;
    if (lead_a < (turn_a ? k : m) || lead_b < (turn_b ? n : k) || lead_c < m) return INVALID_VALUE;
    if (lead_a < 1 || lead_b < 1 || lead_c < 1) return INVALID_VALUE;
    bool small = kind_a == R_16F || kind_a == R_16BF;
    if (kind_a != kind_b || (kind_c != kind_a && !(small && kind_c == R_32F))) return NOT_SUPPORTED;
    if ((compute == IN_DOUBLE) != (kind_a == R_64F)) return NOT_SUPPORTED;
    if (compute != IN_DOUBLE && compute != IN_FLOAT && compute != IN_TF32) return NOT_SUPPORTED;
    if (algorithm != -1) return INVALID_VALUE;
    bool wide = compute == IN_DOUBLE;
    double scale = wide ? *(const double*)alpha : *(const float*)alpha;
    double keep = wide ? *(const double*)beta : *(const float*)beta;
    last_compute = compute, last_count = count, calls += 1;
    std::vector<double> left((size_t)m * k), right((size_t)n * k);  // of one product, k side by side
    for (long long p = 0; p < count; p++) {
        for (long long i = 0; i < m; i++)
            for (long long l = 0; l < k; l++)
                left[i * k + l] = get(a, kind_a, p * step_a + (turn_a ? l + i * lead_a : i + l * lead_a));
        for (long long j = 0; j < n; j++)
            for (long long l = 0; l < k; l++)
                right[j * k + l] = get(b, kind_b, p * step_b + (turn_b ? j + l * lead_b : l + j * lead_b));
        for (long long j = 0; j < n; j++)
            for (long long i = 0; i < m; i++) {
                double exact = 0;
                float sum = 0;
                for (long long l = 0; l < k; l++)
                    if (wide) exact += left[i * k + l] * right[j * k + l];
                    else sum += (float)left[i * k + l] * (float)right[j * k + l];
                long long at = p * step_c + i + j * lead_c;
                double total = scale * (wide ? exact : sum);
                put(c, kind_c, at, keep == 0 ? total : total + keep * get(c, kind_c, at));
            }
    }
    return FINE;
}
