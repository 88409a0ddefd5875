"""All handles under one name; the types stand beside the modules that make them."""

from cython_ext.probe_crew import SIZES as SIZES
from cython_ext.probe_crew import Crew as Crew
from cython_ext.probe_crew import Handle as Handle
from cython_ext.probe_crew import meet as meet
from cython_ext.probe_locks import LOCK_DIED_STATUS as LOCK_DIED_STATUS
from cython_ext.probe_locks import REFCOUNT_SATURATED as REFCOUNT_SATURATED
from cython_ext.probe_locks import EventCount as EventCount
from cython_ext.probe_locks import Mutex as Mutex
from cython_ext.probe_locks import Refcount as Refcount
from cython_ext.probe_locks import RwLock as RwLock
from cython_ext.probe_pool import List as List
from cython_ext.probe_pool import Pool as Pool
from cython_ext.probe_rings import EventRing as EventRing
from cython_ext.probe_rings import Histogram as Histogram
from cython_ext.probe_rings import Link as Link
from cython_ext.probe_rings import RecordRing as RecordRing
from cython_ext.probe_victim import Step as Step
from cython_ext.probe_victim import step as step
from cython_ext.probe_work import WorkRing as WorkRing
