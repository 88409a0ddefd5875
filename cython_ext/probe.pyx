# cython: language_level=3
"""All handles under one name, for whoever needs several; each is made in a module of its own, ``probe_crew`` to ``probe_work``."""

from cython_ext.probe_crew import SIZES, Crew, Handle, meet
from cython_ext.probe_locks import LOCK_DIED_STATUS, REFCOUNT_SATURATED, EventCount, Mutex, Refcount, RwLock
from cython_ext.probe_pool import List, Pool
from cython_ext.probe_rings import EventRing, Histogram, Link, RecordRing
from cython_ext.probe_victim import Step, step
from cython_ext.probe_work import WorkRing
