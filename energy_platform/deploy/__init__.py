"""Recipes to run the platform: units for systemd, a container with compose file, a proxy.

The templates lie in ``recipes`` as data of the package, so that a wheel has them too; what is
written out is filled in with this installation's paths. ``requirements.lock`` pins what runs,
without the tools of development.
"""
