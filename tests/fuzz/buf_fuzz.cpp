// Sequences of calls on growable buffers, as a fuzzer finds them, beside a model that is a string.
//
// SPDX-License-Identifier: Apache-2.0
//
// The first bytes of the input choose a pool, each one behind them a call and its arguments. Whatever
// they are, a buffer holds what its model holds, and in the end the pool has all of its memory back.
#include "pool/pool.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <unistd.h>
#include <vector>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, pool_last_error());         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

namespace {

class Input {
public:
    Input(const uint8_t *data, size_t size) : data_(data), left_(size) {}

    bool ended() const { return left_ == 0; }
    uint8_t byte() {
        if (left_ == 0)
            return 0;
        left_--;
        return *data_++;
    }
    // Of any magnitude, but small as a rule.
    size_t size() {
        uint8_t kind = byte();
        size_t value = byte();
        if (kind >= 128)
            value |= static_cast<size_t>(byte()) << 8;
        if (kind >= 240)
            value |= static_cast<size_t>(byte()) << 16;
        if (kind == 255)
            value |= SIZE_MAX << 24;
        return value;
    }

private:
    const uint8_t *data_;
    size_t left_;
};

size_t allocated = 0;
int until_failure = 0; // allocations; 0: none fails

void *allocate(size_t bytes, size_t alignment, void *) {
    if (until_failure != 0 && --until_failure == 0)
        return nullptr;
    void *memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes) != 0)
        return nullptr;
    allocated += bytes;
    return memory;
}

void release(void *memory, size_t bytes, size_t, void *) {
    allocated -= bytes;
    free(memory);
}

const pool_allocator kAllocator = {sizeof(pool_allocator), allocate, release, nullptr};
constexpr uint64_t kLargest = 1 << 20;

pool_buffers *make_pool(Input &input) {
    static const uint64_t kList[] = {7, 100, 5000, 70000};
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &kAllocator;
    options.largest = kLargest;
    uint8_t choice = input.byte();
    switch (choice % 4) {
    case 0:
        break;
    case 1:
        options.scheme = POOL_BUFFERS_DOUBLING;
        options.min_size = 33;
        options.max_size = 65537;
        break;
    case 2:
        options.scheme = POOL_BUFFERS_LIST;
        options.list = kList;
        options.list_count = 4;
        break;
    default:
        options.min_size = 1;
        options.max_size = 2000;
    }
    if ((choice & 4) != 0)
        options.max_idle_bytes = 10000;
    if ((choice & 8) != 0)
        options.flags |= POOL_BUFFERS_CHECKED;
    if ((choice & 16) != 0)
        options.flags |= POOL_BUFFERS_ZERO_ON_PUT;
    if ((choice & 32) != 0)
        options.flags |= POOL_BUFFERS_ZERO_ON_GET;
    pool_buffers *pool;
    CHECK(pool_buffers_create(&options, &pool) == POOL_OK);
    return pool;
}

struct Model {
    pool_buf buf;
    std::string text;

    std::string_view held() const { return {reinterpret_cast<const char *>(buf.data), buf.length}; }
    // A call that would add `n` bytes came back with `status`.
    bool added(pool_status status, size_t n) {
        if (status == POOL_OK)
            return true;
        CHECK(status == POOL_ENOMEM || (status == POOL_EINVAL && (n > kLargest - text.size())));
        return false;
    }
};

class Session {
public:
    explicit Session(Input &input) : input_(input), pool_(make_pool(input)) {
        for (Model &model : models_)
            CHECK(pool_buf_get(pool_, input.byte() % POOL_BUFFERS_TAGS, &model.buf) == POOL_OK);
    }
    ~Session() {
        for (Model &model : models_)
            CHECK(pool_buf_put(&model.buf) == POOL_OK);
        for (pool_buffer memory : detached_)
            CHECK(pool_buffers_put(pool_, memory) == POOL_OK);
        pool_buffers_stats stats = {};
        stats.size = sizeof stats;
        CHECK(pool_buffers_get_stats(pool_, &stats) == POOL_OK);
        CHECK(stats.out == 0 && stats.out_bytes == 0 && stats.misuses == 0);
        until_failure = 0;
        CHECK(pool_buffers_destroy(pool_) == POOL_OK);
        CHECK(allocated == 0);
    }

    void step() {
        uint8_t call = input_.byte();
        Model &model = models_[call / 32 % 3];
        act(call % 32, model);
        CHECK(model.held() == model.text);
        CHECK(model.buf.length <= model.buf.capacity);
        CHECK((model.buf.data == nullptr) == (model.buf.capacity == 0));
    }

private:
    void act(int call, Model &model) {
        pool_buf &buf = model.buf;
        std::string &text = model.text;
        switch (call) {
        case 0:
        case 1:
        case 2: {
            size_t n = input_.size();
            std::string piece(n < 100000 ? n : 16, static_cast<char>(input_.byte()));
            if (model.added((call == 0 ? pool_buf_append
                                       : pool_buf_append_inline)(&buf, piece.data(), piece.size()),
                            piece.size()))
                text += piece;
            break;
        }
        case 3: // from itself
            if (!text.empty()) {
                size_t at = input_.size() % text.size();
                size_t n = input_.size() % (text.size() - at + 1);
                if (model.added(pool_buf_append(&buf, buf.data + at, n), n))
                    text += std::string(text, at, n);
            }
            break;
        case 4: { // more than there is
            size_t n = input_.size();
            if (n > kLargest)
                CHECK(pool_buf_append(&buf, &buf, n) == POOL_EINVAL);
            break;
        }
        case 5: {
            uint8_t byte = input_.byte();
            if (model.added(pool_buf_append_byte(&buf, byte), 1))
                text += static_cast<char>(byte);
            break;
        }
        case 6: {
            int width = static_cast<int>(input_.size() % 5000);
            char expected[5100];
            int length = snprintf(expected, sizeof expected, "<%*d>", width, 7);
            if (model.added(pool_buf_append_format(&buf, "<%*d>", width, 7),
                            static_cast<size_t>(length) + 1))
                text += expected;
            break;
        }
        case 7: {
            size_t n = input_.size();
            if (model.added(pool_buf_reserve(&buf, n), n))
                CHECK(buf.capacity - buf.length >= n);
            break;
        }
        case 8: {
            size_t n = input_.size();
            if (n <= text.size()) {
                CHECK(pool_buf_resize(&buf, n) == POOL_OK);
                text.resize(n);
            } else if (model.added(pool_buf_resize(&buf, n), n - text.size())) {
                text.resize(n);
            }
            break;
        }
        case 9:
            CHECK(pool_buf_reset(&buf) == POOL_OK);
            text.clear();
            break;
        case 10: {
            size_t length = SIZE_MAX;
            pool_buffer memory = pool_buf_detach(&buf, &length);
            CHECK(length == text.size());
            CHECK(length == 0 || memcmp(memory.data, text.data(), length) == 0);
            text.clear();
            if (memory.data != nullptr)
                detached_.push_back(memory);
            break;
        }
        case 11:
            CHECK(pool_buf_put(&buf) == POOL_OK);
            CHECK(pool_buf_append(&buf, "x", 1) == POOL_EINVAL);
            CHECK(pool_buf_get(pool_, input_.byte() % POOL_BUFFERS_TAGS, &buf) == POOL_OK);
            text.clear();
            break;
        case 12: {
            iovec iov;
            CHECK(pool_buf_iovec(&buf, &iov) == POOL_OK);
            CHECK(iov.iov_base == buf.data && iov.iov_len == text.size());
            break;
        }
        case 13:
            through_a_pipe(model);
            break;
        case 14:
            CHECK(pool_buffers_sweep(pool_) == POOL_OK);
            break;
        case 15:
            CHECK(pool_buffers_trim(pool_, input_.size()) == POOL_OK);
            break;
        case 16:
            until_failure = input_.byte() % 8;
            break;
        case 17: {
            pool_buffers_calibration set = {};
            set.size = sizeof set;
            set.default_size = input_.size() % 3000;
            set.max_size = set.default_size + input_.size() % 3000;
            set.frozen = input_.byte() & 1;
            pool_status status = pool_buffers_set_calibration(pool_, buf.tag, &set);
            CHECK(status == POOL_OK || status == POOL_ENOMEM);
            break;
        }
        default:
            break;
        }
    }

    void through_a_pipe(Model &model) {
        int ends[2];
        if (model.text.size() > 4096 || pipe(ends) != 0)
            return;
        size_t written = 0, got = 0;
        size_t from = model.text.empty() ? 0 : input_.size() % model.text.size();
        CHECK(pool_buf_write(&model.buf, from, ends[1], &written) == POOL_OK);
        CHECK(written == model.text.size() - from);
        close(ends[1]);
        size_t first = input_.byte();
        std::string sent(model.text, from);
        pool_status status = pool_buf_read(&model.buf, ends[0], first, &got);
        if (status == POOL_OK) {
            model.text += sent.substr(0, got);
            size_t rest = 0;
            status = pool_buf_read_all(&model.buf, ends[0], &rest);
            model.text += sent.substr(got, rest);
        }
        CHECK(status == POOL_OK || status == POOL_ENOMEM);
        close(ends[0]);
    }

    Input &input_;
    pool_buffers *const pool_;
    Model models_[3];
    std::vector<pool_buffer> detached_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Input input(data, size);
    until_failure = 0;
    Session session(input);
    for (int steps = 0; !input.ended() && steps < 200; steps++)
        session.step();
    return 0;
}
