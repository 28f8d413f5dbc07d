"""The report: one HTML file of a run, or of two side by side, that needs neither network nor server.

Read it in this order: ``write.py`` gathers the parts, each of which is in a module of its own (``scores.py``,
``pipeline.py``, ``parameters.py``, ``charts.py`` ...), and fills ``page.html``. Pictures that the report draws itself
are SVG made while it is written, so that they are there without JavaScript; ``report.js`` sorts and filters the table
of translations and enlarges pictures, nothing more.
"""
