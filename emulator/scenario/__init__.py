# SPDX-License-Identifier: MIT
"""Scenarios: the configuration of a run, as TOML, checked before anything starts.

* `schema`      the sections and fields, with bounds and defaults (msgspec structs)
* `shipped`     shipped scenarios and traces, found by name
* `load`        reading TOML files and following `extends`
* `convert`     one problem line per wrong field, not only the first one
* `paths`       the `section[0].key` notation of `--set` and of error lines
* `crosscheck`  rules that span fields
* `expand`      the names of the devices and tenants behind `count = N`
* `resolution`  flag > --set > scenario > user configuration > default, with sources
* `describe`    the help page and the JSON schema, generated from the structs
"""
