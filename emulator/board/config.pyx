# cython: language_level=3
"""The numbers of ``config.pxd`` for Python, and writing a configuration."""

CONFIG_FIELDS = (
    "devices", "handlers", "tenants", "prq_records", "qi_records", "max_pasids", "ledger_slots", "max_vmas", "work_slots",
    "event_records", "mms", "faults", "groups", "handles", "tables", "generation", "profile", "units", "drivers", "queue_mode", "queues",
    "work_rings", "options", "fault_objects", "programs", "major_permille",
    "exponential", "pace", "account", "minor_ns", "major_ns", "seed", "defects", "controlled", "watchdog_ns",
)


cdef write_config(config *cfg, dict values):
    """Fills in all but ``slots``. Raises KeyError."""
    cfg.devices, cfg.handlers, cfg.tenants = values["devices"], values["handlers"], values["tenants"]
    cfg.prq_records, cfg.qi_records, cfg.max_pasids = values["prq_records"], values["qi_records"], values["max_pasids"]
    cfg.ledger_slots, cfg.max_vmas, cfg.work_slots = values["ledger_slots"], values["max_vmas"], values["work_slots"]
    cfg.event_records, cfg.mms, cfg.faults, cfg.groups = values["event_records"], values["mms"], values["faults"], values["groups"]
    cfg.handles, cfg.tables = values["handles"], values["tables"]
    cfg.generation, cfg.profile = values["generation"], values["profile"]
    cfg.units, cfg.drivers, cfg.options = values["units"], values["drivers"], values["options"]
    cfg.queue_mode, cfg.queues, cfg.work_rings = values["queue_mode"], values["queues"], values["work_rings"]
    cfg.fault_objects = values["fault_objects"]
    cfg.programs, cfg.major_permille, cfg.exponential = values["programs"], values["major_permille"], values["exponential"]
    cfg.pace, cfg.account, cfg.minor_ns, cfg.major_ns = values["pace"], values["account"], values["minor_ns"], values["major_ns"]
    cfg.seed, cfg.watchdog_ns, cfg.controlled = values["seed"], values["watchdog_ns"], values["controlled"]
    cfg.defects = values["defects"]
