/* SPDX-License-Identifier: MIT */
#ifndef MINI_LIST_H
#define MINI_LIST_H
#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define INIT_LIST_HEAD(h) ((h)->next = (h)->prev = (h))
#define list_empty(h) ((h)->next == (h))
#define list_entry(p, type, member) container_of(p, type, member)
static inline void list_add_tail(struct list_head *item, struct list_head *head)
{
    item->next = head, item->prev = head->prev;
    head->prev->next = item;
    head->prev = item;
}
static inline void list_del_init(struct list_head *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    INIT_LIST_HEAD(item);
}
#endif
