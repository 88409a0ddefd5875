from enum import IntEnum

class Generation(IntEnum):
    GEN_V5_13 = 1
    GEN_V6_2 = 2
    GEN_V6_9 = 3
    GEN_V6_11 = 4
    GEN_V6_14 = 5
    GEN_V7_2 = 6
    GEN_GUNTHORPE = 16

class QueueMode(IntEnum):
    QUEUES_GLOBAL = 0
    QUEUES_IOMMU = 1
    QUEUES_DEVICE = 2
    QUEUES_DOMAIN = 3

class Option(IntEnum):
    OPTION_SYNC = 1
    OPTION_EAGER = 2
    OPTION_GROUP_LISTS = 4
    OPTION_EARLY_PRIVATE = 8
    OPTION_HIGHPRI = 16
    OPTION_MATCH_PASID = 128
    OPTION_ANSWER_LAST = 256
    OPTION_DRAIN_ALWAYS = 512
    OPTION_PRIVATE_DATA = 64
    OPTION_CONTAIN = 32

CONFIG_FIELDS: tuple[str, ...]
