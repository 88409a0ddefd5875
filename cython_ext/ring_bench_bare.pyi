# SPDX-License-Identifier: MIT
from iopf.cython_ext.ring_bench import Tally as Tally
from iopf.cython_ext.ring_bench import consume_channel as consume_channel
from iopf.cython_ext.ring_bench import consume_link as consume_link
from iopf.cython_ext.ring_bench import consume_plain as consume_plain
from iopf.cython_ext.ring_bench import last_point as last_point
from iopf.cython_ext.ring_bench import ping as ping
from iopf.cython_ext.ring_bench import pong as pong
from iopf.cython_ext.ring_bench import produce_channel as produce_channel
from iopf.cython_ext.ring_bench import produce_link as produce_link
from iopf.cython_ext.ring_bench import produce_plain as produce_plain
from iopf.cython_ext.ring_bench import records_of as records_of
from iopf.cython_ext.ring_bench import ring_bytes as ring_bytes
from iopf.cython_ext.ring_bench import sum_of as sum_of
from iopf.cython_ext.ring_bench import turns_link as turns_link
