// An intrusive doubly linked list.
//
// SPDX-License-Identifier: Apache-2.0
//
// No lock of its own: whoever owns a list says what guards it.
#pragma once

namespace pool {

struct ListLink {
    ListLink *prev = nullptr;
    ListLink *next = nullptr;

    bool linked() const { return next != nullptr; }
};

// T derives from ListLink.
template <class T>
class List {
public:
    List() { head_.prev = head_.next = &head_; }
    List(const List &) = delete;
    List &operator=(const List &) = delete;

    bool empty() const { return head_.next == &head_; }

    void push_back(T *item) {
        ListLink *link = item;
        link->prev = head_.prev;
        link->next = &head_;
        head_.prev->next = link;
        head_.prev = link;
    }

    void push_front(T *item) {
        ListLink *link = item;
        link->next = head_.next;
        link->prev = &head_;
        head_.next->prev = link;
        head_.next = link;
    }

    // Behind `before`, which is in this list, or at the front if that is nullptr.
    void insert_behind(T *before, T *item) {
        ListLink *link = item;
        ListLink *behind = before != nullptr ? static_cast<ListLink *>(before) : &head_;
        link->prev = behind;
        link->next = behind->next;
        behind->next->prev = link;
        behind->next = link;
    }

    static void remove(T *item) {
        ListLink *link = item;
        link->prev->next = link->next;
        link->next->prev = link->prev;
        link->prev = link->next = nullptr;
    }

    T *front() const { return empty() ? nullptr : static_cast<T *>(head_.next); }
    T *back() const { return empty() ? nullptr : static_cast<T *>(head_.prev); }

    T *pop_front() {
        T *item = front();
        if (item != nullptr)
            remove(item);
        return item;
    }

    // The item before `item`, nullptr at the front.
    T *prev(const T *item) const {
        ListLink *link = static_cast<const ListLink *>(item)->prev;
        return link == &head_ ? nullptr : static_cast<T *>(link);
    }

    // The item behind `item`, nullptr at the end.
    T *next(const T *item) const {
        ListLink *link = static_cast<const ListLink *>(item)->next;
        return link == &head_ ? nullptr : static_cast<T *>(link);
    }

private:
    ListLink head_;
};

} // namespace pool
