# SPDX-License-Identifier: MIT
"""The host for Linux's own files: a tree's sources, unmodified, compiled against a shim and linked as an image for the window.

    versions    which files a tree has, and what its headers declare
    source      directory, tarball or package -> tree
    patches     reading and applying
    compiling   the compiler: dependencies, objects, the first error
    image       objects -> shared object at the constant address, with functions for what is missing
    cache       where builds are kept, by name and by hash
    building    all of it in order
    exploring   programs of the driver under random schedules

    headers/    what the files get in place of the kernel's headers       shim/    the functions behind them
    runtime/    the window of memory, the scheduler, the detectors        driver/  an IOMMU, its driver, programs

No kernel text is here: it comes from the user's tree.
"""
