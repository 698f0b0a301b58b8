"""Whether the server is well, and how it starts and ends.

    life        the stages from opening to ending, and what is refused in which
    serving     uvicorn's server: listens before the database is open, drains before it ends
    start       what is logged once the database is open
    conditions  what is wrong with which collection
    readiness   the verdict of ``/readyz``, and what it was reached by
    gauges      the same as Prometheus series

``/readyz`` says whether to send requests here, ``/livez`` only that the process answers.
"""
