# SPDX-License-Identifier: MIT
# cython: language_level=3, cdivision=True
"""Sites: where in the flow a primitive is used. The upper half of every scheduling-point id.

A site is named after its function, so that a state dump reads like a kernel stack.
"""

cpdef enum Site:
    SITE_NONE = 0
    # device
    DEV_SEND = 1
    DEV_RECEIVE = 2
    DEV_WAIT = 3
    DEV_INVALIDATE = 4
    DEV_EPOCH = 5
    # hardware
    HW_REQUEST = 16
    HW_PRQ_WRITE = 17
    HW_PRS = 18
    HW_INTERRUPT = 19
    HW_COMMAND = 20
    HW_RESPOND = 21
    HW_INVALIDATE = 22
    HW_WAIT = 23
    HW_PASID_ENTRY = 24
    # interrupt thread
    PRQ_EVENT_THREAD = 32
    PRQ_OVERFLOW = 33
    PRQ_IDLE = 34
    REPORT_DEVICE_FAULT = 40
    REPORT_PARTIAL_FAULT = 41
    IOPF_GROUP_ALLOC = 42
    FIND_FAULT_HANDLER = 43
    GET_DEV_FAULT_PARAM = 44
    PUT_DEV_FAULT_PARAM = 45
    SVA_IOPF_HANDLER = 46
    IOPF_GROUP_RESPONSE = 47
    IOPF_FREE_GROUP = 48
    IOPF_ERROR_RESPONSE = 49
    PAGE_RESPONSE = 50
    QUEUE_IOPF = 51
    REGISTER_HANDLER = 52
    # handlers
    WORKER_WAIT = 56
    WORKER_HANDLE = 57
    HANDLE_MM_FAULT = 58
    MMGET_NOT_ZERO = 59
    MMPUT = 60
    # queue and drain
    QUEUE_ADD_DEVICE = 64
    QUEUE_REMOVE_DEVICE = 65
    QUEUE_FLUSH_DEV = 66
    QUEUE_DISCARD_PARTIAL = 67
    QUEUE_ALLOC = 68
    DRAIN_PASID_PRQ = 70
    QI_SUBMIT = 71
    QI_WAIT = 72
    # SVA
    SVA_BIND = 80
    SVA_UNBIND = 81
    ATTACH_PASID = 82
    DETACH_PASID = 83
    PASID_ALLOC = 84
    PASID_FREE = 85
    MM_RELEASE = 86
    REPLACE_PASID = 87
    DOMAIN_FREE = 88
    FAULT_DELIVER = 89
    FAULT_READ = 90
    FAULT_WRITE = 91
    FAULT_RELEASE = 92
    AUTO_RESPONSE = 93
    KERN_FATE = 94
    # address spaces
    MM_ALLOC = 96
    MM_MAP = 97
    MM_UNMAP = 98
    MM_PROTECT = 99
    MM_FORK = 100
    MM_TABLE = 101
    MM_EXIT = 102
    MM_ZAP = 103
    PAGE_WALK = 104
    # processes
    TENANT_SYSCALL = 112
    TENANT_GATE = 113
    TASK_WAIT = 114
    TASK_RUN = 115
    HOTPLUG = 116
    PROBE_DEVICE = 117
    RELEASE_DEVICE = 118
    START_BARRIER = 119
    PROGRAM_WAIT = 120
    PROGRAM_STEP = 121
    HELD = 122
    TENANT_PACE = 123
    # IOASIDs
    IOASID_ALLOC = 128
    IOASID_FREE = 129
    IOASID_FIND = 130
    IOASID_SET_DATA = 131
    IOASID_REGISTER = 132
    IOASID_UNREGISTER = 133
    IOASID_GET = 134
    IOASID_PUT = 135
    IOASID_REAP = 136
    IOASID_REPAIR = 137
    SVA_ALLOC_PASID = 138
    SVA_FREE_PASID = 139
