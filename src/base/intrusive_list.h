// A doubly linked list whose nodes are part of the objects: no allocation, O(1) removal.
#pragma once

#include "base/check.h"

namespace penstock {

// Base of an object that can be on one IntrusiveList. Leaves its list when destroyed.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  [[nodiscard]] bool linked() const { return next_ != nullptr; }
  // Leaves the list; nothing happens when it is on none.
  void unlink() {
    if (next_ == nullptr) return;
    next_->previous_ = previous_;
    previous_->next_ = next_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T>
  friend class IntrusiveList;
  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// Does not own its objects. T derives from ListNode.
template <class T>
class IntrusiveList {
 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) head_.next_->unlink();
    head_.next_ = head_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const { return head_.next_ == &head_; }
  [[nodiscard]] T& front() { return *static_cast<T*>(head_.next_); }
  [[nodiscard]] T& back() { return *static_cast<T*>(head_.previous_); }

  void push_back(T& object) { insert(object, head_.previous_, &head_); }
  void push_front(T& object) { insert(object, &head_, head_.next_); }
  T& pop_front() {
    T& object = front();
    static_cast<ListNode&>(object).unlink();
    return object;
  }

  // Calls f(T&) on each object; f may unlink or destroy the one it was given, no other.
  template <class F>
  void for_each(F f) {
    for (ListNode* node = head_.next_; node != &head_;) {
      ListNode* next = node->next_;
      f(*static_cast<T*>(node));
      node = next;
    }
  }

 private:
  static void insert(ListNode& node, ListNode* before, ListNode* after) {
    PENSTOCK_CHECK(!node.linked());
    node.previous_ = before;
    node.next_ = after;
    before->next_ = &node;
    after->previous_ = &node;
  }

  ListNode head_;
};

}  // namespace penstock
