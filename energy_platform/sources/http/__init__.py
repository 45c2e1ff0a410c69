"""The HTTP transport of all sources: allowed calls, rate, retries, time limits, logins, masking.

Belongs here: what is the same for every API. Does not belong here: the name, the paths, the login
or the messages of any one of them.
"""
