"""What stands before Dagster's web server: whom it answers, and whether all is well.

Nothing here knows Dagster; ``defs/instance/webserver.py`` puts it in place.
"""
