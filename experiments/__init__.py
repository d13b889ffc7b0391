"""Experiments: one file a figure, and the machinery that runs and keeps them.

An experiment is a module of this package that binds `Config`, `GRID` and `run`; it does
no input or output. The rest of the package is what experiments import (data,
architectures, training) and what runs them:

    digest      the content address of a result: configuration and code
    store       one JSON record a configuration, written atomically, never edited
    tables      the committed CSV of each experiment, and what is done, stale or missing
    sweep       which configurations to compute, and computing them in parallel
    provenance  where and with what a record was made
"""
