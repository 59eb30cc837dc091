// Growable buffers.
//
// SPDX-License-Identifier: Apache-2.0
#include "support/allocator.h"
#include "support/buffer_pool.h"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace pool_test;

// Put at the end, so that the pool's accounts close.
class Buf {
public:
    explicit Buf(const BufferPoolUnderTest &pool, uint32_t tag = 0) {
        memset(&buf_, 0xee, sizeof buf_);
        EXPECT_EQ(pool_buf_get(pool, tag, &buf_), POOL_OK);
        EXPECT_EQ(buf_.length, 0u);
    }
    ~Buf() { EXPECT_EQ(pool_buf_put(&buf_), POOL_OK); }
    Buf(const Buf &) = delete;
    Buf &operator=(const Buf &) = delete;

    operator pool_buf *() { return &buf_; }
    pool_buf *operator->() { return &buf_; }
    std::string_view text() const {
        return {reinterpret_cast<const char *>(buf_.data), buf_.length};
    }

private:
    pool_buf buf_;
};

std::string letters(size_t n) {
    std::string text(n, 0);
    for (size_t i = 0; i < n; i++)
        text[i] = static_cast<char>('a' + i % 26);
    return text;
}

TEST(Buf, TakesNoMemoryBeforeItNeedsSome) {
    BufferPoolUnderTest pool;
    {
        Buf buf(pool);
        EXPECT_EQ(buf->data, nullptr);
        EXPECT_EQ(buf->capacity, 0u);
        EXPECT_EQ(pool_buf_append(buf, "", 0), POOL_OK);
        EXPECT_EQ(pool_buf_append(buf, nullptr, 0), POOL_OK);
        EXPECT_EQ(pool_buf_reserve(buf, 0), POOL_OK);
        EXPECT_EQ(pool_buf_resize(buf, 0), POOL_OK);
        EXPECT_EQ(pool_buf_reset(buf), POOL_OK);
        EXPECT_EQ(pool_buf_detach(buf, nullptr).data, nullptr);
    }
    EXPECT_EQ(pool.stats().gets, 0u);
}

// Every length that is copied in its own way, at every offset.
TEST(Buf, BeginsTheSameCompiledIn) {
    BufferPoolUnderTest pool;
    pool_buf called, compiled;
    for (int i = 0; i < 200; i++) { // from a while on they begin with memory
        memset(&called, 0xee, sizeof called);
        memset(&compiled, 0xdd, sizeof compiled);
        ASSERT_EQ(pool_buf_get(pool, 3, &called), POOL_OK);
        ASSERT_EQ(pool_buf_get_inline(pool, 3, &compiled), POOL_OK);
        EXPECT_EQ(called.length, 0u);
        EXPECT_EQ(compiled.length, 0u);
        EXPECT_EQ(memcmp(&called.peak, &compiled.peak, sizeof called - offsetof(pool_buf, peak)),
                  0);
        EXPECT_TRUE(compiled.data == nullptr || compiled.data != called.data);
        EXPECT_EQ(pool_buf_resize(&compiled, 3000), POOL_OK);
        EXPECT_EQ(pool_buf_resize(&called, 3000), POOL_OK);
        EXPECT_EQ(pool_buf_put(&called), POOL_OK);
        EXPECT_EQ(pool_buf_put(&compiled), POOL_OK);
    }
}

TEST(Buf, AppendsAnyLength) {
    BufferPoolUnderTest pool;
    std::string source = letters(400);
    for (size_t n = 0; n <= 300; n += n < 140 ? 1 : 37) {
        Buf buf(pool);
        std::string expected;
        for (size_t i = 0; i < 20; i++) {
            ASSERT_EQ(
                (i % 2 != 0 ? pool_buf_append : pool_buf_append_inline)(buf, source.data() + i, n),
                POOL_OK);
            expected += source.substr(i, n);
            ASSERT_EQ(pool_buf_append_byte(buf, '!'), POOL_OK);
            expected += '!';
        }
        EXPECT_EQ(buf.text(), expected) << n;
    }
}

TEST(Buf, GrowsThroughTheClassesAndGivesThemBack) {
    BufferPoolUnderTest pool;
    std::string expected;
    {
        Buf buf(pool);
        for (int i = 0; i < 20000; i++) {
            std::string piece = letters(static_cast<size_t>(i % 90));
            ASSERT_EQ(pool_buf_append(buf, piece.data(), piece.size()), POOL_OK);
            expected += piece;
        }
        EXPECT_TRUE(buf.text() == expected);
        EXPECT_EQ(pool.stats().out, 1);
        EXPECT_LE(buf->capacity, 2 * expected.size());
        EXPECT_LT(pool.stats().grows, 30u);
        EXPECT_GT(pool.stats().grows, 5u);
    }
    EXPECT_EQ(pool.stats().out, 0);
}

TEST(Buf, GrowsBeyondTheLargestClass) {
    pool_buffers_options options = sizes(64, 4096);
    BufferPoolUnderTest pool(options);
    Buf buf(pool);
    std::string text = letters(3000);
    for (int i = 0; i < 100; i++)
        ASSERT_EQ(pool_buf_append(buf, text.data(), text.size()), POOL_OK);
    EXPECT_EQ(buf->length, 300000u);
    EXPECT_GT(pool.stats().oversize, 3u);
    EXPECT_TRUE(buf.text().substr(297000) == text);
}

TEST(Buf, AppendsFromItself) {
    BufferPoolUnderTest pool;
    Buf buf(pool);
    pool_buf_append(buf, "0123456789", 10);
    std::string expected = "0123456789";
    while (expected.size() < 100000) {
        size_t n = expected.size() / 2 + 3;
        ASSERT_EQ(pool_buf_append(buf, buf->data + 2, n), POOL_OK);
        expected += expected.substr(2, n);
        ASSERT_TRUE(buf.text() == expected);
    }
}

TEST(Buf, FormatsAsPrintfDoes) {
    BufferPoolUnderTest pool;
    Buf buf(pool);
    std::string expected;
    for (int i = 0; i < 500; i++) {
        std::string wide = letters(static_cast<size_t>(i));
        ASSERT_EQ(pool_buf_append_format(buf, "%d %s|", i, wide.c_str()), POOL_OK);
        expected += std::to_string(i) + " " + wide + "|";
    }
    EXPECT_TRUE(buf.text() == expected);
    EXPECT_EQ(pool_buf_append_format(buf, "%s", ""), POOL_OK);
    EXPECT_TRUE(buf.text() == expected);
    EXPECT_EQ(pool_buf_append_format(buf, nullptr), POOL_EINVAL);
}

TEST(Buf, ReservesResizesAndResets) {
    BufferPoolUnderTest pool;
    Buf buf(pool);
    EXPECT_EQ(pool_buf_append(buf, "secret of others", 16), POOL_OK);
    EXPECT_EQ(pool_buf_resize(buf, 3), POOL_OK);
    EXPECT_EQ(buf.text(), "sec");
    EXPECT_EQ(pool_buf_resize(buf, 8), POOL_OK);
    EXPECT_EQ(buf.text(), std::string_view("sec\0\0\0\0\0", 8));
    EXPECT_EQ(pool_buf_reserve(buf, 5000), POOL_OK);
    EXPECT_GE(buf->capacity, 5008u);
    unsigned char *data = buf->data;
    EXPECT_EQ(pool_buf_reserve(buf, 5000), POOL_OK);
    EXPECT_EQ(buf->data, data);
    memset(data + 8, 'x', 5000);
    buf->length += 5000; // as the header allows
    EXPECT_EQ(pool_buf_reset(buf), POOL_OK);
    EXPECT_EQ(buf->length, 0u);
    EXPECT_EQ(buf->data, data);
    EXPECT_EQ(pool_buf_resize(buf, 100), POOL_OK);
    EXPECT_EQ(buf.text(), std::string(100, '\0'));
}

TEST(Buf, GivesItsMemoryAway) {
    BufferPoolUnderTest pool;
    Buf buf(pool);
    pool_buf_append(buf, "bytes", 5);
    size_t length = 0;
    pool_buffer memory = pool_buf_detach(buf, &length);
    EXPECT_EQ(length, 5u);
    EXPECT_EQ(memcmp(memory.data, "bytes", 5), 0);
    EXPECT_EQ(buf->data, nullptr);
    EXPECT_EQ(pool_buf_append(buf, "more", 4), POOL_OK);
    EXPECT_EQ(buf.text(), "more");
    EXPECT_EQ(pool_buffers_put(pool, memory), POOL_OK);
    iovec iov;
    EXPECT_EQ(pool_buf_iovec(buf, &iov), POOL_OK);
    EXPECT_EQ(iov.iov_base, buf->data);
    EXPECT_EQ(iov.iov_len, 4u);
}

TEST(Buf, IsHarmlessOnceItWasPut) {
    BufferPoolUnderTest pool;
    pool_buf buf;
    ASSERT_EQ(pool_buf_get(pool, 5, &buf), POOL_OK);
    pool_buf_append(&buf, "x", 1);
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    EXPECT_EQ(pool.stats().puts, 1u);
    EXPECT_EQ(buf.data, nullptr);
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK) << "again";
    EXPECT_EQ(pool_buf_put(nullptr), POOL_OK);
    size_t n;
    EXPECT_EQ(pool_buf_append(&buf, "x", 1), POOL_EINVAL);
    EXPECT_EQ(pool_buf_append_byte(&buf, 'x'), POOL_EINVAL);
    EXPECT_EQ(pool_buf_append_format(&buf, "x"), POOL_EINVAL);
    EXPECT_EQ(pool_buf_reserve(&buf, 1), POOL_EINVAL);
    EXPECT_EQ(pool_buf_resize(&buf, 1), POOL_EINVAL);
    EXPECT_EQ(pool_buf_detach(&buf, &n).data, nullptr);
    EXPECT_EQ(pool_last_error_status(), POOL_EINVAL);
    EXPECT_EQ(pool_buf_read(&buf, 0, 1, &n), POOL_EINVAL);
    EXPECT_EQ(pool_buf_read_all(&buf, 0, &n), POOL_EINVAL);
    EXPECT_EQ(pool_buf_write(&buf, 0, 1, &n), POOL_EINVAL);
    EXPECT_EQ(pool.stats().puts, 1u);
}

TEST(Buf, BadArgumentsAreRefused) {
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.largest = 10240; // a class
    BufferPoolUnderTest pool(options);
    Buf buf(pool);
    pool_buf other;
    size_t n;
    iovec iov;
    EXPECT_EQ(pool_buf_get(nullptr, 0, &other), POOL_EINVAL);
    EXPECT_EQ(pool_buf_get(pool, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buf_get(pool, POOL_BUFFERS_TAGS, &other), POOL_EINVAL);
    EXPECT_EQ(pool_buf_get_inline(nullptr, 0, &other), POOL_EINVAL);
    EXPECT_EQ(pool_buf_get_inline(pool, 0, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buf_get_inline(pool, POOL_BUFFERS_TAGS, &other), POOL_EINVAL);
    EXPECT_EQ(pool_buf_append(nullptr, "x", 1), POOL_EINVAL);
    EXPECT_EQ(pool_buf_append(buf, nullptr, 1), POOL_EINVAL);
    EXPECT_EQ(pool_buf_append_byte(nullptr, 1), POOL_EINVAL);
    EXPECT_EQ(pool_buf_reset(nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buf_iovec(nullptr, &iov), POOL_EINVAL);
    EXPECT_EQ(pool_buf_iovec(buf, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buf_read(buf, 0, 1, nullptr), POOL_EINVAL);
    EXPECT_EQ(pool_buf_write(buf, 1, 1, &n), POOL_EINVAL) << "behind the end";

    // Past the maximum: a status and a message, nothing changed.
    std::string text = letters(9000);
    EXPECT_EQ(pool_buf_append(buf, text.data(), 9000), POOL_OK);
    for (size_t more : {size_t{1241}, SIZE_MAX - 8999, SIZE_MAX}) {
        EXPECT_EQ(pool_buf_append(buf, text.data(), more), POOL_EINVAL);
        EXPECT_NE(strstr(pool_last_error(), "10240"), nullptr) << pool_last_error();
        EXPECT_EQ(pool_buf_reserve(buf, more), POOL_EINVAL);
    }
    EXPECT_EQ(pool_buf_resize(buf, 10241), POOL_EINVAL);
    EXPECT_EQ(pool_buf_append_format(buf, "%2000d", 1), POOL_EINVAL);
    EXPECT_TRUE(buf.text() == text);
    EXPECT_EQ(pool_buf_append(buf, text.data(), 1240), POOL_OK);
    EXPECT_EQ(buf->capacity, 10240u);
    Buf growing(pool); // whose double would be too much
    EXPECT_EQ(pool_buf_append(growing, text.data(), 6000), POOL_OK);
    EXPECT_EQ(pool_buf_append(growing, text.data(), 1000), POOL_OK);
    EXPECT_EQ(growing->capacity, 10240u);

    // What its user has broken.
    pool_buf broken = {};
    broken.pool = pool;
    broken.capacity = 7;
    EXPECT_EQ(pool_buf_reserve(&broken, 100), POOL_EINVAL);
    broken.capacity = 0;
    broken.length = 3;
    EXPECT_EQ(pool_buf_resize(&broken, 100), POOL_EINVAL);
}

TEST(Buf, EveryAllocationMayFail) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    std::string piece = letters(70);
    for (int n = 1; n < 40; n++) {
        BufferPoolUnderTest pool(options);
        account.fail_at(n, false);
        std::string expected;
        {
            Buf buf(pool);
            for (int i = 0; i < 100; i++) {
                pool_status status = i % 3 == 0   ? pool_buf_append_format(buf, "%s", piece.c_str())
                                     : i % 3 == 1 ? pool_buf_append(buf, piece.data(), piece.size())
                                                  : pool_buf_resize(buf, buf->length + 70);
                if (status == POOL_OK)
                    expected += i % 3 == 2 ? std::string(70, '\0') : piece;
                else
                    EXPECT_EQ(status, POOL_ENOMEM);
                ASSERT_TRUE(buf.text() == expected);
            }
        }
        account.fail_at(0, false);
    }
}

TEST(Buf, ReadsAndWritesDescriptors) {
    BufferPoolUnderTest pool;
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    std::string text = letters(300000);
    std::thread writer([&] {
        Buf buf(pool);
        pool_buf_append(buf, text.data(), text.size());
        size_t written = 0;
        EXPECT_EQ(pool_buf_write(buf, 10, ends[1], &written), POOL_OK);
        EXPECT_EQ(written, text.size() - 10);
        EXPECT_EQ(pool_buf_write(buf, text.size(), ends[1], nullptr), POOL_OK) << "nothing left";
        EXPECT_EQ(buf->length, text.size()) << "it is not consumed";
        close(ends[1]);
    });
    Buf buf(pool);
    size_t got = 0;
    EXPECT_EQ(pool_buf_read(buf, ends[0], 7, &got), POOL_OK);
    EXPECT_EQ(got, 7u);
    EXPECT_EQ(buf.text(), text.substr(10, 7));
    EXPECT_EQ(pool_buf_read_all(buf, ends[0], &got), POOL_OK);
    EXPECT_EQ(got, text.size() - 17);
    EXPECT_TRUE(buf.text() == text.substr(10));
    EXPECT_EQ(pool_buf_read(buf, ends[0], 1, &got), POOL_OK);
    EXPECT_EQ(got, 0u) << "the end of the file";
    EXPECT_EQ(pool_buf_read_all(buf, ends[0], nullptr), POOL_OK);
    writer.join();
    close(ends[0]);
}

TEST(Buf, SaysWhyADescriptorFails) {
    BufferPoolUnderTest pool;
    Buf buf(pool);
    size_t n = 5;
    errno = 0;
    EXPECT_EQ(pool_buf_read(buf, -1, 10, &n), POOL_EIO);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(n, 0u);
    pool_buf_append(buf, "x", 1);
    EXPECT_EQ(pool_buf_write(buf, 0, -1, &n), POOL_EIO);
    EXPECT_EQ(errno, EBADF);

    int ends[2];
    ASSERT_EQ(pipe2(ends, O_NONBLOCK), 0);
    EXPECT_EQ(pool_buf_read(buf, ends[0], 10, &n), POOL_EAGAIN);
    EXPECT_EQ(pool_buf_resize(buf, 1 << 20), POOL_OK);
    EXPECT_EQ(pool_buf_write(buf, 0, ends[1], &n), POOL_EAGAIN);
    EXPECT_GT(n, 0u);
    EXPECT_LT(n, size_t{1} << 20);
    size_t got = 0;
    Buf other(pool);
    EXPECT_EQ(pool_buf_read_all(other, ends[0], &got), POOL_EAGAIN);
    EXPECT_EQ(got, n) << "what came before is there";
    EXPECT_EQ(other->length, n);
    close(ends[0]);
    close(ends[1]);
}

TEST(Buf, APoolThatHasEndedIsToldApart) {
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(nullptr, &pool), POOL_OK);
    pool_buf buf;
    ASSERT_EQ(pool_buf_get(pool, 0, &buf), POOL_OK);
    EXPECT_EQ(pool_buf_append(&buf, "x", 1), POOL_OK);
    EXPECT_EQ(pool_buffers_release(pool), POOL_OK);
    EXPECT_EQ(pool_buf_reserve(&buf, 1 << 20), POOL_ECLOSED);
    EXPECT_EQ(buf.length, 1u);
    EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
}

// Its size is noted, and the put ends the pool: not the other way round.
TEST(Buf, MayBeTheLastOfAReleasedPool) {
    AccountingAllocator account;
    pool_allocator allocator = account.allocator();
    pool_buffers_options options = POOL_BUFFERS_OPTIONS_INIT;
    options.allocator = &allocator;
    pool_buffers *pool;
    ASSERT_EQ(pool_buffers_create(&options, &pool), POOL_OK);
    for (bool last : {false, true}) { // the first put makes the calibration
        pool_buf buf;
        ASSERT_EQ(pool_buf_get(pool, 0, &buf), POOL_OK);
        EXPECT_EQ(pool_buf_append(&buf, "x", 1), POOL_OK);
        if (last) {
            EXPECT_EQ(pool_buffers_release(pool), POOL_OK);
        }
        EXPECT_EQ(pool_buf_put(&buf), POOL_OK);
    }
    EXPECT_EQ(account.bytes(), 0u);
}

} // namespace
