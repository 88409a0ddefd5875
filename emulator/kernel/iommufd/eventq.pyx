# SPDX-License-Identifier: MIT
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The fault object: deliver, read, write, auto-response, close. Owners and locks: see ``eventq.pxd``."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from posix.unistd cimport read as posix_read, write as posix_write

from iopf.cython_ext.access cimport *
from iopf.cython_ext.atomics cimport *
from iopf.cython_ext.crew cimport *
from iopf.cython_ext.mutex cimport *
from iopf.cython_ext.pool cimport *
from iopf.emulator.kernel.core.flow cimport flow_of
from iopf.emulator.kernel.core.group cimport *
from iopf.emulator.kernel.core.response cimport iopf_group_response
from iopf.emulator.kernel.iommufd.pgfault cimport copy_group
from iopf.emulator.board.board cimport view
from iopf.emulator.spec.classes cimport LOCK_DELIVER, LOCK_FAULT_OBJECT, POOL_GROUP, POOL_UFAULT
from iopf.emulator.board.defect cimport *
from iopf.emulator.board.flow cimport wait_held
from iopf.emulator.board.ledger cimport EVENT_DELIVERED, EVENT_UNBIND_USER, reach
from iopf.emulator.board.objects cimport UFAULT_SLOTS, iommu_domain, iopf_group, ufault
from iopf.emulator.spec.program cimport HOLD_COPIES
from iopf.emulator.spec.sites cimport *
from iopf.emulator.spec.fault cimport *
from iopf.emulator.spec.errno cimport EBADF, EBUSY, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, ESPIPE


cdef ufault *object_at(view *v, uint32_t index) noexcept nogil:
    if index >= v.cfg.fault_objects:
        return NULL
    return <ufault *>pool_try(v.self, v.pools[POOL_UFAULT], read64(v.self, &v.board.fault_object[index], FAULT_DELIVER), FAULT_DELIVER)


cdef void set_readable(view *v, uint32_t index, bint readable) noexcept nogil:
    """Caller holds ``common``. The descriptor does not block: a second write only adds to the count, a read of nothing fails."""
    cdef uint64_t word = 1
    cdef int fd = v.board.fault_fd[index]
    cdef ssize_t done
    if fd <= 0:
        return
    if readable:
        done = posix_write(fd, &word, sizeof(word))
    else:
        done = posix_read(fd, &word, sizeof(word))
    if done != <ssize_t>sizeof(word) and readable:
        # The count of an eventfd has room for 2^64 - 2 writes: the descriptor is none, and user space would never be told.
        verdict_raise(v.self, VERDICT_EVENTFD, POOL_UFAULT, index + 1, <uint64_t>fd, 0, 0, FAULT_DELIVER)


cdef int fault_object_alloc(view *v, uint32_t index) noexcept nogil:
    """0, -EOPNOTSUPP (before v6.11), -EINVAL (no such object in this run), -EBUSY (it exists), -ENOMEM."""
    cdef ufault *u
    cdef int ret = 0
    if not flow_of(v).attach_handles:
        return EOPNOTSUPP
    if index >= v.cfg.fault_objects:
        return EINVAL
    mutex_lock(v.self, &v.board.sva_lock, FAULT_RELEASE)
    if v.board.fault_object[index] != 0:
        ret = EBUSY
    else:
        u = <ufault *>pool_alloc(v.self, v.pools[POOL_UFAULT], FAULT_RELEASE)
        if u == NULL:
            ret = ENOMEM
        else:
            u.mutex.cls, u.common.cls = LOCK_FAULT_OBJECT, LOCK_DELIVER
            u.index = index
            u.users = 1
            u.open = 1
            write64(v.self, &v.board.fault_object[index], pool_ref(v.pools[POOL_UFAULT], &u.hdr), FAULT_RELEASE)
    mutex_unlock(v.self, &v.board.sva_lock, FAULT_RELEASE)
    return ret


cdef void fault_object_get(view *v, uint32_t index) noexcept nogil:
    """Caller holds sva_lock."""
    cdef ufault *u = object_at(v, index)
    if u != NULL:
        u.users += 1


cdef void fault_object_put(view *v, uint32_t index) noexcept nogil:
    """Caller holds sva_lock. The last one answers the rest and frees the object."""
    cdef ufault *u = object_at(v, index)
    if u == NULL:
        return
    u.users -= 1
    if u.users != 0:
        return
    iommufd_auto_response_faults(v, index, 0)
    write64(v.self, &v.board.fault_object[index], 0, FAULT_RELEASE)
    pool_free(v.self, v.pools[POOL_UFAULT], &u.hdr, FAULT_RELEASE)


cdef int fault_object_close(view *v, uint32_t index) noexcept nogil:
    """close(2): everything delivered or read is answered INVALID; 0, -EBADF. What is delivered afterwards waits for the detach."""
    cdef ufault *u
    cdef int ret = EBADF
    mutex_lock(v.self, &v.board.sva_lock, FAULT_RELEASE)
    u = object_at(v, index)
    if u != NULL and u.open:
        mutex_lock(v.self, &u.common, FAULT_RELEASE)
        u.open = 0
        mutex_unlock(v.self, &u.common, FAULT_RELEASE)
        iommufd_auto_response_faults(v, index, 0)
        fault_object_put(v, index)
        ret = 0
    mutex_unlock(v.self, &v.board.sva_lock, FAULT_RELEASE)
    return ret


cdef int iommufd_fault_iopf_handler(view *v, iopf_group *group, iommu_domain *domain) noexcept nogil:
    """IRQ thread: 0, -EINVAL (the object is gone; gunthorpe: or closed), -ENOMEM (as many groups wait as can be kept)."""
    cdef ufault *u = object_at(v, domain.fault_object - 1)
    cdef uint32_t index = domain.fault_object - 1
    cdef uint64_t ref = pool_ref(v.pools[POOL_GROUP], &group.hdr)
    cdef int ret = 0
    if u == NULL:
        return EINVAL
    if flow_of(v).user_owns and not defect(v, DEFECT_REMOVE_FREES_OWNED_GROUP):
        iopf_group_dequeue(v, group)
    reach(v, EVENT_DELIVERED)
    if defect(v, DEFECT_DELIVER_LIST_UNDER_MUTEX):
        mutex_lock(v.self, &u.mutex, FAULT_DELIVER)  # which a read holds while it copies
    mutex_lock(v.self, &u.common, FAULT_DELIVER)
    if flow_of(v).counts_domain and not u.open:
        ret = EINVAL  # delivered groups hold their domain; a closed descriptor would never release this one
    elif u.count >= UFAULT_SLOTS:
        ret = ENOMEM
    else:
        u.deliver[(u.head + u.count) % UFAULT_SLOTS] = ref
        u.count += 1
        if u.count == 1:
            set_readable(v, index, True)
    mutex_unlock(v.self, &u.common, FAULT_DELIVER)
    if defect(v, DEFECT_DELIVER_LIST_UNDER_MUTEX):
        mutex_unlock(v.self, &u.mutex, FAULT_DELIVER)
    return ret


cdef uint64_t take_first(view *v, ufault *u, uint64_t room) noexcept nogil:
    """The first group that waits, if its requests fit into ``room`` bytes; 0 otherwise. Caller holds mutex."""
    cdef uint64_t ref = 0
    cdef iopf_group *group
    mutex_lock(v.self, &u.common, FAULT_READ)
    if u.count != 0 and u.count <= UFAULT_SLOTS:
        ref = u.deliver[u.head % UFAULT_SLOTS]
        group = <iopf_group *>pool_deref(v.self, v.pools[POOL_GROUP], ref, FAULT_READ)
        if group == NULL or <uint64_t>group.fault_count * PGFAULT_BYTES <= room:
            u.head = (u.head + 1) % UFAULT_SLOTS
            u.count -= 1
            if u.count == 0:
                set_readable(v, u.index, False)
        if group == NULL or <uint64_t>group.fault_count * PGFAULT_BYTES > room:
            ref = 0
    mutex_unlock(v.self, &u.common, FAULT_READ)
    return ref


cdef uint32_t new_cookie(ufault *u, uint64_t ref) noexcept nogil:
    """The next cookie, or 0 when user space holds the maximum number of groups. Cookies count from 1, so the n-th that reads of the
    object have returned (from 0) is n + 1. Caller holds mutex."""
    cdef uint32_t i
    for i in range(UFAULT_SLOTS):
        if u.response[i].cookie == 0:
            u.next_cookie += 1
            if u.next_cookie == 0:
                u.next_cookie = 1
            u.response[i].cookie = u.next_cookie
            u.response[i].group = ref
            u.held += 1
            return u.next_cookie
    return 0


cdef void drop_cookie(ufault *u, uint32_t cookie) noexcept nogil:
    """The newest cookie, which user space has not seen: the next read gives it out again. Caller holds mutex."""
    cdef uint32_t i
    for i in range(UFAULT_SLOTS):
        if u.response[i].cookie == cookie:
            u.response[i].cookie = 0
            u.held -= 1
            u.next_cookie = cookie - 1


cdef void put_back(view *v, ufault *u, uint64_t ref) noexcept nogil:
    """To the head, so that the order stays. Caller holds mutex."""
    mutex_lock(v.self, &u.common, FAULT_READ)
    u.head = (u.head + UFAULT_SLOTS - 1) % UFAULT_SLOTS
    u.deliver[u.head] = ref
    u.count += 1
    if u.count == 1:
        set_readable(v, u.index, True)
    mutex_unlock(v.self, &u.common, FAULT_READ)


cdef int64_t iommufd_fault_read(view *v, uint32_t index, char *buffer, uint64_t size, uint32_t *count) noexcept nogil:
    """read(2): bytes of whole groups, 0 when none waits or the first does not fit; -EBADF, -ESPIPE (size is no multiple), -ENOMEM, -EFAULT
    (no ``buffer``). What could not be copied waits for the next read."""
    cdef ufault *u = object_at(v, index)
    cdef iopf_group *group
    cdef uint64_t done = 0, ref
    cdef uint32_t cookie
    cdef int64_t error = 0
    count[0] = 0
    if u == NULL or not u.open:
        return EBADF
    if size % PGFAULT_BYTES:
        return ESPIPE
    mutex_lock(v.self, &u.mutex, FAULT_READ)
    while count[0] < 64:
        ref = take_first(v, u, size - done)
        group = <iopf_group *>pool_deref(v.self, v.pools[POOL_GROUP], ref, FAULT_READ) if ref else NULL
        if group == NULL:
            break
        cookie = new_cookie(u, ref)
        if cookie == 0:
            put_back(v, u, ref)
            error = ENOMEM
            break
        if iopf_unlikely(read32(v.self, &v.board.hold, HELD) & HOLD_COPIES):
            wait_held(v, HOLD_COPIES)
        if buffer == NULL:
            drop_cookie(u, cookie)
            put_back(v, u, ref)
            if defect(v, DEFECT_READ_LOOP_ON_EFAULT):
                continue  # ends the loop over the requests of the group, not the one over the groups
            error = EFAULT
            break
        done += copy_group(v, group, buffer + done, cookie)
        count[0] += 1
    mutex_unlock(v.self, &u.mutex, FAULT_READ)
    return <int64_t>done if done else error


cdef int64_t iommufd_fault_write(view *v, uint32_t index, uint32_t cookie, uint32_t code) noexcept nogil:
    """write(2) of one {cookie, code}: 8, -EBADF, -EINVAL (a code other than SUCCESS and INVALID, or an unknown cookie)."""
    cdef ufault *u = object_at(v, index)
    cdef iopf_group *group = NULL
    cdef uint32_t i
    cdef int64_t ret = EINVAL
    if u == NULL or not u.open:
        return EBADF
    if cookie == 0 or (code != IOMMU_PAGE_RESP_SUCCESS and code != IOMMU_PAGE_RESP_INVALID):
        return EINVAL
    mutex_lock(v.self, &u.mutex, FAULT_WRITE)
    for i in range(UFAULT_SLOTS):
        if u.response[i].cookie != cookie:
            continue
        group = <iopf_group *>pool_deref(v.self, v.pools[POOL_GROUP], u.response[i].group, FAULT_WRITE)
        u.response[i].cookie = 0
        u.held -= 1
        ret = 8
        break
    if group != NULL:
        iopf_group_response(v, group, code)
        iopf_free_group(v, group, FAULT_WRITE)
    mutex_unlock(v.self, &u.mutex, FAULT_WRITE)
    return ret


cdef bint answer_invalid(view *v, uint64_t ref, uint64_t handle_ref) noexcept nogil:
    """Answers and frees a group of the handle (0: of any); false when it belongs to another."""
    cdef iopf_group *group = <iopf_group *>pool_deref(v.self, v.pools[POOL_GROUP], ref, AUTO_RESPONSE)
    if group == NULL:
        return True
    if handle_ref != 0 and group.handle != handle_ref:
        return False
    reach(v, EVENT_UNBIND_USER)
    iopf_group_response(v, group, IOMMU_PAGE_RESP_INVALID)
    iopf_free_group(v, group, AUTO_RESPONSE)
    return True


cdef void iommufd_auto_response_faults(view *v, uint32_t index, uint64_t handle_ref) noexcept nogil:
    """Answers INVALID to every group of an attach handle (0: to all) that is delivered or with user space."""
    cdef ufault *u = object_at(v, index)
    cdef uint32_t i, waiting
    cdef uint64_t ref
    if u == NULL:
        return
    mutex_lock(v.self, &u.mutex, AUTO_RESPONSE)
    waiting = u.count
    while waiting > 0:
        waiting -= 1
        ref = take_first(v, u, <uint64_t>-1)
        if ref != 0 and not answer_invalid(v, ref, handle_ref):
            mutex_lock(v.self, &u.common, AUTO_RESPONSE)
            u.deliver[(u.head + u.count) % UFAULT_SLOTS] = ref
            u.count += 1
            if u.count == 1:
                set_readable(v, index, True)
            mutex_unlock(v.self, &u.common, AUTO_RESPONSE)
    for i in range(UFAULT_SLOTS):
        if u.response[i].cookie != 0 and answer_invalid(v, u.response[i].group, handle_ref):
            u.response[i].cookie = 0
            u.held -= 1
    mutex_unlock(v.self, &u.mutex, AUTO_RESPONSE)
