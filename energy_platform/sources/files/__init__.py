"""Files that are dropped into a folder: CSV, XLSX and Parquet exports of loggers and meters.

``reader`` turns one file into samples, ``intake`` takes files out of the inbox, ``store`` remembers
what was taken, ``pull`` folds the files into whole days, ``source`` registers it all.
"""
