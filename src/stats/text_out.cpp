// SPDX-License-Identifier: Apache-2.0
#include "stats/text_out.h"

#include <cstdio>
#include <cstring>

namespace pool {

void TextOut::add(const char *text, size_t length) {
    while (length != 0) {
        if (used_ == sizeof buffer_)
            flush();
        size_t room = sizeof buffer_ - used_;
        size_t piece = length < room ? length : room;
        memcpy(buffer_ + used_, text, piece);
        used_ += piece;
        text += piece;
        length -= piece;
    }
}

void TextOut::add(const char *text) {
    add(text, strlen(text));
}

void TextOut::add_number(uint64_t number) {
    char digits[24];
    add(digits, static_cast<size_t>(snprintf(digits, sizeof digits, "%llu",
                                             static_cast<unsigned long long>(number))));
}

void TextOut::add_signed(int64_t number) {
    if (number < 0)
        add('-');
    add_number(number < 0 ? uint64_t{0} - static_cast<uint64_t>(number)
                          : static_cast<uint64_t>(number));
}

void TextOut::add_seconds(uint64_t nanoseconds) {
    add_number(nanoseconds / 1000000000);
    unsigned rest = static_cast<unsigned>(nanoseconds % 1000000000);
    if (rest == 0)
        return;
    char digits[16];
    int length = snprintf(digits, sizeof digits, ".%09u", rest);
    while (digits[length - 1] == '0')
        length--;
    add(digits, static_cast<size_t>(length));
}

void TextOut::flush() {
    size_t length = used_;
    used_ = 0;
    if (length != 0)
        write_(buffer_, length, ctx_);
}

} // namespace pool
