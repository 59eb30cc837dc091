// The main of every benchmark binary. See run.h.
//
// SPDX-License-Identifier: Apache-2.0
//
// run.py reads the notes made here: they say whether a preloaded malloc really took effect.
#include "support/run.h"

#include <pool/common.h>

#include <benchmark/benchmark.h>

#include <dlfcn.h>
#include <gnu/libc-version.h>

#include <cstring>
#include <string>

namespace bench {
namespace {

#ifdef __clang__
constexpr const char *kCompiler = "clang " __clang_version__;
#else
constexpr const char *kCompiler = "gcc " __VERSION__;
#endif

template <class Function>
Function *find(const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_DEFAULT, name));
}

std::string jemalloc_version() {
    auto *mallctl = find<int(const char *, void *, size_t *, void *, size_t)>("mallctl");
    const char *version = nullptr;
    size_t size = sizeof version;
    if (mallctl == nullptr || mallctl("version", &version, &size, nullptr, 0) != 0)
        return "jemalloc";
    return std::string("jemalloc ") + std::string(version, std::strcspn(version, "-"));
}

std::string mimalloc_version() {
    auto *mi_version = find<int()>("mi_version");
    if (mi_version == nullptr)
        return "mimalloc";
    const int number = mi_version(); // 209 is 2.0.9
    return "mimalloc " + std::to_string(number / 100) + '.' + std::to_string(number / 10 % 10) +
           '.' + std::to_string(number % 10);
}

std::string tcmalloc_version() {
    auto *tc_version = find<const char *(int *, int *, const char **)>("tc_version");
    if (tc_version == nullptr)
        return "tcmalloc";
    return std::string("tcmalloc of ") + tc_version(nullptr, nullptr, nullptr);
}

// Whose malloc the process calls, by the file that the symbol was found in.
std::string malloc_in_use() {
    Dl_info info;
    if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) == 0 || info.dli_fname == nullptr)
        return "unknown";
    const std::string file = info.dli_fname;
    if (file.find("jemalloc") != std::string::npos)
        return jemalloc_version();
    if (file.find("mimalloc") != std::string::npos)
        return mimalloc_version();
    if (file.find("tcmalloc") != std::string::npos)
        return tcmalloc_version();
    return std::string("glibc ") + gnu_get_libc_version();
}

} // namespace

int run(int argc, char **argv) {
    benchmark::AddCustomContext("malloc", malloc_in_use());
    benchmark::AddCustomContext("libpool", pool_version_details());
    benchmark::AddCustomContext("compiler", kCompiler);
    benchmark::AddCustomContext("libc", std::string("glibc ") + gnu_get_libc_version());
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

} // namespace bench
